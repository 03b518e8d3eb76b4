"""The model card: what a model is for, what it was trained on, how good it is, what it cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DISCLAIMER = (
    "Research only. Not for clinical use: no part of it is a medical device, and it has not been validated as one."
)

_MADE = (
    "- What it makes is no measurement. It shows what images of this kind mostly look like beside the given ones; a "
    "finding that the given images do not show can be missing, and one can be there that the patient does not have.",
    "- Contrast enhancement cannot be known from images without contrast agent: a made T1 post-contrast shows none, or "
    "a guess. It must not be used to tell whether a lesion enhances.",
)


def write_card(info: Mapping[str, Any], version: str, summary: Mapping[str, Any]) -> str:
    """Markdown text from the model's keys and the summaries of its evaluations by split (may be empty)."""
    provenance = info["provenance"]
    caution = provenance.get("caution")
    sections = [
        *([f"**{caution}**"] if caution else []),
        f"# {info['name']} {version}",
        DISCLAIMER,
        "## What it does\n\n"
        + f"Task `{info['task']}` ({info.get('title', '')}).\n\n"
        + (_targets(info) if "targets" in info else _inputs(info) + "\n" + _labels(info) + _ensembles(info)),
        "## What it was trained on\n\n" + _training(info, provenance),
        "## How good it is\n\n" + _figures(summary, provenance, "targets" in info),
        *_promotion(provenance),
        "## Time and memory\n\n" + _measured(info["measured"]),
        "## What it cannot do\n\n" + _limits(info, provenance),
    ]
    return "\n\n".join(sections) + "\n"


def excerpt(card: str) -> str:
    """The parts of a card that a report shows: what the model was trained on, and what it cannot do."""
    wanted = ("## What it was trained on", "## What it cannot do")
    parts = ["## " + part for part in card.split("\n## ")[1:]]
    return "\n\n".join(part.strip() for part in parts if part.startswith(wanted))


def _inputs(info: Mapping[str, Any]) -> str:
    rows = ["| channel | needed | stands in when missing |", "|---|---|---|"]
    for channel in info["inputs"]:
        stand_in = channel["substitute"] or ("zeros" if not channel["required"] else "")
        stand_in = "the networks of the others" if info.get("ensembles") else stand_in
        rows.append(
            f"| {channel['name']} ({channel['title']}) | {'yes' if channel['required'] else 'no'} | {stand_in} |"
        )
    return "\n".join(rows) + "\n"


def _targets(info: Mapping[str, Any]) -> str:
    """The images that a synthesis model takes and makes."""
    patients = info.get("patients", {})
    rows = [
        "Makes an image from one or more of the others.\n",
        "| image | is made | learnt from |",
        "|---|---|---|",
    ]
    for channel in info["inputs"]:
        count = patients.get(channel["name"])
        learnt = "" if count is None else f"{count} patient{'s' * (count != 1)}"
        made = "yes" if channel["name"] in info["targets"] else "no"
        rows.append(f"| `{channel['name']}` ({channel['title']}) | {made} | {learnt} |")
    return "\n".join(rows)


def _labels(info: Mapping[str, Any]) -> str:
    return "Labels: " + ", ".join(f"{label['value']} {label['name']}" for label in info["labels"]) + "."


def _ensembles(info: Mapping[str, Any]) -> str:
    """How the networks vote, the default first; empty for a model of a single network."""
    if len(info["networks"]) == 1:
        return ""
    networks = ", ".join(f"`{network['key']}`" for network in info["networks"])
    rows = [
        f"\n\nA network for each of {networks}. `--ensemble` chooses which of them vote; the first is the default.\n",
        "| ensemble | what it does | votes |",
        "|---|---|---|",
    ]
    for entry in info.get("ensembles", []):
        votes = "; ".join(
            f"{region}: " + ", ".join(f"{key} {weight:g}" for key, weight in weights.items())
            for region, weights in entry["votes"].items()
        )
        rows.append(f"| `{entry['name']}` | {entry['title']} | {votes} |")
    return "\n".join([*rows, f"| {networks} | that network alone | |"])


def _training(info: Mapping[str, Any], provenance: Mapping[str, Any]) -> str:
    network, data = info["networks"][0], provenance.get("data", {})
    cases = data.get("cases", {})
    counts = ", ".join(f"{len(ids)} {split}" for split, ids in cases.items() if ids)
    lines = [
        f"- Data: {data.get('description') or data.get('folder', 'unknown')}"
        + (f"; cases, divided by patient: {counts}" if counts else ""),
        f"- Network: `{network['name']}` {network['arguments']}",
        *([] if "targets" in info else [f"- Encoder started from: {provenance.get('encoder_start', 'random')}"]),
        *(
            [f"- Epochs: {provenance['epochs_trained']}" + _chosen_epoch(provenance)]
            if "epochs_trained" in provenance
            else []
        ),
        *(f"- {stage['what'][0].upper()}{stage['what'][1:]}" for stage in provenance.get("stages", [])),
    ]
    if provenance.get("parent"):
        lines.append(f"- Fine-tuned from: {provenance['parent']}")
    if provenance.get("parent_caution"):
        lines.append(f"- The card of the model that it started from warns: {provenance['parent_caution']}")
    if data.get("snapshot"):
        lines.append(f"- Snapshot of the data set: `{data['snapshot']}`")
    if data.get("licence"):
        lines.append(f"- Licence of the data, which the weights inherit: {data['licence']}")
    return "\n".join(lines)


def _promotion(provenance: Mapping[str, Any]) -> list[str]:
    """How the model did against the one before it, and why it took its place all the same; empty: it was not promoted."""
    promotion = provenance.get("promotion")
    if not promotion:
        return []
    told, found = [], promotion.get("comparison")
    if found:
        told.append(
            f"Compared with {found['old']} on the {len(found['cases'])} cases of `{found['split']}`: {found['verdict']} "
            f"(a loss of mean Dice up to {found['margin']:g} counts as none)."
        )
        rows = [
            "| region | before: mean / SD / median | now: mean / SD / median | difference (95 % interval) | p | n | verdict |",
            "|---|---|---|---|---|---|---|",
        ]
        for region, figures in found["regions"].items():
            before, now = (
                " / ".join(_number(figures[side][part]) for part in ("mean", "std", "median"))
                for side in ("old", "new")
            )
            change = f"{_number(figures['difference'])} ({_number(figures['low'])} to {_number(figures['high'])})"
            told_p = _number(figures["p"])
            rows.append(
                f"| {region} | {before} | {now} | {change} | {told_p} | {figures['n']} | {figures['verdict']} |"
            )
        told += ["\n".join(rows), *(f"- {warning}" for warning in found.get("warnings", ()))]
    override = promotion.get("override")
    if override:
        told.append(f"**Promoted although {override['against']}.** Reason given: {override['reason']}")
    return ["## Compared with the model before it\n\n" + "\n\n".join(told)] if told else []


def _chosen_epoch(provenance: Mapping[str, Any]) -> str:
    """Which epoch's weights these are, where validation cases chose it."""
    if not provenance.get("best_epoch") or provenance.get("recipe", {}).get("monitor") == "epoch":
        return ""
    return f", best on validation: {provenance['best_epoch']}"


def _figures(summary: Mapping[str, Any], provenance: Mapping[str, Any], synthesis: bool) -> str:
    if not summary:
        best = provenance.get("validation", {})
        if "val_ssim" in best:
            found = ", ".join(
                f"{name.removeprefix('val_')} {value:.3f}" for name, value in best.items() if "val_ssim" in name
            )
            return f"Not evaluated yet. On validation cases during training, each image from all others: {found}."
        return f"Not evaluated yet. Dice on validation cases during training: {best.get('val_dice', float('nan')):.3f}."
    parts = []
    for split, regions in summary.items():
        if synthesis:
            parts.append(f"Cases of `{split}`, mean (SD):\n\n" + _made_figures(regions))
            continue
        rows = [
            f"Cases of `{split}`, each over all of its slices (empty ones included):\n",
            "| region | metric | mean | SD | median | n |",
            "|---|---|---|---|---|---|",
        ]
        for region, metrics in regions.items():
            for metric, figures in metrics.items():
                numbers = " | ".join(_number(figures[name]) for name in ("mean", "std", "median"))
                rows.append(f"| {region} | {metric} | {numbers} | {figures['n']} |")
        parts.append("\n".join(rows))
    note = provenance.get("note", "")
    return "\n\n".join([*parts, note] if note else parts)


def _made_figures(summary: Mapping[str, Any]) -> str:
    """A row for each choice of inputs and each region: what an image that was made is worth beside the real one."""
    tables: dict[tuple[str, ...], list[str]] = {}
    for task, regions in summary.items():
        for region, found in regions.items():
            count = max(one["n"] for one in found.values())
            fewer = ["" if one["n"] == count else f", n {one['n']}" for one in found.values()]
            cells = [
                f"{_number(one['mean'])} ({_number(one['std'])}{less})"
                for one, less in zip(found.values(), fewer, strict=True)
            ]
            tables.setdefault(tuple(found), []).append(f"| {task} | {region} | {' | '.join(cells)} | {count} |")
    return "\n\n".join(
        "\n".join(
            [
                f"| inputs → made | region | {' | '.join(name.replace('_', ' ') for name in names)} | n |",
                "|---" * (len(names) + 3) + "|",
                *rows,
            ]
        )
        for names, rows in tables.items()
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _measured(measured: Mapping[str, Any]) -> str:
    if not measured:
        return "Not measured yet."
    return "\n".join(f"- {name.replace('_', ' ')}: {value}" for name, value in measured.items())


def _limits(info: Mapping[str, Any], provenance: Mapping[str, Any]) -> str:
    lines = [
        "- It has seen only the kind of images named above; other scanners, sequences, ages and diseases may fail.",
        "- It does not know when the images show something else: a result is called doubtful by a few simple signs alone.",
    ]
    lines += [f"- {limit}" for limit in provenance.get("limits", [])]
    if "targets" in info:
        return "\n".join([*lines, *_MADE])
    optional = [channel["name"] for channel in info["inputs"] if not channel["required"]]
    if info.get("ensembles"):
        lines.append("- It takes any of its images, also a single one; the more there are, the better.")
    elif optional:
        lines.append(f"- Without {', '.join(optional)} it works, but less certainly.")
    return "\n".join(lines)
