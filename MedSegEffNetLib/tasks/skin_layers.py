"""Four layers of the heel's skin in 2D MRI (master thesis, University of Bejaia, 2020)."""

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
)
from MedSegEffNetLib.tasks._terms import ANATOMY, TISSUE

_HEEL = Code("SCT", "76853006", "Heel")

TASK = SegmentationTask(
    id="skin-layers",
    title="Skin layers of the heel",
    description="Stratum corneum, epidermis, dermis and subcutaneous tissue in 2D MRI of the heel.",
    dimensions=2,
    channels=(Channel("t2", "T2", ("mri", "mr", "t2map", "t2 map", "image", "echo")),),
    labels=(
        Label(
            1, "stratum corneum", (250, 210, 80), Terminology(TISSUE, Code("SCT", "36696005", "Stratum corneum"), _HEEL)
        ),
        Label(2, "epidermis", (230, 120, 70), Terminology(TISSUE, Code("SCT", "55988001", "Epidermis"), _HEEL)),
        Label(3, "dermis", (190, 70, 110), Terminology(TISSUE, Code("SCT", "53534000", "Dermis"), _HEEL)),
        Label(
            4,
            "subcutaneous tissue",
            (90, 110, 190),
            Terminology(ANATOMY, Code("SCT", "71966008", "Subcutaneous tissue"), _HEEL),
        ),
    ),
    regions=(
        Region("SC", "stratum corneum", (1,), writes=1),
        Region("EP", "epidermis", (2,), writes=2),
        Region("DE", "dermis", (3,), writes=3),
        Region("SUB", "subcutaneous tissue", (4,), writes=4),
    ),
    activation="softmax",
    nested=False,
    preprocessing=(Step("divide_by_maximum"), Step("resize", {"size": [384, 384]})),
    networks=(
        Network("efficientnet_unet_2d", {"variant": "lite0", "encoder_weights": "imagenet", "dropout": 0.1}),
        Network("unet_2d", {"channels": [64, 128, 256, 512, 1024]}),
    ),
    # The thesis' recipe; its second network has the encoder b0: --set network.variant=b0.
    recipe={
        "epochs": 100,
        "batch_size": 4,
        "loss": "bce",
        "optimizer": "adam",
        "learning_rate": 0.0001,
        "monitor": "accuracy",
        "augmentation": {
            "rotation_degrees": 15,
            "zoom": 0.1,
            "shift": 0.1,
            "flip_left_right": 0.5,
            "flip_up_down": 0.5,
        },
    },
    network_recipes={
        "efficientnet_unet_2d": {
            "patch_size": [256, 256],
            "optimizer": "adamw",
            "learning_rate": 0.001,
            "weight_decay": 0.01,
            "schedule": "cosine",
            "warmup": 1.0,
            "loss": "ce_dice",
            "monitor": "dice",
            "precision": "bfloat16",
            "augmentation": {
                "rotation_degrees": 20,
                "zoom": 0.2,
                "shift": 0.1,
                "flip_left_right": 0.5,
                "flip_up_down": 0.5,
                "gamma": 0.3,
                "noise": 0.02,
                "bias_field": 0.3,
                "blur": 0.1,
            },
        },
    },
    metrics=("accuracy", "dice", "iou", "sensitivity", "specificity", "precision", "f1", "hd95"),
    measures=(Measure("thickness", {"layers": ["stratum corneum", "epidermis", "dermis", "subcutaneous tissue"]}),),
    citations=(Citation("Master thesis, University of Bejaia, 2020."),),
    published=tuple(
        PublishedFigure(
            system,
            "accuracy",
            mean,
            data="unseen images of 20 subjects",
            source="master thesis, University of Bejaia, 2020",
        )
        for system, mean in (("U-Net", 0.81), ("EfficientNet U-Net", 0.90))
    ),
    default_model="skin-layers-efficientnet",
)
