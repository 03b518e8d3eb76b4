"""Models, trainings that made them, and comparisons, written by hand."""

import json

import pytest

from MedSegEffNetLib.models import comparisons, registry
from MedSegEffNetLib.models.build import Publication, publish
from MedSegEffNetLib.models.bundle import Bundle

NAME = "tumor-slices-unet"


def figures(old, new, low, n=8):
    """What ``comparison.json`` says of a region."""
    difference = round(new - old, 6)
    return {
        "n": n,
        "old": {"mean": old, "std": 0.1, "median": old},
        "new": {"mean": new, "std": 0.1, "median": new},
        "difference": difference,
        "low": low,
        "high": 2 * difference - low,
        "p": 0.03,
    }


def write_comparison(folder, bundle, cases=("t1", "t2"), margin=0.01, **regions):
    """A comparison of ``bundle`` with version 1.0.0; regions by name as of :func:`figures`."""
    regions = regions or {"tumor": figures(0.7, 0.8, 0.02)}
    content = {
        "schema": 1, "task": "tumor-slices", "old": f"{NAME}@1.0.0", "split": "test", "snapshot": "abc", "data": "lgg",
        "new": {"name": bundle.name, "version": bundle.version, "folder": "elsewhere",
                "weights": comparisons.fingerprint(bundle)},
        "cases": list(cases), "margin": margin, "regions": regions, "verdict": "", "warnings": ["few cases"],
        "synthesised": False,
    }  # fmt: skip
    content = comparisons.judged(content, margin)
    (folder / "new").mkdir(parents=True)
    summary = {"tumor": {"dice": {"mean": 0.8, "std": None, "median": 0.8, "n": 8}}}
    (folder / "new" / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    (folder / comparisons.FILE).write_text(json.dumps(content), encoding="utf-8")
    return folder


def compared_with(run, version):
    """Let the comparison of a run be one with this version."""
    path = run / "comparison" / "comparison.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, "old": f"{NAME}@{version}"}), encoding="utf-8")


@pytest.fixture
def models(tmp_path, monkeypatch):
    """The folder of the user's models, empty; what is shipped lies in ``shipped`` beside it."""
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path / "Models"))
    monkeypatch.setattr(registry, "resources_folder", lambda: tmp_path / "shipped")
    return tmp_path / "Models"


@pytest.fixture
def shipped(bundle, tmp_path, models):
    """Version 1.0.0 as it comes with the program."""
    measured = {"seconds_per_megapixel": 0.5, "measured_on": "a slow machine"}
    folder = tmp_path / "shipped" / "Models" / NAME
    return Bundle.open(publish(bundle.folder, Publication("1.0.0", {}, measured, "", ""), folder))


@pytest.fixture
def training(tmp_path, tiny_training, shipped, monkeypatch):
    """A function that gives the run folder of a training that began with version 1.0.0, with a comparison."""
    from MedSegEffNetLib.models import ir
    from MedSegEffNetLib.models.build import build_bundle

    def not_installed(*_):
        raise ImportError("openvino")

    monkeypatch.setattr(ir, "save_ir", not_installed)  # it takes seconds, and is no part of what is tested

    def made(name="run", compared=True, **provenance):
        torch = pytest.importorskip("torch")
        run = tmp_path / name
        training = tiny_training(
            provenance={
                "parent": f"{NAME}@1.0.0",
                "data": {"folder": "lgg", "snapshot": "abc", "cases": {"train": ["a"], "val": ["b"], "test": ["t1"]}},
                "recipe": {"epochs": 3},
                "code_version": "0.1.0",
                **provenance,
            }
        )
        for value in training.weights["network"].values():
            if value.is_floating_point():
                value += 0.01 * torch.ones_like(value) * (1 + len(name))
        bundle = Bundle.open(build_bundle(run / "model", training))
        request = {
            "command": "train",
            "task": "tumor-slices",
            "data": "lgg",
            "snapshot": "abc",
            "parent": f"{NAME}@1.0.0",
        }
        (run / "job.json").write_text(json.dumps({"schema": 1, "request": request}), encoding="utf-8")
        if compared:
            write_comparison(run / "comparison", bundle)
        return run

    return made
