"""What a press on Start asks for: the settings of a training, and the words of the command that does it. No Qt."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.task import SegmentationTask
from MedSegEffNetLib.training.config import AUGMENTATIONS, CHOICES, Recipe, recipe_of

FINE_TUNING_EPOCHS = 20
FINE_TUNING_RATE = 0.1  # of the recipe's learning rate
VARIANTS = ("lite0", *(f"b{number}" for number in range(8)))  # of EfficientNet, the quickest first
VARIANT = "network.variant"
_INNER = ("augmentation", "network")  # settings that have settings of their own
_FIXED = ("context", "size")  # what the network of a model to start from was made for
_NUMBERS = re.compile(r"\d+")
_NO_PATCH = re.compile(r"[^\d\s,x×\[\]]")


@dataclass(frozen=True)
class TrainRequest:
    """One training.

    Attributes
    ----------
    snapshot : id; empty: a new one of the accepted cases. synthesised : whether it holds cases with made images.
    parent : model to start from as ``name@version``; empty: from scratch. network : name, for a start from scratch.
    settings : what differs from the task's recipe, as ``key=value``.
    """

    task: str
    data: str
    snapshot: str
    parent: str
    network: str
    settings: tuple[str, ...] = ()
    synthesised: bool = False

    def words(self, snapshot: str = "") -> list[str]:
        """The command, without ``--run``.

        Parameters
        ----------
        snapshot : the one that was made for this training.
        """
        request = {"task": self.task, "data": self.data, "parent": self.parent, "network": self.network}
        return _words({**request, "snapshot": snapshot or self.snapshot}, self.settings)


def words_of(request: Mapping[str, Any]) -> list[str]:
    """The command that was begun with the request of a run's ``job.json``, without ``--run``: it resumes the run."""
    return _words(request, [f"{name}={text_of(value)}" for name, value in request["recipe"].items()])


def _words(request: Mapping[str, Any], settings: Any) -> list[str]:
    words = ["train", request["task"], "--data", request["data"]]
    words += ["--snapshot", request["snapshot"]] if request["snapshot"] else []
    words += ["--from", request["parent"]] if request["parent"] else ["--network", request["network"]]
    return words + (["--set", *settings] if settings else [])


def text_of(value: Any) -> str:
    """A setting's value as it is typed."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


class RecipeSettings:
    """The settings of a training as texts by name, e.g. ``epochs`` or ``augmentation.zoom``.

    Attributes
    ----------
    usual : the recipe that they begin with. names : all of them. changes : those that the user changed.
    """

    def __init__(self) -> None:
        self._base = self.usual = Recipe()  # the library's, and ours: gentler where a model goes on learning
        self._arguments: Mapping[str, Any] = {}
        self._fixed: tuple[str, ...] = ()
        self._dimensions = 2
        self.names: tuple[str, ...] = ()
        self.changes: dict[str, str] = {}

    def begin(self, task: SegmentationTask, network: str, parent: Bundle | None) -> None:
        """Start from the recipe of ``task`` for ``network``, or for going on with ``parent``; what was changed stays so."""
        self._fixed, self._arguments, self._dimensions = (), {}, task.dimensions
        if parent is None:
            self._base = self.usual = recipe_of(task, network)
            self._arguments = next((dict(one.arguments) for one in task.networks if one.name == network), {})
        else:
            self._fixed = _FIXED
            entry = parent.info["networks"][0]
            self._base = recipe_of(task, entry["name"], int(entry["context"]))
            rate = float(f"{self._base.learning_rate * FINE_TUNING_RATE:.6g}")
            self.usual = self._base.replaced(epochs=min(self._base.epochs, FINE_TUNING_EPOCHS), learning_rate=rate)
        self.names = self._all_names()
        self.changes = {name: text for name, text in self.changes.items() if name in self.names}
        for name, text in list(self.changes.items()):
            self.set(name, text)  # what is usual now is changed no more

    def _all_names(self) -> tuple[str, ...]:
        plain = [one.name for one in fields(Recipe) if one.name not in (*_INNER, *self._fixed)]
        inner = [f"augmentation.{name}" for name in sorted(AUGMENTATIONS)]
        return (*plain, *inner, *(f"network.{name}" for name in self._arguments))

    def text(self, name: str) -> str:
        """A setting as it is now."""
        return self.changes.get(name, self.usual_text(name))

    def usual_text(self, name: str) -> str:
        """A setting as it begins."""
        return text_of(self._value(self.usual, name))

    def set(self, name: str, text: str) -> None:
        """Change a setting; to what is usual: change it no more."""
        text = self.patch(text) if name == "patch_size" else text.strip()
        if self._same(name, text):
            self.changes.pop(name, None)
        else:
            self.changes[name] = text

    def patch(self, text: str) -> str:
        """A patch's size as it was typed, ``192``, ``192 x 160`` or ``[192,160]``, as the library reads it."""
        if _NO_PATCH.search(text):
            return text.strip()
        numbers = _NUMBERS.findall(text)
        return f"[{','.join(numbers * self._dimensions if len(numbers) == 1 else numbers)}]"

    def reset(self, name: str = "") -> None:
        """Undo the change of one setting, or of all."""
        if name:
            self.changes.pop(name, None)
        else:
            self.changes.clear()

    def problem(self, name: str) -> str:
        """Why the changed setting ``name`` does not fit; empty: it does."""
        return self._problem({name: self.changes[name]}) if name in self.changes else ""

    @property
    def problems(self) -> list[str]:
        """What does not fit, all settings together."""
        alone = [problem for name in self.changes if (problem := self.problem(name))]
        together = self._problem(self.changes)
        return alone or ([together] if together else [])

    def recipe(self) -> Recipe:
        """All settings; an :class:`InputError` if they do not fit."""
        return self.usual.with_texts(self.changes)

    def words(self) -> tuple[str, ...]:
        """``key=value`` of each setting that is not the library's own; an :class:`InputError` if they do not fit."""
        recipe = self.recipe()
        values = {name: (self._value(recipe, name), self._value(self._base, name)) for name in self.names}
        return tuple(f"{name}={text_of(value)}" for name, (value, base) in values.items() if value != base)

    def _value(self, recipe: Recipe, name: str) -> Any:
        outer, _, inner = name.partition(".")
        if not inner:
            value = getattr(recipe, outer)
            return list(value) if isinstance(value, tuple) else value
        return getattr(recipe, outer).get(inner, self._arguments.get(inner) if outer == "network" else 0)

    def _same(self, name: str, text: str) -> bool:
        try:
            recipe = self.usual.with_texts({name: text})
        except InputError:
            return False
        return bool(self._value(recipe, name) == self._value(self.usual, name))

    def _problem(self, changes: Mapping[str, str]) -> str:
        try:
            self.usual.with_texts(changes)
        except InputError as error:
            return error.found
        return ""


def choices(name: str) -> tuple[str, ...]:
    """What a setting is chosen from; empty: anything can be typed."""
    return VARIANTS if name == VARIANT else CHOICES.get(name, ())
