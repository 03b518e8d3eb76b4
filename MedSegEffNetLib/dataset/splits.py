"""Splits by patient."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.errors import InputError


def split_by_patient(cases: Sequence[Case], fractions: Mapping[str, float], seed: int) -> dict[str, list[Case]]:
    """Parts of ``cases`` of about these fractions (they sum to 1); all cases of a patient go to the same part.

    The same cases and seed give the same parts, in whatever order the cases come. Each part gets a patient at least.

    Raises
    ------
    InputError
        There are fewer patients than parts.
    """
    if abs(sum(fractions.values()) - 1) > 1e-6 or min(fractions.values()) <= 0:
        raise ValueError(f"fractions {dict(fractions)} are not positive numbers that sum to 1")
    patients = sorted({case.patient for case in cases})
    if len(patients) < len(fractions):
        raise InputError(
            f"{len(patients)} patient(s) cannot be split into {', '.join(fractions)}",
            expected=f"{len(fractions)} patients at least",
            hint="give more cases; cases of one patient must not be in two parts",
        )
    random.Random(seed).shuffle(patients)
    names = list(fractions)
    counts = {name: max(1, round(fractions[name] * len(patients))) for name in names[1:]}
    while sum(counts.values()) >= len(patients):
        counts[max(counts, key=lambda name: counts[name])] -= 1
    parts: dict[str, list[Case]] = {}
    start = len(patients) - sum(counts.values())
    chosen = {names[0]: set(patients[:start])}
    for name, count in counts.items():
        chosen[name] = set(patients[start : start + count])
        start += count
    for name in names:
        parts[name] = [case for case in cases if case.patient in chosen[name]]
    return parts
