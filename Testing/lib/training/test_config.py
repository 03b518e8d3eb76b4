"""Recipes validate themselves and take settings as they are typed."""

import math
from dataclasses import fields

import pytest

from MedSegEffNetLib.augmentation import Augmentation
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.task import SegmentationTask, list_tasks
from MedSegEffNetLib.training.config import AUGMENTATIONS, Recipe

SEGMENTATION = [task for task in list_tasks().values() if isinstance(task, SegmentationTask)]


@pytest.mark.parametrize("task", SEGMENTATION, ids=lambda task: task.id)
def test_every_tasks_recipe_is_one(task):
    recipe = Recipe.from_mapping(task.recipe)
    assert recipe.epochs > 1
    for settings in task.network_recipes.values():
        Recipe.from_mapping({**task.recipe, **settings})


def test_typed_settings_are_parsed_by_the_settings_type():
    recipe = Recipe().with_texts(
        {"epochs": "5", "learning_rate": "1", "patch_size": "64", "augmentation.zoom": "0.2", "network.variant": "b2"}
    )
    assert (recipe.epochs, recipe.learning_rate, recipe.patch_size) == (5, 1.0, (64, 64))
    assert recipe.augmentation == {"zoom": 0.2}
    assert recipe.network == {"variant": "b2"}


@pytest.mark.parametrize(
    "settings",
    [
        *({"epochs": -1}, {"epochs": True}, {"epochs": 1.5}, {"optimizer": "lion"}, {"ema": 1.0}, {"schedule": "warm"}),
        *({"seed": -1}, {"seed": [1]}, {"learning_rate": math.nan}, {"weight_decay": -1}, {"warmup": -1}),
        *({"patch_size": [-32, -32]}, {"patch_size": [32]}, {"patch_size": ["a", "b"]}, {"context": -1}, {"size": -5}),
        *({"early_stopping": -3}, {"empties_per_epoch": -2}, {"validation_fraction": 0.0}, {"decay": 0.0}),
        *({"augmentation": {"zoom": 1.5}}, {"augmentation": {"zoom": "abc"}}, {"augmentation": {"noise": math.inf}}),
        {"validation_fraction": 0.6, "test_fraction": 0.4},
        *({"also_monitor": ["hd95"]}, {"also_monitor": ["dice"]}),  # the second one is the monitor already
    ],
    ids=str,
)
def test_values_out_of_range_are_refused(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        Recipe.from_mapping(settings)


def test_a_recipe_survives_being_written_down():
    recipe = Recipe(patch_size=(32, 48), augmentation={"zoom": 0.1})
    assert Recipe.from_mapping(recipe.as_mapping()) == recipe


def test_the_augmentations_a_recipe_knows_are_those_there_are():
    assert {setting.name for setting in fields(Augmentation)} == AUGMENTATIONS
