import subprocess
import sys
from pathlib import Path

import pytest

from MedSegEffNetLib import __version__
from MedSegEffNetLib.commands import list_commands
from MedSegEffNetLib.errors import InputError, MedSegEffNetError, Stopped

ROOT = Path(__file__).resolve().parents[3]


def test_all_commands_are_found_and_have_help(command):
    code, text, _ = command("--help")
    assert code == 0
    assert {"demo", "evaluate", "models", "segment", "tasks", "train"} <= set(list_commands())
    for name in list_commands():
        assert f"\n    {name} " in text or f"\n    {name}\n" in text
        assert command(name, "--help")[0] == 0


def test_the_version_is_told(command):
    assert command("--version")[:2] == (0, f"medsegeffnet {__version__}\n")


@pytest.mark.parametrize("words", [[], ["fly"], ["segment"], ["tasks", "--loud"]])
def test_wrong_usage_ends_with_code_2(command, words):
    code, _, errors = command(*words)
    assert code == 2
    assert "usage: medsegeffnet" in errors


@pytest.mark.parametrize(
    ("error", "expected_code", "expected_text"),
    [
        (InputError("no such thing", expected="a thing", hint="look"), 2, "Error: no such thing\nExpected: a thing"),
        (MedSegEffNetError("the disk is full"), 1, "Error: the disk is full\n"),
        (Stopped("stopped as asked"), 0, "stopped as asked\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
    ],
)
def test_an_explained_error_is_a_text_and_a_code(command, monkeypatch, error, expected_code, expected_text):
    def fail():
        raise error

    monkeypatch.setattr("MedSegEffNetLib.task.list_tasks", fail)
    code, output, errors = command("tasks")
    assert (code, output) == (expected_code, "")
    assert errors.startswith(expected_text)
    assert "Traceback" not in errors


def test_a_package_that_is_missing_is_named(command, monkeypatch):
    def fail():
        raise ModuleNotFoundError("No module named 'efficientnet_pytorch'", name="efficientnet_pytorch")

    monkeypatch.setattr("MedSegEffNetLib.task.list_tasks", fail)
    code, _, errors = command("tasks")
    assert code == 2
    assert "needs efficientnet_pytorch, which is not installed" in errors
    assert "install efficientnet-pytorch with pip" in errors


def test_a_fault_of_the_program_shows_where_it_is(command, monkeypatch):
    monkeypatch.setattr("MedSegEffNetLib.task.list_tasks", lambda: 1 / 0)
    code, _, errors = command("tasks")
    assert code == 1
    assert "ZeroDivisionError" in errors
    assert "please report it" in errors


def test_a_reader_that_goes_away_is_no_fault():
    words = [sys.executable, "-m", "MedSegEffNetLib", "tasks"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
