"""Cases in memory and on the disk."""

import numpy as np

from MedSegEffNetLib.task import get_segmentation_task
from MedSegEffNetLib.training import run as running
from MedSegEffNetLib.training.config import Recipe
from MedSegEffNetLib.training.data import SliceFeed, Slices
from MedSegEffNetLib.training.preparing import Cache
from MedSegEffNetLib.training.volumes import Prepared


def a_case(name, kind=Slices):
    draw = np.random.default_rng(len(name))
    return kind(name, draw.random((5, 3, 8, 8)).astype(np.float16), draw.integers(0, 2, (5, 1, 8, 8)).astype(np.uint8))


def test_cases_stay_in_memory_while_they_fit_and_lie_in_files_after_that(tmp_path):
    size = a_case("a").images.nbytes + a_case("a").targets.nbytes
    folder = tmp_path / "cache" / "0"
    with Cache(folder, megabytes=1.5 * size / 1e6) as cache:
        kept = [cache.keep(a_case(name, kind)) for name, kind in (("a", Slices), ("bb", Slices), ("c", Prepared))]
        assert [isinstance(case.images, np.memmap) for case in kept] == [False, True, True]
        assert cache.files == 2
        assert np.array_equal(kept[1].images, a_case("bb").images)
        assert kept[1].has_region().all()
        del kept
    assert not (tmp_path / "cache").exists()


def test_a_killed_programs_files_are_removed_first(tmp_path):
    (tmp_path / "cache" / "0").mkdir(parents=True)
    (tmp_path / "cache" / "0" / "000009-images.npy").touch()
    with Cache(tmp_path / "cache" / "0"):
        assert not (tmp_path / "cache" / "0").exists()


def test_batches_from_files_are_those_from_memory(tmp_path):
    feed = SliceFeed(Recipe(batch_size=2, context=1), get_segmentation_task("tumor-slices").channels)
    cases = [a_case("a"), a_case("bb")]
    with Cache(tmp_path / "cache", megabytes=0) as cache:
        mapped = [cache.keep(case) for case in cases]
        streams = [feed.training(some, np.random.default_rng(0))[1] for some in (cases, mapped)]
        for one, other in zip(*streams, strict=True):
            assert all((a == b).all() for a, b in zip(one, other, strict=True))
        del mapped, streams


def test_a_training_whose_cases_lie_in_files_gives_the_same_losses(patients, tmp_path, monkeypatch):
    from MedSegEffNetLib.job import read_events

    from .conftest import TINY

    settings = dict(text.split("=", 1) for text in (*TINY, "epochs=1"))
    losses = []
    for name, megabytes in (("memory", None), ("files", 0.0)):
        monkeypatch.setattr(running, "Cache", lambda folder, size=megabytes: Cache(folder, size))
        running.train("tumor-slices", patients, tmp_path / name, network="unet_2d", settings=settings)
        events = read_events(tmp_path / name)[0]
        losses += [(event["train_loss"], event["val_loss"]) for event in events if event["event"] == "epoch"]
        assert any("read from disk" in event.get("text", "") for event in events) == (name == "files")
        assert not (tmp_path / name / "cache").exists()
    assert losses[0] == losses[1]
