"""Tasks are data that check themselves, and say what the specifications say."""

import pytest

from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.preprocessing import Pipeline
from MedSegEffNetLib.task import (
    Channel,
    SegmentationTask,
    find_channel,
    get_segmentation_task,
    get_task,
    list_tasks,
    reference_channel,
)

TASKS = list_tasks()
SEGMENTATION = [task for task in TASKS.values() if isinstance(task, SegmentationTask)]


def test_all_five_tasks_are_found():
    assert set(TASKS) == {"brain-tumor", "covid-ct", "mri-synthesis", "skin-layers", "tumor-slices"}


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.id)
def test_a_tasks_steps_can_be_built(task):
    assert Pipeline.from_steps(task.preprocessing).parts


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.id)
def test_a_task_cites_where_it_comes_from(task):
    assert task.citations
    assert task.description.endswith(".")


@pytest.mark.parametrize("task", SEGMENTATION, ids=lambda task: task.id)
def test_every_label_has_a_name_a_color_and_a_coded_meaning(task):
    for label in task.labels:
        assert label.name
        assert len(label.color) == 3
        assert label.terminology.type.scheme == "SCT"
        assert label.terminology.type.value.isdigit()


@pytest.mark.parametrize("task", SEGMENTATION, ids=lambda task: task.id)
def test_nested_regions_lie_within_the_one_before(task):
    if task.nested:
        for outer, inner in zip(task.regions, task.regions[1:], strict=False):
            assert set(inner.labels) < set(outer.labels)


def test_brats_regions_are_those_of_the_challenge():
    regions = {region.name: set(region.labels) for region in get_segmentation_task("brain-tumor").regions}
    assert regions == {"WT": {1, 2, 4}, "TC": {1, 4}, "ET": {4}}


@pytest.mark.parametrize("spelling", ["t1ce", "T1c", "t1gd", "T1_post", "post-contrast", "T1CE"])
def test_channels_are_found_by_their_aliases(spelling):
    assert get_task("brain-tumor").channel(spelling).name == "t1ce"


def test_an_unknown_channel_or_task_is_refused_with_those_there_are():
    with pytest.raises(InputError, match="'adc'") as caught:
        get_task("brain-tumor").channel("adc")
    assert "flair" in caught.value.expected
    with pytest.raises(InputError, match="liver") as caught:
        get_task("liver")
    assert "covid-ct" in caught.value.expected


def test_the_tumor_slices_recipe_is_the_reports():
    recipe = get_task("tumor-slices").recipe
    assert (recipe["loss"], recipe["optimizer"], recipe["learning_rate"]) == ("mse", "adam", 0.002)
    assert (recipe["decay"], recipe["patience"], recipe["early_stopping"]) == (0.5, 10, 15)


def test_two_channels_cannot_share_a_name():
    with pytest.raises(ValueError, match="names"):
        SegmentationTask(
            "x", "", "", 2, (Channel("a", "A"), Channel("b", "B", ("a",))), (), (), (), (), {}, (), ()
        )  # fmt: skip


def test_spelling_details_do_not_matter():
    channels = (Channel("t1ce", "T1ce", ("t1 post",)),)
    assert find_channel("x", channels, "T1-Post") is channels[0]


def test_the_first_required_channel_that_is_given_gives_the_grid():
    slices, brain = get_task("tumor-slices").channels, get_task("brain-tumor").channels
    assert reference_channel(slices, {"t1", "flair"}) == "flair"
    assert reference_channel(slices, ["t1ce", "t1"]) == "t1"
    assert reference_channel(brain, {"t2": 1, "flair": 2}) == "t2"
    with pytest.raises(ValueError, match="t1, flair, t1ce"):
        reference_channel(slices, [])
