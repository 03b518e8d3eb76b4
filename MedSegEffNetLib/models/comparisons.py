"""What a comparison of two models says: its file, and the rule that its verdicts follow."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.models.bundle import Bundle

SCHEMA = 1
FILE, PAGE, PAIRED, OLD, NEW, PICTURES = (
    "comparison.json", "comparison.html", "paired.csv", "old", "new", "pictures",
)  # fmt: skip
BETTER, NO_WORSE, WORSE, NOT_MEASURED = "better", "no worse", "worse", "not measured"
MARGIN = 0.01  # of mean Dice: a smaller loss is none
FEW_CASES = 6  # below this many pairs the exact signed-rank test cannot reach p < 0.05


def fingerprint(bundle: Bundle) -> str:
    """SHA-256 of a model's weights, and of its settings that decide what it gives; short. Names and versions are none."""
    info = bundle.info
    weights = [info["files"][entry["weights"]] for entry in info["networks"]]
    settings = [info[name] for name in ("preprocessing", "thresholds", "postprocessing")]
    told = json.dumps([weights, settings, info.get("ensembles", [])], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def region_verdict(difference: float | None, low: float | None, margin: float, n: int) -> str:
    """The verdict on a region.

    Parameters
    ----------
    difference : mean Dice of the new model minus that of the old one; None: no case tells the region.
    low : lower end of its 95 % interval; None: too few cases for one.
    margin : loss of mean Dice that counts as none.
    n : cases; fewer than :data:`FEW_CASES` cannot tell a gain from chance.
    """
    if difference is None:
        return NOT_MEASURED
    if difference < -margin:
        return WORSE
    return BETTER if low is not None and low > 0 and n >= FEW_CASES else NO_WORSE


def overall(verdicts: Collection[str]) -> str:
    """The verdict on a model: worse if any region is, else better if any is, else no worse."""
    return next((verdict for verdict in (WORSE, BETTER) if verdict in verdicts), NO_WORSE)


def judged(content: Mapping[str, Any], margin: float) -> dict[str, Any]:
    """A comparison's content with the verdicts after another ``margin``."""
    regions = {
        name: {**figures, "verdict": region_verdict(figures["difference"], figures["low"], margin, figures["n"])}
        for name, figures in content["regions"].items()
    }
    verdict = overall([figures["verdict"] for figures in regions.values()])
    return {**content, "margin": margin, "regions": regions, "verdict": verdict}


def sentence(region: str, figures: Mapping[str, Any], margin: float) -> str:
    """The verdict on a region in words."""
    if figures["verdict"] == NOT_MEASURED:
        return f"{region}: not measured, as no case tells its true extent."
    change, low, high = figures["difference"], figures["low"], figures["high"]
    numbers = f"mean Dice {figures['old']['mean']:.3f} before, {figures['new']['mean']:.3f} now ({change:+.3f}"
    numbers += f"; 95 % interval {low:+.3f} to {high:+.3f})" if low is not None else ")"
    cases = f"{figures['n']} case" + ("" if figures["n"] == 1 else "s")
    told = f"{region}: {figures['verdict']}; {numbers}, {cases}."
    if figures["verdict"] == WORSE:
        return f"{told} The loss is larger than the margin of {margin:g}."
    if figures["verdict"] == NO_WORSE and low is not None and low < -margin:
        return f"{told} A loss larger than the margin of {margin:g} is not ruled out: more cases would tell."
    if figures["verdict"] == NO_WORSE and low is not None and low > 0:
        return f"{told} {FEW_CASES} cases or more are needed to call it better."
    return told


def read(folder: Path) -> dict[str, Any]:
    """The content of ``comparison.json`` in ``folder``, checked.

    Raises
    ------
    InputError
        It is not there, damaged, or of a newer version.
    """
    path = folder / FILE
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if int(content["schema"]) > SCHEMA:
            raise InputError(
                f"{path} was written by a newer version (schema {content['schema']})", hint="update MedSegEffNet"
            )
        judged(content, float(content["margin"]))
        for part in (content["old"], content["split"], content["snapshot"], content["new"]["weights"]):
            str(part)
        list(content["cases"])
    except FileNotFoundError as error:
        raise InputError(
            f"there is no comparison in {folder}",
            expected=f"a folder with {FILE}",
            hint="compare the model first: medsegeffnet models compare RUN",
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({error})", hint="compare the models again") from error
    return content
