"""A Slicer of the harness whose user edits and saves a case until the process is killed; tells what is safe on disk.

``python edit_until_killed.py FOLDER CASE SEED`` prints lines of a word and the number of labeled voxels: ``ready`` when the
case is open, ``recorded`` when the journal has every edit, ``saved`` when a version has,
``selected`` when the selection is on disk.
"""

import random
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
PATIENCE = 240  # s until the case is open, on a busy computer
MODULE = HERE.parents[1] / "MedSegEffNet" / "MedSegEffNet.py"


def main(folder, case_id, seed):
    import numpy as np

    from harness import boot
    from harness.watch import live, wait_until

    slicer = boot.boot(Path(tempfile.mkdtemp()))
    module = boot.load_module(MODULE)
    panel = module.widgetRepresentation().self().panel
    from MedSegEffNetPanel.correcting.sandbox import SELECTION

    slicer.util.selectModule("MedSegEffNet")
    panel.curation.author = "Ada"
    panel.curation.open(folder)
    section = panel.section("correct")
    section.open(case_id)
    if not wait_until(lambda: section.bench is not None and section.bench.wand is not None, PATIENCE):
        raise SystemExit(f"the case was not opened: {section.ui.correctMessage.text}")
    session = section.desk.session
    tell("ready", session)
    session.edits.recorded.connect(lambda problem: None if problem or session.edits.owed else tell("recorded", session))
    section.desk.saved.connect(lambda: tell_saved(session))
    chance = random.Random(seed)
    while True:
        draw_more(session, next(iter(session.values)))
        draw_more(session, SELECTION)
        live(chance.uniform(0.0, 0.4))
        if section.bench.settled:
            print("selected", np.count_nonzero(drawn(session, SELECTION)), flush=True)
        if chance.random() < 0.3:
            section.desk.save()


def drawn(session, segment_id):
    """The voxels of a segment."""
    import numpy as np
    import slicer

    there = slicer.util.arrayFromSegmentBinaryLabelmap(session.segmentation, segment_id, session.reference)
    return np.zeros(session.edits.labels.shape, np.uint8) if there is None else there.copy()


def draw_more(session, segment_id):
    """One voxel more in a segment."""
    import numpy as np
    import slicer

    mask = drawn(session, segment_id)
    mask.reshape(-1)[: np.count_nonzero(mask) + 1] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, session.segmentation, segment_id, session.reference)


def tell(word, session):
    value = next(iter(session.values.values()))
    print(word, session.edits.counts.get(value, 0), flush=True)


def tell_saved(session):
    """The newest version, as it is on disk."""
    import numpy as np

    print("saved", np.count_nonzero(session.dataset.load_label(session.record).array), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
