"""A trained model becomes a version of the user's models, with its whole provenance. It must have earned its place."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import MedSegEffNetLib
from MedSegEffNetLib import atomic
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.models import card, comparisons, registry, versions
from MedSegEffNetLib.models.build import seal, without_nan
from MedSegEffNetLib.models.bundle import CARD, METADATA, OUR_KEY, Bundle
from MedSegEffNetLib.models.sources import COMPARISON, Source, source_of
from MedSegEffNetLib.models.transfer import Told, is_usable_name, silent, staging
from MedSegEffNetLib.task import list_tasks

FIRST = "0.1.0"
_SYNTHESISED = "It learnt from synthesised images too, which no scanner took."


@dataclass(frozen=True)
class Promotion:
    """What is about to become a version, checked.

    Parameters
    ----------
    name, version : of the new version.
    comparison : content of ``comparison.json`` with the verdicts after the margin; None: there is none.
    held_against : why it would be refused; empty: nothing speaks against it.
    override : why it is promoted all the same; empty where nothing speaks against it.
    """

    source: Source
    name: str
    version: str
    comparison: Mapping[str, Any] | None
    summary: Mapping[str, Any]
    held_against: str
    override: str


def promote(
    model: str,
    *,
    name: str = "",
    comparison: Path | None = None,
    override: str = "",
    margin: float | None = None,
    told: Told = silent,
) -> Bundle:
    """Make a version of the user's models from a training's model; it becomes the current one of its name.

    The new version is there whole or not at all. The same model promoted twice is one version.

    Parameters
    ----------
    model : folder of a run or of a model, or a model's name.
    name : of the model; empty: that of the model that it was trained from, else its own (task and network).
    comparison : folder of its comparison; None: that of the run.
    override : why it is promoted without a comparison on held-out cases, or although a region got worse.
    margin : loss of mean Dice that counts as none; None: that of the comparison.

    Raises
    ------
    InputError
        There is no such model, it has not been compared on held-out cases or a region got worse (and there is no
        ``override``), or the name cannot be used. Nothing has been written.
    """
    checked = check(model, name=name, comparison=comparison, override=override, margin=margin)
    told("Check", 0, 1)
    checked.source.bundle.verify()
    told("Check", 1, 1)
    twin = _version_of(checked.source, checked.name)
    if twin is not None:
        if registry.current(twin.name) != twin:  # another one was promoted since, or it was rolled back
            versions.rollback(twin.name, twin.version)
        return twin
    with staging() as folder:
        told("Copy", 0, 1)
        _write(checked, folder / "model")
        told("Copy", 1, 1)
        Bundle.open(folder / "model").verify()
        return _take_place(folder / "model", checked)


def check(
    model: str, *, name: str = "", comparison: Path | None = None, override: str = "", margin: float | None = None
) -> Promotion:
    """What :func:`promote` would do; parameters and errors as there."""
    source = source_of(model)
    if margin is not None and not 0 <= margin < 1:
        raise InputError(f"--margin {margin}", expected="a loss of mean Dice from 0 to below 1, e.g. 0.01")
    name = name or _usual_name(source)
    _check_name(name, source.bundle)
    folder = comparison or (source.run / COMPARISON if source.run else None)
    content, summary, against = _judge(source, name, folder, margin)
    reason = " ".join(override.split())
    if against and not reason:
        raise InputError(
            f"{source.bundle.folder} is not promoted: {against}",
            expected="a model that was compared on held-out cases and is no worse in any region",
            hint="compare it (medsegeffnet models compare RUN) or train further; --override REASON promotes it all the "
            "same and writes the reason into its card",
        )
    return Promotion(source, name, next_version(name), content, summary, against, reason if against else "")


def rival(source: Source) -> str:
    """The model that a new one has to meet: the current version of the name that it will take, else what it was trained
    from, else the default of its task.
    """
    current = registry.current(_usual_name(source))
    if current is not None and comparisons.fingerprint(current) != comparisons.fingerprint(source.bundle):
        return f"{current.name}@{current.version}"
    return source.parent or source.bundle.task_id


def _usual_name(source: Source) -> str:
    return source.parent.partition("@")[0] or source.bundle.name


def next_version(name: str) -> str:
    """The next minor version after the newest of ``name``; :data:`FIRST` where there is none."""
    versions = [registry.version_key(bundle.version) for bundle in registry.list_models() if bundle.name == name]
    if not versions:
        return FIRST
    major, minor, *_ = (*max(versions), 0, 0)
    following = (f"{major}.{number}.0" for number in itertools.count(minor + 1))
    return next(version for version in following if not _folder(name, version).exists())  # a broken model may lie there


def _folder(name: str, version: str) -> Path:
    return registry.user_folder() / f"{name}-{version}"


def _check_name(name: str, bundle: Bundle) -> None:
    if not is_usable_name(name):
        raise InputError(f"--name {name}", expected="letters, digits, '.', '-' and '_' (64 at most)")
    if name in list_tasks():
        raise InputError(f"--name {name}", expected="a name that is no task's: a task's id means its default model")
    other = next((known for known in registry.list_models() if known.name == name), None)
    if other is not None and other.task_id != bundle.task_id:
        raise InputError(
            f"{name} is a model of task {other.task_id}, the new one is of {bundle.task_id}",
            expected="one task for all versions of a name",
            hint="give it another name with --name",
        )


def _judge(
    source: Source, name: str, folder: Path | None, margin: float | None
) -> tuple[dict[str, Any] | None, dict[str, Any], str]:
    """The comparison, the new model's figures, and what speaks against the model (empty: nothing)."""
    if folder is None or not (folder / comparisons.FILE).is_file():
        return None, {}, "it has not been compared with the model before it on held-out cases"
    content = comparisons.read(folder)
    content = comparisons.judged(content, float(content["margin"]) if margin is None else margin)
    if content["new"]["weights"] != comparisons.fingerprint(source.bundle):
        raise InputError(
            f"the comparison in {folder} is of another model",
            expected="a comparison of this model as it is now",
            hint="compare it again: medsegeffnet models compare RUN",
        )
    summary = _summary(folder)
    learnt = source.bundle.info["provenance"].get("data", {}).get("cases", {})
    seen = {case for split in ("train", "val") for case in learnt.get(split, ())} & set(content["cases"])
    if seen:
        return (
            content,
            summary,
            f"it was compared on cases that it learnt from ({len(seen)} of {len(content['cases'])})",
        )
    replaced = registry.current(name)
    earned = _version_of(source, name) is not None  # its place before: it is taken up again
    if replaced is not None and not earned and content["old"] != (key := f"{replaced.name}@{replaced.version}"):
        return content, summary, f"it was compared with {content['old']}, and would replace {key}"
    worse = [region for region, figures in content["regions"].items() if figures["verdict"] == comparisons.WORSE]
    against = f"it is worse than {content['old']} in {', '.join(worse)} (margin {content['margin']:g})" if worse else ""
    return content, summary, against


def _summary(folder: Path) -> dict[str, Any]:
    """The evaluation of the new model that the comparison made; empty where its file was removed."""
    try:
        found: dict[str, Any] = json.loads((folder / comparisons.NEW / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _version_of(source: Source, name: str) -> Bundle | None:
    """The version of ``name`` that is this very model: promoted again, or its promotion was told to nobody."""
    mine = comparisons.fingerprint(source.bundle)
    promoted = (one for one in registry.list_models() if one.name == name and registry.is_promoted(one))
    return next((one for one in promoted if comparisons.fingerprint(one) == mine), None)


def _write(checked: Promotion, folder: Path) -> None:
    """The new version in ``folder``: the model's files, with metadata and card of its own."""
    bundle = checked.source.bundle
    try:
        shutil.copytree(bundle.folder, folder)
    except (OSError, shutil.Error) as error:
        problem = error if isinstance(error, OSError) and error.errno else OSError(str(error))
        raise atomic.write_error(folder, problem) from error
    metadata = json.loads(json.dumps(bundle.metadata))
    info = metadata[OUR_KEY]
    info["name"] = metadata["name"] = checked.name
    metadata["version"] = checked.version
    metadata["changelog"] = {checked.version: _change(checked), **_earlier_changes(checked.name)}
    metadata["medsegeffnet_version"] = MedSegEffNetLib.__version__
    info["provenance"] |= _provenance(checked)
    info["measured"] = {**_times(checked), **info["measured"]}
    summaries = {}
    if checked.comparison and checked.summary:
        summaries = {str(checked.comparison["split"]): without_nan(checked.summary)}
        metadata["eval_metrics"] = summaries
        info["provenance"]["metrics"] = summaries
    atomic.write_text(folder / CARD, card.write_card(info, checked.version, summaries))
    atomic.write_json(folder / METADATA, without_nan(metadata))
    seal(folder)


def _provenance(checked: Promotion) -> dict[str, Any]:
    """What the promotion adds to what the training wrote. No folder of the user's disk is named: models are given away."""
    bundle, source = checked.source.bundle, checked.source
    known = bundle.info["provenance"]
    content = checked.comparison
    replaced = registry.current(checked.name)
    synthesised = bool(
        known.get("synthesised")
        or known.get("data", {}).get("synthesised")
        or known.get("recipe", {}).get("synthetic_share")
        or known.get("recipe", {}).get("with_synthesised")
        or (content or {}).get("synthesised")
    )
    promotion = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "code_version": MedSegEffNetLib.__version__,
        "run": source.run.resolve().name if source.run else "",
        "model": f"{bundle.name}@{bundle.version}",
        "replaced": replaced.version if replaced else "",
        "margin": content["margin"] if content else None,
        "comparison": _kept(content) if content else None,
        "override": {"reason": checked.override, "against": checked.held_against} if checked.override else None,
    }
    cautions = [str(known["caution"])] if known.get("caution") else []
    if synthesised and _SYNTHESISED not in cautions:
        cautions.append(_SYNTHESISED)
    parent = _parent(source)
    warned = parent.info["provenance"].get("caution") if parent else ""
    return {
        "synthesised": synthesised,
        "caution": " ".join(cautions),
        "parent_caution": str(warned or known.get("parent_caution", "")),
        "promotion": promotion,
    }


def _kept(content: Mapping[str, Any]) -> dict[str, Any]:
    """Of a comparison, what belongs to the model for good."""
    names = ("schema", "old", "split", "snapshot", "cases", "margin", "regions", "verdict", "warnings", "data")
    return {name: content[name] for name in names if name in content}


def _parent(source: Source) -> Bundle | None:
    """The model that the training started from, where it is installed."""
    name, _, version = source.parent.partition("@")
    models = registry.list_models()
    return next((bundle for bundle in models if (bundle.name, bundle.version) == (name, version)), None)


def _times(checked: Promotion) -> dict[str, Any]:
    """The time for a pixel that was measured of the parent holds for a model of the same networks."""
    parent = _parent(checked.source)
    if parent is None or _networks(parent) != _networks(checked.source.bundle):
        return {}
    known = parent.info["measured"]
    if "seconds_per_megapixel" not in known:
        return {}
    where = f"{known.get('measured_on', 'an unknown machine')}, with {parent.name}@{parent.version}"
    return {"seconds_per_megapixel": known["seconds_per_megapixel"], "measured_on": where}


def _networks(bundle: Bundle) -> list[Any]:
    return [(entry["name"], entry["arguments"]) for entry in bundle.info["networks"]]


def _change(checked: Promotion) -> str:
    parent = checked.source.parent
    return (f"fine-tuned from {parent}" if parent else "trained from scratch") + (
        f" on snapshot {snapshot}" if (snapshot := _snapshot(checked)) else ""
    )


def _snapshot(checked: Promotion) -> str:
    return str(checked.source.bundle.info["provenance"].get("data", {}).get("snapshot") or "")


def _earlier_changes(name: str) -> dict[str, str]:
    newest = next((bundle for bundle in registry.list_models() if bundle.name == name), None)
    return dict(newest.metadata.get("changelog", {})) if newest else {}


def _take_place(draft: Path, checked: Promotion) -> Bundle:
    """Rename ``draft`` to the version's folder: from then on it is current. A folder that is there stays untouched."""
    target = _folder(checked.name, checked.version)
    try:
        draft.rename(target)
    except OSError as error:
        if target.exists():
            raise InputError(
                f"{target} is there already",
                expected="a folder that nobody has made meanwhile",
                hint="promote the model once more: it takes the next version",
            ) from error
        raise atomic.write_error(target, error) from error
    # A roll back from a version of this number that was removed since would take the new one's place.
    registry.current_file(checked.name).unlink(missing_ok=True)
    return Bundle.open(target)
