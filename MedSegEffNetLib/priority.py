"""The turn of a background process among the others."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

_NICENESS = 5  # of 19
_BELOW_NORMAL = 0x4000  # BELOW_NORMAL_PRIORITY_CLASS, SetPriorityClass (Windows)


def step_back() -> None:
    """Let programs that somebody works with go first; for the rest of this process, as far as the system allows."""
    if sys.platform == "win32":
        kernel = ctypes.windll.kernel32
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        kernel.SetPriorityClass(ctypes.c_void_p(kernel.GetCurrentProcess()), _BELOW_NORMAL)
    else:
        with contextlib.suppress(OSError):
            os.nice(_NICENESS)
