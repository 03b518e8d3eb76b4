"""The logic of ``run.py``; nothing is installed here."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).resolve().parents[1] / "run.py"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The module ``run.py``, set to an empty checkout; pip's calls are kept in ``run.calls`` instead of being made."""
    specification = importlib.util.spec_from_file_location("run_under_test", RUN)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    (tmp_path / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    (tmp_path / "constraints.txt").write_text("# tested together\nnumpy==2.0\ntorch==2.13.0\n", encoding="utf-8")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "CONSTRAINTS", tmp_path / "constraints.txt")
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "STAMP", tmp_path / ".venv" / "installed.json")
    monkeypatch.setattr(module, "PYTHON", Path(sys.executable))
    module.calls = []
    monkeypatch.setattr(module, "pip", lambda *words: module.calls.append(words))
    return module


@pytest.fixture
def linux_without_torch(run, monkeypatch):
    """A Linux machine with an empty environment and no NVIDIA GPU, which reaches PyTorch's index."""
    monkeypatch.setattr(run.sys, "platform", "linux")
    monkeypatch.setattr(run, "installed_version", lambda package: None)
    monkeypatch.setattr(run, "has_nvidia_gpu", lambda: False)
    monkeypatch.setattr(run, "_reachable", lambda address: True)
    return run


@pytest.fixture
def set_up(run, monkeypatch):
    """A checkout whose ``.venv`` can be "made" and always "works" once it is made."""
    made = []

    def make_venv():
        run.VENV.mkdir(exist_ok=True)
        made.append(run.VENV)

    run.made = made
    monkeypatch.setattr(run, "make_venv", make_venv)
    monkeypatch.setattr(run, "_works", lambda *modules: run.VENV.is_dir())
    monkeypatch.setattr(run, "install_torch", lambda: run.calls.append("torch"))
    return run


def report_of(*names):
    return {"install": [{"metadata": {"name": name}} for name in names]}


def test_an_old_python_is_refused_with_a_clear_word(run):
    with pytest.raises(run.SetupError, match=r"This is Python 3\.10 .*\n?.*3\.11 or newer is needed"):
        run.check_python((3, 10))
    run.check_python((3, 11))
    run.check_python((4, 0))


def test_the_demo_installs_no_torch(set_up):
    set_up.prepare(set_up.LIGHT)
    assert [words[-1] for words in set_up.calls] == [f"{set_up.ROOT}[cpu]"]


def test_the_tests_install_torch_first_so_that_the_cpu_build_stays(set_up):
    set_up.prepare(set_up.FULL)
    assert set_up.calls[0] == "torch"
    assert set_up.calls[1] == ("install", "-c", str(set_up.CONSTRAINTS), "-e", f"{set_up.ROOT}[cpu,panel,test,train]")


def test_a_second_run_installs_nothing(set_up):
    set_up.prepare(set_up.FULL)
    del set_up.calls[:]
    set_up.prepare(set_up.FULL)
    set_up.prepare(set_up.LIGHT)
    assert set_up.calls == []
    assert len(set_up.made) == 1


def test_more_extras_are_added_to_a_light_environment(set_up):
    set_up.prepare(set_up.LIGHT)
    set_up.prepare(set_up.FULL)
    assert "torch" in set_up.calls
    assert len(set_up.made) == 1


def test_changed_versions_are_installed(set_up):
    set_up.prepare(set_up.LIGHT)
    set_up.CONSTRAINTS.write_text("numpy==2.1\n", encoding="utf-8")
    set_up.prepare(set_up.LIGHT)
    assert len(set_up.calls) == 2


def test_an_interrupted_installation_is_gone_on_with(set_up, monkeypatch):
    def interrupted(*words):
        raise KeyboardInterrupt

    set_up.prepare(set_up.LIGHT)
    set_up.CONSTRAINTS.write_text("numpy==2.1\n", encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(set_up, "pip", interrupted)
        with pytest.raises(KeyboardInterrupt):
            set_up.prepare(set_up.LIGHT)
    assert not set_up.is_ready(set_up.LIGHT)
    set_up.prepare(set_up.LIGHT)
    assert set_up.is_ready(set_up.LIGHT)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"extras": ["cpu"]}', '{"extras": 1, "fingerprint": 2}', "\x00"])
def test_a_broken_stamp_means_that_nothing_is_installed(set_up, content):
    set_up.VENV.mkdir()
    set_up.STAMP.write_text(content, encoding="utf-8")
    assert not set_up.is_ready(set_up.LIGHT)


def test_a_broken_environment_is_made_again(set_up, monkeypatch):
    set_up.prepare(set_up.LIGHT)
    monkeypatch.setattr(set_up, "_works", lambda *modules: False)
    set_up.prepare(set_up.LIGHT)
    assert len(set_up.made) == 2


def test_an_environment_without_python_or_without_a_module_does_not_work(run, monkeypatch):
    run.VENV.mkdir()
    assert run._works("json")
    assert not run._works("json", "no_such_module")
    monkeypatch.setattr(run, "PYTHON", run.VENV / "missing")
    assert not run._works("json")


def test_torch_that_is_there_is_left_alone(linux_without_torch, monkeypatch):
    monkeypatch.setattr(linux_without_torch, "installed_version", lambda package: "2.13.0")
    linux_without_torch.install_torch()
    assert linux_without_torch.calls == []


def test_torch_comes_from_the_cpu_index_without_dependencies(linux_without_torch):
    linux_without_torch.install_torch()
    index = linux_without_torch.TORCH_CPU_INDEX
    assert linux_without_torch.calls == [("install", "--no-deps", "--index-url", index, "torch==2.13.0")]


def test_torch_comes_from_pips_sources_if_they_offer_a_cpu_build(linux_without_torch, monkeypatch, capsys):
    monkeypatch.setattr(linux_without_torch, "_reachable", lambda address: False)
    monkeypatch.setattr(linux_without_torch, "pip_report", lambda requirement: report_of("torch", "sympy"))
    linux_without_torch.install_torch()
    assert linux_without_torch.calls == [("install", "torch==2.13.0")]
    assert "cannot be reached" in capsys.readouterr().out


@pytest.mark.parametrize("package", ["nvidia-cublas", "nvidia_cudnn_cu13", "triton", "cuda-bindings"])
def test_gigabytes_for_a_gpu_that_is_not_there_are_refused(linux_without_torch, monkeypatch, package):
    monkeypatch.setattr(linux_without_torch, "_reachable", lambda address: False)
    monkeypatch.setattr(linux_without_torch, "pip_report", lambda requirement: report_of("torch", package))
    with pytest.raises(linux_without_torch.SetupError, match="What to do"):
        linux_without_torch.install_torch()
    assert linux_without_torch.calls == []


def test_an_nvidia_gpu_gets_the_default_torch(linux_without_torch, monkeypatch, capsys):
    monkeypatch.setattr(linux_without_torch, "has_nvidia_gpu", lambda: True)
    linux_without_torch.install_torch()
    assert linux_without_torch.calls == [("install", "torch==2.13.0")]
    assert "several GB" in capsys.readouterr().out


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_get_the_default_torch(linux_without_torch, monkeypatch, platform):
    monkeypatch.setattr(linux_without_torch.sys, "platform", platform)
    linux_without_torch.install_torch()
    assert linux_without_torch.calls == [("install", "torch==2.13.0")]


def test_a_missing_pin_is_named(run):
    assert run.pinned("numpy") == "2.0"
    with pytest.raises(run.SetupError, match="pins no version of monai"):
        run.pinned("monai")


def test_an_installed_version_is_read_without_its_build(run):
    assert run.installed_version("no-such-package") is None
    assert run.installed_version("pytest") == pytest.__version__


def test_a_failed_pip_tells_what_to_do(run, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, stdout="", stderr="no route to host")
    monkeypatch.setattr(run.subprocess, "run", lambda *words, **settings: failed)
    with pytest.raises(run.SetupError, match=r"(?s)no route to host.*What to do: check the network"):
        run.pip_report("torch==2.13.0")


def test_an_address_that_does_not_answer_is_not_reachable(run):
    assert not run._reachable("http://127.0.0.1:9/")


def test_programs_run_without_settings_of_qt_or_of_another_python(run, monkeypatch):
    for name in ("QT_PLUGIN_PATH", "PYTHONPATH", "PYTHONHOME"):
        monkeypatch.setenv(name, "elsewhere")
    environment = run.environment()
    assert not {"QT_PLUGIN_PATH", "PYTHONPATH", "PYTHONHOME"} & set(environment)
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"


@pytest.fixture
def started(run, monkeypatch):
    """Commands that ``run.py`` starts; those whose words are in ``started.failing`` end with their code."""
    monkeypatch.setattr(run, "prepare", lambda extras: None)
    monkeypatch.setattr(run, "prepare_drawing", lambda: None)

    class Started(list):
        failing = None

        def __call__(self, command, **settings):
            words = command[2:]
            self.append(words)
            return subprocess.CompletedProcess(command, (self.failing or {}).get(words[0], 0))

    record = Started()
    monkeypatch.setattr(run.subprocess, "run", record)
    return record


def test_pytest_comes_last_and_gets_the_further_arguments(run, started):
    assert run.main(["test", "Testing/lib", "-k", "grid", "-x"]) == 0
    assert [words[0] for words in started] == ["ruff", "ruff", "mypy", "pytest"]
    assert started[-1] == ["pytest", "Testing/lib", "-k", "grid", "-x"]


def test_slow_tests_run_when_asked_for(run, started):
    run.main(["test", "--slow"])
    assert started[-1] == ["pytest", "-m", ""]


@pytest.mark.parametrize(("failing", "code"), [({"pytest": 5}, 5), ({"mypy": 2, "pytest": 1}, 2), ({"ruff": 1}, 1)])
def test_the_first_failure_decides_the_exit_code(run, started, failing, code):
    started.failing = failing
    assert run.main(["test"]) == code
    assert started[-1][0] == "pytest"


@pytest.fixture
def drawing(run, monkeypatch):
    """Commands that are started on a Linux that lacks two packages; ``drawing.root`` says who asks."""

    class Drawing(list):
        root = True
        code = 0

        def __call__(self, command, **settings):
            self.append(command)
            return subprocess.CompletedProcess(command, self.code)

    record = Drawing()
    monkeypatch.setattr(run.sys, "platform", "linux")
    monkeypatch.setattr(run, "missing_packages", lambda: ["libegl1", "fonts-dejavu-core"])
    monkeypatch.setattr(run.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(run.os, "geteuid", lambda: 0 if record.root else 1000, raising=False)
    monkeypatch.setattr(run.subprocess, "run", record)
    return record


def test_root_gets_the_packages_for_drawing(run, drawing):
    run.prepare_drawing()
    assert [command[1] for command in drawing] == ["update", "install"]
    assert drawing[-1][-2:] == ["libegl1", "fonts-dejavu-core"]


def test_another_user_is_told_the_command_for_drawing(run, drawing, capsys):
    drawing.root = False
    run.prepare_drawing()
    assert not drawing
    assert "sudo apt-get install" in capsys.readouterr().out


def test_tests_go_on_when_the_packages_for_drawing_cannot_be_had(run, drawing, capsys):
    drawing.code = 100
    run.prepare_drawing()
    assert len(drawing) == 1
    assert "skipped" in capsys.readouterr().out


def test_nothing_is_installed_where_everything_for_drawing_is_there(run, drawing, monkeypatch):
    monkeypatch.setattr(run, "missing_packages", list)
    run.prepare_drawing()
    assert not drawing


def test_the_demo_takes_real_data_where_they_are(run, started, tmp_path, monkeypatch):
    checkout = tmp_path / "checkout"
    monkeypatch.setattr(run, "ROOT", checkout)
    assert run.main(["demo"]) == 0
    assert started[-1] == ["MedSegEffNetLib", "demo", "--output", "demo-output"]
    data = tmp_path / "shared" / "data" / "lgg"
    data.mkdir(parents=True)
    run.main(["demo", "--output", "elsewhere"])
    assert started[-1] == ["MedSegEffNetLib", "demo", "--output", "elsewhere", "--data", str(data)]


def test_the_demo_refuses_unknown_words(run, started, capsys):
    assert run.main(["demo", "--fast"]) == 1
    assert "--fast" in capsys.readouterr().err
    assert not started


def test_the_stamp_tells_what_is_installed(set_up):
    set_up.prepare(set_up.FULL)
    stamp = json.loads(set_up.STAMP.read_text(encoding="utf-8"))
    assert stamp["extras"] == ["cpu", "panel", "test", "train"]
