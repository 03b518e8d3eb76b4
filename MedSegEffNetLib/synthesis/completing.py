"""The missing images of a case that is to be segmented, made by the installed synthesis model."""

from __future__ import annotations

from collections.abc import Mapping

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.inference import ensemble
from MedSegEffNetLib.inference.checks import Checked, missing_channels
from MedSegEffNetLib.inference.options import Options
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.models.registry import current, list_models
from MedSegEffNetLib.synthesis.predict import Synthesizer, targets_of
from MedSegEffNetLib.task import SynthesisTask, list_tasks


def find_model() -> Bundle:
    """The synthesis model that completes cases: the default one of its task, else the first that is installed.

    Raises
    ------
    InputError
        There is none; the message says what to do.
    """
    models = list_models()
    for task in list_tasks().values():
        if isinstance(task, SynthesisTask):
            default = current(task.default_model, models) if task.default_model else None
            found = default or next((bundle for bundle in models if bundle.task_id == task.id), None)
            if found is not None:
                return found
    raise InputError(
        "--complete needs a model that makes missing images, and none is installed",
        expected="a model of mri-synthesis",
        hint="leave --complete out (the model does without the missing images), or install or train one: "
        "medsegeffnet models install FILE, medsegeffnet train mri-synthesis --data FOLDER --run FOLDER",
    )


def names(images: Mapping[str, Image], maker: Bundle | None) -> list[str]:
    """The channels that there are, or will be when ``maker`` (None: nobody) has made what it can."""
    return list(dict.fromkeys([*images, *(targets_of(maker) if maker else ())]))


def completed(checked: Checked, bundle: Bundle, maker: Bundle, options: Options, job: Job) -> Checked:
    """The images of a case for ``bundle``, with its missing optional channels made by ``maker`` where that can make them.

    Channels that no network with a vote sees are not made. The made images carry the mark, by which every result that is
    made from them is doubtful.

    Raises
    ------
    InputError
        None of the images is one that ``maker`` takes, or the votes cannot be had.
    """
    targets = targets_of(maker)
    known = {channel.name for channel in maker.channels}
    inputs = {name: image for name, image in checked.images.items() if name in known and not image.synthesised}
    voting = ensemble.choose(bundle, options.ensemble, names(checked.images, maker)).channels(bundle)
    optional = [channel.name for channel in bundle.channels if not channel.required]
    wanted = [name for name in optional if name not in checked.images and name in targets and name in voting]
    if not wanted:
        return checked
    if not inputs:
        raise InputError(
            f"{maker.name} cannot make {', '.join(wanted)} from {', '.join(checked.images)}",
            expected="one of " + ", ".join(sorted(known)) + ", taken by a scanner",
            hint="leave --complete out",
        )
    synthesizer = Synthesizer(maker, options)
    images: dict[str, Image] = dict(checked.images)
    told = [text for text in checked.warnings if text not in missing_channels(bundle.channels, checked.images)]
    for name in wanted:
        made = synthesizer.make(inputs, name, job)
        images[name] = made.image
        told += made.warnings
    ordered: Mapping[str, Image] = {
        channel.name: images[channel.name] for channel in bundle.channels if channel.name in images
    }
    return Checked(dict(ordered), tuple(dict.fromkeys((*told, *missing_channels(bundle.channels, images)))))
