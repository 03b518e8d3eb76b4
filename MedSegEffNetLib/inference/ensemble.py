"""Which networks of a model vote for which region, given the images that are there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.task import Ensemble, SegmentationTask

Weights = Mapping[str, float]
VALIDATED = "validated"
GOOD_ENOUGH = 0.8


@dataclass(frozen=True)
class Votes:
    """Weights of networks by key, one mapping a region in the model's order; each sums to 1.

    Parameters
    ----------
    by_region : region name → network key → weight.
    warnings : what had to be done without, for the user.
    doubts : what of it makes the result doubtful.
    """

    by_region: Mapping[str, Weights]
    warnings: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def networks(self) -> tuple[str, ...]:
        """Keys of all networks that have a vote."""
        return tuple(dict.fromkeys(key for weights in self.by_region.values() for key in weights))

    def channels(self, bundle: Bundle) -> set[str]:
        """Names of the channels that the networks with a vote see."""
        seen = (entry["channels"] for entry in bundle.info["networks"] if str(entry["key"]) in self.networks)
        return {str(channel) for channels in seen for channel in channels}


def validated(dice: Mapping[str, Mapping[str, float]]) -> Ensemble:
    """Votes that follow from the Dice of single networks on validation cases, as mean of region → network → Dice.

    A network's vote for a region weighs as much as its Dice; one that reaches less than :data:`GOOD_ENOUGH` of the best
    one's has none: a weak network adds more noise than knowledge to a mean.
    """
    votes = {}
    for region, values in dice.items():
        rounded = {key: round(value, 3) for key, value in values.items()}
        least = GOOD_ENOUGH * max(rounded.values())
        votes[region] = {key: value for key, value in rounded.items() if value >= least and value > 0}
        votes[region] = votes[region] or dict.fromkeys(values, 1.0)
    return Ensemble(VALIDATED, "every region from the networks that found it best on validation cases", votes)


def from_validation(task: SegmentationTask, rows: Mapping[str, Mapping[str, float]]) -> tuple[Ensemble, ...]:
    """:func:`validated` of the epochs that a training kept, by network; none where no validation case tells a region."""
    dice: dict[str, dict[str, float]] = {region.name: {} for region in task.regions}
    for name, figures in dice.items():
        figures |= {key: row[f"val_dice_{name}"] for key, row in rows.items() if f"val_dice_{name}" in row}
    return (validated(dice),) if task.ensembles and len(rows) > 1 and all(dice.values()) else ()


def check(bundle: Bundle, ensemble: str) -> None:
    """Raise an :class:`InputError` if the model has no ``ensemble`` (empty: its default)."""
    there = bundle.ensembles
    if ensemble and ensemble not in there:
        expected = "one of " + ", ".join(there) if len(there) > 1 else "no --ensemble: the model has a single network"
        raise InputError(f"model {bundle.name} has no ensemble '{ensemble}'", expected=expected)


def choose(bundle: Bundle, ensemble: str, given: Collection[str]) -> Votes:
    """The votes of ``ensemble`` (empty: the model's default) among the networks whose channels are ``given``.

    A region whose networks are all missing is left to all those that are there.

    Raises
    ------
    InputError
        The model has no such ensemble or network, or an image of the single network asked for is missing.
    """
    check(bundle, ensemble)
    name = ensemble or bundle.ensembles[0]
    channels = {str(entry["key"]): entry["channels"] for entry in bundle.info["networks"]}
    separate = bool(bundle.info.get("ensembles"))
    usable = [key for key, needed in channels.items() if not separate or set(needed) <= set(given)]
    if name in channels:
        if name not in usable:
            raise InputError(
                f"the network {name} needs the image {', '.join(channels[name])}, which is not among those given",
                expected="an image for " + ", ".join(channels[name]),
                hint="give it with --input, or choose another --ensemble",
            )
        return Votes({region.name: {name: 1.0} for region in bundle.regions})
    if not usable:
        raise InputError(
            f"no network of model {bundle.name} sees {', '.join(given)}",
            expected="an image for one of "
            + ", ".join(sorted({part for parts in channels.values() for part in parts})),
        )
    entry = next(entry for entry in bundle.info["ensembles"] if entry["name"] == name)
    titles = {channel.name: channel.title for channel in bundle.channels}
    titles |= {region.name: region.title for region in bundle.regions}
    return _without_missing(entry["votes"], usable, titles)


def _without_missing(votes: Mapping[str, Weights], usable: list[str], titles: Mapping[str, str]) -> Votes:
    def said(keys: Iterable[str]) -> str:
        *before, last = [titles.get(key, key) for key in keys]
        return f"{', '.join(before)} and {last}" if before else last

    by_region, warnings, doubts = {}, [], []
    for region, weights in votes.items():
        left = {key: weight for key, weight in weights.items() if key in usable}
        missing = [key for key in weights if key not in left]
        if not left:
            left = dict.fromkeys(usable, 1.0)
            doubts.append(
                f"The {said([region])} is left to {said(usable)}, as {said(missing)} cannot vote: "
                "expect it to be far less certain."
            )
        elif missing:
            warnings.append(f"The {said([region])} is found without {said(missing)}, by {said(left)} alone.")
        total = sum(left.values())
        by_region[region] = {key: weight / total for key, weight in left.items()}
    voting = {key for weights in by_region.values() for key in weights}
    idle = [key for key in usable if key not in voting]
    if idle:
        warnings.append(f"There, but without a vote in this combination of networks: {said(idle)}.")
    return Votes(by_region, tuple(warnings), tuple(doubts))


class Ballot:
    """Adds up the votes of one network after the other, so that no more than one network's maps are in memory."""

    def __init__(self, votes: Votes, regions: list[str]) -> None:
        self._votes = votes
        self._regions = regions
        self._total: np.ndarray | None = None
        self._seen: np.ndarray | None = None

    def rows(self, key: str) -> slice | list[int]:
        """The outputs of the network ``key`` that count: all of one that is alone."""
        if len(self._votes.networks) == 1:
            return slice(None)
        return [number for number, region in enumerate(self._regions) if self._votes.by_region[region].get(key)]

    def add(self, key: str, maps: np.ndarray) -> None:
        """``maps`` ``(R, X, Y, Z)`` of the network ``key``, those of :meth:`rows` alone."""
        rows = self.rows(key)
        if isinstance(rows, slice):
            self._total = maps
            return
        if self._total is None or self._seen is None:
            self._total = np.zeros_like(maps, shape=(len(self._regions), *maps.shape[1:]))
            self._seen = np.zeros_like(self._total, dtype=np.uint8)
        for number, votes in zip(rows, maps, strict=True):
            self._total[number] += np.float32(self._votes.by_region[self._regions[number]][key]) * votes
            self._seen[number] += votes >= 0.5

    def result(self) -> np.ndarray:
        """Weighted mean ``(R, X, Y, Z)`` of all votes."""
        if self._total is None:
            raise RuntimeError("no network has voted")
        return self._total

    def counts(self) -> dict[str, np.ndarray]:
        """For each region that several networks vote for: how many voxels none, one, … of them sees it in."""
        found: dict[str, np.ndarray] = {}
        for number, region in enumerate(self._regions):
            voters = len(self._votes.by_region[region])
            if voters > 1 and self._seen is not None:
                seen = self._seen[number]
                found[region] = np.array([np.count_nonzero(seen == count) for count in range(voters + 1)])
        return found
