"""Locks: one holder, and none that is dead."""

import errno
import json
import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from MedSegEffNetLib.dataset import locks
from MedSegEffNetLib.dataset.locks import Lock, check_held, holder_of
from MedSegEffNetLib.errors import InputError, MedSegEffNetError


def pretend(path, **changes):
    """A lock as another process would have left it."""
    with Lock(path, "Bob").take():
        content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **changes}), encoding="utf-8")


def ended_process():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def count_up(path, counter, times):
    for _ in range(times):
        with Lock(path, "").take(wait=60):
            value = int(counter.read_text())
            time.sleep(0.001)
            counter.write_text(str(value + 1))


def test_a_lock_is_held_by_one_and_names_its_holder(tmp_path):
    path = tmp_path / "lock"
    with Lock(path, "Ann").take() as lock:
        assert lock.held()
        holder = holder_of(path)
        assert (holder.owner, holder.process, holder.stale) == ("Ann", os.getpid(), False)
        with pytest.raises(InputError, match="in use by Ann"):
            Lock(path, "Bob").take()
    assert holder_of(path) is None
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_an_ended_process_does_not_count(tmp_path):
    path = tmp_path / "lock"
    pretend(path, process=ended_process(), process_began="1")
    assert holder_of(path).stale
    with Lock(path, "Ann").take() as lock:
        assert lock.held()


def test_a_lock_of_another_host_counts_until_it_is_not_refreshed(tmp_path):
    path = tmp_path / "lock"
    pretend(path, host="elsewhere", process=1)
    with pytest.raises(InputError, match="elsewhere"):
        Lock(path, "Ann").take()
    past = time.time() - locks.STALE_AFTER - 5
    os.utime(path, (past, past))
    with Lock(path, "Ann").take() as lock:
        assert lock.held()


def test_a_torn_lock_counts_for_a_moment(tmp_path):
    path = tmp_path / "lock"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InputError):
        Lock(path, "Ann").take()
    past = time.time() - 10
    os.utime(path, (past, past))
    Lock(path, "Ann").take().release()


def test_who_lost_a_lock_is_told_and_does_not_release_the_others(tmp_path):
    path = tmp_path / "lock"
    lost = Lock(path, "Ann").take()
    path.unlink()
    with Lock(path, "Bob").take():
        assert not lost.refresh()
        with pytest.raises(MedSegEffNetError, match="taken over"):
            check_held(lost)
        lost.release()
        assert holder_of(path).owner == "Bob"


def test_a_refreshed_lock_is_young(tmp_path):
    path = tmp_path / "lock"
    with Lock(path, "Ann").take() as lock:
        past = time.time() - 500
        os.utime(path, (past, past))
        assert holder_of(path).age > 400
        assert lock.refresh()
        assert holder_of(path).age < 60


def test_processes_that_take_turns_lose_nothing(tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=count_up, args=(tmp_path / "lock", counter, 15)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert counter.read_text() == "45"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_data_set_that_may_only_be_read_is_called_so(number, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(number, "no")

    monkeypatch.setattr(locks.os, "open", refuse)
    with pytest.raises(MedSegEffNetError, match=f"the data set .*{tmp_path.name} is read-only for you"):
        Lock(tmp_path / "writing.lock", "Ann").take()
