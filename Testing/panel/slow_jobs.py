"""Jobs in real processes that are slower, or poorer in memory, than others."""

from __future__ import annotations


def slow_network(panel, monkeypatch, seconds=0.05):
    """Let the job's process take its time, so that each stage can be met."""
    from MedSegEffNetPanel.jobs import Interpreter

    code = (
        "import sys, time; from MedSegEffNetLib.job import Job; check = Job.check_stop\n"
        f"def slow(job): time.sleep({seconds}); check(job)\n"
        "Job.check_stop = slow\n"
        "from MedSegEffNetLib.__main__ import main; sys.exit(main())"
    )
    python = panel.environment.interpreter()
    monkeypatch.setattr(panel.jobs, "_interpreter", lambda: Interpreter(python.program, ("-c", code), python.variables))


def no_memory(panel, monkeypatch):
    """Let every network of the job's process run out of memory."""
    from MedSegEffNetPanel.jobs import Interpreter

    code = (
        "import sys; from MedSegEffNetLib.inference import engine\n"
        "def full(*values): raise MemoryError\n"
        "engine.open_engine = full\n"
        "from MedSegEffNetLib.__main__ import main; sys.exit(main())"
    )
    python = panel.environment.interpreter()
    monkeypatch.setattr(panel.jobs, "_interpreter", lambda: Interpreter(python.program, ("-c", code), python.variables))
