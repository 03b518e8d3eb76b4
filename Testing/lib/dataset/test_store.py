"""A data set's folder: records, states, versions, conflicts. Nothing saved is ever lost."""

import json
import shutil

import numpy as np
import pytest

from MedSegEffNetLib.dataset.importing import add_case
from MedSegEffNetLib.dataset.labels import choose, save_label
from MedSegEffNetLib.dataset.records import STATES, id_from
from MedSegEffNetLib.dataset.store import Dataset, unnamed_labels
from MedSegEffNetLib.errors import InputError

from .conftest import ANN, BOB, label, new_case


def save(dataset, size=6, **settings):
    return save_label(dataset, "case-0", label(size), **{"author": ANN, **settings})


def test_a_data_set_is_made_once_and_opened_again(tmp_path):
    made = Dataset.create(tmp_path / "data", "brain-tumor", title="Gliomas")
    again = Dataset.open(tmp_path / "data")
    assert again.info == made.info
    assert again.info.title == "Gliomas"
    assert again.list() == []
    with pytest.raises(InputError, match="not empty"):
        Dataset.create(tmp_path / "data", "brain-tumor")
    with pytest.raises(InputError, match="no data set"):
        Dataset.open(tmp_path)
    with pytest.raises(InputError, match="no task"):
        Dataset.create(tmp_path / "other", "toes")


@pytest.mark.parametrize("name", ["dataset.json", "cases/case-0/case.json"])
def test_a_newer_schema_is_refused_with_a_clear_word(filled, name):
    path = filled.folder / name
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), "schema": 2}), encoding="utf-8")
    with pytest.raises(InputError, match="newer version") as refused:
        Dataset.open(filled.folder).read("case-0")
    assert "update" in refused.value.hint


def test_a_damaged_record_is_explained_and_does_not_hide_the_other_cases(labelled):
    (labelled.case_folder("case-3") / "case.json").write_text("{", encoding="utf-8")
    rows = {row.id: row for row in labelled.list()}
    assert len(rows) == 8
    assert "damaged" in rows["case-3"].problem
    assert rows["case-4"].problem == ""


def test_a_saved_label_comes_back_with_all_that_was_told_about_it(filled):
    record = save(filled, comment="first", minutes=6.5, figures={"uncertainty": 0.2})
    version = filled.read("case-0").label
    assert record.label == version
    assert (version.author, version.origin, version.comment, version.minutes) == (ANN, "manual", "first", 6.5)
    assert version.figures == {"uncertainty": 0.2}
    assert version.volumes_ml["tumor"] == pytest.approx(72 * 4 * (1.1**2 + 0.1**2) / 1000)
    images, saved = filled.load("case-0")
    assert list(images) == ["t1", "flair", "t1ce"]
    np.testing.assert_array_equal(saved.array, label().array)
    np.testing.assert_allclose(saved.affine, label().affine, atol=1e-6)


def test_every_version_is_kept_and_any_can_become_the_label_again(filled):
    for size in (3, 4, 5):
        save(filled, size, base=filled.read("case-0").current)
    record = choose(filled, "case-0", 1, BOB)
    assert [version.number for version in record.labels] == [1, 2, 3]
    assert record.current == 1
    assert filled.load_label(record).array.sum() == label(3).array.sum()
    assert filled.load_label(record, 3).array.sum() == label(5).array.sum()
    assert save(filled, 6, base=1).conflicts == ()
    with pytest.raises(InputError, match="no label version 9"):
        choose(filled, "case-0", 9, BOB)


def test_a_label_saved_on_an_outdated_base_is_a_second_version_and_a_conflict(filled):
    save(filled, 3)
    save(filled, 4, base=1, author=ANN)
    record = save(filled, 5, base=1, author=BOB)
    assert [version.number for version in record.labels] == [1, 2, 3]
    assert record.current == 2
    assert [(part.version, part.current) for part in record.conflicts] == [(3, 2)]
    assert filled.list()[0].conflicts == 1
    with pytest.raises(InputError, match="side by side"):
        filled.set_state("case-0", "accepted", ANN)
    record = choose(filled, "case-0", 3, ANN)
    assert record.conflicts == ()
    assert filled.set_state("case-0", "accepted", ANN).state == "accepted"


def test_a_model_never_takes_the_place_of_a_persons_label(filled):
    first = save(filled, 3, origin="model", model="net@1.0.0")
    assert (first.state, first.current) == ("predicted", 1)
    again = save(filled, 4, origin="model", model="net@2.0.0")
    assert (again.state, again.current) == ("predicted", 2)
    corrected = save(filled, 5, origin="corrected", base=2)
    assert (corrected.state, corrected.current) == ("in review", 3)
    late = save(filled, 6, origin="model", model="net@3.0.0")
    assert (late.state, late.current, len(late.labels), late.conflicts) == ("in review", 3, 4, ())


def test_states_change_only_as_allowed_and_the_history_tells_who_did_it(filled):
    with pytest.raises(InputError, match="no label"):
        filled.set_state("case-0", "accepted", ANN)
    save(filled)
    filled.set_state("case-0", "accepted", ANN)
    with pytest.raises(InputError, match="cannot become rejected"):
        filled.set_state("case-0", "rejected", ANN)
    with pytest.raises(InputError, match="there is no state 'done'") as caught:
        filled.set_state("case-0", "done", ANN)
    assert caught.value.expected == "one of: new, predicted, in review, accepted, rejected"
    reopened = filled.set_state("case-0", "in review", BOB)
    assert [(change.author, change.text) for change in reopened.history[-2:]] == [
        (ANN, "in review → accepted"),
        (BOB, "accepted → in review"),
    ]
    assert filled.set_state("case-0", "rejected", BOB).state in STATES


def test_saving_reopens_an_accepted_case(filled):
    save(filled)
    filled.set_state("case-0", "accepted", ANN)
    assert save(filled, 5, base=1).state == "in review"


def test_flags_and_comments_are_kept(filled):
    filled.flag("case-0", "look again", ANN)
    filled.flag("case-0", "look again", ANN)
    filled.comment("case-0", "motion", ANN)
    row = filled.list()[0]
    assert (row.flags, row.comment) == (("look again",), "motion")
    assert filled.flag("case-0", "look again", ANN, on=False).flags == ()


def test_labels_on_another_grid_or_with_other_values_are_refused_before_anything_is_written(filled):
    wrong = label()
    wrong.array[0, 0, 0] = 7
    with pytest.raises(InputError, match=r"values \[7\]"):
        save_label(filled, "case-0", wrong, author=ANN)
    with pytest.raises(InputError, match="another grid"):
        save_label(filled, "case-0", label(shape=(24, 20, 5)), author=ANN)
    assert list((filled.case_folder("case-0") / "labels").iterdir()) == []


def test_a_label_file_that_no_record_names_becomes_a_version_and_the_current_one_stays(filled):
    """What a program leaves that is killed between the two renamings."""
    record = save(filled, 3)
    folder = filled.case_folder("case-0")
    shutil.copyfile(filled.label_path(record), folder / "labels" / "0002-0badcafe.nii.gz")
    assert len(unnamed_labels(record, folder)) == 1
    record = filled.flag("case-0", "seen", ANN)
    assert [(version.number, version.origin) for version in record.labels] == [(1, "manual"), (2, "recovered")]
    assert record.current == 1
    assert save(filled, 4, base=1).current == 3


def test_a_changed_file_is_told(filled):
    record = save(filled)
    path = filled.label_path(record)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="was changed since"):
        filled.load("case-0")


def test_a_case_is_open_for_one_annotator_at_a_time_and_saving_is_never_blocked(filled):
    with filled.open_case("case-0", ANN) as lock:
        assert lock.refresh()
        assert filled.editor("case-0").owner == ANN
        with pytest.raises(InputError, match=f"in use by {ANN}"):
            filled.open_case("case-0", BOB)
        assert save(filled, author=BOB).current == 1
    assert filled.editor("case-0") is None
    filled.open_case("case-0", BOB).release()


def test_ids_are_names_of_folders_on_every_system(dataset):
    assert id_from("Müller: 7/8 *") == "M-ller-7-8"
    assert id_from("…") == "case"
    with pytest.raises(InputError, match="cannot be the name"):
        dataset.case_folder("../secret")
    assert add_case(dataset, new_case(1, "case-1"), ANN).id == "case-1"
    assert add_case(dataset, new_case(2, "case-1"), ANN).id == "case-1-2"


def test_settings_of_the_data_set_are_kept(dataset):
    dataset.change_settings(site="north")
    assert Dataset.open(dataset.folder).info.settings == {"site": "north"}
