"""Section Environment, clicked through: real pip, real processes, and a Python like Slicer's before anything is there."""

import json
import os
import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fake_packages import ROOT, make_bare_python, make_kit, make_wheels, offline
from MedSegEffNetLib.models import registry

pytest.importorskip("slicer")
pytest.importorskip("PySide6")
SECONDS = 60


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory):
    """A Python like Slicer's before anything was installed."""
    return make_bare_python(tmp_path_factory.mktemp("bare") / "python")


@pytest.fixture
def own(tmp_path, monkeypatch, settings, bare_python):
    """The user's own folder, empty; a Slicer whose Python has no engine, on a computer without network and GPU."""
    import slicer

    from MedSegEffNetPanel import environment

    folder = tmp_path / "own"
    monkeypatch.setenv(registry.DATA_VARIABLE, str(folder))
    monkeypatch.setattr(environment, "slicer_python", lambda: str(bare_python))
    monkeypatch.setattr(environment, "own_engines", list)
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    variables = offline()
    monkeypatch.setattr(slicer.util, "startupEnvironment", lambda: variables)
    return folder


@pytest.fixture
def pip_finds(own, tmp_path):
    """From now on pip finds the wheels of a folder."""
    import slicer

    def find(**variables):
        slicer.util.startupEnvironment().update(variables)

    return find


@pytest.fixture
def environment(own):
    """The environment without a window."""
    from MedSegEffNetPanel.environment import Environment
    from MedSegEffNetPanel.settings import Settings

    made = Environment(Settings())
    yield made
    made.cleanup()


@pytest.fixture
def section(environment, scene, dialogs):
    """The section on its own, opened when nothing was installed."""
    from MedSegEffNetPanel.jobs import JobQueue
    from MedSegEffNetPanel.sections.environment import PanelSection

    jobs = JobQueue(environment.interpreter)
    host = SimpleNamespace(environment=environment, jobs=jobs, resources=ROOT / "MedSegEffNet" / "Resources")
    made = PanelSection(host)
    made.setup()
    made.enter()
    yield made
    made.cleanup()
    jobs.cleanup()


@pytest.fixture
def finish(wait_until):
    """Waits for a job's end."""

    def end(job):
        assert wait_until(lambda: job.state.over, SECONDS), job.log
        return job

    return end


@pytest.fixture
def done(wait_until):
    """Waits until the section has nothing to do; gives what it says then."""

    def end(section):
        quiet = lambda: section.job is not None and section.job.state.over  # noqa: E731
        assert wait_until(quiet, SECONDS), section.ui.messageLabel.text
        return section.ui.messageLabel.text

    return end


@pytest.fixture
def other_python(tmp_path):
    """Makes a program that answers like a Python with these packages."""

    def make(version, found):
        path = tmp_path / ("python.bat" if os.name == "nt" else "python")
        answer = json.dumps({"version": version, "found": found})
        path.write_text(f"@echo {answer}\n" if os.name == "nt" else f"#!/bin/sh\necho '{answer}'\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    return make


def test_with_nothing_installed_the_status_says_what_to_do(environment):
    status = environment.status()
    assert not status.ready
    assert "Nothing that computes is installed" in status.text
    assert "Light takes" in status.hint
    assert "MB" in status.hint


def test_where_slicer_s_own_python_has_an_engine_nothing_needs_to_be_installed(environment, monkeypatch):
    import MedSegEffNetPanel.environment as module

    monkeypatch.setattr(module, "own_engines", lambda: ["openvino"])
    assert environment.status().ready
    assert "nothing needs to be installed" in environment.status().text


def test_a_kit_is_installed_and_jobs_find_its_packages(environment, finish, tmp_path, window_lives):
    changes = []
    environment.changed.connect(lambda: changes.append(environment.status().ready))
    jobs = []
    kit = make_kit(tmp_path / "kit").folder
    window_lives(lambda: jobs.append(finish(environment.install("light", kit))), tries=1)
    assert jobs[0].state.name == "FINISHED", jobs[0].report()
    assert changes == [True]
    status = environment.status()
    assert (status.ready, status.size, status.repair) == (True, "light", False)
    assert "openvino 2026.4.0" in status.text
    interpreter = environment.interpreter()
    assert interpreter.variables["PYTHONPATH"].split(os.pathsep) == [str(ROOT), str(environment.folder)]
    diagnosis = finish(environment.check()).result["diagnosis"]
    assert [(row["engine"], row["works"]) for row in diagnosis["computations"]] == [("openvino", True)]
    assert str(environment.folder) in diagnosis["packages"]["openvino"]["location"]
    assert str(environment.folder) not in diagnosis["packages"]["numpy"]["location"]
    assert diagnosis["gpu"]["reason"]


def test_a_second_installation_is_not_begun_while_one_goes_on(environment, finish, tmp_path):
    kit = make_kit(tmp_path / "kit").folder
    job = environment.install("light", kit)
    assert environment.install("light", kit) is job
    assert environment.remove() is job
    finish(job)


def test_a_kit_for_another_python_is_refused_before_anything_starts(environment, tmp_path):
    from MedSegEffNetLib.errors import InputError

    kit = make_kit(tmp_path / "kit")
    manifest = kit.folder / "manifest.json"
    content = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps({**content, "python": "3.9"}), encoding="utf-8")
    with pytest.raises(InputError, match=r"Python 3\.9"):
        environment.install("light", kit.folder)
    assert environment.running_setup() is None


def test_an_installation_for_slicer_s_former_python_asks_for_a_repair(environment, monkeypatch, tmp_path):
    from MedSegEffNetPanel.installing import folders

    beside = environment.folder.with_name("py39")
    beside.mkdir(parents=True)
    folders.write_stamp(beside, folders.Installed("light", "3.9", (), {}, 1))
    status = environment.status()
    assert (status.ready, status.repair) == (False, True)
    assert "3.9" in status.text


def test_an_installation_of_an_older_version_still_works_and_offers_newer_packages(environment):
    from MedSegEffNetPanel.installing import folders

    environment.folder.mkdir(parents=True)
    found = folders.Installed("light", folders.python_version(), ("openvino==2024.4",), {"openvino": "2024.4.0"}, 1)
    folders.write_stamp(environment.folder, found)
    status = environment.status()
    assert (status.ready, status.repair) == (True, True)


def test_variables_that_mix_packages_do_not_reach_a_job(monkeypatch, slicer_app):
    import slicer

    from MedSegEffNetPanel.environment import clean_variables

    dirty = {"PYTHONHOME": "a", "PythonPath": "b", "QT_PLUGIN_PATH": "c", "CONDA_PREFIX": "d", "PIP_TARGET": "e"}
    kept = {"PATH": "p", "HTTPS_PROXY": "q", "PIP_INDEX_URL": "r"}
    monkeypatch.setattr(slicer.util, "startupEnvironment", lambda: dirty | kept)
    variables = clean_variables(Path("one"), Path("two"), Path("one"))
    assert kept.items() <= variables.items()
    assert not set(dirty) & set(variables)
    assert variables["PYTHONPATH"] == os.pathsep.join(["one", "two"])
    assert variables["OMP_WAIT_POLICY"] == "PASSIVE"


def test_a_python_that_the_user_names_is_used_if_it_has_what_is_needed(environment, wait_until, other_python):
    answers = []
    path = other_python([3, 12, 4], ["numpy", "SimpleITK", "pillow", "torch", "efficientnet-pytorch"])
    environment.use_python(path, answers.append)
    assert wait_until(lambda: answers, SECONDS)
    assert answers[0].problem == ""
    assert environment.status().ready
    assert "3.12.4 with torch" in environment.status().text
    assert environment.interpreter().program == str(path)
    assert environment.interpreter().variables["PYTHONPATH"] == str(ROOT)
    path.unlink()
    assert not environment.status().ready
    assert "no longer there" in environment.status().text
    environment.use_python(None, answers.append)
    assert environment.python is None


@pytest.mark.parametrize(
    ("version", "found", "told"),
    [
        ([3, 9, 1], ["numpy"], "3.11 or newer"),
        ([3, 12, 0], ["numpy", "SimpleITK", "pillow"], "lacks openvino"),
        ([3, 12, 0], ["openvino"], "lacks numpy, SimpleITK, pillow"),
    ],
)
def test_a_python_that_lacks_something_is_refused_with_what_to_do(
    environment, wait_until, other_python, version, found, told
):
    answers = []
    environment.use_python(other_python(version, found), answers.append)
    assert wait_until(lambda: answers, SECONDS)
    assert told in answers[0].problem
    assert answers[0].hint
    assert environment.python is None


def test_the_running_python_is_really_looked_into(environment, wait_until):
    answers = []
    environment.use_python(Path(sys.executable), answers.append)
    environment.use_python(Path("not there"), answers.append)
    assert "is no file" in answers[0].problem
    assert wait_until(lambda: len(answers) == 2, SECONDS)
    assert answers[1].text.startswith(f"Python {sys.version_info[0]}.{sys.version_info[1]}") or answers[1].problem


def test_the_panel_opens_with_nothing_installed_and_offers_to_install(own, panel):
    found = panel.section("environment")
    assert "Nothing that computes is installed" in found.ui.statusLabel.text
    assert found.ui.installButton.enabled


def test_the_section_lists_three_sizes_with_megabytes(section):
    ui = section.ui
    assert "Nothing that computes is installed" in ui.statusLabel.text
    for button, name in ((ui.lightButton, "Light"), (ui.gpuButton, "GPU"), (ui.trainingButton, "Training")):
        assert button.text.startswith(name)
        assert "about" in button.text
        assert "to download" in button.text
    ui.gpuButton.checked = True
    assert "No NVIDIA GPU was found" in ui.purposeLabel.text or sys.platform == "darwin"
    assert ui.installButton.text == "Install"
    assert not ui.removeButton.enabled


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac's usual build of PyTorch computes on its GPU")
def test_the_sizes_say_what_a_missing_gpu_means(section):
    ui = section.ui
    ui.trainingButton.checked = True
    assert "No NVIDIA GPU was found, so PyTorch for the processor is taken" in ui.purposeLabel.text
    ui.gpuButton.checked = True
    assert "which this size needs" in ui.purposeLabel.text


def test_inside_the_section_no_text_names_it_and_outside_it_does(environment):
    status = environment.status()
    assert "section Environment" not in status.hint
    assert status.hint_elsewhere == f"In the section Environment: {status.hint}"


def test_the_engines_are_those_of_slicer_and_of_the_own_packages(environment, monkeypatch):
    import MedSegEffNetPanel.environment as module
    from MedSegEffNetPanel.installing import folders

    assert environment.engines() == set()
    monkeypatch.setattr(module, "own_engines", lambda: ["torch"])
    environment.folder.mkdir(parents=True)
    found = folders.Installed("light", folders.python_version(), (), {"openvino": "2026.4.0"}, 1)
    folders.write_stamp(environment.folder, found)
    assert environment.engines() == {"openvino", "torch"}


def test_a_starting_job_has_one_ellipsis(section):
    job = SimpleNamespace(
        state=SimpleNamespace(over=False, name="STARTING"), title="Install", stage="Starting …", done=0, total=0
    )
    assert section._sentence(job) == "Install: Starting …"


def test_nothing_is_installed_without_consent(section, dialogs):
    dialogs.answers.append(False)
    section.ui.installButton.click()
    assert "from the internet? About" in dialogs.texts()[-1]
    assert "MB to download" in dialogs.texts()[-1]
    assert section.job is None


def test_an_installation_that_fails_offline_says_so_offers_the_kit_and_can_be_tried_again(
    section, done, pip_finds, tmp_path
):
    section.ui.installButton.click()
    assert not section.ui.installButton.enabled
    text = done(section)
    assert "seems to be offline" in text
    assert "From an offline kit" in text
    assert section.ui.installButton.enabled
    section.ui.copyReportButton.click()
    assert not section.environment.status().ready
    pip_finds(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(make_wheels(tmp_path / "wheels")))
    section.ui.installButton.click()
    assert "Works: openvino on cpu" in done(section)
    assert section.ui.installButton.text == "Repair"
    assert section.ui.checkTable.rowCount > 3


def test_a_kit_is_installed_and_removed_by_clicks(section, done, dialogs, tmp_path):
    kit = make_kit(tmp_path / "kit")
    dialogs.answers.extend([kit.folder, True])
    section.ui.kitButton.click()
    assert "Nothing is downloaded" in dialogs.texts()[-1]
    assert "Works: openvino on cpu" in done(section)
    section.ui.removeButton.click()
    assert "Remove: done" in done(section)
    assert not section.environment.folder.exists()
    assert "Nothing that computes is installed" in section.ui.statusLabel.text


def test_a_folder_that_is_no_kit_is_refused_with_what_to_do(section, dialogs, tmp_path):
    dialogs.answers.append(tmp_path)
    section.ui.kitButton.click()
    assert "no offline kit" in section.ui.messageLabel.text
    assert "run.py offline-kit" in section.ui.messageLabel.text


def test_cancel_ends_pip_and_leaves_everything_as_it_was(section, done, pip_finds, wait_until):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pip_finds(PIP_INDEX_URL=f"http://127.0.0.1:{silent.getsockname()[1]}/simple")
        section.ui.installButton.click()
        assert wait_until(lambda: section.job.stage == "Looking up packages", SECONDS)
        section.ui.cancelButton.click()
        assert "as it was" in done(section)
    assert not section.environment.folder.exists()
    assert section.ui.installButton.enabled


def test_another_python_is_asked_and_refused_in_the_section(section, wait_until, other_python):
    section.ui.pythonPath.text = str(other_python([3, 8, 0], []))
    section.ui.usePythonButton.click()
    assert wait_until(lambda: "3.11 or newer" in section.ui.pythonLabel.text, SECONDS)
    assert not section.ui.slicerPythonButton.enabled
