"""The rule that verdicts follow, and the file of a comparison."""

import json

import pytest

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.models import comparisons
from MedSegEffNetLib.models.comparisons import BETTER, NO_WORSE, NOT_MEASURED, WORSE, overall, region_verdict

from .conftest import figures, write_comparison


@pytest.mark.parametrize(
    ("difference", "low", "verdict"),
    [
        (0.05, 0.01, BETTER), (0.05, -0.01, NO_WORSE), (0.0, None, NO_WORSE), (0.05, None, NO_WORSE),
        (-0.01, -0.02, NO_WORSE), (-0.011, -0.02, WORSE), (-0.5, None, WORSE), (None, None, NOT_MEASURED),
    ],
)  # fmt: skip
def test_a_region_is_better_by_its_interval_and_worse_by_the_margin(difference, low, verdict):
    assert region_verdict(difference, low, 0.01, 6) == verdict


def test_a_few_cases_cannot_call_a_region_better_but_worse():
    assert region_verdict(0.05, 0.01, 0.01, 5) == NO_WORSE
    assert region_verdict(-0.05, -0.06, 0.01, 5) == WORSE
    told = comparisons.sentence("core", {**figures(0.7, 0.8, 0.02, n=2), "verdict": NO_WORSE}, 0.01)
    assert told.endswith("6 cases or more are needed to call it better.")


def test_a_model_is_worse_if_any_region_is_and_better_if_any_other_is():
    assert overall([BETTER, WORSE]) == WORSE
    assert overall([NO_WORSE, BETTER]) == BETTER
    assert overall([NO_WORSE, NOT_MEASURED]) == NO_WORSE


def test_a_verdict_in_words_says_what_is_not_known():
    told = comparisons.sentence("core", {**figures(0.7, 0.72, -0.03), "verdict": NO_WORSE}, 0.01)
    assert told.startswith(
        "core: no worse; mean Dice 0.700 before, 0.720 now (+0.020; 95 % interval -0.030 to +0.070), 8"
    )
    assert "more cases would tell" in told
    one = comparisons.sentence("core", {**figures(0.7, 0.6, 0, n=1), "low": None, "verdict": WORSE}, 0.01)
    assert "(-0.100), 1 case. The loss is larger" in one
    assert "not measured" in comparisons.sentence("core", {"verdict": NOT_MEASURED}, 0.01)


def test_the_fingerprint_is_that_of_weights_and_settings_alone(bundle, tiny_training, tmp_path):
    from MedSegEffNetLib.models.build import build_bundle
    from MedSegEffNetLib.models.bundle import Bundle

    renamed = Bundle.open(build_bundle(tmp_path / "a", tiny_training(version="7.0.0", provenance={})))
    assert comparisons.fingerprint(renamed) == comparisons.fingerprint(bundle)
    cut = Bundle.open(build_bundle(tmp_path / "b", tiny_training(thresholds=(0.1,))))
    assert comparisons.fingerprint(cut) != comparisons.fingerprint(bundle)


@pytest.mark.parametrize("damage", ["", "{}", '{"schema": 1, "margin": 0.01, "regions": {"tumor": {}}}', "[1]"])
def test_a_damaged_comparison_is_refused(damage, tmp_path):
    (tmp_path / comparisons.FILE).write_text(damage, encoding="utf-8")
    with pytest.raises(InputError, match="is damaged"):
        comparisons.read(tmp_path)


def test_a_comparison_of_a_newer_version_and_none_are_told(bundle, tmp_path):
    with pytest.raises(InputError, match="there is no comparison"):
        comparisons.read(tmp_path)
    folder = write_comparison(tmp_path / "comparison", bundle)
    assert comparisons.read(folder)["verdict"] == BETTER
    content = {**comparisons.read(folder), "schema": 2}
    (folder / comparisons.FILE).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match="newer version"):
        comparisons.read(folder)
