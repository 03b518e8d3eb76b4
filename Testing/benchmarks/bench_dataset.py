"""Measures how quickly a data set of 10,000 cases lists: ``python Testing/benchmarks/bench_dataset.py [--cases N]``.

Each figure is the median of several runs with the smallest and the largest, the listing in a process of its own each time
(interpreter start not counted): without the index, with it, and after some cases changed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from MedSegEffNetLib.dataset.records import SCHEMA, CaseRecord, Change, ImageRecord, LabelVersion
from MedSegEffNetLib.dataset.store import Dataset

LISTING = """
import sys, time
from pathlib import Path
from MedSegEffNetLib.dataset.store import Dataset
started = time.perf_counter()
rows = Dataset.open(Path(sys.argv[1])).list()
print(time.perf_counter() - started, len(rows))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dataset = make(Path(folder) / "data", arguments.cases)
        index = dataset.folder / "index.json"
        without, known, changed = [], [], []
        for run in range(arguments.runs):
            index.unlink(missing_ok=True)
            without.append(listed(dataset.folder))
            known.append(listed(dataset.folder))
            for number in range(50):
                dataset.flag(f"case-{number:05d}", f"run {run}", "bench")
            changed.append(listed(dataset.folder))
        size = index.stat().st_size / 1e6
    print(f"{arguments.cases} cases, index {size:.1f} MB")
    print(f"listed with the index: {spread(known)} s")
    print(f"listed after 50 cases changed: {spread(changed)} s")
    print(f"listed without the index: {spread(without)} s")


def make(folder: Path, cases: int) -> Dataset:
    """A data set whose records look like real ones (three images, four labels each); files that no listing opens are left out."""
    dataset = Dataset.create(folder, "tumor-slices")
    hash_, when = "0123456789abcdef" * 4, "2026-01-01T00:00:00.000+00:00"
    image = ImageRecord("images/t1.nii.gz", hash_, hash_, "7f" * 256, (256, 256, 40), (1.0,) * 12)
    labels = tuple(
        LabelVersion(n, f"labels/000{n}-01234567.nii.gz", hash_, "Ann Lee", when, "manual", volumes_ml={"tumor": 12.5})
        for n in range(1, 5)
    )
    for number in range(cases):
        record = CaseRecord(
            f"case-{number:05d}", f"P{number // 2}", "north", "accepted",
            images=dict.fromkeys(("t1", "flair", "t1ce"), image),
            labels=labels, current=4, history=(Change(when, "Ann Lee", "in review → accepted"),) * 4,
        )  # fmt: skip
        path = dataset.case_folder(record.id) / "case.json"
        path.parent.mkdir()
        path.write_text(json.dumps({"schema": SCHEMA, **asdict(record)}, indent=2), encoding="utf-8")
        old = time.time() - 3600
        os.utime(path, (old, old))
    return dataset


def listed(folder: Path) -> float:
    done = subprocess.run([sys.executable, "-c", LISTING, str(folder)], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[0])


def spread(values: list[float]) -> str:
    """Median with smallest and largest value."""
    return f"{statistics.median(values):.3g} ({min(values):.3g} … {max(values):.3g})"


if __name__ == "__main__":
    main()
