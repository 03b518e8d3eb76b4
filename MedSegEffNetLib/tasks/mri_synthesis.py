"""A missing MRI sequence from those at hand (internship reports, XLIM laboratory, Poitiers, 2022)."""

from dataclasses import replace

from MedSegEffNetLib.task import Citation, Network, Step, SynthesisTask
from MedSegEffNetLib.tasks._terms import FLAIR, T1, T1CE, T2

TASK = SynthesisTask(
    id="mri-synthesis",
    title="Missing MRI sequence",
    description="A missing T1, T1 post-contrast, T2 or FLAIR image synthesized from the sequences at hand.",
    channels=tuple(replace(channel, required=False) for channel in (T1, T1CE, T2, FLAIR)),
    preprocessing=(
        Step("reorient", {"axes": "LPS"}),
        Step("n4"),
        Step("clip_percentiles", {"low": 1.0, "high": 99.0}),
        Step("zscore"),
        Step("mark_background", {"value": -9.0}),
        Step("center_crop", {"size": [160, 160, 155]}),
    ),
    networks=(Network("stargan_unet", {}),),
    recipe={
        "epochs": 200,
        "batch_size": 5,
        "optimizer": "adam",
        "learning_rate": 0.0002,
        "schedule": "step",
        "patience": 25,
        "decay": 0.5,
        "validation_fraction": 0.2,
    },
    metrics=("nmae", "psnr", "ssim", "vif", "niqe"),
    citations=(
        Citation("Internship reports, XLIM laboratory, University of Poitiers, 2022."),
        Citation(
            "Dai et al.: Multimodal MRI synthesis using unified generative adversarial networks. Medical Physics 47, 2020.",
            "https://doi.org/10.1002/mp.14539",
        ),
    ),
)
