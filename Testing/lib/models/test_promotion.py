"""A trained model takes its place as a version, or is refused; whatever happens, there is the old state or the new."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.models import comparisons, registry, versions
from MedSegEffNetLib.models.bundle import Bundle
from MedSegEffNetLib.models.promotion import next_version, promote, rival
from MedSegEffNetLib.models.sources import source_of
from MedSegEffNetLib.models.transfer import export_model, import_model, remove_model

from .conftest import NAME, compared_with, figures, write_comparison

ROOT = Path(__file__).resolve().parents[3]


def rewrite(run, **regions):
    """The run's comparison anew, with these regions."""
    shutil.rmtree(run / "comparison", ignore_errors=True)
    write_comparison(run / "comparison", Bundle.open(run / "model"), **regions)


def test_a_better_model_becomes_the_next_version_and_the_current_one(training, models):
    bundle = promote(str(training()))
    assert (bundle.name, bundle.version, bundle.folder) == (NAME, "1.1.0", models / f"{NAME}-1.1.0")
    bundle.verify()
    assert registry.find(NAME).version == "1.1.0"
    assert registry.find(f"{NAME}@1.0.0").version == "1.0.0"
    assert [path.name for path in models.iterdir()] == [bundle.folder.name]


def test_the_weights_stay_as_they_are_and_the_provenance_is_whole(training):
    run = training()
    bundle, before = promote(str(run)), Bundle.open(run / "model")
    weights = before.info["networks"][0]["weights"]
    assert bundle.info["files"][weights] == before.info["files"][weights]
    assert comparisons.fingerprint(bundle) == comparisons.fingerprint(before)
    provenance = bundle.info["provenance"]
    assert provenance["parent"] == f"{NAME}@1.0.0"
    assert provenance["data"] == before.info["provenance"]["data"]
    assert provenance["recipe"] == {"epochs": 3}
    assert provenance["metrics"]["test"]["tumor"]["dice"]["n"] == 8
    promotion = provenance["promotion"]
    assert (promotion["run"], promotion["replaced"], promotion["override"]) == ("run", "1.0.0", None)
    assert promotion["comparison"]["verdict"] == "better"
    assert promotion["code_version"]
    assert "elsewhere" not in json.dumps(bundle.metadata), "no folder of the disk is given away with a model"
    assert bundle.info["measured"]["seconds_per_megapixel"] == 0.5


def test_the_card_tells_where_the_model_comes_from_and_how_it_did(training):
    card = promote(str(training())).card
    assert card.startswith(f"# {NAME} 1.1.0")
    assert f"- Fine-tuned from: {NAME}@1.0.0" in card
    assert "- Snapshot of the data set: `abc`" in card
    assert f"Compared with {NAME}@1.0.0 on the 2 cases of `test`: better" in card
    assert (
        "| tumor | 0.700 / 0.100 / 0.700 | 0.800 / 0.100 / 0.800 | 0.100 (0.020 to 0.180) | 0.030 | 8 | better |"
        in card
    )
    assert "- few cases" in card


def test_a_model_without_a_comparison_is_refused(training, models):
    with pytest.raises(InputError, match="has not been compared") as caught:
        promote(str(training(compared=False)))
    assert "models compare" in caught.value.hint
    assert not models.exists()


def test_a_model_that_got_worse_in_a_region_is_refused_unless_a_reason_is_given(training, models):
    run = training()
    rewrite(run, tumor=figures(0.7, 0.8, 0.02), core=figures(0.7, 0.6, -0.2))
    with pytest.raises(InputError, match=r"worse than tumor-slices-unet@1\.0\.0 in core"):
        promote(str(run))
    assert not models.exists()
    bundle = promote(str(run), override="the old labels of\n  the core were wrong")
    override = bundle.info["provenance"]["promotion"]["override"]
    assert override["reason"] == "the old labels of the core were wrong"
    assert "core" in override["against"]
    assert "Reason given: the old labels of the core were wrong" in bundle.card
    assert versions.history(NAME)[0].override == override["reason"]


def test_a_reason_that_is_not_needed_is_not_told(training):
    assert promote(str(training()), override="just in case").info["provenance"]["promotion"]["override"] is None


def test_the_margin_decides_what_is_a_loss(training):
    run = training()
    rewrite(run, tumor=figures(0.70, 0.68, -0.05))
    with pytest.raises(InputError, match=r"margin 0\.01"):
        promote(str(run))
    bundle = promote(str(run), margin=0.03)
    assert bundle.info["provenance"]["promotion"]["margin"] == 0.03
    with pytest.raises(InputError, match="--margin 1"):
        promote(str(run), margin=1)


def test_a_comparison_of_other_weights_or_on_learnt_cases_is_refused(training):
    run, other = training(), training("another")
    with pytest.raises(InputError, match="is of another model"):
        promote(str(run), comparison=other / "comparison")
    shutil.rmtree(run / "comparison")
    write_comparison(run / "comparison", Bundle.open(run / "model"), cases=("a", "t1"))
    with pytest.raises(InputError, match=r"cases that it learnt from \(1 of 2\)"):
        promote(str(run))


def test_the_same_model_promoted_again_is_the_same_version(training):
    run = str(training())
    promote(run)
    versions.rollback(NAME)
    assert promote(run).version == "1.1.0"
    assert versions.current(NAME) == "1.1.0"
    assert versions.versions_of(NAME) == ["1.1.0", "1.0.0"]


def test_an_earlier_model_promoted_again_becomes_the_current_version(training):
    first, second = training(), training("second")
    promote(str(first))
    compared_with(second, "1.1.0")
    promote(str(second))
    assert promote(str(first)).version == "1.1.0"
    assert versions.current(NAME) == "1.1.0"
    assert versions.versions_of(NAME) == ["1.2.0", "1.1.0", "1.0.0"]


def test_a_model_has_to_meet_the_version_that_it_would_replace(training):
    second = training("second")
    assert rival(source_of(str(second))) == f"{NAME}@1.0.0"
    promote(str(training()))
    assert rival(source_of(str(second))) == f"{NAME}@1.1.0"
    with pytest.raises(InputError, match=f"compared with {NAME}@1.0.0, and would replace {NAME}@1.1.0"):
        promote(str(second))
    compared_with(second, "1.1.0")
    assert promote(str(second)).version == "1.2.0"


def test_a_new_version_is_current_whatever_was_rolled_back_and_removed_before(training):
    remove = promote(str(training())).folder
    versions.rollback(NAME)
    remove_model(remove)
    assert promote(str(training("second"))).version == "1.1.0"
    assert versions.current(NAME) == "1.1.0"


def test_a_model_may_get_a_name_of_its_own(training, models):
    run = str(training())
    bundle = promote(run, name="my-scanner")
    assert (bundle.name, bundle.version) == ("my-scanner", "0.1.0")
    assert registry.find("my-scanner").folder == models / "my-scanner-0.1.0"
    assert versions.current(NAME) == "1.0.0"
    for name in ("../x", "con", "a b", "tumor-slices"):
        with pytest.raises(InputError, match="--name"):
            promote(run, name=name)


def test_a_name_belongs_to_one_task(training, models, shipped):
    folder = models / "other"
    shutil.copytree(shipped.folder, folder)
    metadata = json.loads((folder / "configs" / "metadata.json").read_text(encoding="utf-8"))
    metadata["medsegeffnet"] |= {"name": "lung", "task": "covid-ct"}
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    with pytest.raises(InputError, match="lung is a model of task covid-ct"):
        promote(str(training()), name="lung")


def test_a_model_from_no_parent_takes_the_name_of_its_task_and_network(training):
    assert promote(str(training(parent=None))).name == NAME


def test_synthesised_images_are_told_in_the_first_line_of_the_card(training):
    bundle = promote(str(training(recipe={"synthetic_share": 0.5})))
    assert bundle.info["provenance"]["synthesised"] is True
    assert bundle.card.startswith("**It learnt from synthesised images")
    assert versions.history(NAME)[0].synthesised


def test_a_version_in_the_way_is_stepped_over(training, models):
    (models / f"{NAME}-1.1.0" / "configs").mkdir(parents=True)
    (models / f"{NAME}-1.1.0" / "configs" / "metadata.json").write_text("{", encoding="utf-8")
    assert next_version(NAME) == "1.2.0"
    assert promote(str(training())).version == "1.2.0"


def test_a_training_that_made_no_model_yet_says_how_to_get_one(training):
    run = training()
    shutil.rmtree(run / "model")
    with pytest.raises(InputError, match="has made no model yet") as caught:
        promote(str(run))
    assert "--finish" in caught.value.hint


KILLED = """
import os, sys
from pathlib import Path
from MedSegEffNetLib.models import promotion, transfer
what, when = sys.argv[2:]
if what == "rename":
    rename = Path.rename
    def killed(self, target):
        if when == "after":
            rename(self, target)
        os._exit(9)
    Path.rename = killed
else:
    original = getattr(promotion, what)
    def killed(*arguments):
        if when == "after":
            original(*arguments)
        os._exit(9)
    setattr(promotion, what, killed)
promotion.promote(sys.argv[1])
"""


@pytest.mark.parametrize(
    ("what", "when", "version"),
    [("_write", "before", "1.0.0"), ("seal", "before", "1.0.0"), ("_write", "after", "1.0.0"),
     ("rename", "before", "1.0.0"), ("rename", "after", "1.1.0")],
)  # fmt: skip
def test_a_kill_at_any_moment_leaves_the_old_state_or_the_new(training, models, what, when, version):
    run = training()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), registry.FOLDER_VARIABLE: str(models)}
    done = subprocess.run([sys.executable, "-c", KILLED, str(run), what, when], env=environment, capture_output=True)
    assert done.returncode == 9, done.stderr
    found = registry.find(NAME)
    assert found.version == version
    found.verify()
    assert promote(str(run)).version == "1.1.0"
    assert versions.versions_of(NAME) == ["1.1.0", "1.0.0"]


def test_another_installation_gets_the_provenance_too(training, tmp_path, monkeypatch):
    bundle = promote(str(training()))
    packed = export_model(bundle, tmp_path / "model.zip")
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path / "elsewhere" / "Models"))
    taken = import_model(packed)
    assert taken.folder.parent == tmp_path / "elsewhere" / "Models"
    assert taken.metadata == bundle.metadata
    assert registry.find(NAME).folder == taken.folder
    (version, before) = versions.history(NAME)
    assert (version.current, version.verdict, version.against) == (True, "better", f"{NAME}@1.0.0")
    assert (before.version, before.current) == ("1.0.0", False)
    assert versions.rollback(NAME) == "1.0.0"
