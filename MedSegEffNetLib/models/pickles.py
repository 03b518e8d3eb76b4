"""Weights are numbers, never code: a look into a ``.pt`` file that runs nothing of it."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

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
            pickles = [archive.read(entry) for entry in archive.infolist() if entry.filename.endswith(".pkl")]
        found = set().union(*(_names_looked_up(content) for content in pickles))
        if not pickles:
            raise ValueError("it holds no pickle")
    except Exception as error:  # a forged pickle makes its reader fail in any way it likes
        raise InputError(f"{path} is no file of weights", expected="a state dict written by torch.save") from error
    objects = sorted(found - _ALLOWED)
    if objects:
        raise InputError(
            f"{path} holds pickled objects ({', '.join(objects)}), which could run code",
            expected="a plain state dict of tensors",
            hint="do not load it; ask its maker for a state dict",
        )


def _names_looked_up(content: bytes) -> set[str]:
    reader = _Reader(io.BytesIO(content))
    reader.load()
    return reader.found


class _Reader(pickle.Unpickler):
    """Follows a pickle's own instructions, however it hides its names, but gives it nothing except :class:`_Inert`."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.found: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.found.add(f"{module} {name}")
        return _Inert

    def persistent_load(self, identifier: Any) -> Any:
        return _Inert()


class _Inert:
    """Stands for every class and function that a pickle names: takes whatever it is given and does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __call__(self, *_: Any, **__: Any) -> _Inert:
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        """As a list's."""

    def extend(self, values: Any) -> None:
        """As a list's."""

    def add(self, value: Any) -> None:
        """As a set's."""
