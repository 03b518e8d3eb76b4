"""A finished training becomes a model."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import MedSegEffNetLib
from MedSegEffNetLib import atomic
from MedSegEffNetLib.models import card
from MedSegEffNetLib.models.bundle import CARD, CONFIG, METADATA, OUR_KEY, SCHEMA, Bundle, sha256, terminology_data
from MedSegEffNetLib.task import Ensemble, SegmentationTask, Step, Task

if TYPE_CHECKING:
    from torch import Tensor

LICENSE_NAME = "LICENSE"
_MONAIS = {"network": "model"}  # the weights of a model of one network have the name that MONAI looks for
LICENSE_TEXT = (
    "The weights of this model may be used for research only; they are no medical device.\n"
    "They were learnt from the data named in docs/README.md, whose licence applies to them as well.\n"
)


@dataclass(frozen=True)
class FinishedTraining:
    """What a model is made from.

    Parameters
    ----------
    network, arguments : key and arguments of the network, channels included.
    weights : state dict by the network's key: ``network`` for one that sees all channels, else the channel's name.
    context : neighboring slices on either side.
    preprocessing : steps with learnt statistics.
    provenance : what the model was trained on, and how.
    postprocessing, thresholds : clean-up of the masks, and where they are cut; chosen on validation cases.
    ensembles : ways to vote beside the task's; the first of them becomes the default.
    """

    task: SegmentationTask
    network: str
    arguments: Mapping[str, Any]
    weights: Mapping[str, Mapping[str, Tensor]]
    context: int
    preprocessing: tuple[Step, ...]
    provenance: Mapping[str, Any]
    postprocessing: tuple[Step, ...] = ()
    thresholds: tuple[float, ...] = ()
    ensembles: tuple[Ensemble, ...] = ()
    version: str = "0.1.0"
    measured: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The model's name: task and kind of network."""
        return f"{self.task.id}-{self.network.split('_')[0]}"


def build_bundle(folder: Path, training: FinishedTraining) -> Path:
    """Write the model to ``folder`` (in place of one that is there): weights in float16, OpenVINO's form, card.

    The OpenVINO form is left out where openvino is not installed; it is then made when the model is first used.
    """
    with atomic.replacing(folder) as temporary:
        networks = [_save_weights(temporary, training, key) for key in training.weights]
        info = _info(training, networks)
        names = [[one.title for one in part] for part in (training.task.channels, training.task.regions)]
        complete(temporary, all_metadata(training.task, training.version, info, *names))
    return folder


def complete(folder: Path, metadata: dict[str, Any]) -> None:
    """Write all of a model but its networks' files, which are in ``folder``, and seal it."""
    info = metadata[OUR_KEY]
    for name in (CONFIG, CARD):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    write_json(folder / CONFIG, inference_config(info))
    (folder / LICENSE_NAME).write_text(LICENSE_TEXT, encoding="utf-8")
    (folder / CARD).write_text(card.write_card(info, metadata["version"], {}), encoding="utf-8")
    write_json(folder / METADATA, metadata)
    seal(folder)


@dataclass(frozen=True)
class Publication:
    """What is known of a model only after its training.

    Parameters
    ----------
    version : of the model.
    summaries : ``summary.json`` of evaluations by split, e.g. ``{"val": {region: {metric: …}}}``.
    measured : times and memory, named so that the card can print them; ``seconds_per_megapixel`` feeds the estimate.
    data_description, data_licence : of the training data, for the card and LICENSE.
    limits, note : sentences for the card.
    caution : a sentence that everybody must have read who uses the model: the card's first line.
    cautions : a sentence for whoever has a target made, see :attr:`MedSegEffNetLib.models.bundle.Bundle.cautions`.
    """

    version: str
    summaries: Mapping[str, Any]
    measured: Mapping[str, Any]
    data_description: str
    data_licence: str
    limits: tuple[str, ...] = ()
    note: str = ""
    caution: str = ""
    cautions: Mapping[str, str] = field(default_factory=dict)


def publish(model: Path, publication: Publication, folder: Path) -> Path:
    """A copy of ``model`` in ``folder`` with the publication's figures in its metadata, card and licence."""
    bundle = Bundle.open(model)
    bundle.verify()
    with atomic.replacing(folder) as temporary:
        shutil.copytree(bundle.folder, temporary)
        metadata = json.loads(json.dumps(bundle.metadata))
        metadata["version"] = publication.version
        metadata["changelog"] = {publication.version: "first publication"}
        metadata["data_source"] = publication.data_description
        metadata["eval_metrics"] = without_nan(publication.summaries)
        info = metadata[OUR_KEY]
        info["measured"] = dict(publication.measured)
        if publication.cautions:
            info["cautions"] = dict(publication.cautions)
        info["provenance"] |= {
            "metrics": without_nan(publication.summaries),
            "limits": list(publication.limits),
            "note": publication.note,
            "caution": publication.caution,
        }
        info["provenance"]["data"] |= {
            "description": publication.data_description,
            "licence": publication.data_licence,
        }
        licence = (
            f"{LICENSE_TEXT}\nTraining data: {publication.data_description}\nLicence: {publication.data_licence}\n"
        )
        (temporary / LICENSE_NAME).write_text(licence, encoding="utf-8")
        (temporary / CARD).write_text(
            card.write_card(info, publication.version, publication.summaries), encoding="utf-8"
        )
        write_json(temporary / METADATA, metadata)
        seal(temporary)
    return folder


def without_nan(value: Any) -> Any:
    """``value`` with NaN as None at any depth, as JSON wants it."""
    if isinstance(value, Mapping):
        return {name: without_nan(part) for name, part in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def average_weights(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of several trainings that went on from the same weights, as good as an ensemble at the cost of one.

    Integers (counters) are taken from the first. Method: model soups, Wortsman et al., ICML 2022, arXiv:2203.05482.
    """
    return {
        key: sum(state[key] for state in states) / len(states) if value.is_floating_point() else value
        for key, value in states[0].items()
    }


def save_network(
    folder: Path, key: str, name: str, arguments: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> dict[str, Any]:
    """Write one network's files into ``folder`` of a model; returns what the metadata say of it."""
    import torch

    from MedSegEffNetLib import networks

    network = networks.build(name, arguments).eval()
    halved = {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}
    files = {"weights": f"models/{_MONAIS.get(key, key)}.pt", "ir": f"models/{key}.xml"}
    (folder / "models").mkdir(parents=True, exist_ok=True)
    with atomic.foreign_writer(folder / files["weights"]):
        torch.save(halved, folder / files["weights"])
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in halved.items()})
    try:
        from MedSegEffNetLib.models.ir import save_ir

        save_ir(network, int(arguments["in_channels"]), folder / files["ir"])
    except ImportError:
        files["ir"] = ""
    return {
        "key": key,
        "name": name,
        "arguments": dict(arguments),
        **files,
        "divisor": int(network.divisor),  # type: ignore[arg-type]
        "depth": int(getattr(network, "depth", 0)),
    }


def _save_weights(folder: Path, training: FinishedTraining, key: str) -> dict[str, Any]:
    """Write one network's files; returns what the metadata say of it."""
    return {
        **save_network(folder, key, training.network, training.arguments, training.weights[key]),
        "channels": [key] if training.task.ensembles else [channel.name for channel in training.task.channels],
        "context": training.context,
    }


def _info(training: FinishedTraining, networks: list[dict[str, Any]]) -> dict[str, Any]:
    task = training.task
    return {
        "schema": SCHEMA,
        "task": task.id,
        "name": training.name,
        "title": task.title,
        "inputs": [asdict(channel) for channel in task.channels],
        "preprocessing": step_data(training.preprocessing),
        "networks": networks,
        "ensembles": [asdict(ensemble) for ensemble in (*training.ensembles, *task.ensembles)],
        "regions": [asdict(region) for region in task.regions],
        "labels": [
            {
                "value": label.value,
                "name": label.name,
                "color": list(label.color),
                "terminology": terminology_data(label.terminology),
            }
            for label in task.labels
        ],
        "activation": task.activation,
        "nested": task.nested,
        "thresholds": list(training.thresholds or (0.5,) * len(task.regions)),
        "postprocessing": step_data(training.postprocessing),
        "files": {},
        "measured": dict(training.measured),
        "provenance": json.loads(json.dumps(training.provenance)),
    }


def all_metadata(
    task: Task, version: str, info: dict[str, Any], inputs: list[str], outputs: list[str]
) -> dict[str, Any]:
    """MONAI's keys (https://monai.readthedocs.io, "MONAI Bundle Specification") and ours, ``info``.

    ``inputs`` and ``outputs`` name the network's channels, or those that come again and again.
    """
    network, provenance = info["networks"][0], info["provenance"]
    kinds = "image", "segmentation" if info["labels"] else "image"
    counts = (int(network["arguments"][name]) for name in ("in_channels", "out_channels"))
    formats = [_data_format(*each, info) for each in zip(kinds, counts, (inputs, outputs), strict=True)]
    return {
        "schema": "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json",
        "version": version,
        "changelog": {version: "trained"},
        "monai_version": "1.6.1",
        "pytorch_version": str(provenance.get("torch", "2.13.0")).split("+")[0],
        "numpy_version": np.__version__,
        "required_packages_version": {"efficientnet-pytorch": "0.7.1"} if "efficientnet" in network["name"] else {},
        "name": info["name"],
        "task": task.title,
        "description": task.description,
        "authors": "MedSegEffNet developers",
        "copyright": "see LICENSE",
        "data_source": str(provenance.get("data", {}).get("folder", "")),
        "data_type": "images",
        "image_classes": ", ".join(channel.title for channel in task.channels),
        "label_classes": ", ".join(f"{label['value']} {label['name']}" for label in info["labels"]),
        "pred_classes": ", ".join(f"{number} {region['name']}" for number, region in enumerate(info["regions"])),
        "eval_metrics": provenance.get("validation", {}),
        "intended_use": "research only; not for clinical use",
        "references": [" ".join((citation.text, citation.url)).strip() for citation in task.citations],
        "network_data_format": {"inputs": {"image": formats[0]}, "outputs": {"pred": formats[1]}},
        "medsegeffnet_version": MedSegEffNetLib.__version__,
        OUR_KEY: info,
    }


def _data_format(kind: str, channels: int, names: list[str], info: Mapping[str, Any]) -> dict[str, Any]:
    network = info["networks"][0]
    depth = [network["depth"]] if network["depth"] else []
    return {
        "type": "image",
        "format": kind,
        "num_channels": channels,
        "spatial_shape": [*depth, f"{network['divisor']}*n", f"{network['divisor']}*n"],
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": False,
        "channel_def": {str(number): names[number % len(names)] for number in range(channels)},
    }


def inference_config(info: Mapping[str, Any]) -> dict[str, Any]:
    """What MONAI's ConfigParser builds the network from and, of a segmentation with one, segments with.

    The ids are those that MONAI Label's app for bundles looks for; see :mod:`MedSegEffNetLib.serving`.
    """
    network = info["networks"][0]
    definition = {"name": network["name"], "arguments": network["arguments"]}
    config = {
        "imports": ["$import torch"],
        "bundle_root": ".",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "network_def": {"_target_": "MedSegEffNetLib.networks.build", **definition},
        "weights": f"$@bundle_root + '/{network['weights']}'",
    }
    if len(info["networks"]) > 1 or not info["labels"]:
        return config
    ours = {name: {"_target_": f"MedSegEffNetLib.serving.{name}", "bundle_root": "@bundle_root"}
            for name in ("Prepare", "Infer", "Finish")}  # fmt: skip
    read = [{"_target_": "LoadImaged", "keys": "image"}, {"_target_": "EnsureChannelFirstd", "keys": "image"}]
    return config | {
        "preprocessing": {"_target_": "Compose", "transforms": [*read, ours["Prepare"]]},
        "inferer": ours["Infer"],
        "postprocessing": {"_target_": "Compose", "transforms": [ours["Finish"]]},
    }


def step_data(steps: tuple[Step, ...]) -> list[dict[str, Any]]:
    """``steps`` for JSON."""
    return [{"name": step.name, "arguments": dict(step.arguments)} for step in steps]


def seal(folder: Path) -> None:
    """Write the SHA-256 of every other file of a model into its metadata: it is whole from then on."""
    path = folder / METADATA
    metadata = json.loads(path.read_text(encoding="utf-8"))
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p != path)
    metadata[OUR_KEY]["files"] = {p.relative_to(folder).as_posix(): sha256(p) for p in files}
    write_json(path, metadata)


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as ``path``, indented."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
