"""A missing MRI sequence from those at hand (internship reports, XLIM laboratory, Poitiers, 2022)."""

from dataclasses import replace

from MedSegEffNetLib.task import Citation, Network, PublishedFigure, Step, SynthesisTask
from MedSegEffNetLib.tasks._terms import FLAIR, T1, T1CE, T2

_FIGURES = {
    "nmae": (0.034, 0.041, 0.041),
    "psnr": (32.35, 30.02, 29.09),
    "ssim": (0.974, 0.969, 0.959),
    "vif": (0.750, 0.706, 0.654),
    "niqe": (1.40, 1.51, 1.26),
}
_PUBLISHED = tuple(
    PublishedFigure(
        "unified GAN", metric, mean, "BraTS 2015", "Dai et al., Medical Physics 47, 2020", "image",
        ensemble=f"t1 → {target}",
    )
    for metric, means in _FIGURES.items()
    for target, mean in zip(("t1ce", "t2", "flair"), means, strict=True)
)  # fmt: skip

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
        Step("mark_background", {"value": -9.0, "fill": True}),
        Step("center_crop", {"size": [160, 160, 155]}),
    ),
    networks=(Network("stargan_unet", {}),),
    # The recipe of the reports, and two losses of ours (l1, ssim), as images of a case are registered.
    recipe={
        "epochs": 200,
        "batch_size": 5,
        "discriminator_batch_size": 1,
        "learning_rate": 0.0002,
        "patience": 25,
        "decay": 0.5,
        "gradient_penalty": 10.0,
        "classification": 1.0,
        "reconstruction": 10.0,
        "segmentation": 10.0,
        "l1": 10.0,
        "ssim": 10.0,
        "validation_fraction": 0.2,
    },
    cases_of="brain-tumor",
    default_model="mri-synthesis-stargan",
    published=_PUBLISHED,
    metrics=("nmae", "psnr", "ssim", "vif", "niqe"),
    citations=(
        Citation("Internship reports, XLIM laboratory, University of Poitiers, 2022."),
        Citation(
            "Dai et al.: Multimodal MRI synthesis using unified generative adversarial networks. Medical Physics 47, 2020.",
            "https://doi.org/10.1002/mp.14539",
        ),
    ),
)
