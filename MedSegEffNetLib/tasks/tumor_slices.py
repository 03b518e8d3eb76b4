"""Tumor in three-channel 2D slices (project report, Imperial data science winter school, 2023).

Open in the report: which three channels (here T1, FLAIR and T1 post-contrast, as in the TCGA-LGG set of Buda et al.) and
the intensity normalization (here z-score over the non-background of each channel and volume).
"""

from dataclasses import replace

from MedSegEffNetLib.task import Citation, Label, Network, PublishedFigure, Region, SegmentationTask, Step
from MedSegEffNetLib.tasks._terms import FLAIR, NEOPLASM, T1, T1CE

TASK = SegmentationTask(
    id="tumor-slices",
    title="Brain tumor in slices",
    description="FLAIR abnormality (whole tumor) of glioma in axial brain MRI, slice by slice.",
    dimensions=2,
    channels=(
        replace(T1, required=False, substitute="flair"),
        FLAIR,
        replace(T1CE, required=False, substitute="flair"),
    ),
    labels=(Label(1, "tumor", (230, 75, 53), NEOPLASM),),
    regions=(Region("tumor", "tumor", (1,), writes=1),),
    preprocessing=(Step("reorient", {"axes": "LPS"}), Step("resize", {"size": [240, 240]}), Step("zscore")),
    networks=(
        Network("efficientnet_unet_2d", {"variant": "lite0", "encoder_weights": "imagenet", "dropout": 0.1}),
        Network("unet_2d", {"channels": [16, 32, 64, 128, 256], "batch_norm": True, "dropout": 0.1}),
    ),
    # The report's recipe; "decay 0.5" is read as the factor of the reduction on plateau.
    recipe={
        "epochs": 100,
        "batch_size": 16,
        "loss": "mse",
        "optimizer": "adam",
        "learning_rate": 0.002,
        "schedule": "plateau",
        "decay": 0.5,
        "patience": 10,
        "early_stopping": 15,
        "monitor": "dice",
        "augmentation": {
            "rotation_degrees": 20,
            "zoom": 0.15,
            "flip_left_right": 0.5,
            "flip_up_down": 0.5,
        },
    },
    network_recipes={
        "unet_2d": {"empties_per_epoch": 400},
        "efficientnet_unet_2d": {
            "epochs": 40,
            "patch_size": [192, 192],
            "size": 256,
            "context": 1,
            "empties_per_epoch": 400,
            "optimizer": "adamw",
            "learning_rate": 0.001,
            "weight_decay": 0.01,
            "schedule": "cosine",
            "warmup": 1.0,
            "loss": "ce_dice",
            "early_stopping": 0,
            "ema": 0.998,
            "channel_dropout": 0.08,
            "precision": "bfloat16",
            "seed": 1,
            "augmentation": {
                "rotation_degrees": 15,
                "zoom": 0.15,
                "shift": 0.05,
                "flip_left_right": 0.5,
                "intensity": 0.2,
                "gamma": 0.3,
                "noise": 0.1,
                "bias_field": 0.2,
                "blur": 0.1,
            },
        },
    },
    metrics=("dice", "iou", "accuracy", "sensitivity", "specificity", "precision", "f1", "hd95"),
    citations=(
        Citation("Project report, Imperial College data science winter school, 2023."),
        Citation(
            "Buda, Saha, Mazurowski: Association of genomic subtypes of lower-grade gliomas with shape features "
            "automatically extracted by a deep learning algorithm. Computers in Biology and Medicine 109, 2019.",
            "https://doi.org/10.1016/j.compbiomed.2019.05.002",
        ),
    ),
    published=tuple(
        PublishedFigure(
            "U-Net from 16 filters",
            metric,
            mean,
            data="validation slices, split at random; about 90 % and more than 95 % reported",
            source="project report, Imperial College data science winter school, 2023",
            region="tumor",
        )
        for metric, mean in (("accuracy", 0.90), ("sensitivity", 0.95))
    ),
    default_model="tumor-slices-efficientnet",
)
