"""Tumor sub-regions in 3D multi-modal brain MRI (master thesis, University of Bejaia, 2020; arXiv:2011.11052).

Open in the thesis: the intensity normalization (here z-score over the non-background, usual for BraTS, with the
brightest and darkest half percent clipped before it, so that vessels do not set the scale).
"""

from dataclasses import replace

from MedSegEffNetLib.task import (
    Citation,
    Ensemble,
    Label,
    Network,
    PublishedFigure,
    Region,
    SegmentationTask,
    Step,
    VolumeRange,
)
from MedSegEffNetLib.tasks._terms import EDEMA, ENHANCING, FLAIR, NECROSIS, T1, T1CE, T2

# The thesis' table: Dice of ET, WT and TC as mean, standard deviation and median.
_PUBLISHED = {
    "flair": ("FLAIR network", (0.30, 0.23, 0.37), (0.84, 0.13, 0.89), (0.53, 0.25, 0.61)),
    "t1ce": ("T1ce network", (0.65, 0.32, 0.80), (0.74, 0.17, 0.78), (0.68, 0.31, 0.79)),
    "t2": ("T2 network", (0.35, 0.25, 0.42), (0.81, 0.13, 0.85), (0.57, 0.25, 0.65)),
    "first": ("first combination", (0.65, 0.31, 0.81), (0.84, 0.10, 0.87), (0.68, 0.31, 0.78)),
    "second": ("second combination", (0.46, 0.29, 0.58), (0.78, 0.12, 0.81), (0.62, 0.26, 0.68)),
}

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
    # The thesis' recipe with changes of the images; its network:
    # --set network.variant=b0 network.schedule=faithful network.norm=group.
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
        "augmentation": {
            "rotation_degrees": 15.0,
            "zoom": 0.1,
            "shift": 0.05,
            "flip_left_right": 0.5,
            "intensity": 0.15,
            "gamma": 0.2,
            "noise": 0.05,
            "bias_field": 0.15,
            "blur": 0.1,
        },
    },
    ensembles=(
        Ensemble(
            "first",
            "ET and TC from T1ce, WT from FLAIR, T1ce and T2",
            {"ET": {"t1ce": 1}, "TC": {"t1ce": 1}, "WT": {"flair": 1, "t1ce": 1, "t2": 1}},
        ),
        Ensemble(
            "second",
            "ET and TC from T1ce, WT from all four",
            {"ET": {"t1ce": 1}, "TC": {"t1ce": 1}, "WT": {"flair": 1, "t1ce": 1, "t2": 1, "t1": 1}},
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
    published=tuple(
        PublishedFigure(
            system,
            "dice",
            mean,
            data="125 validation cases of BraTS 2020",
            source="master thesis, University of Bejaia, 2020",
            region=region,
            std=std,
            median=median,
            ensemble=ensemble,
        )
        for ensemble, (system, *figures) in _PUBLISHED.items()
        for region, (mean, std, median) in zip(("ET", "WT", "TC"), figures, strict=True)
    ),
    shown_on="t1ce",
    plausible_ml={"WT": VolumeRange(0.5, 350), "TC": VolumeRange(0.1, 250), "ET": VolumeRange(0.05, 200)},
    checks=("skull_stripped",),
    default_model="brain-tumor-efficientnet",
)
