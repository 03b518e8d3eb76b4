"""A Python that the user names: what it is, and what it lacks. It is asked in the background; Slicer does not wait."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from slicer.i18n import tr as _

from MedSegEffNetPanel.installing.process import Question
from MedSegEffNetPanel.installing.requirements import BASE_MODULES, ENGINE_MODULES

OLDEST = (3, 11)
_MODULES = {**BASE_MODULES, **ENGINE_MODULES, "efficientnet_pytorch": "efficientnet-pytorch"}
# Runs in whatever Python 3 there is.
_CODE = """
import importlib.util, json, sys
names = {names!r}
found = [names[module] for module in names if importlib.util.find_spec(module) is not None]
print(json.dumps({{"version": list(sys.version_info[:3]), "found": found}}))
"""


@dataclass(frozen=True)
class ForeignPython:
    """The answer: ``problem`` with ``hint`` says why the Python cannot be used; empty: it can."""

    path: Path
    text: str = ""
    problem: str = ""
    hint: str = ""


def ask(path: Path, variables: dict[str, str], answer: Callable[[ForeignPython], None]) -> Question | None:
    """Look into the Python at ``path``; ``answer`` is called when it is known. Keep what is returned until then."""
    if not path.is_file():
        hint = _("Choose the program itself, for example …/bin/python or …\\python.exe.")
        answer(ForeignPython(path, problem=_("{path} is no file.").format(path=path), hint=hint))
        return None

    def answered(code: int, output: str) -> None:
        answer(judge(path, code, output))

    return Question(str(path), ("-c", _CODE.format(names=_MODULES)), variables, answered)


def judge(path: Path, code: int, output: str) -> ForeignPython:
    """What the answer of the Python at ``path`` means."""
    try:
        told = json.loads(output.strip().splitlines()[-1])
        version, found = tuple(told["version"]), set(told["found"])
    except (ValueError, KeyError, TypeError, IndexError):
        problem = _("{path} is no Python that can be used (it ended with code {code}).").format(path=path, code=code)
        return ForeignPython(path, problem=problem, hint=output.strip()[-300:])
    shown = ".".join(map(str, version))
    if version < OLDEST:
        needed = ".".join(map(str, OLDEST))
        problem = _("{path} is Python {version}; {needed} or newer is needed.")
        hint = _("Choose a newer Python.")
        return ForeignPython(path, problem=problem.format(path=path, version=shown, needed=needed), hint=hint)
    missing = lacking(found)
    if missing:
        problem = _("{path} (Python {version}) lacks {packages}.")
        hint = _("Run in a terminal: {command}, then test again.").format(
            command=f'"{path}" -m pip install {" ".join(missing)}'
        )
        return ForeignPython(
            path, problem=problem.format(path=path, version=shown, packages=", ".join(missing)), hint=hint
        )
    engines = ", ".join(name for name in ENGINE_MODULES.values() if name in found)
    return ForeignPython(path, text=_("Python {version} with {engines}").format(version=shown, engines=engines))


def lacking(found: set[str]) -> list[str]:
    """The packages to add so that one engine works."""
    missing = [name for name in BASE_MODULES.values() if name not in found]
    if not found & set(ENGINE_MODULES.values()):
        missing.append("openvino")
    elif "openvino" not in found and "efficientnet-pytorch" not in found:
        missing.append("efficientnet-pytorch")
    return missing
