"""What is known of the model that a training made: comparison, what speaks against it, versions. No Qt: read in a thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.job import read_request
from MedSegEffNetLib.models.bundle import METADATA, Bundle
from MedSegEffNetLib.models.comparisons import (
    BETTER,
    FILE,
    MARGIN,
    NO_WORSE,
    NOT_MEASURED,
    PAGE,
    WORSE,
    fingerprint,
    read,
    sentence,
)
from MedSegEffNetLib.models.promotion import check, rival
from MedSegEffNetLib.models.registry import list_models
from MedSegEffNetLib.models.sources import COMPARISON, MODEL, source_of
from MedSegEffNetLib.models.versions import Version, history, previous
from MedSegEffNetPanel.comparing.texts import NOTHING
from MedSegEffNetPanel.wording import sentences

_ANY = "?"  # stands for a reason when it is asked what speaks against a promotion


@dataclass(frozen=True)
class Facts:
    """A run's model.

    Attributes
    ----------
    task : its task's id. parent : ``name@version`` that the training started from; empty: none.
    made : whether the training has made a model. name, version : what it would be promoted to.
    comparison : content of ``comparison.json``; None: there is none.
    against : why it would be refused, unless there is a reason to promote it all the same; empty: nothing.
    problem : why it cannot be promoted at all. promoted : ``name@version`` that this very model already is.
    rival : the model that it is compared with unless another is named. rivals : ``name@version`` of all models of the
        task. versions : of the name, newest first.
    previous : the version that a roll back goes to; empty: there is none.
    """

    folder: Path
    task: str = ""
    parent: str = ""
    made: bool = False
    name: str = ""
    version: str = ""
    comparison: Mapping[str, Any] | None = None
    against: str = ""
    problem: str = ""
    promoted: str = ""
    rival: str = ""
    rivals: tuple[str, ...] = ()
    versions: tuple[Version, ...] = field(default=(), repr=False)
    previous: str = ""

    @property
    def current(self) -> str:
        """``name@version`` that the name means now; empty: there is none."""
        return next((f"{one.name}@{one.version}" for one in self.versions if one.current), "")


def read_facts(folder: Path, name: str = "") -> Facts:
    """What is known of the model in the run ``folder``, if it were promoted as ``name`` (empty: as the library says)."""
    try:
        request = (read_request(folder) or {"request": {}})["request"]
    except InputError as error:
        return Facts(folder, problem=sentences(error.found, error.hint))
    facts: dict[str, Any] = {"task": str(request.get("task", "")), "parent": str(request.get("parent") or "")}
    if not (folder / MODEL / METADATA).is_file():
        return Facts(folder, **facts)
    facts["made"] = True
    try:
        bundle = Bundle.open(folder / MODEL)
        models = list_models()
        facts["rivals"] = tuple(f"{one.name}@{one.version}" for one in models if one.task_id == bundle.task_id)
        facts["rival"] = rival(source_of(str(folder)))
        facts["name"] = name or facts["parent"].partition("@")[0] or bundle.name
        facts["versions"] = tuple(history(facts["name"]))
        facts["previous"] = previous(facts["name"])
        facts["promoted"] = _twin(bundle, facts["versions"])
        if (folder / COMPARISON / FILE).is_file():
            facts["comparison"] = read(folder / COMPARISON)
        checked = check(str(folder), name=name, override=_ANY)
    except InputError as error:
        return Facts(folder, **facts, problem=sentences(error.found, error.hint))
    return Facts(folder, **facts, version=checked.version, against=checked.held_against)


def _twin(bundle: Bundle, versions: tuple[Version, ...]) -> str:
    """The promoted version that is this very model; empty: none is."""
    mine = fingerprint(bundle)
    for one in versions:
        if one.time and fingerprint(Bundle.open(one.folder)) == mine:
            return f"{one.name}@{one.version}"
    return ""


def verdict_text(verdict: str) -> str:
    """A verdict in the user's words."""
    words = {
        BETTER: _("better"),
        NO_WORSE: _("no worse"),
        WORSE: _("worse"),
        NOT_MEASURED: _("not measured"),
    }
    return words.get(verdict, verdict)


def titles() -> list[str]:
    """The columns of :func:`cells`."""
    return [_("Label"), _("Before"), _("Now"), _("Change"), _("Verdict")]


def tips() -> list[str]:
    """What the columns are."""
    return [
        _("The label or region that is measured."),
        _("Mean Dice of the model before, and the standard deviation over the cases."),
        _("Mean Dice of the new model, and the standard deviation over the cases."),
        _("Mean of the differences, and its 95 % interval (bootstrap over the cases)."),
        _(
            "Worse: the mean fell by more than the margin. Better: the whole interval lies above 0, in six "
            "cases or more. p: Wilcoxon's signed-rank test, two-sided; below 0.05 chance alone would hardly do it."
        ),
    ]


def cells(region: str, figures: Mapping[str, Any]) -> list[str]:
    """The row of a region, two lines each."""
    sides = [f"{_number(of['mean'])}\n±{_number(of['std'], 2)}" for of in (figures["old"], figures["new"])]
    low, high = (_number(figures[name]) for name in ("low", "high"))
    change = f"{_number(figures['difference'], signed=True)}\n{low}…{high}"
    return [region, *sides, change, f"{verdict_text(figures['verdict'])}\n{_chance(figures['p'])}"]


def summary(comparison: Mapping[str, Any]) -> str:
    """The verdict, on which cases, and what the reader should know."""
    words = {
        BETTER: _("The new model is better than {old}"),
        NO_WORSE: _("The new model is no worse than {old}"),
        WORSE: _("The new model is worse than {old}"),
    }
    told = words[comparison["verdict"]].format(old=comparison["old"])
    where = _("{count} held-out cases").format(count=len(comparison["cases"]))
    of = _("snapshot {id}").format(id=comparison["snapshot"]) if comparison["snapshot"] else comparison.get("data", "")
    lines = [f"{told} ({', '.join(filter(None, (where, of)))})."]
    return "\n".join([*lines, *(f"⚠ {text}" for text in comparison.get("warnings", ()))])


def losses(comparison: Mapping[str, Any]) -> list[list[str]]:
    """The cases that lost most: case, label, Dice before and now."""
    return [
        [str(one["case"]), str(one["region"]), _number(one["old"]), _number(one["new"])]
        for one in comparison.get("worst", ())
    ]


def loss_picture(facts: Facts, place: int) -> Path | None:
    """The picture of a case that lost; None: there is none."""
    worst = (facts.comparison or {}).get("worst", ())
    pictures = worst[place]["pictures"] if 0 <= place < len(worst) else ()
    return facts.folder / COMPARISON / pictures[0]["file"] if pictures else None


def page_of(facts: Facts) -> Path | None:
    """The page of the comparison; None: there is none."""
    path = facts.folder / COMPARISON / PAGE
    return path if facts.comparison is not None and path.is_file() else None


def version_cells(version: Version) -> list[str]:
    """The row of a version: its number, whether it is current, where it comes from, how it did."""
    given = _("imported") if version.own else _("shipped")
    told = verdict_text(version.verdict) if version.verdict else ""
    return [version.version, _("current") if version.current else "", version.time[:10] or given, told]


def version_tip(version: Version) -> str:
    """What the row has no room for."""
    parts = [f"{version.name}@{version.version}"]
    if version.parent:
        parts.append(_("Trained from {parent}.").format(parent=version.parent))
    if version.snapshot:
        parts.append(_("Snapshot {id}.").format(id=version.snapshot))
    for region, figures in version.regions.items():
        parts.append(sentence(region, figures, MARGIN))
    if version.override:
        parts.append(_("Promoted all the same: {reason}.").format(reason=version.override))
    if version.synthesised:
        parts.append(_("It learnt from synthesised images too."))
    return "\n".join(parts)


def _number(value: float | None, digits: int = 3, *, signed: bool = False) -> str:
    if value is None:
        return NOTHING
    return f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"


def _chance(p: float | None) -> str:
    if p is None:
        return NOTHING
    return "p < 0.001" if p < 0.001 else f"p {p:.3f}"
