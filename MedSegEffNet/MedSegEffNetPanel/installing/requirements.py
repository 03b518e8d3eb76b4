"""What is installed, by size: packages with their versions, megabytes, and which build of PyTorch. Standard library only.

The packages are those of the extras in ``pyproject.toml``. The upper bound of the heavy ones is the version that was
tested (``constraints.txt``): a newer release is never taken by itself, and where a platform has no wheel of that version
any more (OpenVINO and PyTorch for Intel Macs) pip takes the last one that it has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from MedSegEffNetLib.errors import InputError, MedSegEffNetError

LIGHT, GPU, TRAINING = "light", "gpu", "training"
SIZES = (LIGHT, GPU, TRAINING)
BASE = ("numpy>=1.26,<3", "SimpleITK>=2.3,<3", "pillow>=10.1,<14")  # Slicer has them, pillow perhaps not
_LIGHT = (*BASE, "openvino>=2024.4,<=2026.4.1")
_TORCH = (*_LIGHT, "torch>=2.4,<=2.13.0", "efficientnet-pytorch>=0.7.1,<0.8")
_DICOM_SEG = "highdicom>=0.27,<0.29"  # to import and export labels as DICOM SEG
_CURVES = "tensorboardX>=2.6,<3"  # event files of a training
_FIGURES = ("scikit-image>=0.22,<0.27", "torchmetrics>=1.4,<2")  # of synthesised images
REQUIREMENTS = {LIGHT: _LIGHT, GPU: _TORCH, TRAINING: (*_TORCH, _DICOM_SEG, _CURVES, *_FIGURES)}
# Module -> name under which it is installed.
BASE_MODULES = {"numpy": "numpy", "SimpleITK": "SimpleITK", "PIL": "pillow"}
ENGINE_MODULES = {"openvino": "openvino", "torch": "torch"}
PYTORCH_INDEX = "https://download.pytorch.org/whl"

NVIDIA_QUERY = ("--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader")  # for nvidia-smi
# PyTorch 2.13 is built for CUDA 13.0 (Turing, compute capability 7.5, and newer; driver 580) and for CUDA 12.6 (5.0 to
# 9.0; driver 528). Sources: PyTorch's release compatibility matrix, "CUDA Compatibility" by NVIDIA.
_CUDA_13 = ("cu130", 580, (7, 5), (99, 0))
_CUDA_12 = ("cu126", 528, (5, 0), (9, 0))
_GPU_LIBRARIES = ("nvidia-", "cuda-", "triton")


@dataclass(frozen=True)
class Cost:
    """Megabytes (10^6 bytes) to download and on disk, as they are shown before: "about"."""

    download: int
    disk: int


# By sys.platform. Measured with openvino 2026.4.1 and torch 2.13.0 for Python 3.12, pillow included; estimates are
# PyTorch for Windows and macOS, and its CUDA builds (wheels of PyTorch and of NVIDIA's libraries).
_LIGHT_COST = {"win32": Cost(92, 275), "darwin": Cost(39, 165), "linux": Cost(66, 207)}
_CPU_TORCH = {"win32": Cost(135, 600), "darwin": Cost(125, 600), "linux": Cost(205, 920)}
_CUDA_TORCH = Cost(2600, 6000)
_BESIDE_TORCH = Cost(56, 220)  # what only a training needs; wheels for Linux


@dataclass(frozen=True)
class Graphics:
    """An NVIDIA GPU: its name, the driver's major version, its compute capability."""

    name: str
    driver: int
    capability: tuple[int, int]


@dataclass(frozen=True)
class TorchBuild:
    """A build of PyTorch: ``tag`` is the end of its version (``cu130``, ``cpu``; empty: the platform's usual build),
    ``index`` where pip finds it besides its own sources (empty: only there)."""

    tag: str = ""
    index: str = ""

    @property
    def cuda(self) -> bool:
        """Whether it computes on NVIDIA GPUs."""
        return self.tag.startswith("cu")


def parse_graphics(text: str) -> list[Graphics]:
    """The GPUs in the answer of ``nvidia-smi`` to :data:`NVIDIA_QUERY`; lines of another form are passed over."""
    found = []
    for line in text.splitlines():
        match = re.fullmatch(r"\s*(.+?),\s*(\d+)[\d.]*,\s*(\d+)\.(\d+)\s*", line)
        if match:
            found.append(Graphics(match[1], int(match[2]), (int(match[3]), int(match[4]))))
    return found


def torch_build(size: str, platform: str, graphics: Sequence[Graphics]) -> TorchBuild:
    """The build of PyTorch for this computer (``platform`` as in ``sys.platform``); the first GPU decides.

    Raises
    ------
    InputError
        ``size`` is :data:`GPU` and there is no usable GPU, or no build serves the GPU with its driver.
    """
    if size == LIGHT or platform == "darwin":  # macOS: the usual build computes on Apple's GPUs
        return TorchBuild()
    if not graphics:
        if size == GPU:
            raise InputError(
                "No NVIDIA GPU was found on this computer (its driver's program nvidia-smi does not answer).",
                expected="an NVIDIA GPU with its driver",
                hint="Choose Light, or Training, which works without a GPU too. If there is a GPU, install its driver.",
            )
        return TorchBuild("cpu", f"{PYTORCH_INDEX}/cpu") if platform == "linux" else TorchBuild()
    card = graphics[0]
    for tag, driver, oldest, newest in (_CUDA_13, _CUDA_12):
        if card.driver >= driver and oldest <= card.capability <= newest:
            return TorchBuild(tag, f"{PYTORCH_INDEX}/{tag}")
    raise _unserved(card)


def _unserved(card: Graphics) -> InputError:
    if card.capability < _CUDA_12[2]:
        return InputError(f"The GPU {card.name} is too old for PyTorch.", hint="Choose Light: it uses the processor.")
    needed = _CUDA_12[1] if card.capability <= _CUDA_12[3] else _CUDA_13[1]
    return InputError(
        f"The driver of the GPU {card.name} is version {card.driver}.",
        expected=f"version {needed} or newer",
        hint="Update NVIDIA's driver and restart the computer, or choose Light.",
    )


def check_torch(build: TorchBuild, versions: Mapping[str, str]) -> None:
    """Refuse what pip found in place of ``build`` where PyTorch's own index could not be reached.

    Parameters
    ----------
    versions : version by name of what would be installed.

    Raises
    ------
    MedSegEffNetError
        A build without CUDA in place of one with it, or gigabytes of GPU libraries where there is no GPU.
    """
    if "torch" not in versions or not build.tag:
        return
    found = versions["torch"]
    libraries = any(name.startswith(_GPU_LIBRARIES) for name in versions)
    fits = found.endswith(f"+{build.tag}") or (build.tag == "cu130" and libraries)  # the usual build for Linux
    if not fits and (build.cuda or libraries):
        raise MedSegEffNetError(
            f"PyTorch's build '{build.tag}' was not found; pip offers torch {found} instead, which does not fit.",
            expected=f"torch …+{build.tag} from {build.index}",
            hint="Ask your IT department to allow download.pytorch.org, or install from an offline kit.",
        )


def cost(size: str, platform: str, cuda: bool) -> Cost:
    """What ``size`` costs on ``platform`` (``sys.platform``), with PyTorch's CUDA build or without."""
    key = platform if platform in _LIGHT_COST else "linux"
    light = _LIGHT_COST[key]
    if size == LIGHT:
        return light
    torch = _CUDA_TORCH if cuda and key != "darwin" else _CPU_TORCH[key]
    beside = _BESIDE_TORCH if size == TRAINING else Cost(0, 0)
    parts = (light, torch, beside)
    return Cost(sum(part.download for part in parts), sum(part.disk for part in parts))


def own_package(name: str) -> bool:
    """Whether a package is one of ours to choose the version of, whatever Slicer's Python has."""
    ours = ("openvino", "openvino-telemetry", "torch", "efficientnet-pytorch", "highdicom", "pydicom", "pyjpegls")
    return name in ours or name.startswith(_GPU_LIBRARIES)


def name_of(requirement: str) -> str:
    """The package that a requirement like ``torch>=2.4`` names."""
    return canonical(re.split(r"[<>=!~ \[;]", requirement, maxsplit=1)[0])


def canonical(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
