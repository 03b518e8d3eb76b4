"""Which file of a folder is which channel of a task, by the files' names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from MedSegEffNetLib.dataset.series_names import channel_of, is_label, of_two_patients
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.formats import READERS, suffix_of
from MedSegEffNetLib.image import Image, read, read_several
from MedSegEffNetLib.task import Channel, Task

_SLICES = (".png", ".webp", ".tif", ".tiff", ".npy")


def match_channels(files: Sequence[Path], channels: Sequence[Channel]) -> dict[str, Path]:
    """The file of each channel, as :func:`MedSegEffNetLib.dataset.series_names.channel_of` reads the files' names.

    A file serves one channel at most, and one whose name can be read in two ways none.

    Raises
    ------
    InputError
        Two files are as good for a channel, a required channel has none, or none has any.
    """
    candidates: dict[str, list[Path]] = {channel.name: [] for channel in channels}
    for path in files:
        name = channel_of(path.name, "", channels)
        if name is not None:
            candidates[name].append(path)
    for name, several in candidates.items():
        if len(several) > 1:
            raise InputError(
                f"{len(several)} files may be channel {name}: " + ", ".join(sorted(path.name for path in several)),
                expected="one file a channel",
                hint=f"name the right one with --input {name}=FILE",
            )
    found = {name: several[0] for name, several in candidates.items() if several}
    missing = [channel for channel in channels if channel.required and channel.name not in found]
    if missing or not found:
        missing = missing or list(channels)
        listed = ", ".join(sorted(path.name for path in files)) or "no image files"
        raise InputError(
            f"no file for channel {', '.join(channel.name for channel in missing)} among: {listed}",
            expected="; ".join(f"{c.name}: a name with {' or '.join((c.name, *c.aliases))}" for c in missing),
            hint="name the file with --input CHANNEL=FILE",
        )
    return found


def image_files(folder: Path) -> list[Path]:
    """The image files of ``folder`` (not of its subfolders), sorted; an :class:`InputError` if it is no folder."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}", hint="check the spelling")
    return sorted(path for path in folder.iterdir() if path.is_file() and suffix_of(path, READERS))


def case_folders(folder: Path) -> list[Path]:
    """The folders in ``folder`` that hold image files themselves, sorted; an :class:`InputError` if it is no folder."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}", hint="check the spelling")
    folders = (path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return sorted(path for path in folders if image_files(path))


def load_case_images(folder: Path, task: Task) -> dict[str, Image]:
    """The images of a case folder by channel.

    A folder of slices (PNG, WebP, TIFF or NPY, one picture a slice) is a volume whose components are the task's
    channels in their order (for a task in 3D those of TCGA-LGG, see :mod:`MedSegEffNetLib.dataset.readers.lgg`),
    whatever volumes without a channel's name (results, say) lie beside them; other folders have a volume a channel, see
    :func:`match_channels`. The only image is that of a task's only channel, whatever its name.
    """
    files = image_files(folder)
    cases = [] if files else case_folders(folder)
    if cases:
        raise InputError(
            f"{folder} holds no images but {len(cases)} folders of images: it is a folder of cases",
            expected="the folder of one case",
            hint=f"use --case {cases[0]} for one of them, or --batch {folder} for all",
        )
    images = [path for path in files if not is_label(path)]
    volumes = [path for path in images if suffix_of(path, READERS) not in _SLICES]
    if len(volumes) < len(images) and not any(channel_of(path.name, "", task.channels) for path in volumes):
        from MedSegEffNetLib.dataset.readers import lgg  # which reads pictures with what stands here

        known = lgg.is_patient(folder, task)
        return lgg.read_images(folder) if known else split_components(read(folder), task.channels, str(folder))
    alone = len(images) == 1 == len(task.channels)
    found = {task.channels[0].name: images[0]} if alone else match_channels(files, task.channels)
    loaded = read_several(found)
    if of_two_patients((path.name for path in found.values()), task.channels):
        listed = ", ".join(path.name for path in found.values())
        first = next(iter(loaded))
        doubt = f"The files {listed} may be of two patients, by their names: check that they are of one."
        loaded[first] = replace(loaded[first], notes=(*loaded[first].notes, doubt))
    return loaded


def split_components(image: Image, channels: Sequence[Channel], source: str) -> dict[str, Image]:
    """The components of ``image`` as the channels in their order; grey pictures serve a task of one channel.

    Raises
    ------
    InputError
        The image has another number of components than the task has channels.
    """
    components = (image.gray() if len(channels) == 1 else image).channels()
    if len(components) != len(channels):
        raise InputError(
            f"{source} has {len(components)} component(s) a pixel",
            expected=f"{len(channels)}: " + ", ".join(channel.name for channel in channels),
            hint="give each channel's own image with --input CHANNEL=FILE, or name the components: --input t1,flair=FILE"
            if len(channels) > 1
            else "save it as a grey image; colors (of an overlay, say) are no intensities",
        )
    return {channel.name: part for channel, part in zip(channels, components, strict=True)}
