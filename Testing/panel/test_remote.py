"""Jobs on another machine: here one that an ssh server on loopback makes of this one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys

import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")
import loopback
from loopback import LIBRARY, needs_ssh

server, worker = loopback.server, loopback.worker

FOLLOWER = """
import sys
from MedSegEffNetPanel import follower
follower._ROUND_SECONDS, follower._LOST_SECONDS, follower._RESULTS_SECONDS = 0.2, 0.5, 0.0
sys.exit(follower.main(sys.argv[1:]))
"""
VARIABLES = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (LIBRARY, LIBRARY / "MedSegEffNet")))}


class Elsewhere:
    """As the panel's environment: where trainings run, and a follower that is in a hurry."""

    def __init__(self, place):
        self._place = place

    def place(self, arguments):
        return self._place

    def follower(self):
        from MedSegEffNetPanel.jobs import Interpreter

        return Interpreter(sys.executable, ("-c", FOLLOWER), VARIABLES)


@pytest.fixture
def data(tmp_path):
    """A folder of data; while it has a file ``wait`` the training does not end."""
    folder = tmp_path / "my data"
    (folder / "cases").mkdir(parents=True)
    (folder / "cases" / "1.txt").write_text("an image", encoding="utf-8")
    return folder


@pytest.fixture
def make_queue(slicer_app):
    """A function that makes a queue for a place; all are cleaned up."""
    from MedSegEffNetPanel.jobs import JobQueue

    queues = []

    def make(place):
        queues.append(JobQueue(lambda: None, Elsewhere(place)))
        return queues[-1]

    yield make
    for queue in queues:
        queue.cleanup()


@pytest.fixture
def far(server, worker, tmp_path):
    """The other machine, to which everything is copied."""
    from MedSegEffNetPanel.remote import Place, quoted

    (tmp_path / "far").mkdir()
    return Place(quoted([*server.ssh, *worker]), (), str(tmp_path / "far"))


@pytest.fixture
def train(make_queue, data, tmp_path):
    """A function that starts the training at a place."""
    from MedSegEffNetPanel.run_folders import new_folder

    def train(place, *more):
        folder = new_folder(tmp_path / "runs", "train")
        return make_queue(place).submit("Train", ["train", "--data", str(data), *more], folder, detached=True)

    return train


def far_run(tmp_path):
    """The run folder on the other machine."""
    return next((tmp_path / "far" / "runs").glob("*/*"))


def epochs(job):
    return [line for line in job.log if line.startswith("Epoch")]


def process_of(folder):
    from MedSegEffNetLib.job import read_events

    return next(event["process"] for event in read_events(folder)[0] if event["event"] == "started")


def hold(data, held=True):
    """Let the training wait, on both sides."""
    for folder in (data, *data.parent.glob("far/data/*/*")):
        (folder / "wait").touch() if held else (folder / "wait").unlink(missing_ok=True)


def follower_of(folder):
    return json.loads((folder / "follower.json").read_text(encoding="utf-8"))["process"]


@needs_ssh
def test_data_goes_there_and_events_and_results_come_back(train, far, wait_until, data, tmp_path):
    from MedSegEffNetLib.job import read_request
    from MedSegEffNetPanel.jobs import JobState

    job = train(far)
    seen = []
    job.event.connect(lambda job, event: seen.append((event, (job.folder / event.get("path", "")).exists())))
    wait_until(lambda: job.state.over and not job.alive, 60)
    assert job.state is JobState.FINISHED, job.report()
    assert job.result["model"] == "model"
    assert len(epochs(job)) == 5
    assert all(there for _event, there in seen), "an event was told before what it names was here"
    sequences = [event["sequence"] for event, _ in seen]
    assert sequences == sorted(set(sequences))
    assert (job.folder / "model" / "bundle.json").is_file()
    assert (job.folder / "checkpoints" / "last.pt").read_text() == "5"
    assert read_request(job.folder)["request"]["data"] == str(data)
    assert not (job.folder / "lock.json").exists()
    assert next((tmp_path / "far" / "data").glob("*/*")).name == "my_data"


@needs_ssh
def test_a_lost_connection_is_told_and_is_not_the_end(train, far, wait_until, server, data, tmp_path):
    from MedSegEffNetPanel.jobs import JobState

    hold(data)
    job = train(far)
    wait_until(lambda: len(epochs(job)) == 1, 60)
    server.stop()
    wait_until(lambda: job.stage.startswith("No connection"), 60)
    hold(data, held=False)
    wait_until(lambda: (far_run(tmp_path) / "model").exists(), 60)
    assert not job.state.over
    assert server.start()
    wait_until(lambda: job.state.over, 60)
    assert job.state is JobState.FINISHED
    assert len(epochs(job)) == 5
    assert sum(line.startswith("No connection") for line in job.log) >= 1


@needs_ssh
def test_neither_a_killed_follower_nor_the_end_of_slicer_ends_the_job(
    train, far, make_queue, wait_until, monkeypatch, data
):
    from MedSegEffNetPanel import processes
    from MedSegEffNetPanel.jobs import JobState

    monkeypatch.setattr(processes, "START_SECONDS", 0.5)
    hold(data)
    job = train(far)
    wait_until(lambda: len(epochs(job)) == 1, 60)
    first = follower_of(job.folder)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: follower_of(job.folder) != first, 60)
    assert not job.state.over
    job.abandon()
    os.kill(follower_of(job.folder), signal.SIGKILL)
    again = make_queue(None).attach(job.folder)
    assert again.state is JobState.RUNNING
    hold(data, held=False)
    wait_until(lambda: again.state.over and not again.alive, 60)
    assert again.state is JobState.FINISHED, again.report()
    assert len(epochs(again)) == 5, "no event comes twice"


@needs_ssh
def test_a_stop_goes_there_and_the_same_command_goes_on(train, far, make_queue, wait_until, data):
    from MedSegEffNetPanel.jobs import JobState

    hold(data)
    job = train(far)
    wait_until(lambda: len(epochs(job)) == 1, 60)
    job.cancel()
    wait_until(lambda: job.state.over and not job.alive, 60)
    assert job.state is JobState.STOPPED
    assert job.log[-1] == "Stopped."
    assert (job.folder / "checkpoints" / "last.pt").is_file(), "the checkpoint comes with the end"
    hold(data, held=False)
    again = make_queue(far).submit("Train", job.arguments, job.folder, detached=True)
    wait_until(lambda: again.state.over and not again.alive, 60)
    assert again.state is JobState.FINISHED, again.report()
    assert (len(epochs(job)), len(epochs(again))) == (1, 5), "the events of a former start are old news"


@needs_ssh
@pytest.mark.parametrize("how", ["deaf", "killed"])
@pytest.mark.slow
def test_a_process_that_is_ended_by_force_is_told_from_one_that_stopped(
    train, far, wait_until, monkeypatch, tmp_path, how
):
    from MedSegEffNetPanel import jobs, processes

    monkeypatch.setattr(jobs, "TERMINATE_SECONDS", 0.2)
    monkeypatch.setattr(processes.RemoteProcess, "patience", 0.2)
    monkeypatch.setattr(jobs, "STOP_SECONDS", 0.2)
    job = train(far, "deaf")
    wait_until(lambda: len(epochs(job)) == 1, 60)
    if how == "deaf":
        job.cancel()
    else:
        os.kill(process_of(far_run(tmp_path)), signal.SIGKILL)
    wait_until(lambda: job.state.over and not job.alive, 60)
    assert job.state is (jobs.JobState.STOPPED if how == "deaf" else jobs.JobState.FAILED)
    if how == "killed":
        assert "code 137" in job.error.found


@needs_ssh
def test_a_machine_without_our_library_is_refused_with_what_to_do(train, server, wait_until, tmp_path):
    from MedSegEffNetPanel.jobs import JobState
    from MedSegEffNetPanel.remote import Place, quoted

    job = train(Place(quoted([*server.ssh, "no-such-python"]), (), str(tmp_path / "far")))
    wait_until(lambda: job.state.over, 60)
    assert job.state is JobState.FAILED
    assert "cannot run MedSegEffNet" in job.error.found
    assert "install it there" in job.error.found
    assert not (tmp_path / "far" / "data").exists()


def test_a_machine_that_does_not_answer_is_told_and_the_job_can_be_taken_back(train, wait_until, tmp_path):
    from MedSegEffNetPanel.jobs import JobState
    from MedSegEffNetPanel.remote import Place

    if shutil.which("ssh") is None:
        pytest.skip("there is no ssh")
    job = train(Place("ssh -F none -p 1 nobody@127.0.0.1 python3", (), "/nowhere"))
    wait_until(lambda: job.stage.startswith("No connection"), 60)
    job.cancel()
    wait_until(lambda: not job.alive, 60)
    assert job.state is JobState.STOPPED


@needs_ssh
def test_a_shared_run_folder_is_used_under_its_name_there(train, server, worker, wait_until, tmp_path):
    from MedSegEffNetPanel.jobs import JobState
    from MedSegEffNetPanel.remote import Place, quoted

    (tmp_path / "mounted").symlink_to(tmp_path, target_is_directory=True)
    job = train(Place(quoted([*server.ssh, *worker]), ((str(tmp_path), str(tmp_path / "mounted")),)))
    wait_until(lambda: job.state.over and not job.alive, 60)
    assert job.state is JobState.FINISHED, job.report()
    request = json.loads((job.folder / "job.json").read_text(encoding="utf-8"))["request"]
    assert request["data"].startswith(str(tmp_path / "mounted"))


@pytest.mark.skipif(os.name == "nt", reason="the command is POSIX's env")
@pytest.mark.parametrize("ending", ["finished", "stopped", "killed"])
def test_a_command_of_this_machine_such_as_a_container_s_is_followed(train, worker, wait_until, data, ending):
    from MedSegEffNetPanel.jobs import JobState
    from MedSegEffNetPanel.remote import Place, quoted

    if ending != "finished":
        hold(data)
    job = train(Place(quoted(worker)))
    wait_until(lambda: len(epochs(job)) >= 1, 60)
    if ending == "stopped":
        job.cancel()
    elif ending == "killed":
        os.kill(process_of(job.folder), signal.SIGKILL)
    wait_until(lambda: job.state.over and not job.alive, 60)
    wanted = {"finished": JobState.FINISHED, "stopped": JobState.STOPPED, "killed": JobState.FAILED}
    assert job.state is wanted[ending], job.report()
