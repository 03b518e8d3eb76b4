"""The panel in a narrow window: nothing is as wide as to be cut off."""

import pytest

import training_jobs
import training_runs

runs_base, fake_jobs, trainer = training_jobs.runs_base, training_jobs.fake_jobs, training_jobs.trainer
WIDTH = 320  # pixels, with the scroll bar


@pytest.mark.parametrize("name", ["compare", "correct", "dataset", "environment", "models", "synthesize"])
def test_a_section_fits_into_a_narrow_panel(panel, name):
    widget = panel.section(name).widget
    assert widget.minimumSizeHint.width() <= WIDTH, widths(widget)


@pytest.mark.parametrize("name", ["batchBox", "advancedBox"])
def test_a_box_fits_into_a_narrow_panel(panel, name):
    box = getattr(panel.section("segment").ui, name)
    box.collapsed = False
    assert box.minimumSizeHint.width() <= WIDTH - 20, widths(box)


def test_the_section_train_fits_with_a_run_and_everything_open(trainer, runs_base, wait_until):
    job = training_runs.make_run(runs_base / "0001-train", 2, data=str(trainer.panel.curation.dataset.folder))
    training_runs.write_comparison(job.folder, "", tumor=training_runs.figures(0.8, 0.9))
    trainer.runs.read()
    ui = trainer.ui
    assert wait_until(lambda: ui.runTable.rowCount == 1, training_jobs.PATIENCE)
    for box in (ui.advancedBox, ui.preflightBox, ui.watchBox, ui.watchLogBox, ui.resultBox):
        box.collapsed = False
    wait_until(lambda: False, 0.3)
    assert trainer.widget.minimumSizeHint.width() <= WIDTH, widths(trainer.widget)


def widths(widget):
    """The widest parts, for the message."""
    import qt

    parts = [(part.minimumSizeHint.width(), part.objectName) for part in widget.findChildren(qt.QWidget)]
    return sorted(parts, reverse=True)[:8]
