"""Splits keep patients together and do not depend on chance or order."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.importing import add_case
from MedSegEffNetLib.dataset.splits import SPLITS, add_patients, make_splits, move, read_splits, split_by_patient
from MedSegEffNetLib.errors import InputError

from .conftest import ANN, new_case

FRACTIONS = {"train": 0.7, "val": 0.2, "test": 0.1}


def cases(patients=10, each=3):
    return [Case(f"P{p}_{n}", f"P{p}", "", dict) for p in range(patients) for n in range(each)]


def test_no_patient_is_in_two_parts_and_none_is_lost():
    parts = split_by_patient(cases(), FRACTIONS, seed=1)
    patients = {name: {case.patient for case in part} for name, part in parts.items()}
    assert {name: len(part) for name, part in patients.items()} == {"train": 7, "val": 2, "test": 1}
    assert len(set.union(*patients.values())) == 10
    assert sum(len(part) for part in parts.values()) == 30


def test_the_order_of_the_cases_does_not_matter_and_the_seed_does():
    first = {case.id for case in split_by_patient(cases(), FRACTIONS, seed=1)["val"]}
    again = {case.id for case in split_by_patient(cases()[::-1], FRACTIONS, seed=1)["val"]}
    others = [{case.id for case in split_by_patient(cases(), FRACTIONS, seed=seed)["val"]} for seed in range(2, 6)]
    assert first == again
    assert any(first != other for other in others)


def test_every_part_gets_a_patient():
    parts = split_by_patient(cases(patients=3), FRACTIONS, seed=0)
    assert all(parts.values())
    with pytest.raises(InputError, match=r"2 patient"):
        split_by_patient(cases(patients=2), FRACTIONS, seed=0)


def test_patients_are_divided_alike_in_volume_and_site_and_always_the_same(dataset):
    for seed in range(20):
        add_case(dataset, new_case(seed, labelled=True, site="north" if seed % 2 else "south"), ANN)
    splits = make_splits(dataset, {"train": 0.5, "test": 0.5}, seed=4)
    sites = {
        name: [int(p[1:]) % 2 for p, split in splits.patients.items() if split == name] for name in splits.fractions
    }
    assert {name: (len(part), sum(part)) for name, part in sites.items()} == {"train": (10, 5), "test": (10, 5)}
    rows = dataset.list()
    volumes = {
        name: sum(row.volumes_ml["tumor"] for row in rows if splits.of(row.patient) == name)
        for name in splits.fractions
    }
    assert volumes["train"] == pytest.approx(volumes["test"], rel=0.15)
    assert read_splits(dataset) == splits
    (dataset.folder / SPLITS).unlink()
    assert make_splits(dataset, {"train": 0.5, "test": 0.5}, seed=4) == splits
    (dataset.folder / SPLITS).unlink()
    assert make_splits(dataset, {"train": 0.5, "test": 0.5}, seed=5).patients != splits.patients


def test_splits_are_never_changed_silently(labelled):
    before = make_splits(labelled, FRACTIONS, seed=0)
    with pytest.raises(InputError, match="has splits already"):
        make_splits(labelled, FRACTIONS, seed=1)
    add_case(labelled, new_case(50, labelled=True), ANN)
    assert read_splits(labelled) == before
    added = add_patients(labelled)
    after = read_splits(labelled)
    assert set(added) == {"P50"}
    assert {patient: after.of(patient) for patient in before.patients} == before.patients
    assert add_patients(labelled) == {}


def test_one_patient_can_be_moved_by_command_and_by_hand(labelled):
    make_splits(labelled, FRACTIONS, seed=0)
    assert move(labelled, "P1", "test").of("P1") == "test"
    path = labelled.folder / SPLITS
    path.write_text(path.read_text(encoding="utf-8").replace('"P2": "train"', '"P2": "val"'), encoding="utf-8")
    assert read_splits(labelled).of("P2") in ("val", "test")
    with pytest.raises(InputError, match="no split 'holdout'"):
        move(labelled, "P1", "holdout")
    with pytest.raises(InputError, match="no patient 'P99'"):
        move(labelled, "P99", "val")


def test_programs_that_move_patients_at_once_lose_no_move(labelled):
    make_splits(labelled, FRACTIONS, seed=0)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: move(labelled, f"P{number}", "val"), range(8)))
    assert set(read_splits(labelled).patients.values()) == {"val"}


def test_a_patient_written_twice_by_hand_is_refused(labelled):
    make_splits(labelled, FRACTIONS, seed=0)
    path = labelled.folder / SPLITS
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"patients": {', '"patients": {"P3": "other",'), encoding="utf-8")
    with pytest.raises(InputError, match="names 'P3' twice"):
        read_splits(labelled)


@pytest.mark.parametrize("content", ["{", '{"schema": 1, "patients": []}'])
def test_damaged_splits_may_be_deleted_and_drawn_anew(content, labelled):
    (labelled.folder / SPLITS).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="is damaged") as caught:
        read_splits(labelled)
    assert "or delete it and split again" in caught.value.hint


def test_a_patient_can_be_moved_into_a_split_that_was_not_drawn(labelled):
    make_splits(labelled, {"train": 0.5, "val": 0.5}, seed=0)
    move(labelled, "P1", "test")
    assert read_splits(labelled).of("P1") == "test"


def test_few_patients_still_fill_every_split(dataset):
    for seed in range(3):
        add_case(dataset, new_case(seed, labelled=True), ANN)
    assert set(make_splits(dataset, FRACTIONS, seed=0).patients.values()) == set(FRACTIONS)
    (dataset.folder / SPLITS).unlink()
    with pytest.raises(InputError, match=r"3 patient\(s\)"):
        make_splits(dataset, {"a": 0.25, "b": 0.25, "c": 0.25, "d": 0.25}, seed=0)
