"""Makes an offline kit: ``python run.py offline-kit --size light --platform win_amd64 --python 3.12 --output FOLDER``.

A folder of wheels with their SHA-256 sums, for computers without internet: there, in Slicer, section Environment,
"From an offline kit …". Standard library only; pip downloads.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from MedSegEffNetLib import atomic
from MedSegEffNetLib.errors import InputError, MedSegEffNetError
from MedSegEffNetPanel.installing.kit import Kit, write_manifest
from MedSegEffNetPanel.installing.requirements import LIGHT, PYTORCH_INDEX, REQUIREMENTS, SIZES, name_of

_SLICER_HAS = ("numpy", "simpleitk")
_SOURCE_ONLY = "efficientnet-pytorch"  # published as source; a wheel of it is made here and fits everywhere
# Kit's platform -> sys.platform, and the platforms of wheels that run there, best first (pip adds older macOS itself).
PLATFORMS = {
    "win_amd64": ("win32", ("win_amd64",)),
    "linux_x86_64": (
        "linux",
        (*(f"manylinux_2_{minor}_x86_64" for minor in range(28, 16, -1)), "manylinux2014_x86_64", "linux_x86_64"),
    ),
    "macosx_arm64": ("darwin", ("macosx_14_0_arm64",)),
    "macosx_x86_64": ("darwin", ("macosx_13_0_x86_64",)),
}
_DESCRIPTION = "Make a folder of wheels for computers without internet."
TORCH_BUILDS = ("cu130", "cu126", "cpu")
_README = """MedSegEffNet: offline kit

Size {size}, for {platform} and Python {python} (Slicer 5.10 and 5.12 have Python 3.12).

How to use it
1. Copy this whole folder to the computer without internet.
2. In Slicer: module MedSegEffNet, section Environment, "From an offline kit ...", choose this folder.

Each wheel is checked against the SHA-256 sums in manifest.json before it is installed.
The packages have licences of their own; they are in the wheels.
"""


@dataclass(frozen=True)
class Order:
    """What kit to make.

    ``size`` as in Slicer's section Environment, ``platform`` a key of :data:`PLATFORMS`, ``python`` like ``3.12``,
    ``torch`` the build of PyTorch (one of :data:`TORCH_BUILDS`; macOS has only one).

    Raises
    ------
    InputError
        ``python`` is no version, or PyTorch is wanted for another operating system than this one.
    """

    size: str
    platform: str
    python: str
    torch: str = TORCH_BUILDS[0]

    def __post_init__(self) -> None:
        if not re.fullmatch(r"3\.\d+", self.python):
            raise InputError(
                f"--python {self.python}", expected="a version like 3.12", hint="See Slicer's Python console."
            )
        system = PLATFORMS[self.platform][0]
        if self.size != LIGHT and system != sys.platform:
            # pip decides by the computer that it runs on which GPU libraries PyTorch needs.
            raise InputError(
                f"A kit with PyTorch for {self.platform} cannot be made on this computer ({sys.platform}).",
                expected="the same operating system as Slicer's",
                hint="Make it on such a computer, or make a kit of the size light.",
            )


def main(words: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    arguments = make_parser().parse_args(words)
    try:
        order = Order(arguments.size, arguments.platform, arguments.python, arguments.torch)
        kit = make(order, arguments.output.resolve())
    except MedSegEffNetError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"Made {kit.folder}: {len(kit.wheels)} wheels, {kit.megabytes:.0f} MB.")
    if arguments.zip:
        print(f"Made {shutil.make_archive(str(kit.folder), 'zip', kit.folder)}")
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The options of ``run.py offline-kit``."""
    parser = argparse.ArgumentParser(prog="run.py offline-kit", description=_DESCRIPTION)
    parser.add_argument("--size", choices=SIZES, default=LIGHT, help="what to install (default: light)")
    parser.add_argument("--platform", choices=tuple(PLATFORMS), required=True, help="Slicer's computer")
    parser.add_argument("--python", default="3.12", metavar="VERSION", help="Slicer's Python (default: 3.12)")
    parser.add_argument(
        "--torch",
        choices=TORCH_BUILDS,
        default=TORCH_BUILDS[0],
        help="build of PyTorch: cu130 (NVIDIA driver 580 or newer, GPUs since 2018), cu126 (older ones), cpu",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help="where to make the kit (a new folder)"
    )
    parser.add_argument("--zip", action="store_true", help="make FOLDER.zip too")
    return parser


def make(order: Order, output: Path) -> Kit:
    """Download the wheels of ``order`` into the new folder ``output``.

    Raises
    ------
    InputError
        ``output`` is there already and not empty.
    MedSegEffNetError
        pip failed; nothing is left.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"{output} is there already.", expected="a new folder", hint="Name another one.")
    with atomic.replacing(output) as folder:
        folder.mkdir()
        for command in commands(order, folder):
            if subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *command]).returncode:
                raise MedSegEffNetError(
                    "pip could not get the packages; it says why above.",
                    hint="Check the network, or pip's proxy or mirror, and run this again.",
                )
        text = _README.format(size=order.size, platform=order.platform, python=order.python)
        atomic.write_text(folder / "README.txt", text)
        write_manifest(folder, order.size, order.platform, order.python)
    return Kit.open(output)


def commands(order: Order, folder: Path) -> list[list[str]]:
    """The calls of pip that fill ``folder``."""
    wanted = [line for line in REQUIREMENTS[order.size] if name_of(line) not in (*_SLICER_HAS, _SOURCE_ONLY)]
    system, tags = PLATFORMS[order.platform]
    target = ["--implementation", "cp", "--python-version", order.python]
    target += [word for tag in tags for word in ("--platform", tag)]
    if order.size != LIGHT and system != "darwin":
        target += ["--extra-index-url", f"{PYTORCH_INDEX}/{order.torch}"]
    found = [["download", "--only-binary=:all:", "--dest", str(folder), *target, *wanted]]
    for line in REQUIREMENTS[order.size]:
        if name_of(line) == _SOURCE_ONLY:
            found.append(["wheel", "--no-deps", "--wheel-dir", str(folder), line])
    return found


if __name__ == "__main__":
    sys.exit(main())
