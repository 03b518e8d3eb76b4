import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest

from MedSegEffNetLib import job
from MedSegEffNetLib.errors import InputError, MedSegEffNetError, Stopped
from MedSegEffNetLib.job import EVENTS, LOCK, REQUEST, SCHEMA, STOP, Job, read_events, read_request, running_process
from MedSegEffNetLib.processes import process_began


def kinds(folder):
    return [event["event"] for event in read_events(folder)[0]]


def ended_process():
    """The number of a process that is no more."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def write_lock(folder, **changes):
    folder.mkdir(exist_ok=True)
    Job.open(folder, {})
    lock = json.loads((folder / LOCK).read_text(encoding="utf-8"))
    (folder / LOCK).write_text(json.dumps({**lock, **changes}), encoding="utf-8")


def test_a_job_that_ends_well_tells_its_request_and_its_results(tmp_path):
    with Job.open(tmp_path / "run", {"command": "segment", "seed": 7}) as job:
        job.finish(output=tmp_path / "out.nii.gz")
    assert read_request(tmp_path / "run")["request"] == {"command": "segment", "seed": 7}
    assert "medsegeffnet" in read_request(tmp_path / "run")["versions"]
    first, last = read_events(tmp_path / "run")[0]
    assert (first["event"], last["event"]) == ("started", "finished")
    assert (first["sequence"], last["sequence"]) == (1, 2)
    assert first["version"] == SCHEMA
    assert "T" in first["time"]
    assert last["output"] == str(tmp_path / "out.nii.gz")
    assert not (tmp_path / "run" / LOCK).exists()


def test_a_failure_is_told_with_type_message_and_hint(tmp_path):
    with pytest.raises(MedSegEffNetError), Job.open(tmp_path, {}):
        raise MedSegEffNetError("the disk is full", hint="free some space")
    last = read_events(tmp_path)[0][-1]
    assert (last["event"], last["type"]) == ("failed", "MedSegEffNetError")
    assert (last["message"], last["hint"]) == ("the disk is full", "free some space")


def test_a_fault_of_the_program_is_a_failure_too(tmp_path):
    with pytest.raises(ZeroDivisionError), Job.open(tmp_path, {}):
        raise ZeroDivisionError
    assert read_events(tmp_path)[0][-1]["type"] == "ZeroDivisionError"
    assert not (tmp_path / LOCK).exists()


def test_the_file_stop_ends_a_job_in_good_order(tmp_path):
    job = Job.open(tmp_path, {})
    with pytest.raises(Stopped), job:
        job.check_stop()
        (tmp_path / STOP).touch()
        job.check_stop()
    assert kinds(tmp_path) == ["started", "stopped"]


def test_the_keyboard_stops_a_job(tmp_path):
    with pytest.raises(KeyboardInterrupt), Job.open(tmp_path, {}):
        raise KeyboardInterrupt
    assert kinds(tmp_path) == ["started", "stopped"]


def test_a_job_that_is_resumed_goes_on_counting_and_forgets_the_old_stop(tmp_path):
    with Job.open(tmp_path, {}):
        pass
    (tmp_path / STOP).touch()
    with Job.open(tmp_path, {}) as job:
        job.check_stop()
    assert [event["sequence"] for event in read_events(tmp_path)[0]] == [1, 2, 3, 4]


def test_a_line_that_a_kill_left_torn_is_passed_over_and_closed(tmp_path):
    with Job.open(tmp_path, {}):
        pass
    with open(tmp_path / EVENTS, "ab") as file:
        file.write(b'{"version": 1, "sequence": 3, "ti\xc3')
    events, offset = read_events(tmp_path)
    assert [event["sequence"] for event in events] == [1, 2]
    with Job.open(tmp_path, {}) as job:
        job.notice("here again")
    assert [event["event"] for event in read_events(tmp_path, offset)[0]] == ["started", "notice", "finished"]
    assert (tmp_path / EVENTS).read_bytes().count(b"\n") == 6


def test_a_reader_goes_on_where_it_stopped(tmp_path):
    job = Job.open(tmp_path, {})
    job.emit("epoch", epoch=1)
    first, offset = read_events(tmp_path)
    job.emit("epoch", epoch=2)
    second, _ = read_events(tmp_path, offset)
    assert [event["epoch"] for event in (*first, *second)] == [1, 2]


def test_where_nothing_was_begun_there_are_no_events(tmp_path):
    assert read_events(tmp_path / "nowhere") == ([], 0)
    assert read_request(tmp_path / "nowhere") is None


def test_events_are_json_even_with_nan_numpy_and_paths(tmp_path):
    job = Job.open(tmp_path, {})
    values = {"a": math.nan, "b": np.float32(np.inf), "c": np.int64(3), "d": np.arange(2), "e": (tmp_path, True)}
    job.emit("epoch", **values)
    event = json.loads((tmp_path / EVENTS).read_text(encoding="utf-8"))
    assert [event[name] for name in "abcd"] == [None, None, 3, [0, 1]]
    assert event["e"] == [str(tmp_path), True]


def test_fields_cannot_change_an_events_number(tmp_path):
    job = Job.open(tmp_path, {})
    job.emit("epoch", sequence=99, kind="x")
    assert read_events(tmp_path)[0][0]["sequence"] == 1


def test_progress_is_told_at_its_beginning_and_end_and_not_too_often():
    job, events = Job.open(None, {}), []
    job.listeners.append(events.append)
    for done in range(1001):
        job.progress("Segmenting", done, 1000)
    assert events[0]["done"] == 0
    assert events[0]["seconds_left"] is None
    assert events[-1]["done"] == 1000
    assert events[-1]["seconds_left"] == 0
    assert len(events) < 100


def test_a_job_without_a_folder_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Job.open(None, {}) as job:
        job.check_stop()
        job.progress("Segmenting", 1, 2)
    assert not list(tmp_path.iterdir())


def test_a_folder_in_use_by_another_process_is_refused(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        began = process_began(other.pid)
        write_lock(tmp_path, process=other.pid, process_began=began)
        assert running_process(tmp_path) == other.pid
        with pytest.raises(InputError, match=f"process {other.pid}"):
            Job.open(tmp_path, {})
        other.communicate(b"\n")


def test_the_lock_of_a_process_that_has_ended_does_not_count(tmp_path):
    write_lock(tmp_path, process=ended_process())
    assert running_process(tmp_path) is None
    with Job.open(tmp_path, {}):
        assert running_process(tmp_path) == os.getpid()


def test_a_lock_whose_process_number_was_given_anew_does_not_count(tmp_path):
    write_lock(tmp_path, process_began="long ago")
    assert running_process(tmp_path) is None


def test_a_lock_of_another_machine_counts(tmp_path):
    write_lock(tmp_path, process=1, host="elsewhere")
    with pytest.raises(InputError, match="process 1"):
        Job.open(tmp_path, {})


@pytest.mark.parametrize("left", [True, False])
def test_of_two_that_start_at_once_one_gets_the_folder(tmp_path, monkeypatch, left):
    if left:
        write_lock(tmp_path, process=ended_process())

    def looked_too_early(folder):
        write = job.atomic.write_json
        write(folder / LOCK, {**job.identity(), "process": other.pid, "process_began": process_began(other.pid)})

    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        monkeypatch.setattr(job, "running_process", looked_too_early)  # the other one came just after the look
        with pytest.raises(InputError, match=f"process {other.pid}"):
            Job.open(tmp_path, {})
        monkeypatch.undo()
        assert running_process(tmp_path) == other.pid
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
        other.communicate(b"\n")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"process": "x"}'])
def test_a_damaged_lock_does_not_count(tmp_path, text):
    (tmp_path / LOCK).write_text(text, encoding="utf-8")
    with Job.open(tmp_path, {}):
        pass


def test_a_run_of_a_newer_version_is_refused(tmp_path):
    (tmp_path / REQUEST).write_text(json.dumps({"schema": SCHEMA + 1, "request": {}}), encoding="utf-8")
    with pytest.raises(InputError, match="newer version"):
        Job.open(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir()] == [REQUEST]


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 1}', '{"schema": 1, "request": 7}'])
def test_a_damaged_request_is_refused(tmp_path, text):
    (tmp_path / REQUEST).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="damaged"):
        Job.open(tmp_path, {})


def test_a_file_cannot_be_a_run_folder(tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(InputError, match="is a file"):
        Job.open(tmp_path / "run", {})


def test_a_failure_is_not_hidden_by_one_of_the_event_file(tmp_path):
    with pytest.raises(ZeroDivisionError), Job.open(tmp_path, {}):
        (tmp_path / EVENTS).unlink()
        (tmp_path / EVENTS).mkdir()
        raise ZeroDivisionError


def test_a_folder_keeps_the_command_that_began_it(tmp_path):
    with Job.open(tmp_path, {"command": "train"}):
        pass
    with pytest.raises(InputError, match="command 'train'"):
        Job.open(tmp_path, {"command": "segment"})
    with Job.open(tmp_path, {"command": "train"}):
        pass


def test_a_failed_job_tells_its_results_so_far(tmp_path):
    with pytest.raises(MedSegEffNetError), Job.open(tmp_path, {}) as job:
        job.finish(done=3)
        raise MedSegEffNetError("one failed", expected="none", hint="again")
    last = read_events(tmp_path)[0][-1]
    assert (last["event"], last["done"], last["expected"], last["hint"]) == ("failed", 3, "none", "again")
