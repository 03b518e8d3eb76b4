"""Tumor sub-regions in 3D multi-modal brain MRI (master thesis, University of Bejaia, 2020; arXiv:2011.11052).

Open in the thesis: the intensity normalization (here z-score over the non-background, usual for BraTS).
"""

from dataclasses import replace

from MedSegEffNetLib.task import Citation, Label, Network, Region, SegmentationTask, Step
from MedSegEffNetLib.tasks._terms import EDEMA, ENHANCING, FLAIR, NECROSIS, T1, T1CE, T2

TASK = SegmentationTask(
    id="brain-tumor",
    title="Brain tumor in 3D",
    description="Enhancing tumor, tumor core and whole tumor of glioma in 3D MRI (BraTS), one network a modality.",
    dimensions=3,
    channels=(
        replace(T1, required=False),
        T1CE,
        replace(T2, required=False),
        replace(FLAIR, required=False),
    ),
    labels=(
        Label(1, "necrotic and non-enhancing core", (220, 50, 47), NECROSIS),
        Label(2, "edema", (76, 175, 80), EDEMA),
        Label(4, "enhancing tumor", (255, 215, 0), ENHANCING),
    ),
    regions=(
        Region("WT", "whole tumor", (1, 2, 4), writes=2),
        Region("TC", "tumor core", (1, 4), writes=1),
        Region("ET", "enhancing tumor", (4,), writes=4),
    ),
    preprocessing=(
        Step("reorient", {"axes": "LPS"}),
        Step("resample", {"spacing": [1.0, 1.0, 1.0]}),
        Step("crop_to_content", {"margin_mm": 2.0}),
        Step("zscore"),
    ),
    networks=(Network("efficientnet_embedded_3d", {"variant": "b0", "encoder_weights": "imagenet"}),),
    recipe={
        "epochs": 300,
        "batch_size": 1,
        "patch_size": [192, 160, 108],
        "loss": "ce_dice",
        "background_noise": 0.05,
        "optimizer": "adam",
        "learning_rate": 0.0001,
        "schedule": "plateau",
        "decay": 0.1,
        "patience": 50,
        "monitor": "loss",
    },
    metrics=("dice", "iou", "sensitivity", "specificity", "precision", "f1", "hd95"),
    citations=(
        Citation("Master thesis, University of Bejaia, 2020."),
        Citation(
            "Messaoudi et al.: Efficient embedding network for 3D brain tumor segmentation.",
            "https://arxiv.org/abs/2011.11052",
        ),
    ),
)
