"""COVID-19 lesions in lung CT, slice by slice (master thesis, University of Biskra, 2021).

Open in the thesis: the Hounsfield window before standardization (here the lung window, center -600, width 1500). The
thesis segments the infection; the lung is predicted too, so that the infection can be given as a share of it.
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
    preprocessing=(
        Step("reorient", {"axes": "LPS"}),
        Step("window", {"center": -600.0, "width": 1500.0}),
        Step("resize", {"size": [256, 256]}),
        Step("standardize"),
    ),
    networks=(
        Network("unet_2d", {"channels": [32, 64, 128, 256, 512]}),
        Network("efficientnet_unet_2d", {"variant": "lite0", "encoder_weights": "imagenet"}),
    ),
    # The model monitored by Dice; by accuracy or IoU: --set monitor=accuracy (or iou) loss=bce epochs=100.
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
    metrics=("dice", "iou", "accuracy", "sensitivity", "specificity", "precision", "f1", "hd95"),
    citations=(
        Citation("Master thesis, University of Biskra, 2021."),
        Citation(
            "Ma et al.: COVID-19 CT Lung and Infection Segmentation Dataset, 2020.",
            "https://zenodo.org/records/3757476",
        ),
    ),
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
)
