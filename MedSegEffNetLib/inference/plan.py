"""How much memory and time a prediction will take, told (and refused, if need be) before it starts."""

from __future__ import annotations

import ctypes
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from MedSegEffNetLib.errors import InputError

if TYPE_CHECKING:  # the diagnosis asks for free memory where nothing that works on images may be installed yet
    from MedSegEffNetLib.image import Image
    from MedSegEffNetLib.inference.options import Options
    from MedSegEffNetLib.models.bundle import Bundle

BATCH_SIZE = 4
VOXELS_AT_ONCE = 4_000_000  # of a case whose slices do not depend on each other; more only takes more memory
_BASE_MB = 150  # the interpreter with NumPy and the engine
_NETWORK_MB = 50  # a compiled network: most are let go of before memory is fullest
_BYTES_A_PIXEL = 1000  # feature maps of a 2D network: 300 in OpenVINO, more in torch
_BYTES_A_VOXEL = 32  # feature maps of a 3D network in bfloat16; 51 in float32
_CONTENT = 0.5  # what a cut to the content leaves of the voxels of a head with air around it
_SECONDS_A_MEGAPIXEL = 0.5  # for models that were not measured
_SECONDS_A_MEGAVOXEL = 0.06


@dataclass(frozen=True)
class Plan:
    """What a prediction is expected to need."""

    batch_size: int
    megabytes: int
    seconds: float

    def as_mapping(self) -> dict[str, Any]:
        """Ready for an event."""
        return {"batch_size": self.batch_size, "megabytes": self.megabytes, "seconds": round(self.seconds, 1)}


def estimate(
    bundle: Bundle,
    images: Mapping[str, Image],
    prepared: Sequence[int],
    at_once: int,
    networks: int,
    options: Options,
) -> Plan:
    """The plan for ``images`` that enter ``networks`` networks with ``prepared`` voxels (x, y, z), before padding.

    ``at_once`` of the images' voxels are prepared together; a cut to the content is not in ``prepared`` yet.
    """
    entry = bundle.info["networks"][0]
    divisor, depth = int(entry["divisor"]), int(entry.get("depth", 0))
    voxels = next(iter(images.values())).array.size
    content = _CONTENT if any(step.name == "crop_to_content" for step in bundle.preprocessing) else 1
    pixels = math.prod(-(-length // divisor) * divisor for length in prepared[:2])
    slices, regions, channels = max(prepared[2], depth), len(bundle.info["regions"]), len(images)
    share = content * at_once / voxels
    # Images as read and as float32 before and after a step; labels, and each region on its way back.
    arrays = sum(image.array.nbytes for image in images.values()) + at_once * content * channels * 8
    arrays += voxels + at_once * (4 * regions if options.probabilities else 4)
    maps = pixels * slices * share * regions * (8 if networks > 1 else 4)
    batch_size = 1 if depth else BATCH_SIZE
    features = pixels * depth * content * _BYTES_A_VOXEL if depth else batch_size * pixels * _BYTES_A_PIXEL
    megabytes = _BASE_MB + networks * _NETWORK_MB + (arrays + maps + features) / 1e6
    usual = _SECONDS_A_MEGAVOXEL if depth else _SECONDS_A_MEGAPIXEL
    rate = float(bundle.info["measured"].get("seconds_per_megapixel", usual))
    seconds = 0.5 + rate * networks * pixels * slices * content / 1e6 * (2 if options.flips else 1)
    return Plan(batch_size, round(megabytes), seconds)


def refuse_if_too_large(plan: Plan) -> None:
    """Raise an :class:`InputError` if the plan needs more memory than is free."""
    free = free_megabytes()
    if free is not None and plan.megabytes > free:
        raise InputError(
            f"this case needs about {plan.megabytes} MB of memory and {free} MB are free",
            hint="close other programs, or crop or resample the images to fewer voxels",
        )


def peak_megabytes() -> int | None:
    """The most main memory that this process has held so far, in MB; None where the system does not say."""
    if sys.platform == "win32":
        return _peak_on_windows()
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1_000_000
    # proc(5); getrusage(2) would tell the peak of the process that started this one where that is larger.
    return _megabytes("/proc/self/status", "VmHWM")


def free_megabytes() -> int | None:
    """Memory that can be had without swapping, in MB; None where the system does not say."""
    if sys.platform == "win32":
        return _free_on_windows()
    available = _megabytes("/proc/meminfo", "MemAvailable")
    if available is not None:
        return available
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2_000_000  # macOS: half of all
    except (OSError, ValueError):
        return None


def _megabytes(path: str, field: str) -> int | None:
    """A field of one of Linux' tables, which are in KiB, in MB; None where there is none."""
    try:
        with open(path, encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file)
        return int(fields[field].split()[0]) * 1024 // 1_000_000
    except (OSError, KeyError, ValueError):
        return None


def _free_on_windows() -> int | None:
    class MemoryStatus(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
            (name, ctypes.c_ulonglong) for name in ("total", "free", "p1", "p2", "v1", "v2", "v3")
        ]

    status = MemoryStatus()
    status.length = ctypes.sizeof(status)
    done = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return status.free // 1_000_000 if done else None


def _peak_on_windows() -> int | None:
    class MemoryCounters(ctypes.Structure):
        _fields_ = [("size", ctypes.c_ulong), ("faults", ctypes.c_ulong)] + [
            (name, ctypes.c_size_t) for name in ("peak", "now", "pp", "p", "pnp", "np", "pagefile", "peak_pagefile")
        ]

    counters = MemoryCounters()
    counters.size = ctypes.sizeof(counters)
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    process = ctypes.c_void_p(kernel.GetCurrentProcess())
    done = kernel.K32GetProcessMemoryInfo(process, ctypes.byref(counters), counters.size)
    return counters.peak // 1_000_000 if done else None
