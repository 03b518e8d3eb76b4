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
from MedSegEffNetLib.task import Ensemble, SegmentationTask, Step

if TYPE_CHECKING:
    from torch import Tensor

LICENSE_NAME = "LICENSE"
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
        (temporary / "models").mkdir(parents=True)
        (temporary / "configs").mkdir()
        (temporary / "docs").mkdir()
        networks = [_save_weights(temporary, training, key) for key in training.weights]
        info = _info(training, networks)
        _write_json(temporary / CONFIG, _inference_config(training))
        (temporary / LICENSE_NAME).write_text(LICENSE_TEXT, encoding="utf-8")
        (temporary / CARD).write_text(card.write_card(info, training.version, {}), encoding="utf-8")
        _write_json(temporary / METADATA, _metadata(training, info))
        _seal(temporary)
    return folder


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
    """

    version: str
    summaries: Mapping[str, Any]
    measured: Mapping[str, Any]
    data_description: str
    data_licence: str
    limits: tuple[str, ...] = ()
    note: str = ""
    caution: str = ""


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
        _write_json(temporary / METADATA, metadata)
        _seal(temporary)
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


def _save_weights(folder: Path, training: FinishedTraining, key: str) -> dict[str, Any]:
    """Write one network's files; returns what the metadata say of it."""
    import torch

    from MedSegEffNetLib import networks

    network = networks.build(training.network, training.arguments).eval()
    weights = training.weights[key]
    halved = {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}
    files = {"weights": f"models/{key}.pt", "ir": f"models/{key}.xml"}
    torch.save(halved, folder / files["weights"])
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in halved.items()})
    try:
        from MedSegEffNetLib.models.ir import save_ir

        save_ir(network, int(training.arguments["in_channels"]), folder / files["ir"])
    except ImportError:
        files["ir"] = ""
    return {
        "key": key,
        "name": training.network,
        "arguments": dict(training.arguments),
        "channels": [key] if training.task.ensembles else [channel.name for channel in training.task.channels],
        **files,
        "context": training.context,
        "divisor": int(network.divisor),
        "depth": int(getattr(network, "depth", 0)),
    }


def _info(training: FinishedTraining, networks: list[dict[str, Any]]) -> dict[str, Any]:
    task = training.task
    return {
        "schema": SCHEMA,
        "task": task.id,
        "name": training.name,
        "title": task.title,
        "inputs": [asdict(channel) for channel in task.channels],
        "preprocessing": _steps(training.preprocessing),
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
        "postprocessing": _steps(training.postprocessing),
        "files": {},
        "measured": dict(training.measured),
        "provenance": json.loads(json.dumps(training.provenance)),
    }


def _metadata(training: FinishedTraining, info: dict[str, Any]) -> dict[str, Any]:
    """MONAI's keys (https://monai.readthedocs.io, "MONAI Bundle Specification") and ours."""
    task = training.task
    required = {"efficientnet-pytorch": "0.7.1"} if "efficientnet" in training.network else {}
    inputs = int(training.arguments["in_channels"])
    outputs = int(training.arguments["out_channels"])
    return {
        "schema": "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json",
        "version": training.version,
        "changelog": {training.version: "trained"},
        "monai_version": "1.6.1",
        "pytorch_version": str(training.provenance.get("torch", "2.13.0")).split("+")[0],
        "numpy_version": np.__version__,
        "required_packages_version": required,
        "name": info["name"],
        "task": task.title,
        "description": task.description,
        "authors": "MedSegEffNet developers",
        "copyright": "see LICENSE",
        "data_source": str(training.provenance.get("data", {}).get("folder", "")),
        "data_type": "images",
        "image_classes": ", ".join(channel.title for channel in task.channels),
        "label_classes": ", ".join(f"{label.value} {label.name}" for label in task.labels),
        "pred_classes": ", ".join(f"{number} {region.name}" for number, region in enumerate(task.regions)),
        "eval_metrics": training.provenance.get("validation", {}),
        "intended_use": "research only; not for clinical use",
        "references": [" ".join((citation.text, citation.url)).strip() for citation in task.citations],
        "network_data_format": {
            "inputs": {"image": _data_format("image", info, inputs, [c.title for c in task.channels])},
            "outputs": {"pred": _data_format("segmentation", info, outputs, [r.title for r in task.regions])},
        },
        "medsegeffnet_version": MedSegEffNetLib.__version__,
        OUR_KEY: info,
    }


def _data_format(kind: str, info: Mapping[str, Any], channels: int, names: list[str]) -> dict[str, Any]:
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


def _inference_config(training: FinishedTraining) -> dict[str, Any]:
    """What MONAI's ConfigParser builds the network from."""
    return {
        "imports": ["$from MedSegEffNetLib import networks"],
        "bundle_root": ".",
        "network_def": {
            "_target_": "MedSegEffNetLib.networks.build",
            "name": training.network,
            "arguments": dict(training.arguments),
        },
        "weights": f"$@bundle_root + '/models/{next(iter(training.weights))}.pt'",
    }


def _steps(steps: tuple[Step, ...]) -> list[dict[str, Any]]:
    return [{"name": step.name, "arguments": dict(step.arguments)} for step in steps]


def _seal(folder: Path) -> None:
    """Write the SHA-256 of every other file into the metadata."""
    path = folder / METADATA
    metadata = json.loads(path.read_text(encoding="utf-8"))
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p != path)
    metadata[OUR_KEY]["files"] = {p.relative_to(folder).as_posix(): sha256(p) for p in files}
    _write_json(path, metadata)


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
