"""Preparing cases for a synthesis training, and what is drawn from them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from MedSegEffNetLib.dataset.case import Case
from MedSegEffNetLib.dataset.importing import import_cases
from MedSegEffNetLib.dataset.readers import read_folder
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.image import Image
from MedSegEffNetLib.preprocessing import Pipeline
from MedSegEffNetLib.synthesis.planes import Planes
from MedSegEffNetLib.task import Step, get_segmentation_task, get_task
from MedSegEffNetLib.training.gan_cases import split_cases
from MedSegEffNetLib.training.gan_config import GanRecipe
from MedSegEffNetLib.training.gan_data import BACKGROUND, GanCase, GanFeed, prepare

TASK = get_task("mri-synthesis")
STEPS = [step for step in TASK.preprocessing if step.name != "n4"]


def images(shape=(24, 26, 6), names=("t1", "flair")):
    """Round heads with a dark core."""
    axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    radius = axes[0] ** 2 + axes[1] ** 2
    draw = np.random.default_rng(0)
    head = (radius < 0.7) & ~(radius < 0.05)
    affine = np.diag([-1.0, -1.0, 4.0, 1.0])
    return {name: Image((head * (100 + 50 * draw.random(shape))).astype(np.float32), affine) for name in names}


def case_of(loaded, label=None):
    return Case("case", "patient", "", lambda: (loaded, label))


def test_what_a_case_lacks_does_not_change_how_the_rest_is_prepared():
    pipeline = Pipeline.from_steps(STEPS)
    case, levels = prepare(case_of(images()), TASK, pipeline)
    assert case.given == (True, False, False, True)
    assert set(levels) == {"t1", "flair"}
    assert not case.images[:, 1:3].any()
    for channel in (0, 3):
        assert abs(case.images[:, channel][case.inside].astype(float).mean()) < 0.5
    assert (case.images[:, 0][~case.inside] == BACKGROUND).all()
    assert case.spans[1] == 0 < case.spans[0]


def test_what_the_head_encloses_is_no_background():
    case, _ = prepare(case_of(images()), TASK, Pipeline.from_steps(STEPS))
    assert case.inside[2, 13, 12]
    assert not case.inside[2, 0, 0]


def test_the_levels_are_the_percentiles_of_the_head_after_n4():
    _, levels = prepare(case_of(images()), TASK, Pipeline.from_steps(STEPS))
    assert 100 <= levels["t1"].low < 105
    assert 145 < levels["t1"].high <= 150
    assert levels["t1"].lowest < levels["t1"].highest


def test_a_case_of_one_image_is_refused():
    with pytest.raises(InputError, match="has 1 of the images"):
        prepare(case_of(images(names=("t1",))), TASK, Pipeline.from_steps(STEPS))


def test_a_head_is_learnt_as_a_brain_alone_by_cutting_away_its_surface():
    head, levels = prepare(case_of(images()), TASK, Pipeline.from_steps(STEPS))
    brain, of_brain = prepare(case_of(images()), TASK, Pipeline.from_steps(STEPS), depth=4.0)
    assert brain.case_id == "case (brain)"
    assert brain.patient == head.patient
    assert 0.2 < brain.inside.sum() / head.inside.sum() < 0.7
    assert not (brain.inside & ~head.inside).any()
    assert (brain.images[:, 0][~brain.inside] == BACKGROUND).all()
    assert set(levels) == set(of_brain)


def test_the_labels_go_where_the_images_go():
    loaded = images()
    label = np.zeros((24, 26, 6), dtype=np.uint8)
    label[14:16, 8:11, 3] = 4
    affine = loaded["t1"].affine
    steps = [*STEPS[:-1], Step("crop_to_content", {"margin_mm": 1.0})]
    case, _ = prepare(case_of(loaded, Image(label, affine)), TASK, Pipeline.from_steps(steps))
    assert case.tumor.sum() == 6
    assert case.tumor.shape == case.inside.shape
    assert case.images.shape[2] < 26


def a_case(channels=4, given=(True, True, False, True), size=(20, 24), count=8):
    draw = np.random.default_rng(0)
    pictures = draw.standard_normal((count, channels, *size)).astype(np.float16)
    inside = np.ones((count, *size), dtype=bool)
    inside[:2] = False
    return GanCase("case", "patient", pictures, given, inside, inside & (pictures[:, 0] > 1), (5.0,) * channels)


def a_feed(**settings):
    recipe = GanRecipe(**{"batch_size": 3, "discriminator": {"channels": [4, 4]}, **settings})
    return GanFeed(recipe, Planes(4, recipe.context), 8)


def test_an_epoch_draws_each_slice_with_a_head_once_and_drops_the_incomplete_batch():
    order = a_feed(batch_size=4).order([a_case(), a_case()], 0)
    drawn = [one for batch in order for one in batch]
    assert len(order) == 3
    assert len(set(drawn)) == 12
    assert {index for _, index in drawn} <= set(range(2, 8))
    assert order != a_feed(batch_size=4).order([a_case(), a_case()], 1)
    assert sum(map(len, a_feed(samples_per_epoch=30).order([a_case()], 0))) == 30


@pytest.mark.parametrize("drawn", [0, 30])
def test_cases_that_show_nothing_of_a_head_are_refused_with_advice(drawn):
    case = a_case()
    case.inside[:] = False
    with pytest.raises(InputError, match="no slice shows enough of a head") as caught:
        a_feed(samples_per_epoch=drawn).order([case], 0)
    assert "more than 2% of a slice" in str(caught.value)
    assert "crop=content" in str(caught.value)


def test_any_batch_can_be_drawn_again():
    feed, cases = a_feed(patch=8, context=1), [a_case()]
    order = feed.order(cases, 3)
    first, again = (feed.batch(cases, order[1], 3, 1) for _ in range(2))
    assert all(torch.equal(getattr(first, name), getattr(again, name)) for name in vars(first))
    assert not torch.equal(first.planes, feed.batch(cases, order[1], 3, 0).planes)


def test_inputs_are_any_of_the_others_and_the_target_is_never_given():
    feed, cases = a_feed(patch=8, batch_size=1), [a_case()]
    layout, seen = feed.layout, set()
    for number in range(120):
        batch = feed.batch(cases, [(0, 4)], 0, number)
        planes = batch.planes[0, :, 0, 0]
        given = {channel for channel in range(4) if planes[layout.given(channel)]}
        target = int(batch.target[0])
        assert planes[layout.wanted(target)] == 1
        assert target not in given
        assert int(batch.source[0]) in given
        seen.add((target, frozenset(given)))
    assert seen == {(t, frozenset(g)) for t in (0, 1, 3) for o in [{0, 1, 3} - {t}] for g in ({*o}, *[{c} for c in o])}


def test_pictures_planes_and_tumor_are_cut_and_turned_together():
    feed = a_feed(patch=8, batch_size=1)
    case = a_case()
    for number in range(20):
        batch = feed.batch([case], [(0, 5)], 0, number)
        source = int(batch.source[0])
        assert torch.equal(batch.planes[0, feed.layout.pictures(source)[0]], batch.original[0, 0])
        if source == 0:
            assert torch.equal(batch.tumor[0, 0] == 1, batch.original[0, 0] > 1)


def test_whole_slices_are_padded_with_background_to_what_the_network_takes():
    feed = a_feed(validation_slices=2)
    (batch,) = feed.whole(a_case(), 3)
    assert batch.planes.shape == (2, feed.layout.count, 24, 24)
    assert not batch.inside[:, :, 20:].any()
    assert (batch.real[:, :, 20:] == BACKGROUND).all()
    assert (batch.planes[:, 0, 20:] == BACKGROUND).all()
    assert (batch.planes[:, 2, 20:] == 0).all()
    assert (batch.planes[:, feed.layout.given(0)] == 1).all()
    assert (batch.planes[:, feed.layout.wanted(3)] == 1).all()
    assert (batch.tumor[:, :, 20:] == -1).all()


def test_data_sets_lie_side_by_side_in_a_folder_and_their_label_maps_are_optional(write_heads, tmp_path):
    write_heads(tmp_path / "first")
    write_heads(tmp_path / "second" / "inner", 1, ("",))
    (tmp_path / "second" / "inner" / "head_0").rename(tmp_path / "second" / "head_9")
    cases = split_cases(tmp_path, "", TASK, GanRecipe())
    assert {name: [case.id for case in part] for name, part in cases.items()} == {
        "train": ["head_0", "head_1", "head_2", "head_9"],
        "val": ["head_3"],
        "test": [],
    }
    assert [case.labelled for case in cases["train"]] == [False, True, True, False]


def test_cases_of_a_curated_data_set_that_a_network_had_a_part_in_are_learnt_from_if_asked_for(write_heads, tmp_path):
    reading = get_segmentation_task(TASK.cases_of)
    write_heads(tmp_path / "heads", splits=("",) * 4)
    dataset = Dataset.create(tmp_path / "sets" / "one", reading.id)
    cases = read_folder(tmp_path / "heads", reading)
    import_cases(dataset, [replace(case, synthetic=case.id == "head_1") for case in cases], "Ann", lambda *told: None)
    for data in (dataset.folder, dataset.folder.parent):  # one alone, and beside others
        for asked, names in ((False, {"head_2", "head_3"}), (True, {"head_1", "head_2", "head_3"})):
            parts = split_cases(data, "", TASK, GanRecipe(with_synthesised=asked, validation_fraction=0.4))
            assert {case.id for part in parts.values() for case in part} == names


def test_where_nothing_is_split_patients_are(write_heads, tmp_path):
    write_heads(tmp_path, splits=("",) * 4)
    cases = split_cases(tmp_path, "", TASK, GanRecipe(validation_fraction=0.25))
    assert [len(cases[name]) for name in ("train", "val")] == [3, 1]


@pytest.mark.parametrize(
    "settings",
    [
        *({"crop": "none"}, {"precision": "half"}, {"epochs": 0}, {"rotations": 1}, {"patch": 16}, {"l1": -1.0}),
        *({"adversarial": 0.0, "l1": 0.0, "ssim": 0.0}, {"direct_epochs": 2, "l1": 0.0, "ssim": 0.0}),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(InputError):
        GanRecipe.from_mapping(settings)


def test_the_tasks_recipe_is_the_specifications():
    recipe = GanRecipe.from_mapping(TASK.recipe)
    weights = (recipe.gradient_penalty, recipe.classification, recipe.reconstruction, recipe.segmentation)
    assert weights == (10, 1, 10, 10)
    assert (recipe.batch_size, recipe.discriminator_batch_size, recipe.epochs, recipe.patience) == (5, 1, 200, 25)
    assert 1e-4 <= recipe.learning_rate <= 5e-4
    assert recipe.with_texts({"epochs": "3", "network.blocks": "1"}).network == {"blocks": 1}
