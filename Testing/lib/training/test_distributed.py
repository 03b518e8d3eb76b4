"""A training by two processes, as ``torchrun`` starts them, against one with the doubled batch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.job import read_events, running_process
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.training import checkpoint, distributed

from .conftest import TINY

# What chance decides is not the same in two processes; and each would normalize its own samples.
SAME = [
    *(text for text in TINY if not text.startswith(("network.", "batch_size", "epochs"))),
    *("network.channels=[4,8]", "network.dropout=0", "network.batch_norm=false", "empties_per_epoch=-1"),
    *(
        "augmentation.rotation_degrees=0",
        "augmentation.zoom=0",
        "augmentation.shift=0",
        "augmentation.flip_left_right=0",
    ),
    *("augmentation.flip_up_down=0", "augmentation.intensity=0", "augmentation.gamma=0", "augmentation.noise=0"),
    *("augmentation.bias_field=0", "augmentation.blur=0", "channel_dropout=0"),
]
ALONE = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
SECONDS = 200


def command(data, run, *settings, processes=1, batch_size=2):
    # Without "--" torchrun would take --run for an option of its own.
    started = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m", "--"]
    return [
        *(sys.executable, "-m", *(started if processes > 1 else []), "MedSegEffNetLib"),
        *("train", "tumor-slices", "--network", "unet_2d", "--data", str(data), "--run", str(run)),
        *("--set", *SAME, f"batch_size={batch_size}", *settings),
    ]


def train(data, run, *settings, **how):
    done = subprocess.run(
        command(data, run, *settings, **how), capture_output=True, encoding="utf-8", timeout=SECONDS, env=ALONE
    )
    assert done.returncode == 0, done.stderr[-3000:]


def epochs(run):
    rows = [event for event in read_events(run)[0] if event["event"] == "epoch"]
    return {row["epoch"]: row for row in rows}


def figures(run):
    names = ("train_loss", "train_dice", "val_loss", "val_dice", "rate")
    return np.array([[row[name] for name in names] for row in epochs(run).values()])


def test_two_processes_learn_what_one_does_with_the_doubled_batch(patients, tmp_path):
    train(patients, tmp_path / "1", "epochs=3", batch_size=4)
    train(patients, tmp_path / "2", "epochs=3", batch_size=2, processes=2)
    one, two = figures(tmp_path / "1"), figures(tmp_path / "2")
    assert len(two) == 3
    np.testing.assert_allclose(two, one, rtol=1e-3)
    assert one[-1, 0] < one[0, 0]
    weights = [checkpoint.load(tmp_path / name / checkpoint.LAST)["network"] for name in ("1", "2")]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, rtol=0, atol=2e-3)
    Bundle.open(tmp_path / "2" / "model").verify()
    kinds = [event["event"] for event in read_events(tmp_path / "2")[0]]
    assert (kinds.count("started"), kinds.count("finished"), kinds[-1]) == (1, 1, "finished")
    assert running_process(tmp_path / "2") is None


@pytest.fixture
def begun(patients, tmp_path):
    """A training by two processes that has done an epoch and goes on: its run folder and ``torchrun``."""
    run = tmp_path / "run"
    words = command(patients, run, "epochs=2000", processes=2)
    torchrun = subprocess.Popen(words, env=ALONE, stderr=subprocess.PIPE, encoding="utf-8")
    end = time.monotonic() + SECONDS
    while not epochs(run) and time.monotonic() < end and torchrun.poll() is None:
        time.sleep(0.05)
    yield run, torchrun
    torchrun.kill()
    torchrun.communicate()


@pytest.mark.slow
def test_a_stop_ends_all_and_one_process_goes_on_where_two_have_stopped(begun, patients):
    run, torchrun = begun
    (run / "STOP").touch()
    assert torchrun.wait(SECONDS) == 0
    assert read_events(run)[0][-1]["event"] == "stopped"
    done = epochs(run)
    last = checkpoint.load(run / checkpoint.LAST)
    assert last["epoch"] == max(done)
    assert last["halfway"] is None or 0 < last["halfway"]["done"] <= last["halfway"]["count"]
    alone = subprocess.Popen(command(patients, run, "epochs=2000"), env=ALONE, stderr=subprocess.DEVNULL)
    end = time.monotonic() + SECONDS
    while len(epochs(run)) < len(done) + 2 and time.monotonic() < end:
        time.sleep(0.05)
    alone.kill()
    alone.wait()
    after = epochs(run)
    assert list(after)[: len(done) + 2] == list(range(1, len(done) + 3))
    assert after[len(done) + 2]["train_loss"] < 1.5 * done[len(done)]["train_loss"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")
def test_a_killed_process_ends_the_others_and_the_folder_says_so(begun):
    run, torchrun = begun
    children = Path(f"/proc/{torchrun.pid}/task/{torchrun.pid}/children")
    if not children.is_file():
        pytest.skip("the system does not tell a process's children")
    first = running_process(run)
    others = [int(number) for number in children.read_text(encoding="ascii").split() if int(number) != first]
    assert len(others) == 1
    os.kill(others[0], signal.SIGKILL)
    _, told = torchrun.communicate(timeout=60)
    assert torchrun.returncode != 0
    assert "Signal 9 (SIGKILL)" in told
    assert running_process(run) is None
    last = read_events(run)[0][-1]
    assert last["event"] == "failed"
    assert "another process of this training has ended" in last["message"]


class Processes:
    """Stands in for the processes: ``count`` of them, of which this is ``rank``."""

    def __init__(self, monkeypatch, count):
        self._patch = monkeypatch
        monkeypatch.setattr(distributed, "processes", lambda: count)

    def __call__(self, rank):
        self._patch.setattr(distributed, "rank", lambda: rank)
        return distributed


@pytest.mark.parametrize(("samples", "count", "batch_size"), [(12, 2, 3), (13, 2, 3), (10, 3, 2), (4, 4, 8)])
def test_each_sample_is_one_process_s_and_all_do_the_same_steps(monkeypatch, samples, count, batch_size):
    process = Processes(monkeypatch, count)
    parts = [process(rank).own_part(list(range(samples)), batch_size) for rank in range(count)]
    left_out = samples % (count * batch_size) % count if samples % (count * batch_size) < count else 0
    assert sorted(sample for part in parts for sample in part) == list(range(samples - left_out))
    assert len({-(-len(part) // batch_size) for part in parts}) == 1
    for start in range(0, max(map(len, parts)), batch_size):
        together = {sample for part in parts for sample in part[start : start + batch_size]}
        first = start * count
        assert together == set(range(first, min(first + count * batch_size, samples - left_out)))


def test_fewer_samples_than_processes_are_refused(monkeypatch):
    process = Processes(monkeypatch, 4)
    with pytest.raises(InputError, match="3 training samples in an epoch for 4 processes"):
        process(0).own_part([1, 2, 3], 2)


def test_chance_is_not_the_same_in_two_processes(monkeypatch):
    process = Processes(monkeypatch, 2)
    seeds, numbers = [], []
    for rank in range(2):
        seeds.append(process(rank).own_seed(7))
        draw = np.random.default_rng(7)
        order = draw.permutation(5).tolist()
        distributed.part_ways(draw)
        numbers.append((order, draw.random()))
    assert seeds[0] == 7 != seeds[1]
    assert numbers[0][0] == numbers[1][0]
    assert numbers[0][1] != numbers[1][1]


def test_alone_nothing_is_changed():
    tensor = torch.ones(3, requires_grad=True)
    assert distributed.total(tensor) is tensor
    assert distributed.gathered([1, 2]) == [1, 2]
    assert distributed.from_first("x") == "x"
    assert distributed.share([1, 2, 3]) == [1, 2, 3]
    with distributed.joined():
        assert (distributed.rank(), distributed.processes()) == (0, 1)
