"""Splits keep patients together and do not depend on chance or order."""

import pytest

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.splits import split_by_patient
from MedSegEffNetLib.errors import InputError

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
