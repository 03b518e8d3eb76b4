"""Background processes step back behind the program that somebody works with."""

import os
import subprocess
import sys
import types

import pytest

from MedSegEffNetLib import priority


@pytest.mark.skipif(os.name == "nt", reason="Windows has priority classes in place of niceness")
def test_a_background_process_is_nicer_than_the_one_that_started_it():
    code = "import os; from MedSegEffNetLib.priority import step_back; step_back(); print(os.nice(0))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == min(19, os.nice(0) + 5)


def test_on_windows_the_priority_class_is_lowered(monkeypatch):
    asked = []

    class Kernel:
        class GetCurrentProcess:
            def __call__(self):
                return 7

        def __init__(self):
            self.GetCurrentProcess = Kernel.GetCurrentProcess()

        def SetPriorityClass(self, handle, value):
            asked.append((handle.value, value))

    monkeypatch.setattr(priority.sys, "platform", "win32")
    windll = types.SimpleNamespace(kernel32=Kernel())
    monkeypatch.setattr(priority.ctypes, "windll", windll, raising=False)
    priority.step_back()
    assert asked == [(7, 0x4000)]
