"""A case of usual size is opened, edited and saved while the window lives: nothing holds it up for 50 ms."""

import pytest

from correcting_cases import PATIENCE, draw, make_dataset, open_case, real_dataset, settled


@pytest.fixture
def real(panel, tmp_path, shared_data):
    """The section with two patients of BraTS 2013."""
    panel.curation.author = "Ada"
    panel.curation.open(real_dataset(tmp_path / "data", shared_data).folder)
    panel.show("correct")
    section = panel.section("correct")
    section.ui.stateBox.currentIndex = section.ui.stateBox.findData("all")
    return section


@pytest.mark.slow
def test_the_window_lives_while_a_real_case_is_opened_edited_and_saved(real, wait_until, window_lives, slicer_app):
    assert wait_until(lambda: len(real.queue.cases) == 2, PATIENCE)
    wait_until(lambda: real.queue._pictures._work is None or real.queue._pictures._work.over, PATIENCE)
    ids = [case.id for case in real.queue.cases]

    def reopen():
        real.desk.put_away()
        settled(real, wait_until)
        open_case(real, wait_until, ids[0])

    window_lives(reopen)
    for name in ("grow", "add", "take", "smooth", "fill", "clear"):
        draw(real, (slice(70, 75), slice(100, 120), slice(100, 120)))

        def step(name=name):
            getattr(real.tools, name)()
            settled(real, wait_until)

        window_lives(step)
    real.labels.choose(1)
    real.bench.choose(real.bench.label)

    def save():
        real.desk.save()
        settled(real, wait_until)

    window_lives(save)


@pytest.mark.slow
def test_no_step_of_the_section_is_long_on_a_large_volume(panel, tmp_path, wait_until, monkeypatch):
    from MedSegEffNetPanel import steps
    from MedSegEffNetPanel.correcting import edits, session

    dataset = make_dataset(tmp_path / "data", 1, "covid-ct", (512, 512, 300))
    opened = steps.finish(session.open_case(dataset, "case-1", "Ada"))
    try:
        works = measured(opened.edits._compare()), measured(opened.save())
        assert max(works) < 0.03, works
    finally:
        opened.close()
    assert edits.PAUSE < 2000


def measured(work):
    """The longest step of a piece of work, in seconds of the thread itself."""
    import time

    longest = 0.0
    while True:
        began = time.thread_time()
        try:
            next(work)
        except StopIteration:
            return longest
        longest = max(longest, time.thread_time() - began)
