"""Weights are numbers, never code: a look into a ``.pt`` file without unpickling it."""

from __future__ import annotations

import pickletools
import zipfile
from pathlib import Path

from MedSegEffNetLib.errors import InputError

# What torch.save writes for a dictionary of tensors, and nothing that could run code of a file's choosing.
_ALLOWED = {
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch FloatStorage",
    "torch HalfStorage",
    "torch BFloat16Storage",
    "torch LongStorage",
    "torch IntStorage",
    "torch BoolStorage",
    "torch ByteStorage",
}


def refuse_objects(path: Path) -> None:
    """Raise an :class:`InputError` if ``path`` is no file of plain tensors."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith("data.pkl")]
            content = archive.read(names[0])
            found = _globals(content)
    except (zipfile.BadZipFile, IndexError, ValueError, OSError) as error:
        raise InputError(f"{path} is no file of weights", expected="a state dict written by torch.save") from error
    objects = sorted(found - _ALLOWED)
    if objects:
        raise InputError(
            f"{path} holds pickled objects ({', '.join(objects)}), which could run code",
            expected="a plain state dict of tensors",
            hint="do not load it; ask its maker for a state dict",
        )


def _globals(content: bytes) -> set[str]:
    found: set[str] = set()
    strings: list[str] = []
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name in ("GLOBAL", "INST"):
            found.add(str(argument))
        elif opcode.name == "STACK_GLOBAL":
            found.add(" ".join(strings[-2:]))
        elif isinstance(argument, str):
            strings.append(argument)
    return found
