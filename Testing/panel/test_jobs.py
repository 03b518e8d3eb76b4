"""Background jobs with real processes: every way in which they can end."""

from __future__ import annotations

import os
import signal
import sys
import textwrap

import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

WORKER = """
import os, sys, time
from pathlib import Path
from MedSegEffNetLib.errors import InputError, OutOfMemory
from MedSegEffNetLib.job import Job

def well(job):
    for number in range(3):
        job.progress("Working", number, 3)
    job.notice("the spacing is unusual")
    job.finish(answer=42)

def until_stopped(job):
    while True:
        job.progress("Working", 0, 3)
        job.check_stop()
        time.sleep(0.02)

def deaf(job):
    job.progress("Working", 1, 3)
    time.sleep(60)

def refused(job):
    raise InputError("the volume is flat", expected="three axes", hint="choose another volume")

def out_of_memory(job):
    job.notice("memory is short: going on with smaller parts")
    raise OutOfMemory("memory ran out", hint="close other programs")

def dies(job):
    print("fatal: something odd", flush=True)
    os._exit(3)

def talks(job):
    for number in range(5000):
        job.notice(f"sentence {number}")

folder = Path(sys.argv[sys.argv.index("--run") + 1])
with Job.open(folder, {"command": "test"}) as job:
    globals()[sys.argv[1]](job)
if sys.argv[1] == "well" and "linger" in sys.argv:
    time.sleep(60)
"""


@pytest.fixture
def make_queue(slicer_app, tmp_path):
    """A function that makes a queue whose jobs run the worker above; all are cleaned up."""
    from MedSegEffNetPanel.jobs import Interpreter, JobQueue

    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(WORKER), encoding="utf-8")
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    queues = []

    def make(program=sys.executable):
        queues.append(JobQueue(lambda: Interpreter(program, (str(script),), variables)))
        return queues[-1]

    yield make
    for queue in queues:
        queue.cleanup()


@pytest.fixture
def run(make_queue, tmp_path):
    """A function that submits one job of a mode to a new queue."""
    from MedSegEffNetPanel.run_folders import new_folder

    def run(*words, detached=False):
        return make_queue().submit(words[0], words, new_folder(tmp_path / "runs", "test"), detached=detached)

    return run


def is_gone(job):
    """Whether no process works on the job's folder any more."""
    from MedSegEffNetLib.job import running_process

    return running_process(job.folder) is None


def process_of(job):
    """The number of the process that works on the job's folder."""
    from MedSegEffNetLib.job import read_events

    return next(event["process"] for event in read_events(job.folder)[0] if event["event"] == "started")


def working(job):
    return job.stage == "Working"


@pytest.mark.parametrize("detached", [False, True])
def test_a_job_gives_its_progress_and_its_result(run, wait_until, detached):
    from MedSegEffNetPanel.jobs import JobState

    job = run("well", detached=detached)
    states, events = [], []
    job.changed.connect(lambda job: states.append(job.state))
    job.event.connect(lambda job, event: events.append(event["event"]))
    wait_until(lambda: job.state.over and not job.alive)
    assert job.state is JobState.FINISHED
    assert job.result["answer"] == 42
    assert job.log == ["Started.", "Working", "the spacing is unusual", "Finished."]
    assert (events[0], events[-1]) == ("started", "finished")
    assert (job.done, job.total) != (0, 0)
    assert JobState.RUNNING not in states[states.index(JobState.FINISHED) :]


@pytest.mark.parametrize("detached", [False, True])
def test_cancel_asks_the_job_to_stop(run, wait_until, detached):
    from MedSegEffNetPanel.jobs import JobState

    job = run("until_stopped", detached=detached)
    wait_until(lambda: working(job))
    job.cancel()
    assert job.state is JobState.STOPPING
    wait_until(lambda: job.state.over and not job.alive)
    assert job.state is JobState.STOPPED
    assert job.log[-1] == "Stopped."
    assert is_gone(job)


@pytest.mark.parametrize("detached", [False, True])
def test_a_job_that_does_not_listen_is_terminated(run, wait_until, monkeypatch, detached):
    from MedSegEffNetPanel import jobs

    monkeypatch.setattr(jobs, "STOP_SECONDS", 0.2)
    monkeypatch.setattr(jobs, "TERMINATE_SECONDS", 0.2)
    job = run("deaf", detached=detached)
    wait_until(lambda: working(job))
    job.cancel()
    wait_until(lambda: not job.alive)
    assert job.state is jobs.JobState.STOPPED
    assert job.error is None
    assert is_gone(job)


def test_cancel_while_the_process_starts_leaves_no_process(run, wait_until):
    from MedSegEffNetPanel.jobs import JobState

    job = run("until_stopped")
    job.cancel()
    wait_until(lambda: not job.alive)
    assert job.state is JobState.STOPPED


def test_the_panel_does_not_wait_for_a_finished_process_that_does_not_exit(run, wait_until, monkeypatch):
    from MedSegEffNetPanel import jobs

    monkeypatch.setattr(jobs, "EXIT_SECONDS", 0.5)
    job = run("well", "linger")
    wait_until(lambda: job.state.over)
    assert job.state is jobs.JobState.FINISHED
    assert job.alive
    wait_until(lambda: not job.alive)
    assert job.state is jobs.JobState.FINISHED
    assert is_gone(job)


def test_a_refusal_says_what_was_found_and_what_to_do(run, wait_until):
    job = run("refused")
    wait_until(lambda: job.state.over)
    error = job.error
    assert (error.found, error.expected, error.hint) == ("the volume is flat", "three axes", "choose another volume")
    assert error.type == "InputError"
    assert "the volume is flat" in error.report


def test_a_job_that_ran_out_of_memory_says_how_it_tried(run, wait_until):
    job = run("out_of_memory")
    wait_until(lambda: job.state.over)
    assert job.error.type == "OutOfMemory"
    assert "memory is short: going on with smaller parts" in job.log
    assert job.error.hint == "close other programs"


def test_a_process_that_ended_without_a_word_is_a_failure(run, wait_until):
    from MedSegEffNetPanel.jobs import JobState

    job = run("dies")
    wait_until(lambda: job.state.over)
    assert job.state is JobState.FAILED
    assert "it ended with code 3" in job.error.found
    assert "fatal: something odd" in job.error.report


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")
@pytest.mark.parametrize("detached", [False, True])
def test_a_killed_process_is_told_from_one_that_stopped(run, wait_until, detached):
    from MedSegEffNetPanel.jobs import JobState

    job = run("deaf", detached=detached)
    wait_until(lambda: working(job))
    os.kill(process_of(job), signal.SIGKILL)
    wait_until(lambda: job.state.over)
    assert job.state is JobState.FAILED
    assert "has vanished" in job.error.found
    assert ("SIGKILL" in job.error.found) is not detached
    assert "memory" in job.error.hint


def test_a_python_that_is_not_there_is_told(make_queue, wait_until, tmp_path):
    job = make_queue(str(tmp_path / "no-python")).submit("test", ["well"], tmp_path / "run")
    wait_until(lambda: job.state.over)
    assert "could not be started" in job.error.found
    assert "Environment" in job.error.hint


def test_a_full_disk_is_told(run, wait_until, monkeypatch):
    from MedSegEffNetPanel import jobs

    monkeypatch.setattr(jobs, "_FULL", 1 << 60)
    job = run("dies")
    wait_until(lambda: job.state.over)
    assert job.error.type == "DiskFull"
    assert "Free some space" in job.error.hint


def test_a_run_folder_that_cannot_be_written_is_told(make_queue, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    job = make_queue().submit("test", ["well"], tmp_path / "file" / "run")
    assert job.state.over
    assert "could not be written" in job.error.found


def test_jobs_wait_for_each_other(make_queue, wait_until, tmp_path):
    from MedSegEffNetPanel.jobs import JobState

    queue = make_queue()
    first = queue.submit("the first", ["well"], tmp_path / "1")
    second = queue.submit("the second", ["well"], tmp_path / "2")
    assert second.state is JobState.QUEUED
    assert second.stage == "Waiting for: the first"
    wait_until(lambda: not queue.running())
    assert [job.state for job in queue.jobs] == [JobState.FINISHED] * 2
    assert first.result["time"] < second.result["time"]


def test_a_waiting_job_can_be_taken_out(make_queue, wait_until, tmp_path):
    from MedSegEffNetPanel.jobs import JobState

    queue = make_queue()
    queue.submit("the first", ["well"], tmp_path / "1")
    second = queue.submit("the second", ["well"], tmp_path / "2")
    third = queue.submit("the third", ["well"], tmp_path / "3")
    second.cancel()
    assert second.state is JobState.STOPPED
    wait_until(lambda: not queue.running())
    assert third.state is JobState.FINISHED
    assert not (tmp_path / "2" / "job.json").exists()


def test_a_long_detached_job_keeps_no_other_waiting(make_queue, wait_until, tmp_path):
    from MedSegEffNetPanel.jobs import JobState

    queue = make_queue()
    training = queue.submit("the training", ["until_stopped"], tmp_path / "1", detached=True)
    wait_until(lambda: working(training))
    other = queue.submit("the other", ["well"], tmp_path / "2")
    wait_until(lambda: other.state.over)
    assert other.state is JobState.FINISHED
    assert training.state is JobState.RUNNING
    training.cancel()
    wait_until(lambda: training.state.over)


def test_a_detached_job_is_found_again_by_its_folder(make_queue, wait_until, tmp_path):
    from MedSegEffNetPanel.jobs import JobState

    before = make_queue()
    job = before.submit("the training", ["until_stopped"], tmp_path / "1", detached=True)
    wait_until(lambda: working(job))
    before.cleanup()  # Slicer ends
    assert not is_gone(job)
    after = make_queue()
    found = after.attach(tmp_path / "1")
    assert after.attach(tmp_path / "1") is found
    wait_until(lambda: working(found))
    found.cancel()
    wait_until(lambda: not found.alive)
    assert found.state is JobState.STOPPED
    assert is_gone(found)


def test_a_job_that_ended_while_slicer_was_closed_has_its_result(make_queue, wait_until, tmp_path):
    from MedSegEffNetPanel.jobs import JobState

    job = make_queue().submit("test", ["well"], tmp_path / "1")
    wait_until(lambda: not job.alive)
    found = make_queue().attach(tmp_path / "1")
    wait_until(lambda: found.state.over)
    assert found.state is JobState.FINISHED
    assert found.result["answer"] == 42


def test_a_folder_without_a_job_is_not_attached(make_queue, tmp_path):
    assert make_queue().attach(tmp_path) is None


def test_a_job_that_ends_with_slicer_is_ended(make_queue, wait_until, tmp_path):
    queue = make_queue()
    job = queue.submit("test", ["deaf"], tmp_path / "1")
    wait_until(lambda: working(job))
    queue.cleanup()
    wait_until(lambda: is_gone(job))


def test_the_log_is_capped_and_counted(run, wait_until):
    job = run("talks")
    wait_until(lambda: job.state.over)
    assert len(job.log) == 2000
    assert job.logged == 5002
    assert job.log[-2:] == ["sentence 4999", "Finished."]


def test_following_many_events_never_holds_the_window_up(make_queue, wait_until, tmp_path, window_lives):
    job = make_queue().submit("test", ["talks"], tmp_path / "1")
    wait_until(lambda: not job.alive)
    found = make_queue().attach(tmp_path / "1")
    while not found.state.over:
        window_lives(found.poll, tries=1)


def test_the_report_has_versions_request_log_and_output(run, wait_until):
    job = run("dies")
    wait_until(lambda: job.state.over)
    report = job.report()
    for part in ("MedSegEffNet ", "Python ", '"command": "test"', "Started.", "fatal: something odd"):
        assert part in report
