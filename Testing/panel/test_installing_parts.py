"""The parts of installing that need no process: folders, sizes and builds, pip's words."""

import os
import tomllib

import pytest

from fake_packages import ROOT, make_kit, make_wheel
from MedSegEffNetLib.errors import InputError, MedSegEffNetError
from MedSegEffNetLib.job import Job, read_events
from MedSegEffNetPanel.installing import folders, installer, pip, trial
from MedSegEffNetPanel.installing.folders import Installed
from MedSegEffNetPanel.installing.kit import MANIFEST, Kit
from MedSegEffNetPanel.installing.progress import Progress
from MedSegEffNetPanel.installing.requirements import (
    GPU,
    LIGHT,
    REQUIREMENTS,
    SIZES,
    TRAINING,
    Graphics,
    TorchBuild,
    check_torch,
    cost,
    name_of,
    parse_graphics,
    torch_build,
)

RTX = Graphics("NVIDIA GeForce RTX 4090", 581, (8, 9))


def made(folder, size=LIGHT):
    """An installation in ``folder``."""
    folder.mkdir(parents=True)
    (folder / f"{size}.py").write_text("", encoding="utf-8")
    folders.write_stamp(folder, Installed(size, "3.12", REQUIREMENTS[size], {"openvino": "2026.4.0"}, 200))
    return folder


def test_a_stamp_comes_back_as_it_was_written(tmp_path):
    assert folders.installed(made(tmp_path / "py312")).requirements == REQUIREMENTS[LIGHT]


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"size": "light"}'])
def test_without_a_whole_stamp_nothing_is_installed(tmp_path, content):
    if content is not None:
        (tmp_path / folders.STAMP).write_text(content, encoding="utf-8")
    assert folders.installed(tmp_path) == Installed()


@pytest.mark.parametrize("refused", ["py312", "packages"], ids=["the old one is in use", "the new one is in use"])
def test_where_windows_refuses_to_rename_the_former_installation_stays(tmp_path, monkeypatch, refused):
    target, new = made(tmp_path / "py312"), made(tmp_path / "packages", GPU)
    replace = os.replace

    def in_use(source, goal):
        if source.name == refused:
            raise PermissionError(13, "The process cannot access the file because it is being used by another process")
        replace(source, goal)

    monkeypatch.setattr(folders.os, "replace", in_use)
    monkeypatch.setattr(folders.time, "sleep", lambda seconds: None)
    with pytest.raises(MedSegEffNetError, match="in use") as told:
        folders.swap(new, target)
    assert "close other Slicer windows" in told.value.hint
    assert folders.installed(target).size == LIGHT


def test_a_virus_scanner_that_looks_for_a_moment_only_delays(tmp_path, monkeypatch):
    target, new = made(tmp_path / "py312"), made(tmp_path / "packages", GPU)
    replace, refusals = os.replace, iter([True, True])

    def scanned(source, goal):
        if next(refusals, False):
            raise PermissionError(13, "Access is denied")
        replace(source, goal)

    monkeypatch.setattr(folders.os, "replace", scanned)
    monkeypatch.setattr(folders.time, "sleep", lambda seconds: None)
    folders.swap(new, target)
    assert folders.installed(target).size == GPU
    assert list(tmp_path.iterdir()) == [target]


def test_an_installation_that_stepped_aside_for_nothing_comes_back(tmp_path):
    made(tmp_path / "py312-old-abc123")
    folders.recover(tmp_path / "py312")
    assert folders.installed(tmp_path / "py312").size == LIGHT


def test_the_packages_of_a_slicer_before_its_update_are_noticed(tmp_path):
    made(tmp_path / "py312")
    assert folders.other_pythons(tmp_path / "py313") == ["3.12"]
    assert folders.other_pythons(tmp_path / "py312") == []


def test_a_full_disk_is_told_before_anything_is_downloaded(tmp_path):
    with pytest.raises(InputError, match="MB free") as told:
        installer.check_space(tmp_path / "not" / "there", 10**9)
    assert "Free some space" in told.value.hint


def test_what_slicer_has_is_held_and_engines_are_ours_to_choose():
    kept = dict(line.split("==") for line in installer.kept_versions())
    assert {"numpy", "simpleitk"} <= set(kept)
    assert not {"openvino", "torch", "openvino-telemetry"} & set(kept)


def test_the_gpus_in_the_driver_s_answer_are_understood():
    text = "NVIDIA GeForce RTX 4090, 581.15, 8.9\n\nFailed to initialize NVML\nTesla K80, 470.1, 3.7\n"
    assert parse_graphics(text) == [RTX, Graphics("Tesla K80", 470, (3, 7))]


@pytest.mark.parametrize(
    ("size", "platform", "graphics", "tag"),
    [
        (GPU, "win32", [RTX], "cu130"),
        (GPU, "linux", [RTX], "cu130"),
        (GPU, "win32", [Graphics("RTX", 551, (8, 9))], "cu126"),
        (TRAINING, "linux", [Graphics("GTX 1080", 600, (6, 1))], "cu126"),
        (TRAINING, "linux", [], "cpu"),
        (TRAINING, "win32", [], ""),
        (GPU, "darwin", [], ""),
        (LIGHT, "linux", [RTX], ""),
    ],
)
def test_the_build_of_pytorch_fits_the_gpu_and_its_driver(size, platform, graphics, tag):
    build = torch_build(size, platform, graphics)
    assert build.tag == tag
    assert build.index.endswith(tag)


@pytest.mark.parametrize(
    ("graphics", "told"),
    [
        ([], "Choose Light"),
        ([Graphics("Tesla K80", 470, (3, 7))], "Choose Light"),
        ([Graphics("RTX 4090", 470, (8, 9))], "Update NVIDIA's driver"),
        ([Graphics("RTX 5090", 550, (12, 0))], "Update NVIDIA's driver"),
    ],
)
def test_a_gpu_that_no_build_serves_is_refused_with_what_to_do(graphics, told):
    with pytest.raises(InputError) as error:
        torch_build(GPU, "win32", graphics)
    assert told in error.value.hint


def test_gigabytes_of_gpu_libraries_never_come_by_surprise():
    cpu, cuda = TorchBuild("cpu", "there"), TorchBuild("cu126", "there")
    check_torch(cpu, {"torch": "2.13.0+cpu"})
    check_torch(cpu, {"torch": "2.13.0"})
    check_torch(cuda, {"openvino": "2026.4.0"})
    with pytest.raises(MedSegEffNetError, match="does not fit"):
        check_torch(cpu, {"torch": "2.13.0", "nvidia-cublas": "13"})
    with pytest.raises(MedSegEffNetError, match="does not fit"):
        check_torch(cuda, {"torch": "2.13.0"})


@pytest.mark.parametrize("platform", ["win32", "darwin", "linux"])
def test_every_size_has_a_price_and_light_has_the_lowest(platform):
    light, gpu, training = (cost(size, platform, size == GPU) for size in SIZES)
    assert 0 < light.download < min(gpu.download, training.download)
    assert cost(GPU, platform, False).download < training.download
    assert light.download < light.disk


def test_the_packages_are_those_of_the_project_s_extras():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = {
        LIGHT: [*project["dependencies"], *extras["cpu"]],
        GPU: [*project["dependencies"], *extras["cpu"], *extras["gpu"]],
        TRAINING: [*project["dependencies"], *extras["cpu"], *extras["train"]],
    }
    for size, lines in wanted.items():
        assert {name_of(line) for line in REQUIREMENTS[size]} == {name_of(line) for line in lines}


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("WARNING: Retrying ... NewConnectionError('Connection refused')", "offline"),
        ("Could not fetch URL: getaddrinfo failed", "offline"),
        ("SSLError(SSLCertVerificationError(1, 'CERTIFICATE_VERIFY_FAILED'))", "not trusted"),
        ("ProxyError('Cannot connect to proxy.', 407)", "proxy"),
        ("ERROR: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: [WinError 5] Access is denied: 'openvino.dll'", "cannot be written"),
        ("ERROR: [WinError 206] The filename or extension is too long", "too long for Windows"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "checksum"),
        ("/usr/bin/python3: No module named pip", "no pip"),
        ("ERROR: No matching distribution found for openvino<=2026.4.1,>=2024.4", "openvino"),
        ("ERROR: something new", "something new"),
        ("", "code 2"),
    ],
)
def test_what_pip_says_is_put_into_a_user_s_words(said, found):
    error = pip.failure([said] if said else [], 2)
    assert found in error.found
    assert error.hint


def test_progress_counts_megabytes_and_never_ends_before_pip(tmp_path, monkeypatch):
    monkeypatch.setattr("MedSegEffNetLib.job._PROGRESS_INTERVAL", 0.0)
    with Job.open(tmp_path, {"command": "setup"}) as job:
        progress = Progress(job, megabytes=60, packages=2)
        for text in (
            "Collecting openvino==2026.4.0 (from -r packages.txt (line 1))",
            "  Downloading openvino-2026.4.0-cp312-cp312-win_amd64.whl (59.1 MB)",
        ):
            assert not progress.line(text)
        assert progress.line("Progress 20000000 of 59100000")
        progress.line("Collecting pillow==13.0.0 (from -r packages.txt (line 2))")
        progress.line("  Downloading pillow-13.0.0-cp312-cp312-win_amd64.whl (7.1 MB)")
        progress.line("Progress 7100000 of 7100000")
        progress.line("Installing collected packages: pillow, openvino")
    told = [(event["stage"], event["done"], event["total"]) for event in read_events(tmp_path)[0] if "stage" in event]
    assert told[0] == ("Downloading openvino (1 of 2)", 0, 60)
    assert all(done < total for _, done, total in told)
    assert ("Downloading pillow (2 of 2)", 59, 60) in told
    assert told[-1][0] == "Installing"


def test_an_engine_that_fails_or_is_missing_is_named():
    rows = [{"engine": "openvino", "works": True, "error": ""}, {"engine": "torch", "works": False, "error": "no DLL"}]
    trial.check_engines(rows, {"openvino"})
    with pytest.raises(MedSegEffNetError, match="torch: no DLL"):
        trial.check_engines(rows, {"openvino", "torch"})
    with pytest.raises(MedSegEffNetError, match="openvino: it is missing"):
        trial.check_engines([], {"openvino"})


def test_a_package_of_slicer_that_hides_a_new_one_is_told():
    found = {"openvino": {"version": "2023.1.0", "location": "Slicer"}, "torch": None}
    trial.check_versions(found, {"pillow": "11.0"})
    with pytest.raises(MedSegEffNetError, match="hides 2026") as told:
        trial.check_versions(found, {"openvino": "2026.4.0"})
    assert "pip_uninstall" in told.value.hint


def test_a_folder_that_is_no_kit_or_not_a_whole_one_is_refused(tmp_path):
    with pytest.raises(InputError, match="no offline kit"):
        Kit.open(tmp_path)
    kit = make_kit(tmp_path / "kit")
    next(kit.folder.glob("pillow*")).unlink()
    with pytest.raises(InputError, match="not whole: pillow"):
        Kit.open(kit.folder)
    (kit.folder / MANIFEST).write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="damaged"):
        Kit.open(kit.folder)


def test_a_kit_lists_no_file_outside_of_it(tmp_path):
    kit = make_kit(tmp_path / "kit")
    wheel = make_wheel(tmp_path / "elsewhere", "evil", "1.0")
    text = (kit.folder / MANIFEST).read_text(encoding="utf-8")
    name = next(iter(kit.wheels))
    (kit.folder / MANIFEST).write_text(text.replace(name, f"../elsewhere/{wheel.name}"), encoding="utf-8")
    with pytest.raises(InputError, match="not whole"):
        Kit.open(kit.folder)


def test_a_gpu_that_torch_is_missing_for_does_not_read_as_no_gpu(slicer_app):
    from MedSegEffNetPanel.installing import texts

    [row] = texts.rows({"gpu": {"name": None, "reason": "torch, which computes on GPUs, is not installed"}})
    assert row == ("GPU", "not used: torch, which computes on GPUs, is not installed")
