"""Cases are taken over once, whole, and without names where that is asked for."""

import functools

import numpy as np
import pytest

from MedSegEffNetLib.dataset.author import SETTINGS, author_or_kept, keep_author, known_author
from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.importing import add_case, import_cases
from MedSegEffNetLib.dataset.labels import save_label
from MedSegEffNetLib.dataset.pseudonyms import Pseudonyms
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image, write
from MedSegEffNetLib.resources import data_folder

from .conftest import AFFINE, ANN, BOB, images, label, new_case


def found(folder, count=3, size=5):
    """Cases as a reader gives them, their images in files."""
    cases = []
    for seed in range(count):
        loaded, files = images(seed), {}
        for name, image in loaded.items():
            files[name] = folder / f"Smith_{seed}" / f"{name}.nii.gz"
            write(files[name], image)
        seen = functools.partial(tuple, (loaded, label(size)))
        cases.append(Case(f"Smith_{seed}", f"Smith {seed}", "", seen, images=files))
    return cases


def take(dataset, cases, **settings):
    return import_cases(dataset, cases, ANN, lambda *_: None, **settings)


def test_imported_labels_count_as_accepted_and_images_come_back_as_they_were(dataset, tmp_path):
    done = take(dataset, found(tmp_path / "in"), site="north", source="in")
    assert done.added == ("Smith_0", "Smith_1", "Smith_2")
    record = dataset.read("Smith_1")
    assert (record.state, record.patient, record.site) == ("accepted", "Smith 1", "north")
    assert (record.label.origin, record.label.author) == ("imported", ANN)
    loaded, saved = dataset.load("Smith_1")
    np.testing.assert_array_equal(loaded["flair"].array, images(1)["flair"].array)
    np.testing.assert_array_equal(saved.array, label(5).array)
    assert dataset.paths(record)["t1"].read_bytes() == (tmp_path / "in" / "Smith_1" / "t1.nii.gz").read_bytes()


def test_the_same_folder_again_adds_nothing_twice(dataset, tmp_path):
    take(dataset, found(tmp_path / "in"))
    again = take(dataset, found(tmp_path / "in", 4))
    assert (again.added, again.known, again.relabelled) == (("Smith_3",), ("Smith_0", "Smith_1", "Smith_2"), ())
    renamed = [Case("other", "X", "", case.load) for case in found(tmp_path / "in", 1)]
    assert take(dataset, renamed).known == ("Smith_0",)


def test_two_imports_at_once_make_every_case_once(dataset, tmp_path):
    cases = found(tmp_path / "in")
    first = cases[1].load

    def load():
        """While this import reads a case, another one takes all of them."""
        if not dataset.ids()[1:]:
            take(Dataset.open(dataset.folder), found(tmp_path / "in", size=7))
        return first()

    cases[1] = Case("Smith_1", "Smith 1", "", load)
    done = take(dataset, cases)
    assert (done.added, done.relabelled) == (("Smith_0",), ("Smith_1", "Smith_2"))
    assert dataset.ids() == ["Smith_0", "Smith_1", "Smith_2"]
    assert not list((dataset.folder / "cases").glob(".*"))


def test_the_same_images_twice_in_a_folder_are_one_case(dataset, tmp_path):
    cases = found(tmp_path / "in", 1)
    done = take(dataset, [*cases, Case("again", "X", "", cases[0].load)])
    assert (done.added, done.known) == (("Smith_0",), ("Smith_0",))


def test_a_new_label_of_a_known_case_is_a_new_version(dataset, tmp_path):
    take(dataset, found(tmp_path / "in"))
    assert take(dataset, found(tmp_path / "in", size=7)).relabelled == ("Smith_0", "Smith_1", "Smith_2")
    record = dataset.read("Smith_0")
    assert (record.current, record.state, record.conflicts) == (2, "accepted", ())


def test_a_new_import_does_not_take_the_place_of_what_a_person_corrected(dataset, tmp_path):
    take(dataset, found(tmp_path / "in", 1))
    save_label(dataset, "Smith_0", label(6), author=BOB, base=1)
    take(dataset, found(tmp_path / "in", 1, size=7))
    record = dataset.read("Smith_0")
    assert (record.current, len(record.labels), len(record.conflicts)) == (2, 3, 1)


def test_one_bad_case_does_not_stop_the_others(dataset, tmp_path):
    cases = found(tmp_path / "in")
    bad = Image(np.full((24, 20, 6), 9, np.uint8), AFFINE)
    cases[1] = Case("bad", "B", "", lambda: (images(7), bad))
    done = take(dataset, cases)
    assert done.added == ("Smith_0", "Smith_2")
    assert "values [9]" in done.failed["bad"]
    assert not list((dataset.folder / "cases").glob(".*"))


def test_images_on_two_grids_are_refused(dataset):
    new = new_case()
    new.images["t1"] = Image(np.zeros((4, 4, 4), np.uint8), AFFINE)
    with pytest.raises(InputError, match="another grid"):
        add_case(dataset, new, ANN)
    assert dataset.ids() == []


def test_images_that_are_referred_to_stay_where_they_are_and_are_checked(dataset, tmp_path):
    take(dataset, found(tmp_path / "in", 1), reference=True)
    record = dataset.read("Smith_0")
    assert dataset.paths(record)["t1"] == (tmp_path / "in" / "Smith_0" / "t1.nii.gz").resolve()
    assert list((dataset.case_folder("Smith_0") / "images").iterdir()) == []
    write(tmp_path / "in" / "Smith_0" / "t1.nii.gz", images(5)["t1"])
    with pytest.raises(InputError, match="was changed since"):
        dataset.load("Smith_0")
    slices = [Case("s", "s", "", lambda: (images(3), label()))]
    assert "no single file" in take(dataset, slices, reference=True).failed["s"]


def test_no_name_is_in_what_is_written_with_pseudonyms(dataset, tmp_path):
    cases = found(tmp_path / "in")
    for case in cases:
        path = case.images["t1"].with_name("t1.nii")
        write(path, images(int(case.id[-1]))["t1"])
        content = bytearray(path.read_bytes())
        content[148:153] = b"SMITH"  # the header's free text
        path.write_bytes(bytes(content))
        case.images["t1"] = path
    names = Pseudonyms.of(dataset)
    done = take(dataset, cases, source="in", pseudonyms=names)
    assert len(done.added) == 3
    assert take(dataset, cases, pseudonyms=names).known == done.added
    for path in dataset.folder.rglob("*"):
        assert "smith" not in path.name.lower()
        if path.is_file():
            assert b"smith" not in path.read_bytes().lower()
    record = dataset.read(done.added[0])
    assert record.patient == names.patient("Smith 0")
    assert names.key.hex() not in (dataset.folder / "dataset.json").read_text(encoding="utf-8")


def test_one_key_for_a_data_set_and_never_inside_it(dataset, tmp_path):
    key = tmp_path / "group.key"
    first = Pseudonyms.of(dataset, key)
    assert Pseudonyms.of(Dataset.open(dataset.folder), key).patient("A") == first.patient("A")
    with pytest.raises(InputError, match="another key"):
        Pseudonyms.of(Dataset.open(dataset.folder), tmp_path / "other.key")
    with pytest.raises(InputError, match="lies in the data set"):
        Pseudonyms.of(dataset, dataset.folder / "key")
    with pytest.raises(InputError, match="keep their names"):
        add_case(dataset, new_case(), ANN, reference=True, pseudonyms=first)


def test_the_author_is_asked_once():
    with pytest.raises(InputError, match="not known who you are"):
        author_or_kept(None)
    assert author_or_kept("  Ann   Lee ") == "Ann Lee"
    assert author_or_kept(None) == known_author() == "Ann Lee"
    with pytest.raises(InputError, match="empty"):
        keep_author(" ")
    (data_folder() / SETTINGS).write_text("{", encoding="utf-8")
    assert known_author() == ""
