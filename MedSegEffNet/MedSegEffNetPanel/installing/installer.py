"""Installs and removes the own packages: ``python -m MedSegEffNetPanel.installing.installer install --size light …``.

Run in the background by the Python that will use them (Slicer's own). It is a job: a folder with events, ended by a file
STOP. How it installs, and why so:

1. ``pip install --dry-run --report`` resolves the requirements *against the packages that this Python has*, each held at its
   version by a constraint. So nothing of Slicer is replaced, and nothing that it has is installed twice (it would not
   be used: PythonSlicer puts Slicer's own packages in front).
2. What is missing is installed with ``--no-deps --require-hashes`` in exactly those versions, each with the SHA-256 that
   the index, or the offline kit's list, gave. ``pip install --target`` alone cannot do that: it does not look at installed
   packages, and would put a second NumPy in front of Slicer's.
3. The engines in the new folder make a small real computation.
4. The new folder gets its stamp and is renamed into place. Until then the former installation is untouched.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from MedSegEffNetLib.errors import InputError, MedSegEffNetError
from MedSegEffNetLib.job import Job
from MedSegEffNetPanel.installing import folders, pip, trial
from MedSegEffNetPanel.installing.kit import Kit
from MedSegEffNetPanel.installing.progress import Progress
from MedSegEffNetPanel.installing.requirements import (
    NVIDIA_QUERY,
    REQUIREMENTS,
    SIZES,
    Graphics,
    TorchBuild,
    canonical,
    check_torch,
    cost,
    own_package,
    parse_graphics,
    torch_build,
)

_RESERVE = 300  # megabytes that are left free


@dataclass(frozen=True)
class Package:
    """A package to install: what pip's report says of it."""

    name: str
    version: str
    file: str
    sha256: str


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; returns the process's exit code. What fails is told by the job's events."""
    arguments = make_parser().parse_args(words)
    request = {"command": "setup", **{name: value for name, value in vars(arguments).items() if name != "run"}}
    try:
        with Job.open(arguments.run, request) as job:
            if arguments.action == "install":
                install(job, arguments.target, arguments.size, arguments.kit)
            else:
                if arguments.action == "remove":
                    folders.remove(arguments.target)
                    shutil.rmtree(arguments.target.parent / folders.CACHE, ignore_errors=True)
                tidy(arguments.target)
    except MedSegEffNetError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The command line of this file."""
    parser = argparse.ArgumentParser(
        description="Set up the packages that MedSegEffNet needs, in a folder of their own."
    )
    parser.add_argument("action", choices=("install", "remove", "tidy"))
    parser.add_argument("--size", choices=SIZES, default=SIZES[0])
    parser.add_argument(
        "--kit", type=Path, help="folder of an offline kit; without it pip looks where it is set to look"
    )
    parser.add_argument("--target", type=Path, required=True, help="folder of the packages")
    parser.add_argument("--run", type=Path, required=True, help="the job's folder")
    return parser


def install(job: Job, target: Path, size: str, kit_folder: Path | None) -> None:
    """Install ``size`` into ``target``; a failure or a stop leaves ``target`` as it was.

    Raises
    ------
    InputError
        The kit cannot be used, the disk is too full, or no GPU build fits; nothing was installed.
    MedSegEffNetError
        pip failed, with the cause.
    Stopped
        The job was asked to stop.
    """
    tidy(target)
    kit = None if kit_folder is None else _open_kit(job, kit_folder, size)
    build = TorchBuild() if kit else torch_build(size, sys.platform, find_graphics())
    price = cost(size, sys.platform, build.cuda)
    download = round(kit.megabytes) if kit else price.download
    check_space(target, price.disk + (0 if kit else download))
    work = _job_folder(job)
    new = work / folders.PACKAGES
    try:
        job.progress("Looking up packages", 0, 1)
        packages = resolve(job, REQUIREMENTS[size], build, kit)
        check_torch(build, {package.name: package.version for package in packages})
        fetch(job, packages, build, kit, Progress(job, download, len(packages)))
        megabytes = folders.megabytes(new)
        versions = {package.name: package.version for package in packages}
        job.progress("Trying it", 0, 1)
        trial.try_out(job, new, work / "diagnosis.json", REQUIREMENTS[size], versions)
        stamp = folders.Installed(size, folders.python_version(), REQUIREMENTS[size], versions, megabytes)
        folders.write_stamp(new, stamp)
        job.check_stop()
        job.progress("Putting into place", 0, 1)
        folders.swap(new, target)
        shutil.rmtree(target.parent / folders.CACHE, ignore_errors=True)
    finally:
        for name in (folders.PACKAGES, folders.TEMPORARY):
            shutil.rmtree(work / name, ignore_errors=True)
    job.finish(size=size, folder=target, packages=versions, megabytes=megabytes)


def tidy(target: Path) -> None:
    """Undo and delete what killed installations left."""
    folders.recover(target)
    for path in [*folders.leftovers(target), *folders.old_jobs(target)]:
        folders.discard(path)


def find_graphics() -> list[Graphics]:
    """The NVIDIA GPUs that the driver knows."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        done = subprocess.run(
            [program, *NVIDIA_QUERY], capture_output=True, encoding="utf-8", errors="replace", timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return parse_graphics(done.stdout) if done.returncode == 0 else []


def check_space(target: Path, needed: int) -> None:
    """Refuse with an :class:`InputError` where fewer than ``needed`` megabytes are free."""
    folder = target
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < needed + _RESERVE:
        raise InputError(
            f"The disk of {target} has {free} MB free.",
            expected=f"{needed + _RESERVE} MB",
            hint="Free some space on it, or choose a smaller size.",
        )


def resolve(job: Job, requirements: Sequence[str], build: TorchBuild, kit: Kit | None) -> list[Package]:
    """The packages to install, dependencies too, beside those that this Python has and keeps."""
    work = _job_folder(job)
    report = work / "pip-report.json"
    constraints = work / "constraints.txt"
    constraints.write_text("\n".join(kept_versions()) + "\n", encoding="utf-8")
    arguments = ["install", "--dry-run", "--progress-bar", "off"]
    arguments += ["--report", str(report), "--constraint", str(constraints), *_sources(job, build, kit), *requirements]
    pip.run(arguments, job.check_stop, _log, work / folders.TEMPORARY)
    packages = [_package(entry) for entry in json.loads(report.read_text(encoding="utf-8"))["install"]]
    if kit:
        _check_kit(kit, packages)
    return packages


def fetch(job: Job, packages: Sequence[Package], build: TorchBuild, kit: Kit | None, progress: Progress) -> None:
    """Install exactly ``packages`` into the job's folder, each checked by its SHA-256."""
    work = _job_folder(job)
    new = work / folders.PACKAGES
    new.mkdir()
    if not packages:  # this Python has everything
        return
    listed = work / "packages.txt"
    lines = [f"{package.name}=={package.version} --hash=sha256:{package.sha256}" for package in packages]
    listed.write_text("\n".join(lines) + "\n", encoding="utf-8")
    arguments = ["install", "--no-deps", "--require-hashes", "--no-warn-script-location", "--target", str(new)]
    arguments += ["--progress-bar", "raw" if pip.has_raw_progress() else "off"]
    arguments += [*_sources(job, build, kit), "--requirement", str(listed)]

    def line(text: str) -> None:
        if not progress.line(text):
            _log(text)

    pip.run(arguments, job.check_stop, line, work / folders.TEMPORARY)


def kept_versions() -> list[str]:
    """Constraints that hold every package of this Python at its version, but those that are ours to choose."""
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name and re.fullmatch(r"\d[\w.+!]*", distribution.version or "") and not own_package(canonical(name)):
            found.setdefault(canonical(name), distribution.version)
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def _sources(job: Job, build: TorchBuild, kit: Kit | None) -> list[str]:
    if kit:
        return ["--no-index", "--find-links", str(kit.folder)]
    cache = ["--cache-dir", str(_job_folder(job).parents[1] / folders.CACHE), "--retries", "2"]
    return [*cache, "--extra-index-url", build.index] if build.index else cache


def _open_kit(job: Job, folder: Path, size: str) -> Kit:
    kit = Kit.open(folder.resolve())
    kit.check_python(folders.python_version())
    if not set(REQUIREMENTS[size]) <= set(REQUIREMENTS.get(kit.size, ())):
        raise InputError(
            f"The kit is of the size {kit.size}.",
            expected=f"size {size}",
            hint=f"Choose {kit.size}, or make another kit.",
        )
    job.progress("Checking the offline kit", 0, 1)
    kit.verify()
    return kit


def _check_kit(kit: Kit, packages: Sequence[Package]) -> None:
    """A wheel that lies in the folder but not in its list must not be installed."""
    strange = [package.file for package in packages if kit.wheels.get(package.file) != package.sha256]
    if strange:
        raise InputError(
            f"The kit's list does not name {', '.join(strange)}.",
            hint="Copy the kit here again from where it was made.",
        )


def _package(entry: dict[str, Any]) -> Package:
    metadata, source = entry["metadata"], entry["download_info"]
    sha256 = source.get("archive_info", {}).get("hashes", {}).get("sha256", "")
    if not sha256:
        raise MedSegEffNetError(
            f"The package server gives no checksum of {metadata['name']}.",
            hint="Ask your IT department for a mirror with SHA-256 sums, or install from an offline kit.",
        )
    file = unquote(source["url"].partition("#")[0].rpartition("/")[2])
    return Package(canonical(metadata["name"]), metadata["version"], file, sha256)


def _job_folder(job: Job) -> Path:
    if job.folder is None:
        raise InputError("A setup needs a folder for its job.", hint="Give --run FOLDER.")
    return job.folder


def _log(text: str) -> None:
    print(text, flush=True)  # the job's output.txt is the log


if __name__ == "__main__":
    sys.exit(main())
