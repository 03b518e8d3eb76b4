"""What the section Environment says: sizes, consent, progress, and a diagnosis as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from MedSegEffNetPanel.installing.kit import Kit
from MedSegEffNetPanel.installing.requirements import GPU, LIGHT, TRAINING, Cost
from MedSegEffNetPanel.wording import sentences


def title(size: str) -> str:
    """The name of a size."""
    return {LIGHT: _("Light"), GPU: _("GPU"), TRAINING: _("Training")}[size]


def purpose(size: str, lacks_gpu: bool) -> str:
    """What a size is for; ``lacks_gpu``: this computer has none that PyTorch can use."""
    text = {
        LIGHT: _("Light is enough to segment on the processor (OpenVINO)."),
        GPU: _("GPU segments on an NVIDIA or Apple GPU too (OpenVINO and PyTorch)."),
        TRAINING: _("Training trains models too, on a GPU if there is one (OpenVINO and PyTorch)."),
    }[size]
    without_gpu = {
        GPU: _("No NVIDIA GPU was found, which this size needs."),
        TRAINING: _(
            "No NVIDIA GPU was found, so PyTorch for the processor is taken: it is much smaller than with CUDA."
        ),
    }
    return sentences(text, without_gpu.get(size, "") if lacks_gpu else "")


def price(cost: Cost) -> str:
    """Megabytes; they differ a little from Slicer to Slicer, and for PyTorch's CUDA builds they are estimates."""
    text = _("about {download} to download, {disk} on disk")
    return text.format(download=amount(cost.download), disk=amount(cost.disk))


def amount(megabytes: float) -> str:
    """``66 MB`` or ``2.6 GB``."""
    if megabytes < 1000:
        return _("{number} MB").format(number=round(megabytes))
    return _("{number} GB").format(number=f"{megabytes / 1000:.1f}")


def choice(size: str, cost: Cost) -> str:
    """The text beside the button that chooses ``size``."""
    return _("{title}: {price}").format(title=title(size), price=price(cost))


def consent(size: str, cost: Cost, folder: Path) -> str:
    """The question before an installation from the internet."""
    text = _(
        "Install “{title}” from the internet? {price}\n\nFolder: {folder}\n\n"
        "Slicer's own packages are not changed. Slicer can be used meanwhile."
    )
    return text.format(title=title(size), price=sentences(price(cost)), folder=folder)


def kit_consent(size: str, kit: Kit, folder: Path) -> str:
    """The question before an installation from an offline kit."""
    text = _(
        "Install “{title}” from the offline kit {kit} ({megabytes})? Nothing is downloaded.\n\nFolder: {folder}\n\n"
        "Slicer's own packages are not changed."
    )
    return text.format(title=title(size), kit=kit.folder, megabytes=amount(kit.megabytes), folder=folder)


def failure(error: Any) -> str:
    """Why a job failed and what to do; ``error`` is a :class:`~MedSegEffNetPanel.jobs.JobError` or None."""
    if error is None:
        return _("It failed without a word. Open the log below.")
    return sentences(error.found, error.hint)


def rows(diagnosis: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was looked at, and what was found; parts that are missing are passed over."""
    found = [(_("GPU"), _gpu(diagnosis["gpu"]))] if diagnosis.get("gpu") else []
    found = [*map(_computation, diagnosis.get("computations", [])), *found]
    if diagnosis.get("python"):
        python = diagnosis["python"]
        found.append(
            (_("Python {version}").format(version=python.get("version", "")), str(python.get("executable", "")))
        )
    for name, package in diagnosis.get("packages", {}).items():
        if package:
            found.append((f"{name} {package.get('version', '')}".strip(), str(package.get("location", ""))))
    if diagnosis.get("memory_free_mb"):
        found.append((_("Free memory"), amount(diagnosis["memory_free_mb"])))
    disk = diagnosis.get("temporary_folder") or {}
    if "free_mb" in disk:
        text = _("{free} free in {folder}").format(free=amount(disk["free_mb"]), folder=disk.get("path", ""))
        found.append((_("Temporary files"), text))
    return found


def verdict(diagnosis: Mapping[str, Any]) -> str:
    """The diagnosis in a sentence."""
    computations = diagnosis.get("computations", [])
    works = [_device(row) for row in computations if row.get("works")]
    fails = [f"{_device(row)}: {row.get('error', '')}" for row in computations if not row.get("works")]
    if not computations:
        return _("Nothing that computes is installed. Choose a size and press Install.")
    if not works:
        return _("Nothing works: {errors}. Press Repair.").format(errors="; ".join(fails))
    text = _("Works: {engines}.").format(engines=", ".join(works))
    return f"{text} {_('Does not work: {errors}.').format(errors='; '.join(fails))}" if fails else text


def _device(row: Mapping[str, Any]) -> str:
    return _("{engine} on {device}").format(engine=row.get("engine", "?"), device=row.get("device", "?"))


def _computation(row: Mapping[str, Any]) -> tuple[str, str]:
    if row.get("works"):
        return _device(row), _("works ({seconds} s)").format(seconds=row.get("seconds"))
    return _device(row), _("does not work: {error}").format(error=row.get("error", ""))


def _gpu(gpu: Mapping[str, Any]) -> str:
    return str(gpu["name"]) if gpu.get("name") else _("not used: {reason}").format(reason=gpu.get("reason", ""))
