"""Terms that several tasks use: terminology (SNOMED CT) and MRI channels with their spellings."""

from __future__ import annotations

from MedSegEffNetLib.task import Channel, Code, Terminology

TISSUE = Code("SCT", "85756007", "Tissue")
ANATOMY = Code("SCT", "123037004", "Anatomical Structure")
ALTERED = Code("SCT", "49755003", "Morphologically Altered Structure")
BRAIN = Code("SCT", "12738006", "Brain")

NEOPLASM = Terminology(ALTERED, Code("SCT", "108369006", "Neoplasm"), BRAIN)
NECROSIS = Terminology(ALTERED, Code("SCT", "6574001", "Necrosis"), BRAIN)
EDEMA = Terminology(ALTERED, Code("SCT", "79654002", "Edema"), BRAIN)
ENHANCING = Terminology(ALTERED, Code("SCT", "86049000", "Neoplasm, Primary"), BRAIN)

T1 = Channel("t1", "T1", ("t1n", "t1w", "t1 pre", "t1pre", "t1 weighted", "t1_native"))
T1CE = Channel(
    "t1ce",
    "T1 post-contrast",
    (
        "t1c",
        "t1gd",
        "t1ce",
        "t1post",
        "t1 post",
        "t1 gd",
        "t1 ce",
        "t1cw",
        "t1 contrast",
        "post contrast",
        "postcontrast",
    ),
)
T2 = Channel("t2", "T2", ("t2w", "t2 weighted"))
FLAIR = Channel("flair", "FLAIR", ("t2f", "fla", "t2flair", "t2 flair", "flr", "dark fluid"))
