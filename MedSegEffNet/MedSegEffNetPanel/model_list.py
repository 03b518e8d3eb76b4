"""The installed models as the panel shows them, read from their metadata alone: nothing is loaded, nothing is computed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.models.bundle import METADATA, Bundle
from MedSegEffNetLib.models.registry import broken_models, list_models
from MedSegEffNetLib.models.transfer import is_users
from MedSegEffNetLib.models.versions import current_versions
from MedSegEffNetLib.task import Task, list_tasks
from MedSegEffNetPanel.wording import sentences

SHIPPED = "shipped"
USER = "user"
_WHOLE_TIME = re.compile(r"whole_process_seconds_(\d+)_slices")


@dataclass(frozen=True)
class ModelEntry:
    """One model, usable or broken.

    Attributes
    ----------
    name, version : of the model; a broken one has its folder's name and no version.
    task, task_title, kind : id and title of its task; ``segmentation`` or ``synthesis``.
    description : what it does, in a sentence.
    channels : what it takes, e.g. ``FLAIR (optional: T1)``. labels : names of what it marks.
    caution : what everybody must have read who uses it; may be empty.
    licence : of the weights. time_text : how long it took, and where; empty: not measured.
    megabytes : on disk (10^6 bytes).
    where : :data:`SHIPPED`, or :data:`USER` for a model of the user's own, which can be removed.
    folder : of the model. bundle : the Bundle; None if it is broken.
    problem : why it cannot be used, and what to do; empty: it can.
    default : whether the task's name stands for this model. ensembles : ways to combine its networks, by name.
    """

    name: str
    folder: Path
    where: str
    version: str = ""
    task: str = ""
    task_title: str = ""
    kind: str = "segmentation"
    description: str = ""
    channels: str = ""
    labels: tuple[str, ...] = ()
    caution: str = ""
    licence: str = ""
    time_text: str = ""
    megabytes: float = 0.0
    default: bool = False
    ensembles: tuple[str, ...] = ()
    problem: str = ""
    bundle: Any = field(default=None, repr=False, compare=False)
    words: str = field(default="", repr=False)

    @property
    def key(self) -> str:
        """``name@version``, as commands and the scene know it."""
        return f"{self.name}@{self.version}"


def entries() -> list[ModelEntry]:
    """All models: the tasks' default models first, then by name, newest version first; broken ones last."""
    tasks, now = list_tasks(), current_versions()
    usable = [
        _entry(bundle, tasks.get(bundle.task_id), now.get(bundle.name) == bundle.version) for bundle in list_models()
    ]
    broken = [_broken(folder, error) for folder, error in broken_models().items()]
    return [*sorted(usable, key=lambda entry: not entry.default), *broken]


def search(listed: Sequence[ModelEntry], text: str) -> list[ModelEntry]:
    """The entries in which every word of ``text`` is found: in name, task, labels, channels or their other spellings."""
    wanted = text.lower().split()
    return [entry for entry in listed if all(word in entry.words for word in wanted)]


def _entry(bundle: Bundle, task: Task | None, current: bool) -> ModelEntry:
    info, metadata = bundle.info, bundle.metadata
    title = str(info.get("title") or (task.title if task else bundle.task_id))
    description = str(metadata.get("description") or (task.description if task else ""))
    labels = tuple(label.name for label in bundle.labels)
    channels = _channels(bundle)
    aliases = [alias for channel in bundle.channels for alias in (channel.name, *channel.aliases)]
    words = " ".join([bundle.name, bundle.version, bundle.task_id, title, description, channels, *labels, *aliases])
    return ModelEntry(
        name=bundle.name,
        folder=bundle.folder,
        where=_where(bundle.folder),
        version=bundle.version,
        task=bundle.task_id,
        task_title=title,
        kind=task.kind if task else "segmentation",
        description=description,
        channels=channels,
        labels=labels,
        caution=str(info["provenance"].get("caution") or ""),
        licence=_licence(info["provenance"]),
        time_text=_time_text(info["measured"]),
        megabytes=_megabytes(bundle),
        default=current and task is not None and task.default_model == bundle.name,
        ensembles=bundle.ensembles if len(bundle.info["networks"]) > 1 else (),
        bundle=bundle,
        words=words.lower(),
    )


def _broken(folder: Path, error: InputError) -> ModelEntry:
    problem = sentences(error.found, error.hint)
    return ModelEntry(folder.name, folder, _where(folder), problem=problem, words=folder.name.lower())


def _where(folder: Path) -> str:
    return USER if is_users(folder) else SHIPPED


def _channels(bundle: Bundle) -> str:
    required = ", ".join(channel.title for channel in bundle.channels if channel.required)
    optional = ", ".join(channel.title for channel in bundle.channels if not channel.required)
    return _("{required} (optional: {optional})").format(required=required, optional=optional) if optional else required


def _licence(provenance: Mapping[str, Any]) -> str:
    data = provenance.get("data")
    licence = data.get("licence") if isinstance(data, Mapping) else None
    return str(licence) if licence else _("see LICENSE in the model's folder")


def _time_text(measured: Mapping[str, Any]) -> str:
    times = [(_WHOLE_TIME.fullmatch(name), seconds) for name, seconds in measured.items()]
    told = [
        _("{seconds} s for {slices} slices").format(seconds=seconds, slices=match[1])
        for match, seconds in times
        if match
    ]
    if not told and "seconds_per_megapixel" in measured:
        told = [_("{seconds} s for a million pixels").format(seconds=measured["seconds_per_megapixel"])]
    if told and measured.get("measured_on"):
        return _("{time} on {machine}").format(time=told[0], machine=measured["measured_on"])
    return told[0] if told else ""


def _megabytes(bundle: Bundle) -> float:
    paths = [bundle.folder / name for name in (METADATA, *bundle.info["files"])]
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6
