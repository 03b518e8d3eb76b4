"""Tumor sub-regions in 3D multi-modal brain MRI (master thesis, University of Bejaia, 2020; arXiv:2011.11052).

Open in the thesis: the intensity normalization (here z-score over the non-background, usual for BraTS, with the
brightest and darkest half percent clipped before it, so that vessels do not set the scale).
"""

from dataclasses import replace

from MedSegEffNetLib.task import Citation, Ensemble, Label, Network, Region, SegmentationTask, Step
from MedSegEffNetLib.tasks._terms import EDEMA, ENHANCING, FLAIR, NECROSIS, T1, T1CE, T2

TASK = SegmentationTask(
    id="brain-tumor",
    title="Brain tumor in 3D",
    description="Enhancing tumor, tumor core and whole tumor of glioma in 3D MRI (BraTS), one network a modality.",
    dimensions=3,
    channels=(
        replace(T1, required=False),
        replace(T1CE, required=False),
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
        Step("clip_percentiles", {"low": 0.5, "high": 99.8}),
        Step("zscore"),
        Step("mark_background", {"value": -4.0}),
    ),
    networks=(
        Network(
            "efficientnet_embedded_3d",
            {"variant": "lite0", "schedule": "whole", "norm": "weight", "encoder_weights": "imagenet"},
        ),
    ),
    # The thesis' recipe; its network: --set network.variant=b0 network.schedule=faithful network.norm=group.
    recipe={
        "epochs": 300,
        "batch_size": 1,
        "patch_size": [192, 160, 150],  # the thesis: 108 slices, which leaves out 5 to 7 % of a brain
        "loss": "ce_dice",
        "background_noise": 0.05,
        "optimizer": "adam",
        "learning_rate": 0.0001,
        "schedule": "plateau",
        "decay": 0.1,
        "patience": 50,
        "monitor": "loss",
    },
    ensembles=(
        Ensemble(
            "first",
            "ET and TC from T1ce, WT from FLAIR, T1ce and T2",
            {"ET": ("t1ce",), "TC": ("t1ce",), "WT": ("flair", "t1ce", "t2")},
        ),
        Ensemble(
            "second",
            "ET and TC from T1ce, WT from all four",
            {"ET": ("t1ce",), "TC": ("t1ce",), "WT": ("flair", "t1ce", "t2", "t1")},
        ),
    ),
    metrics=("dice", "iou", "sensitivity", "specificity", "precision", "f1", "hd95"),
    citations=(
        Citation("Master thesis, University of Bejaia, 2020."),
        Citation(
            "Messaoudi et al.: Efficient embedding network for 3D brain tumor segmentation.",
            "https://arxiv.org/abs/2011.11052",
        ),
    ),
)
