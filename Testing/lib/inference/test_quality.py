"""What speaks against a segmentation, and how it is said."""

import numpy as np
import pytest

from MedSegEffNetLib.inference.quality import Meter, Quality, assess, judge
from MedSegEffNetLib.models.bundle import Bundle, terminology_data
from MedSegEffNetLib.postprocessing import uncertainty
from MedSegEffNetLib.task import VolumeRange, get_segmentation_task

REGIONS = get_segmentation_task("brain-tumor").regions
PLAUSIBLE = {"WT": VolumeRange(0.5, 350), "TC": VolumeRange(1, 10, always=True)}


def maps(*values):
    """Probabilities of nested boxes, one a region, with these values inside."""
    found = np.zeros((len(values), 20, 20, 20), dtype=np.float32)
    for number, value in enumerate(values):
        found[number, 2 + 3 * number : 18 - 3 * number, 2:18, 2:18] = value
    return found


def measured(probabilities, votes=(), parts=1, nested=True):
    meter = Meter(REGIONS[: len(probabilities)], [0.5] * len(probabilities), nested)
    for part in np.array_split(probabilities, parts, axis=3):
        meter.add(part, dict(votes))
    return meter.measures()


def test_a_result_that_is_sure_of_itself_is_ok():
    quality = judge(measured(maps(0.98, 0.97, 0.96)), REGIONS, {"WT": 40.0, "TC": 5.0}, PLAUSIBLE)
    assert (quality.flag, quality.reasons) == ("ok", ())
    assert quality.as_mapping()["measures"]["confidence"]["WT"] == pytest.approx(2 * 0.98 / 1.98, abs=1e-3)


def test_probabilities_near_one_half_are_a_reason_with_the_region_named():
    quality = judge(measured(maps(0.98, 0.52)), REGIONS, {}, {})
    (reason,) = quality.reasons
    assert quality.flag == "doubtful"
    assert reason.startswith("The tumor core is uncertain")


def test_what_a_wide_haze_of_low_probability_holds_lowers_the_confidence():
    hazy = maps(0.98)
    hazy[hazy == 0] = 0.4
    assert measured(hazy)["confidence"]["WT"] < 0.85


def test_parts_of_a_case_count_as_the_whole():
    whole, parts = measured(maps(0.9, 0.7)), measured(maps(0.9, 0.7), parts=3)
    assert whole["confidence"] == pytest.approx(parts["confidence"], rel=1e-6)


def test_memory_order_and_a_background_do_not_matter():
    turned = np.ascontiguousarray(maps(0.9, 0.7).transpose(0, 3, 2, 1)).transpose(0, 3, 2, 1)
    with_background = np.concatenate([1 - turned[:1], turned])
    plain = measured(maps(0.9, 0.7))["confidence"]
    assert measured(turned)["confidence"] == pytest.approx(plain)
    meter = Meter(REGIONS[:2], [0.5, 0.5], False)
    meter.add(with_background, {})
    assert meter.measures()["confidence"] == pytest.approx(plain)


def test_an_inner_region_outside_of_the_outer_one_is_told_with_its_share():
    shifted = maps(0.98, 0.98)
    shifted[1] = np.roll(shifted[1], 8, axis=2)
    quality = judge(measured(shifted), REGIONS, {}, {})
    assert quality.measures["outside"]["TC"] == pytest.approx(0.25)
    assert any("25% of what was taken for tumor core lay outside" in reason for reason in quality.reasons)
    assert measured(shifted, nested=False)["outside"] == {}


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((900, 0, 0, 100), 1.0), ((700, 300, 0, 0), 0.0), ((0, 0, 100, 0), 0.5)],
    ids=["all alike", "nothing in common", "always two of three"],
)
def test_agreement_is_the_mean_overlap_of_all_pairs_of_networks(counts, expected):
    quality = judge(measured(maps(0.98), {"WT": np.array(counts)}), REGIONS, {}, {})
    assert quality.measures["agreement"]["WT"] == pytest.approx(expected)
    assert (quality.flag == "doubtful") == (expected < 0.5)


def test_the_agreement_of_two_networks_is_their_dice():
    draw = np.random.default_rng(0)
    first, second = draw.random((2, 3000)) > 0.4
    votes = first.astype(int) + second
    found = measured(maps(0.98), {"WT": np.bincount(votes, minlength=3)})["agreement"]["WT"]
    assert found == pytest.approx(2 * (first & second).sum() / (first.sum() + second.sum()))


def test_regions_of_a_few_voxels_are_not_measured():
    tiny = np.zeros((1, 20, 20, 20), dtype=np.float32)
    tiny[0, :3, :3, :3] = 0.51
    assert measured(tiny, {"WT": np.array([8000 - 27, 27])})["confidence"] == {}


@pytest.mark.parametrize(
    ("volumes", "text"),
    [
        ({"WT": 400.0}, "The whole tumor measures 400 mL; 0.5 to 350 mL are plausible."),
        ({"WT": 0.2}, "The whole tumor measures 0.2 mL"),
        ({"WT": 0.0}, ""),
        ({"TC": 0.0}, "No tumor core was found, though every patient has it."),
        ({}, ""),
    ],
)
def test_implausible_volumes_are_told_and_absent_regions_where_everybody_has_them(volumes, text):
    reasons = judge({}, REGIONS, volumes, PLAUSIBLE).reasons
    assert bool(reasons) == bool(text)
    assert text in " ".join(reasons)


def test_an_empty_result_is_doubtful_in_one_sentence():
    plausible = {"WT": VolumeRange(0.5, 350)}
    quality = judge({}, REGIONS, {"WT": 0.0, "TC": 0.0, "ET": 0.0}, plausible)
    (reason,) = quality.reasons
    assert reason.startswith("Nothing was found, no whole tumor either.")
    assert not judge({}, REGIONS, {"WT": 30.0, "TC": 0.0, "ET": 0.0}, plausible).reasons


def test_doubts_about_the_images_make_the_result_doubtful():
    assert judge({}, REGIONS, {}, {}, ["turned?"]) == Quality(("turned?",), {})


def test_a_model_of_an_unknown_task_is_judged_by_its_probabilities_alone(bundle, oblique_case):
    info = {**bundle.info, "task": "of-tomorrow"}
    other = Bundle(bundle.folder, {**bundle.metadata, "medsegeffnet": info})
    label_map = oblique_case["t1"].with_array(np.ones(oblique_case["t1"].shape, dtype=np.uint8))
    assert assess(other, oblique_case, label_map, {}, {"tumor": 1e6}).flag == "ok"


def test_what_a_task_finds_wrong_with_a_label_map_makes_the_result_doubtful(bundle, oblique_case):
    task = get_segmentation_task("skin-layers")
    labels = [
        {"value": one.value, "name": one.name, "color": one.color, "terminology": terminology_data(one.terminology)}
        for one in task.labels
    ]
    info = {**bundle.info, "task": task.id, "regions": [], "labels": labels}
    skin = Bundle(bundle.folder, {**bundle.metadata, "medsegeffnet": info})
    grid = oblique_case["t1"]
    layers = np.minimum(np.arange(grid.shape[1]) // 5, 4)
    in_order = grid.with_array(np.broadcast_to(layers[None, :, None], grid.shape).astype(np.uint8))
    upside_down = in_order.with_array(np.where(in_order.array > 0, 5 - in_order.array, 0).astype(np.uint8))
    volumes = {label.name: 1.0 for label in task.labels}
    assert assess(skin, {"t2": grid}, in_order, {}, volumes).flag == "ok"
    assert assess(skin, {"t2": grid}, upside_down, {}, volumes).flag == "doubtful"


def test_networks_that_disagree_make_a_voxel_uncertain_however_sure_each_one_is():
    first, second = np.full((2, 1, 2, 2, 2), 0.01, dtype=np.float32)
    second[0, 0] = 0.99
    unsure = uncertainty((first + second) / 2)
    assert unsure[0].min() == pytest.approx(1, abs=1e-3)
    assert unsure[1].max() < 0.1
