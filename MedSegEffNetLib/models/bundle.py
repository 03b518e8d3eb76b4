"""A model on disk: a MONAI bundle folder with keys of ours.

``configs/metadata.json`` (MONAI's keys, and ours under ``medsegeffnet``), ``configs/inference.json``, ``models/`` with the
weights as a plain state dict and their OpenVINO form, ``docs/README.md`` (the model card) and ``LICENSE``.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedSegEffNetLib.errors import InputError, MedSegEffNetError
from MedSegEffNetLib.models.pickles import refuse_objects
from MedSegEffNetLib.task import Channel, Code, Label, Region, Step, Terminology

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA = 1
METADATA = Path("configs") / "metadata.json"
CONFIG = Path("configs") / "inference.json"
CARD = Path("docs") / "README.md"
OUR_KEY = "medsegeffnet"
_REQUIRED = {
    "schema": int,
    "task": str,
    "name": str,
    "inputs": list,
    "preprocessing": list,
    "networks": list,
    "regions": list,
    "labels": list,
    "activation": str,
    "nested": bool,
    "thresholds": list,
    "postprocessing": list,
    "files": dict,
    "measured": dict,
    "provenance": dict,
}
_NETWORK = {"name": str, "arguments": dict, "weights": str, "context": int, "divisor": int}


@dataclass(frozen=True)
class Bundle:
    """A model's folder and metadata. :attr:`info` holds our keys, :attr:`metadata` all of ``metadata.json``."""

    folder: Path
    metadata: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> Bundle:
        """Read the metadata of the bundle in ``folder``; an :class:`InputError` says why it is none."""
        path = folder / METADATA
        if not path.is_file():
            raise InputError(f"{folder} is no model: it has no {METADATA.as_posix()}", expected="a model's folder")
        try:
            metadata = json.loads(path.read_text(encoding="utf-8"))
            info = metadata[OUR_KEY]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path} cannot be read ({type(error).__name__}: {error})",
                expected=f"a JSON object with the key '{OUR_KEY}'",
                hint="install the model again",
            ) from error
        _check_keys(path, info)
        bundle = cls(folder, metadata)
        try:
            bundle._read_all()
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{path} is malformed ({type(error).__name__}: {error})",
                expected="what MedSegEffNet writes when it makes a model",
                hint="install the model again",
            ) from error
        return bundle

    @property
    def info(self) -> dict[str, Any]:
        """Our keys."""
        info: dict[str, Any] = self.metadata[OUR_KEY]
        return info

    @property
    def name(self) -> str:
        """The model's name, e.g. ``tumor-slices-efficientnet``."""
        return str(self.info["name"])

    @property
    def version(self) -> str:
        """The model's version, e.g. ``1.0.0``."""
        return str(self.metadata["version"])

    @property
    def task_id(self) -> str:
        """The task that the model was trained for."""
        return str(self.info["task"])

    @property
    def dimensions(self) -> int:
        """3 where the networks see volumes, 2 where they see slices."""
        return 3 if any(entry.get("depth") for entry in self.info["networks"]) else 2

    @property
    def ensembles(self) -> tuple[str, ...]:
        """The ways to let its networks vote, the default first, then each network alone; a single network: its key."""
        keys = [str(entry["key"]) for entry in self.info["networks"]]
        return (*(str(entry["name"]) for entry in self.info.get("ensembles", [])), *keys) if len(keys) > 1 else (*keys,)

    @property
    def card(self) -> str:
        """The model card (Markdown)."""
        path = self.folder / CARD
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The inputs in the network's order."""
        return tuple(Channel(**{**entry, "aliases": tuple(entry["aliases"])}) for entry in self.info["inputs"])

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels that the model writes."""
        return tuple(
            Label(entry["value"], entry["name"], tuple(entry["color"]), _terminology(entry["terminology"]))
            for entry in self.info["labels"]
        )

    @property
    def regions(self) -> tuple[Region, ...]:
        """What the network's outputs stand for."""
        return tuple(Region(**{**entry, "labels": tuple(entry["labels"])}) for entry in self.info["regions"])

    @property
    def kind(self) -> str:
        """``segmentation``, or ``synthesis`` where it makes images: it has :attr:`targets` then, and no labels."""
        return "synthesis" if "targets" in self.info else "segmentation"

    @property
    def targets(self) -> tuple[str, ...]:
        """The channels that a synthesis model makes."""
        return tuple(self.info["targets"])

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Plausible values of each target after N4: the training images' 1st and 99th percentile, the median of each."""
        return {name: (float(low), float(high)) for name, (low, high) in self.info["ranges"].items()}

    @property
    def normalized(self) -> dict[str, tuple[float, float]]:
        """What :attr:`ranges` are in the network's normalized units."""
        return {name: (float(low), float(high)) for name, (low, high) in self.info["normalized"].items()}

    @property
    def cautions(self) -> dict[str, str]:
        """What a synthesis model was found to do wrong, by target, for whoever has it made."""
        return dict(self.info.get("cautions", {}))

    @property
    def patients(self) -> dict[str, int]:
        """From how many patients a synthesis model learnt each channel; empty: it does not say."""
        return {name: int(count) for name, count in self.info.get("patients", {}).items()}

    @property
    def preprocessing(self) -> tuple[Step, ...]:
        """The steps with the statistics learnt from the training data."""
        return tuple(Step(entry["name"], entry["arguments"]) for entry in self.info["preprocessing"])

    def verify(self, names: tuple[str, ...] = ()) -> None:
        """Check the files (all, or those named) against their SHA-256, and that weights hold no pickled objects.

        Raises
        ------
        MedSegEffNetError
            A file is missing or changed, or one is there that the model does not list.
        """
        listed: dict[str, str] = self.info["files"]
        for name in names or listed:
            path = self.folder / name
            if not path.is_file():
                raise self._damaged(f"{name} is missing")
            if name not in listed or sha256(path) != listed[name]:
                raise self._damaged(f"{name} has changed since the model was made")
            if path.suffix == ".pt":
                refuse_objects(path)
        if not names:
            present = {p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file()}
            extra = present - set(listed) - {METADATA.as_posix()}
            if extra:
                raise self._damaged(f"{', '.join(sorted(extra))} does not belong to it")

    def state_dict(self, network: int = 0) -> dict[str, Tensor]:
        """The weights of a network as float32 tensors, read without running any code they might hold. Needs torch."""
        import torch

        name = self.info["networks"][network]["weights"]
        self.verify((name,))
        state = torch.load(self.folder / name, map_location="cpu", weights_only=True)
        return {key: value.float() if value.is_floating_point() else value for key, value in state.items()}

    def _read_all(self) -> None:
        """Read every key once, so that a malformed one is met when the model is opened and not in the midst of work."""
        if not isinstance(self.metadata["version"], str):
            raise TypeError("version is no text")
        if self.kind == "synthesis":
            names = {channel.name for channel in self.channels}
            if not self.targets or not set(self.targets) <= names & set(self.ranges) & set(self.normalized):
                raise ValueError("targets, ranges or normalized do not fit the inputs")
        elif not (self.channels and self.regions and self.labels):
            raise ValueError("inputs, regions or labels are empty")
        elif self.info["activation"] not in ("sigmoid", "softmax") or len(self.info["thresholds"]) != len(self.regions):
            raise ValueError("activation or thresholds do not fit")
        if not self.info["networks"]:
            raise ValueError("networks is empty")
        for entry in self.info["networks"]:
            wrong = [name for name, kind in _NETWORK.items() if not isinstance(entry[name], kind)]
            if wrong or entry["weights"] not in self.info["files"]:
                raise ValueError(f"a network's {', '.join(wrong) or 'weights'} cannot be used")
        steps = [*self.info["preprocessing"], *self.info["postprocessing"]]
        if not all(isinstance(step["name"], str) and isinstance(step["arguments"], dict) for step in steps):
            raise ValueError("a step has no name or no arguments")

    def _damaged(self, why: str) -> MedSegEffNetError:
        return InputError(
            f"model {self.name} in {self.folder} is damaged: {why}",
            expected="the files it was made with",
            hint="install the model again; do not use weights from a source that you do not trust",
        )


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def terminology_data(terminology: Terminology) -> dict[str, Any]:
    """``terminology`` for JSON."""
    parts = {"category": terminology.category, "type": terminology.type, "region": terminology.region}
    return {name: [code.scheme, code.value, code.meaning] for name, code in parts.items() if code is not None}


def _terminology(data: dict[str, Any]) -> Terminology:
    return Terminology(**{name: Code(*code) for name, code in data.items()})


def _check_keys(path: Path, info: Any) -> None:
    if not isinstance(info, dict):
        raise InputError(f"{path}: '{OUR_KEY}' is no object", hint="install the model again")
    schema = info.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise InputError(
            f"{path} was made by a newer version (schema {schema})",
            expected=f"schema {SCHEMA} or older",
            hint="update MedSegEffNet",
        )
    wrong = [name for name, kind in _REQUIRED.items() if not isinstance(info.get(name), kind)]
    if wrong:
        raise InputError(f"{path}: missing or of another type: {', '.join(wrong)}", hint="install the model again")
