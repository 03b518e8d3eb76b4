"""Trying a new installation before it takes the former one's place: each engine makes a small real computation."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetLib.job import Job
from MedSegEffNetPanel.installing import child
from MedSegEffNetPanel.installing.requirements import ENGINE_MODULES, canonical, name_of


def try_out(job: Job, folder: Path, answer: Path, requirements: Iterable[str], versions: Mapping[str, str]) -> None:
    """Run the library's own check with the packages in ``folder``; it writes what it found to ``answer``.

    Parameters
    ----------
    requirements : what was asked for; each engine among them has to compute.
    versions : version by name of the packages in ``folder``.

    Raises
    ------
    MedSegEffNetError
        An engine does not compute, or Slicer's own Python hides a package that was installed.
    Stopped
        The job was asked to stop.
    """
    search = [os.environ.get("PYTHONPATH", ""), str(folder)]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, search))}
    command = [sys.executable, "-m", "MedSegEffNetLib", "doctor", "--json", str(answer)]
    said: list[str] = []
    code = child.run(command, variables, job.check_stop, said.append)
    if code or not answer.is_file():
        raise _broken(said[-1] if said else f"the check ended with code {code}")
    diagnosis: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    check_versions(diagnosis["packages"], versions)
    wanted = {name_of(line) for line in requirements} & set(ENGINE_MODULES.values())
    check_engines(diagnosis["computations"], wanted)
    if "torch" in wanted and not diagnosis["gpu"]["name"]:
        job.notice(f"No GPU will be used: {diagnosis['gpu']['reason']}.")


def check_versions(found: Mapping[str, Mapping[str, str] | None], versions: Mapping[str, str]) -> None:
    """Refuse an installation of which Python takes a package from elsewhere (``found`` by name, as ``doctor`` says)."""
    for name, package in found.items():
        wanted = versions.get(canonical(name))
        if wanted and package and package["version"] not in (wanted, "unknown"):
            raise MedSegEffNetError(
                f"Slicer's own Python has {name} {package['version']} in {package['location']}; it hides {wanted}.",
                expected=f"{name} {wanted}",
                hint=f"Update it there or remove it: in Slicer's Python console, slicer.util.pip_uninstall('{name}').",
            )


def check_engines(computations: Sequence[Mapping[str, Any]], wanted: Iterable[str]) -> None:
    """Refuse an installation in which one of the ``wanted`` engines does not compute on the processor."""
    works = {row["engine"] for row in computations if row["works"]}
    broken = sorted(set(wanted) - works)
    if broken:
        errors = {row["engine"]: row["error"] for row in computations if not row["works"]}
        raise _broken("; ".join(f"{engine}: {errors.get(engine) or 'it is missing'}" for engine in broken))


def _broken(why: str) -> MedSegEffNetError:
    return MedSegEffNetError(
        f"The new packages do not work ({why}).",
        hint="What was installed before is kept. Press Install again; if that does not help, send a report (button below).",
    )
