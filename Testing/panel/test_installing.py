"""Installing, with the real pip in real processes: whole or not at all, and never over Slicer's own packages."""

import contextlib
import json
import socket
import subprocess
import threading
from types import SimpleNamespace

import pytest

from fake_packages import OPENVINO, make_bare_python, make_kit, make_wheel, make_wheels, offline
from MedSegEffNetLib.job import STOP, read_events
from MedSegEffNetPanel.installing import folders
from MedSegEffNetPanel.installing.kit import MANIFEST
from MedSegEffNetPanel.installing.requirements import LIGHT, REQUIREMENTS

BROKEN = {"openvino/__init__.py": "raise ImportError('DLL load failed')"}


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory):
    """A Python like Slicer's before anything was installed."""
    return make_bare_python(tmp_path_factory.mktemp("bare") / "python")


@pytest.fixture
def target(tmp_path):
    """Where the packages belong."""
    return tmp_path / "py3"


@pytest.fixture
def start(bare_python, target):
    """Starts the installer; gives its process and its job's folder."""
    started = []

    def begin(*words, **variables):
        run = target.parent / folders.SETUP / f"{len(started) + 1:04d}-{words[0]}"
        run.mkdir(parents=True)
        command = [str(bare_python), "-m", "MedSegEffNetPanel.installing.installer", *map(str, words)]
        command += ["--target", str(target), "--run", str(run)]
        with (run / "output.txt").open("wb") as output:
            process = subprocess.Popen(command, env=offline() | variables, stdout=output, stderr=subprocess.STDOUT)
        started.append(process)
        return process, run

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def install(start):
    """Runs the installer to its end; gives its last event and all of them."""

    def go(*words, **variables):
        process, run = start(*words, **variables)
        process.wait(120)
        events = read_events(run)[0]
        assert events, (run / "output.txt").read_text(encoding="utf-8")
        return events[-1], events

    return go


@pytest.fixture
def silent_index():
    """The address of a package server that takes a question and never answers; ``left`` is set when pip hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    asked, left = threading.Event(), threading.Event()
    variables = {"PIP_INDEX_URL": f"http://127.0.0.1:{listener.getsockname()[1]}/simple"}

    def serve():
        try:
            connection = listener.accept()[0]
        except OSError:
            return
        with connection:
            connection.recv(1 << 16)
            asked.set()
            with contextlib.suppress(OSError):  # hung up without a word
                connection.recv(1)
            left.set()

    threading.Thread(target=serve, daemon=True).start()
    yield SimpleNamespace(variables=variables, asked=asked, left=left)
    listener.close()


def names(folder):
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def test_a_kit_installs_what_slicer_lacks_and_nothing_that_it_has(install, target, tmp_path):
    kit = make_kit(tmp_path / "kit")
    end, events = install("install", "--size", LIGHT, "--kit", kit.folder)
    assert end["event"] == "finished", end
    assert {"openvino", "PIL", folders.STAMP} <= names(target)
    assert not names(target) & {"numpy", "SimpleITK"}
    found = folders.installed(target)
    assert (found.size, found.packages) == (LIGHT, {"openvino": "2026.4.0", "pillow": "11.0.0"})
    assert found.requirements == REQUIREMENTS[LIGHT]
    stages = {event["stage"].split(" (")[0] for event in events if event["event"] == "progress"}
    assert {"Checking the offline kit", "Looking up packages", "Installing", "Trying it"} <= stages
    assert names(target.parent) == {"py3", folders.SETUP, "kit"}
    assert not names(target.parent / folders.SETUP / "0001-install") & {folders.PACKAGES, folders.TEMPORARY}


def test_without_a_network_it_says_so_and_offers_the_kit(install, target):
    end, _ = install("install", "--size", LIGHT)
    assert end["event"] == "failed"
    assert "seems to be offline" in end["message"]
    assert "offline kit" in end["hint"]
    assert not target.exists()


def test_after_a_failure_it_can_be_tried_again(install, target, tmp_path):
    assert install("install", "--size", LIGHT)[0]["event"] == "failed"
    wheels = make_wheels(tmp_path / "wheels")
    end, _ = install("install", "--size", LIGHT, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheels))
    assert end["event"] == "finished", end
    assert folders.installed(target).size == LIGHT


def test_what_does_not_compute_never_takes_the_place_of_what_did(install, target, tmp_path):
    install("install", "--kit", make_kit(tmp_path / "good").folder)
    before = (target / folders.STAMP).read_bytes()
    end, _ = install("install", "--kit", make_kit(tmp_path / "bad", BROKEN, "2026.4.1").folder)
    assert end["event"] == "failed"
    assert "DLL load failed" in end["message"]
    assert "kept" in end["hint"]
    assert (target / folders.STAMP).read_bytes() == before
    assert {path.name for path in target.glob("openvino-*")} == {"openvino-2026.4.0.dist-info"}


def test_a_new_installation_takes_the_place_of_the_former_one(install, target, tmp_path):
    install("install", "--kit", make_kit(tmp_path / "one").folder)
    (target / "left.py").write_text("", encoding="utf-8")
    end, _ = install("install", "--kit", make_kit(tmp_path / "two", version="2026.4.1").folder)
    assert end["event"] == "finished", end
    assert folders.installed(target).packages["openvino"] == "2026.4.1"
    assert "left.py" not in names(target)
    assert not list(target.parent.glob("py3-old-*"))


def test_what_this_python_has_is_not_installed_again(tmp_path, target, start):
    """Another extension may have put an engine into Slicer's own Python."""
    python = make_bare_python(tmp_path / "python")
    wheels = [make_wheel(tmp_path / "w", "openvino", "2025.1.0", OPENVINO)]
    wheels.append(make_wheel(tmp_path / "w", "pillow", "10.4.0", {"PIL/__init__.py": ""}))
    subprocess.run(
        [str(python), "-m", "pip", "install", "-q", "--no-deps", *map(str, wheels)], check=True, env=offline()
    )
    run = tmp_path / folders.SETUP / "0001-install"
    command = [str(python), "-m", "MedSegEffNetPanel.installing.installer", "install"]
    command += ["--kit", str(make_kit(tmp_path / "kit").folder), "--target", str(target), "--run", str(run)]
    assert subprocess.run(command, env=offline()).returncode == 0
    assert names(target) == {folders.STAMP}


def test_stop_ends_a_pip_that_waits_for_its_server(start, target, silent_index):
    process, run = start("install", **silent_index.variables)
    assert silent_index.asked.wait(60)
    (run / STOP).touch()
    process.wait(20)
    assert read_events(run)[0][-1]["event"] == "stopped"
    assert silent_index.left.wait(20), "pip still runs"
    assert not target.exists()


def test_what_a_killed_installation_left_is_found_and_tidied_up(start, install, target, silent_index):
    process, run = start("install", **silent_index.variables)
    assert silent_index.asked.wait(60)
    (run / folders.PACKAGES).mkdir()
    assert folders.running_setup(target) == run
    process.kill()
    process.wait()
    assert folders.running_setup(target) is None
    assert folders.installed(target).size == ""
    assert run / folders.PACKAGES in folders.leftovers(target)
    assert install("tidy")[0]["event"] == "finished"
    assert folders.leftovers(target) == []


def test_a_damaged_kit_is_refused_before_anything_is_written(install, target, tmp_path):
    kit = make_kit(tmp_path / "kit")
    wheel = next(kit.folder.glob("openvino*"))
    wheel.write_bytes(wheel.read_bytes()[:-1] + b"x")
    end, _ = install("install", "--kit", kit.folder)
    assert (end["event"], end["type"]) == ("failed", "InputError")
    assert wheel.name in end["message"]
    assert not target.exists()


def test_a_wheel_that_the_kit_does_not_list_is_not_installed(install, target, tmp_path):
    kit = make_kit(tmp_path / "kit")
    make_wheel(kit.folder, "openvino", "2026.4.1", OPENVINO)
    end, _ = install("install", "--kit", kit.folder)
    assert end["event"] == "failed"
    assert "openvino-2026.4.1" in end["message"]
    assert not target.exists()


def test_a_kit_of_another_size_or_python_is_refused(install, tmp_path):
    kit = make_kit(tmp_path / "kit")
    assert "size light" in install("install", "--size", "training", "--kit", kit.folder)[0]["message"]
    content = json.loads((kit.folder / MANIFEST).read_text(encoding="utf-8"))
    (kit.folder / MANIFEST).write_text(json.dumps({**content, "python": "3.9"}), encoding="utf-8")
    end, _ = install("install", "--kit", kit.folder)
    assert "Python 3.9" in end["message"]
    assert "offline-kit" in end["hint"]


def test_remove_deletes_the_packages_and_the_cache(install, target, tmp_path):
    install("install", "--kit", make_kit(tmp_path / "kit").folder)
    (target.parent / folders.CACHE).mkdir()
    assert install("remove")[0]["event"] == "finished"
    assert names(target.parent) == {folders.SETUP, "kit"}


def test_the_logs_of_the_last_jobs_are_kept_and_no_more(install, target):
    for number in range(100, 130):
        (target.parent / folders.SETUP / f"{number:04d}-check").mkdir(parents=True)
    install("tidy")
    kept = names(target.parent / folders.SETUP)
    assert 10 <= len(kept) <= 11
    assert "0129-check" in kept
