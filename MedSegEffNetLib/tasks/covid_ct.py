"""COVID-19 lesions in lung CT, slice by slice (master thesis, University of Biskra, 2021).

Open in the thesis: the Hounsfield window before standardization. The public training slices are no Hounsfield units any
more but 8-bit pictures with enhanced contrast (CLAHE). CT in Hounsfield units is brought near to them: the window and
the limit make air, lung and soft tissue about as bright as they are there, and 8-bit slices stay as they are. The thesis
segments the infection; the lung is predicted too, so that the infection can be given as a share of it.
"""

from MedSegEffNetLib.task import (
    Channel,
    Citation,
    Code,
    Label,
    Measure,
    Network,
    PublishedFigure,
    Region,
    SegmentationTask,
    Step,
    Terminology,
    VolumeRange,
)
from MedSegEffNetLib.tasks._terms import ALTERED, ANATOMY

_LUNG = Code("SCT", "39607008", "Lung")

TASK = SegmentationTask(
    id="covid-ct",
    title="COVID-19 in lung CT",
    description="Lung and COVID-19 infection in chest CT, slice by slice.",
    dimensions=2,
    channels=(Channel("ct", "CT", ("chest", "thorax", "lung", "image")),),
    labels=(
        Label(1, "lung", (128, 174, 204), Terminology(ANATOMY, _LUNG)),
        Label(2, "infection", (221, 75, 57), Terminology(ALTERED, Code("SCT", "52988006", "Lesion"), _LUNG)),
    ),
    regions=(
        Region("lung", "lung with infection", (1, 2), writes=1),
        Region("infection", "infection", (2,), writes=2),
    ),
    nested=False,  # dense infection looks less like lung than anything: what is infected counts as lung
    preprocessing=(
        Step("reorient", {"axes": "LPS"}),
        Step("resize", {"size": [256, 256]}),
        Step("window", {"center": -250.0, "width": 1800.0, "clip_limit": 2.0, "tiles": 8}),
        Step("standardize"),
    ),
    networks=(
        Network("efficientnet_unet_2d", {"variant": "lite0", "encoder_weights": "imagenet"}),
        Network("unet_2d", {"channels": [32, 64, 128, 256, 512]}),
    ),
    # The U-Net as published, monitored by Dice. The other two monitors in one training, whose model by IoU is model-iou:
    # --set loss=bce monitor=accuracy also_monitor=iou epochs=100.
    recipe={
        "epochs": 250,
        "batch_size": 8,
        "loss": "soft_dice",
        "optimizer": "adam",
        "learning_rate": 0.001,
        "monitor": "dice",
        "validation_fraction": 0.2,
        "test_fraction": 0.1,
    },
    network_recipes={
        "efficientnet_unet_2d": {
            "epochs": 20,
            "patch_size": [192, 192],
            "optimizer": "adamw",
            "weight_decay": 0.01,
            "schedule": "cosine",
            "warmup": 1.0,
            "loss": "ce_dice",
            "ema": 0.995,
            "precision": "bfloat16",
            "seed": 1,
            "augmentation": {
                "rotation_degrees": 15,
                "zoom": 0.2,
                "shift": 0.08,
                "flip_left_right": 0.5,
                "flip_up_down": 0.5,  # many slices of the public set lie with the table up
                "intensity": 0.25,
                "gamma": 0.4,
                "noise": 0.15,
                "bias_field": 0.15,
                "blur": 0.15,
            },
        },
    },
    metrics=("dice", "iou", "accuracy", "sensitivity", "specificity", "precision", "f1", "hd95"),
    citations=(
        Citation("Master thesis, University of Biskra, 2021."),
        Citation(
            "Ma et al.: COVID-19 CT Lung and Infection Segmentation Dataset, 2020.",
            "https://zenodo.org/records/3757476",
        ),
    ),
    shown_window=(-1000, 200),  # the lungs in detail; soft tissue is bright
    plausible_ml={"lung": VolumeRange(500, 9000, always=True)},
    checks=("chest_ct",),
    measures=(Measure("share", {"part": "infection", "whole": ["lung", "infection"], "title": "lung with infection"}),),
    published=tuple(
        PublishedFigure(
            f"U-Net monitored by {title}, {split}",
            metric,
            mean,
            data=f"{split} slices of 20 labelled CT volumes (Zenodo 3757476)",
            source="master thesis, University of Biskra, 2021",
            region="infection",
        )
        for title, metric, figures in (
            ("accuracy", "accuracy", (0.9971, 0.9948)),
            ("IoU", "iou", (0.9233, 0.8742)),
            ("Dice", "dice", (0.9198, 0.8603)),
        )
        for split, mean in zip(("training and validation", "test"), figures, strict=True)
    ),
    default_model="covid-ct-efficientnet",
)
