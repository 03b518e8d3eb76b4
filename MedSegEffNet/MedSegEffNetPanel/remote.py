"""Another machine that trains: the command that starts a Python there, and how folders are found there. Knows no Qt.

A path below one of the mapped folders is used under its name there. What lies elsewhere is copied over ssh when a folder
for copies is named, and is taken to have the same path otherwise.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from MedSegEffNetLib import atomic
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.job import REQUEST
from MedSegEffNetLib.models.registry import find
from MedSegEffNetLib.resources import resources_folder

FILE = "remote.json"  # in the run folder: where its job runs, and with which words
OUTPUT = "output.txt"  # in the run folder: what its process prints
END = "END"  # in the run folder: the launch, and the signal that should end it
STATE = "follower.json"  # in the run folder: what is known of it, see follower.py
# Options of ssh that a value follows, ssh(1).
_WITH_VALUE = set("BbcDEeFIiJLlmOoPpQRSWw")
_OPTIONS = (
    "-o",
    "BatchMode=yes",
    "-o",
    "ConnectTimeout=15",
    "-o",
    "ServerAliveInterval=5",
    "-o",
    "ServerAliveCountMax=3",
)
_PLAIN = re.compile(r"[\w@%+=:,./~-]+")  # words that no shell reads anything into


@dataclass(frozen=True)
class Place:
    """Where jobs run.

    Parameters
    ----------
    command : what starts a Python there, as in a terminal: ``ssh gpu-box python3``, ``docker run … image python``.
    paths : folders that both sides see: (path here, path there).
    folder : on the other machine, for copies of data and runs; empty: nothing is copied.

    Raises
    ------
    InputError
        One of them cannot be used.
    """

    command: str
    paths: tuple[tuple[str, str], ...] = ()
    folder: str = ""

    def __post_init__(self) -> None:
        try:
            words = shlex.split(self.command)
        except ValueError as error:
            raise InputError(f"the command cannot be read ({error})", hint="check the quotation marks") from error
        if not words:
            raise InputError("no command is given", expected="for example: ssh gpu-box python3")
        if self.is_ssh and not self.python:
            raise InputError(
                f"'{self.command}' names no program for the other machine",
                expected="for example: ssh gpu-box python3",
            )
        if self.folder and not self.is_ssh:
            raise InputError(
                f"files cannot be copied by '{words[0]}'",
                expected="a command that begins with ssh, or no folder for copies",
                hint="map the folders instead, for example: /data=/mnt/data",
            )
        if self.folder and not _PLAIN.fullmatch(self.folder):
            raise InputError(
                f"the folder for copies is '{self.folder}'", expected="a path without spaces and special characters"
            )

    @classmethod
    def from_texts(cls, command: str, paths: str, folder: str) -> Place:
        """From what a user types; ``paths`` has one ``here=there`` a line or between semicolons."""
        pairs = []
        for text in filter(None, (part.strip() for part in re.split(r"[;\n]", paths))):
            here, equals, there = text.partition("=")
            if not equals or not here.strip() or not there.strip().startswith("/"):
                raise InputError(
                    f"the folders '{text}' cannot be read",
                    expected="the folder here, =, the same folder's full path there",
                    hint="for example: /data=/mnt/data",
                )
            pairs.append((here.strip(), there.strip()))
        return cls(command.strip(), tuple(pairs), folder.strip().rstrip("/"))

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Place:
        """From :meth:`as_mapping`."""
        paths = tuple((str(here), str(there)) for here, there in content["paths"])
        return cls(str(content["command"]), paths, str(content["folder"]))

    def as_mapping(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"command": self.command, "paths": [list(pair) for pair in self.paths], "folder": self.folder}

    @property
    def words(self) -> list[str]:
        """The command's words."""
        return shlex.split(self.command)

    @property
    def is_ssh(self) -> bool:
        """Whether the command goes to another machine over ssh."""
        return Path(self.words[0]).stem.lower() == "ssh"

    @property
    def ssh(self) -> list[str]:
        """ssh with the user's options, and ours: it must never wait for a password."""
        words = self.words
        return [words[0], *_OPTIONS, *words[1 : _host_at(words)]]

    @property
    def host(self) -> str:
        """The other machine, as the command names it."""
        words = self.words
        return words[_host_at(words)] if self.is_ssh else words[0]

    @property
    def python(self) -> list[str]:
        """The words that start a Python there (or here, without ssh)."""
        words = self.words
        return words[_host_at(words) + 1 :] if self.is_ssh else words

    def there(self, path: Path) -> str | None:
        """``path`` on the other machine; None: it has to be copied."""
        for here, there in self.paths:
            if path.is_relative_to(here):
                return str(PurePosixPath(there, *path.relative_to(here).parts))
        return None if self.folder else str(path)

    def here(self, path: str) -> str:
        """The other way round, for a path below a mapped folder; any other as it is."""
        for here, there in self.paths:
            if PurePosixPath(path).is_relative_to(there):
                return str(Path(here, *PurePosixPath(path).relative_to(there).parts))
        return path


@dataclass(frozen=True)
class Errand:
    """What runs elsewhere for a run folder. ``launch`` names this start; ``arguments`` are the command's words."""

    place: Place
    launch: str
    arguments: tuple[str, ...]

    def write(self, folder: Path) -> None:
        """Keep it in the run folder."""
        content = {"place": self.place.as_mapping(), "launch": self.launch, "arguments": list(self.arguments)}
        atomic.write_json(folder / FILE, content)

    @classmethod
    def read(cls, folder: Path) -> Errand | None:
        """That of a run folder; None: its job runs here."""
        try:
            content = json.loads((folder / FILE).read_text(encoding="utf-8"))
            return cls(Place.from_mapping(content["place"]), content["launch"], tuple(content["arguments"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def where(folder: Path, wanted: Place | None) -> Place | None:
    """Where the job of a run folder runs (None: here), if new ones run at ``wanted``.

    One that was begun here, or on another machine than that, goes on there: its checkpoints are there.
    """
    if wanted is None or not (folder / REQUEST).is_file():
        return wanted
    errand = Errand.read(folder)
    return errand.place if errand is not None else None


def with_own_models(arguments: Sequence[str]) -> list[str]:
    """``arguments`` whose model to start from is named by its folder, unless it is one that every installation has.

    Raises
    ------
    InputError
        There is no such model.
    """
    words = list(arguments)
    if "--from" in words:
        place = words.index("--from") + 1
        folder = find(words[place]).folder
        if not folder.is_relative_to(resources_folder()):
            words[place] = str(folder)
    return words


def quoted(words: Sequence[str]) -> str:
    """``words`` for a POSIX shell; those without special characters as they are, so that ``~`` means what it should."""
    return " ".join(word if _PLAIN.fullmatch(word) else shlex.quote(word) for word in words)


def _host_at(words: Sequence[str]) -> int:
    """Which of ssh's words is the host."""
    number = 1
    while number < len(words) and words[number].startswith("-"):
        letters = words[number][1:]
        # The value may follow at once, or be the next word.
        first = next((place for place, letter in enumerate(letters) if letter in _WITH_VALUE), None)
        number += 2 if first is not None and first == len(letters) - 1 else 1
    if number >= len(words):
        raise InputError(f"'{' '.join(words)}' names no machine", expected="for example: ssh gpu-box python3")
    return number
