"""Programs that are killed at random points lose no label whose saving they were told of."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from MedSegEffNetLib.dataset.checks import check_dataset
from MedSegEffNetLib.dataset.importing import add_case
from MedSegEffNetLib.dataset.store import Dataset, sha256_of

from .conftest import ANN, new_case

ROOT = Path(__file__).resolve().parents[3]
# Saves labels of random size into random cases, accepts some, moves old ones into the trash, adds a case now and then, and
# writes a line for each version that was saved.
WORKER = """
import random, sys
from pathlib import Path
import numpy as np
from MedSegEffNetLib.dataset.importing import NewCase, add_case
from MedSegEffNetLib.dataset.labels import save_label
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.dataset.upkeep import prune, superfluous
from MedSegEffNetLib.image import Image

folder, seed, log = Path(sys.argv[1]), int(sys.argv[2]), open(sys.argv[3], "a", buffering=1)
data, draw = Dataset.open(folder), random.Random(seed)
print("ready", flush=True)
while True:
    case_id = draw.choice(data.ids())
    record = data.read(case_id)
    image = record.images["flair"]
    array = np.zeros(image.shape, np.uint8)
    array[: draw.randrange(1, 20), : draw.randrange(1, 18), 2] = 1
    affine = np.vstack([np.reshape(image.affine, (3, 4)), [0, 0, 0, 1]])
    base = record.current if draw.random() < 0.7 else draw.randrange(record.current + 1)
    saved = save_label(data, case_id, Image(array, affine), author=f"worker {seed}", base=base)
    own = [label for label in saved.labels if label.author == f"worker {seed}"][-1]
    log.write(f"{case_id} {own.number} {own.sha256}\\n")
    if draw.random() < 0.1:
        noise = np.random.default_rng(seed).integers(0, 99, image.shape).astype(np.int16)
        images = {"flair": Image(noise, affine)}
        made = add_case(data, NewCase(f"made-{seed}", f"M{seed}", images, {}, Image(array, affine)), "worker")
        log.write(f"{made.id} 1 {made.label.sha256}\\n")
    if draw.random() < 0.1:
        prune(data, superfluous(data, keep=5), "worker")
"""


def killed_at_random(folder, rounds):
    """Run two workers at a time and kill both, ``rounds`` times."""
    dataset = Dataset.create(folder / "data", "tumor-slices")
    for seed in range(3):
        add_case(dataset, new_case(seed), ANN)
    logs = [folder / "saved-0.txt", folder / "saved-1.txt"]
    draw = random.Random(0)
    for number in range(rounds):
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", WORKER, str(dataset.folder), str(2 * number + place), str(log)],
                cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
            for place, log in enumerate(logs)
        ]  # fmt: skip
        for worker in workers:
            assert worker.stdout.readline().strip() == b"ready", worker.stderr.read().decode()
        time.sleep(draw.uniform(0.01, 0.25))
        for worker in workers:
            assert worker.poll() is None, worker.stderr.read().decode()
            worker.kill()
        for worker in workers:
            worker.communicate()
        assert all(row.problem == "" for row in dataset.list())
    return dataset, logs


def all_files_by_hash(dataset):
    return {sha256_of(path) for path in dataset.folder.rglob("*.nii.gz")}


def check_nothing_is_lost(dataset, logs):
    lines = [
        line.split() for log in logs for line in log.read_text(encoding="utf-8").splitlines() if line.count(" ") == 2
    ]
    there = all_files_by_hash(dataset)
    for case_id, number, sha256 in lines:
        version = dataset.read(case_id).version(int(number))
        assert version.sha256 == sha256
        assert sha256 in there
        assert version.pruned or sha256_of(dataset.case_folder(case_id) / version.file) == sha256
    for case_id in dataset.ids():
        record = dataset.flag(case_id, "seen", ANN)  # no lock is left that counts; what was half saved is taken up
        numbers = [version.number for version in record.labels]
        assert numbers == sorted(set(numbers))
    findings = check_dataset(dataset, lambda *_: None)
    assert [finding for finding in findings if finding.severity == "error"] == []
    return len(lines)


def test_killing_two_programs_at_random_points_loses_no_saved_label(tmp_path):
    dataset, logs = killed_at_random(tmp_path, 10)  # two programs each: 20 are killed
    assert check_nothing_is_lost(dataset, logs) > 10


@pytest.mark.slow
def test_killing_two_hundred_programs_at_random_points_loses_no_saved_label(tmp_path):
    dataset, logs = killed_at_random(tmp_path, 100)
    assert check_nothing_is_lost(dataset, logs) > 100
