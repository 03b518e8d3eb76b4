"""The errors that users see: what was found, what was expected, what to do next."""

from __future__ import annotations


class MedSegEffNetError(Exception):
    """A failure that is explained to the user; the command line ends with :attr:`exit_code`.

    Parameters
    ----------
    found : what was found, with the file or value named.
    expected : what would have been right.
    hint : what the user can do next.
    """

    exit_code = 1

    def __init__(self, found: str, *, expected: str = "", hint: str = "") -> None:
        self.found = found
        self.expected = expected
        self.hint = hint
        super().__init__(found)

    def __str__(self) -> str:
        lines = [self.found]
        if self.expected:
            lines.append(f"Expected: {self.expected}")
        if self.hint:
            lines.append(f"What to do: {self.hint}")
        return "\n".join(lines)


class InputError(MedSegEffNetError):
    """The user's input cannot be used. Raised before work begins; nothing has been written."""

    exit_code = 2


class MissingPackage(InputError):
    """``purpose`` needs an optional package that is not installed."""

    def __init__(self, purpose: str, module: str, size: str = "") -> None:
        name = module.partition(".")[0]
        super().__init__(f"{purpose} needs {name}, which is not installed", hint=how_to_install(name, size))


def how_to_install(module: str, size: str = "") -> str:
    """What to do to get an optional package by the name of its module; ``size`` is the panel's that has what is needed."""
    size = size or {"openvino": "Light", "torch": "GPU", "efficientnet_pytorch": "GPU"}.get(module, "Training")
    return f"install {module.replace('_', '-')} with pip (in Slicer: section Environment, size {size})"


class OutOfMemory(MedSegEffNetError):
    """Memory (of the machine or of the GPU) ran out and no smaller way of working is left."""


class Stopped(MedSegEffNetError):
    """The job was asked to stop (file ``STOP`` in its folder) and ended in good order."""

    exit_code = 0
