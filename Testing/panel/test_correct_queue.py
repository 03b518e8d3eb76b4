"""The queue of the section Correct: found, ordered, opened one after the other, accepted; nothing is dropped unasked."""

import dataclasses

import numpy as np
import pytest

from correcting_cases import (
    PATIENCE,
    click,
    draw,
    labels,
    make_dataset,
    names,
    open_case,
    press,
    settled,
)
from MedSegEffNetLib.dataset.index import CaseSummary

BOX = (slice(4, 8), slice(5, 10), slice(6, 12))  # 120 voxels


@pytest.fixture
def dataset(tmp_path):
    """Three cases without labels."""
    return make_dataset(tmp_path / "data")


@pytest.fixture
def section(panel, dataset, wait_until):
    """The section with the data set open; no case is."""
    panel.curation.author = "Ada"
    panel.curation.open(dataset.folder)
    panel.show("correct")
    section = panel.section("correct")
    assert wait_until(lambda: len(names(section)) == 3, PATIENCE)
    return section


@pytest.fixture
def calm(section, wait_until):
    return lambda: settled(section, wait_until)


@pytest.fixture
def edited(section, wait_until, calm):
    """The first case open, with edits that are not saved."""
    open_case(section, wait_until)
    draw(section, BOX)
    click(section, "add")
    calm()
    assert section.desk.session.unsaved
    return section


def saved(dataset, case_id="case-1"):
    """Voxels of a case's label; None: it has none."""
    label = dataset.load(case_id)[1]
    return None if label is None else int(np.count_nonzero(label.array))


# which cases, in which order


def cases(**figures):
    rows = {
        "a": CaseSummary("a", "p1", state="new", time="2026-01-03"),
        "b": CaseSummary(
            "b", "p2", state="predicted", time="2026-01-02", figures={"uncertainty": 0.1}, volumes_ml={"x": 5}
        ),
        "c": CaseSummary(
            "c", "p3", state="in review", time="2026-01-01", figures={"agreement": 0.4}, flags=("blurred",)
        ),
        "d": CaseSummary("d", "p4", state="accepted", time="2026-01-04", minutes=6.0, figures={"uncertainty": 0.9}),
        "e": CaseSummary("e", "p5", state="rejected", time="2026-01-05", minutes=2.0),
    }
    return list(rows.values())


def order(**wish):
    from MedSegEffNetPanel.correcting.queue import Wish, arranged

    return "".join(case.id for case in arranged(cases(), Wish(**wish)))


def test_the_least_sure_cases_come_first_and_those_without_a_figure_last():
    assert order() == "cba"
    assert order(state="all") == "dcbae"


def test_cases_are_ordered_by_date_size_or_name():
    assert order(state="all", order="date") == "cbade"
    assert order(state="all", order="size") == "bacde"
    assert order(state="all", order="name") == "abcde"


def test_cases_are_found_by_words_and_state():
    assert order(text="BLUR", state="all") == "c"
    assert order(text="p p4", state="all") == "d"
    assert order(state="accepted") == "d"


def test_skipped_cases_come_last():
    assert order(skipped={"c"}) == "bac"


def test_the_open_case_stays_at_its_place_when_its_figures_are_new():
    from MedSegEffNetPanel.correcting.queue import in_place

    def placed(now, before, case_id):
        return "".join(
            case.id for case in in_place(list(map(CaseSummary, now)), list(map(CaseSummary, before)), case_id)
        )

    assert placed("bcda", "abcd", "a") == "abcd"
    assert placed("bdca", "abcd", "b") == "bdca"
    assert placed("acdb", "abcd", "b") == "abcd"
    assert placed("bcde", "abcd", "a") == "bcde"  # it is shown no more
    assert placed("dcab", "abcd", "d") == "cabd"
    assert placed("ab", "", "a") == "ab"


def test_progress_counts_what_is_done_and_its_minutes():
    from MedSegEffNetPanel.correcting.queue import progress

    assert progress(cases()) == (2, 5, 4.0)
    assert progress([]) == (0, 0, 0.0)


# by clicks and keys


def test_without_a_data_set_it_is_told_where_one_is_opened(panel):
    assert panel.section("correct").ui.progressLabel.text == "Open a data set in the section Data set."


def test_the_queue_says_how_unsure_the_model_is(section, wait_until, dataset):
    from MedSegEffNetLib.dataset.labels import save_label

    image = next(iter(dataset.load("case-2")[0].values()))
    label_map = image.with_array(np.zeros(image.shape, np.uint8))
    save_label(dataset, "case-2", label_map, author="Ada", origin="model", model="net@1", figures={"uncertainty": 0.95})
    section.panel.curation.refresh()
    assert wait_until(lambda: names(section)[0] == "case-2", PATIENCE)  # the least sure case first
    table = section.ui.caseTable
    assert table.horizontalHeaderItem(3).text() == "Unsure"
    assert [table.item(row, 3).text() for row in range(3)] == ["95 %", "", ""]


def test_after_save_and_accept_the_next_case_follows(section, wait_until, calm, dataset):
    from MedSegEffNetLib.dataset.labels import save_label

    for case_id, doubt in (("case-1", 0.2), ("case-2", 0.9), ("case-3", 0.5)):
        image = next(iter(dataset.load(case_id)[0].values()))
        label_map, figures = image.with_array(np.zeros(image.shape, np.uint8)), {"uncertainty": doubt}
        save_label(dataset, case_id, label_map, author="Ada", origin="model", model="net@1", figures=figures)
    section.panel.curation.refresh()
    assert wait_until(lambda: names(section) == ["case-2", "case-3", "case-1"], PATIENCE)
    open_case(section, wait_until, "case-2")
    draw(section, BOX)
    click(section, "add")
    calm()
    click(section, "save")
    calm()
    shown = section.ui.caseTable
    assert wait_until(lambda: shown.item(0, 3).text() == "", PATIENCE)  # a corrected label has no figure
    assert names(section) == ["case-2", "case-3", "case-1"]
    click(section, "accept")
    calm()
    assert section.desk.case_id == "case-3"


def test_the_image_is_seen_through_the_labels(section, wait_until):
    display = open_case(section, wait_until).segmentation.GetDisplayNode()
    assert display.GetOpacity2DFill() < 0.5
    assert display.GetOpacity2DOutline() == 1.0


def test_a_case_is_opened_edited_accepted_and_the_next_one_follows(section, wait_until, calm, dataset):
    open_case(section, wait_until)
    draw(section, BOX)
    press(section, "+")
    press(section, "Ctrl+Return")  # while the selection is still being added
    calm()
    assert section.desk.case_id == "case-2"
    assert dataset.read("case-1").state == "accepted"
    assert saved(dataset) == 120
    assert wait_until(lambda: names(section) == ["case-2", "case-3"], PATIENCE)
    assert "1 of 3 done" in section.ui.progressLabel.text


def test_a_case_without_anything_to_find_can_be_accepted(section, wait_until, calm, dataset):
    open_case(section, wait_until)
    click(section, "accept")
    calm()
    assert dataset.read("case-1").state == "accepted"
    assert saved(dataset) == 0


def test_a_rejected_case_is_rejected_and_skipped_ones_come_last(section, wait_until, calm, dataset):
    open_case(section, wait_until)
    click(section, "skip")
    calm()
    assert section.desk.case_id == "case-2"
    assert wait_until(lambda: names(section)[-1] == "case-1", PATIENCE)
    click(section, "reject")
    calm()
    assert dataset.read("case-2").state == "rejected"
    assert section.desk.case_id == "case-3"


def test_next_and_previous_walk_through_the_list(section, wait_until, calm):
    open_case(section, wait_until)
    press(section, "Ctrl+Right")
    calm()
    assert section.desk.case_id == "case-2"
    click(section, "previous")
    calm()
    assert section.desk.case_id == "case-1"
    click(section, "previous")
    assert "no further case" in section.ui.correctMessage.text


def test_a_filter_and_a_state_narrow_the_table(section, wait_until, dataset):
    section.ui.caseFilter.text = "patient-2"
    assert wait_until(lambda: names(section) == ["case-2"], PATIENCE)
    section.ui.stateBox.currentIndex = section.ui.stateBox.findData("accepted")
    assert wait_until(lambda: names(section) == [], PATIENCE)
    assert "no case is like this" in section.ui.progressLabel.text


def test_a_picture_of_each_case_is_made_and_kept(section, wait_until):
    import qt

    table = section.ui.caseTable
    assert wait_until(lambda: all(not table.item(row, 0).icon().isNull() for row in range(3)), PATIENCE)
    pictures = [section.queue._pictures.file(case) for case in section.queue.cases]
    assert len({path.read_bytes() for path in pictures}) == 3
    assert qt.QPixmap(str(pictures[0])).width() == 48


def test_a_case_whose_image_is_gone_has_no_picture_and_says_why_when_it_is_opened(section, wait_until, dataset, calm):
    for path in dataset.paths(dataset.read("case-2")).values():
        path.unlink()
    section.open("case-2")
    calm()
    assert section.desk.session is None
    assert "case-2" in section.ui.correctMessage.text


def test_leaving_unsaved_edits_is_asked_for_and_staying_keeps_them(edited, dialogs, calm):
    dialogs.answers.append("Cancel")
    press(edited, "Ctrl+Right")
    calm()
    assert "not saved" in dialogs.texts()[-1]
    assert edited.desk.case_id == "case-1"
    assert sum(labels(edited).values()) == 120


def test_unsaved_edits_are_saved_when_the_user_says_so(edited, dialogs, calm, dataset):
    dialogs.answers.append("Save")
    click(edited, "next")
    calm()
    assert edited.desk.case_id == "case-2"
    assert saved(dataset) == 120


def test_unsaved_edits_are_discarded_when_the_user_says_so(edited, dialogs, calm, dataset, wait_until):
    dialogs.answers.append("Discard")
    click(edited, "next")
    calm()
    assert saved(dataset) is None
    open_case(edited, wait_until)
    assert not edited.desk.session.recovered


def test_another_data_set_is_not_opened_before_the_edits_are_saved(edited, dialogs, tmp_path, dataset, wait_until):
    other = make_dataset(tmp_path / "other", 1)
    dialogs.answers.append("Cancel")
    edited.panel.curation.open(other.folder)
    assert edited.panel.curation.dataset.folder == dataset.folder
    dialogs.answers.append("Save")
    edited.panel.curation.open(other.folder)
    assert edited.panel.curation.dataset.folder == other.folder
    assert edited.desk.session is None
    assert saved(dataset) == 120
    assert wait_until(lambda: names(edited) == ["case-1"], PATIENCE)


def test_nothing_is_asked_where_nothing_was_edited(section, wait_until, dialogs, calm):
    open_case(section, wait_until)
    click(section, "next")
    calm()
    assert section.desk.case_id == "case-2"
    assert dialogs.shown == []


def test_the_next_case_is_read_ahead(section, wait_until, calm, monkeypatch):
    from MedSegEffNetPanel.correcting import session as sessions

    open_case(section, wait_until)
    assert wait_until(lambda: section.desk._ahead is not None, PATIENCE)
    assert section.desk._ahead.record.id == "case-2"
    monkeypatch.setattr(sessions, "read_case", None)
    section.desk.read_ahead = lambda case_id: None
    click(section, "next")
    calm()
    assert section.desk.case_id == "case-2"


def test_a_case_that_another_has_open_is_not_opened_and_says_who(section, dataset, calm):
    with dataset.open_case("case-1", "Berta"):
        section.open("case-1")
        calm()
    assert section.desk.session is None
    assert "Berta" in section.ui.correctMessage.text


def test_who_works_is_asked_once_in_the_section(panel, dataset, wait_until, calm, section, monkeypatch):
    from MedSegEffNetPanel.curation import Curation

    known = []
    author = property(lambda self: known[-1] if known else "", lambda self, name: known.append(name))
    monkeypatch.setattr(Curation, "author", author)
    section.enter()
    assert section.ui.authorFrame.isVisibleTo(section.widget)
    section.open("case-1")
    assert section.desk.session is None
    assert "your name" in section.ui.correctMessage.text
    section.ui.authorEdit.text = "Berta"
    section.ui.authorEdit.returnPressed()
    assert not section.ui.authorFrame.isVisibleTo(section.widget)
    open_case(section, wait_until)
    assert section.desk.session.author == "Berta"


def test_of_many_cases_the_first_are_shown_and_all_are_walked(section, wait_until, monkeypatch):
    rows = [dataclasses.replace(cases()[0], id=f"case-{number:05d}") for number in range(10_000)]
    section.panel.curation.cases = rows
    section.panel.curation.changed.emit()
    assert wait_until(lambda: len(names(section)) == 300, PATIENCE)
    assert "the first 300 of 10000" in section.ui.progressLabel.text
    assert len(section.queue.cases) == 10_000


def test_the_window_lives_while_10_000_cases_are_listed(section, wait_until, window_lives):
    rows = [dataclasses.replace(cases()[0], id=f"case-{number:05d}", content="x") for number in range(10_000)]
    section.panel.curation.cases = rows
    texts = iter("0123")

    def search():
        section.ui.caseFilter.text = next(texts)
        assert wait_until(lambda: section.queue._filling.over, PATIENCE)

    window_lives(search)
