"""Which process this is, and whether another one still runs. Standard library only."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def identity() -> dict[str, Any]:
    """This process as a lock file names it: ``process`` (number), ``process_began`` and ``host``."""
    return {"process": os.getpid(), "process_began": process_began(os.getpid()), "host": platform.node()}


def has_ended(named: Mapping[str, Any]) -> bool:
    """Whether the process that :func:`identity` named has ended; of another host's nothing can be asked: False."""
    on_this_host = named["host"] == platform.node()
    return bool(on_this_host and process_began(int(named["process"])) != named["process_began"])


def process_began(process: int) -> str | None:
    """When a process of this host began, in the system's own words; None if there is no such process.

    Empty where the system does not tell: then the number alone has to do.
    """
    if sys.platform == "win32":
        return _process_began_on_windows(process)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]  # state and start time, proc(5)
    except (OSError, IndexError):
        pass
    try:  # macOS
        command = ["ps", "-o", "lstart=", "-p", str(process)]
        return subprocess.run(command, capture_output=True, text=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _process_began_on_windows(process: int) -> str | None:
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle = kernel.OpenProcess(0x1000, False, process)  # PROCESS_QUERY_LIMITED_INFORMATION
    if not handle:
        return "" if kernel.GetLastError() == 5 else None  # 5: access denied, so there is one
    began, ended, in_kernel, in_user = (ctypes.c_ulonglong() for _ in range(4))
    pointers = [ctypes.byref(moment) for moment in (began, ended, in_kernel, in_user)]
    told = kernel.GetProcessTimes(ctypes.c_void_p(handle), *pointers)
    kernel.CloseHandle(ctypes.c_void_p(handle))
    if not told:
        return ""
    return None if ended.value else str(began.value)
