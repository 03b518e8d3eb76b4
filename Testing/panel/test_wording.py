"""Errors joined from parts are sentences."""

import pytest


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (("the disk is full", "free some space."), "The disk is full. Free some space."),
        (("Why?", "", "  "), "Why?"),
        (("flair.nii is damaged", "copy it again"), "flair.nii is damaged. Copy it again."),
        (("/data/case 1 is empty",), "/data/case 1 is empty."),
        (("--batch needs a folder",), "--batch needs a folder."),
        (("t1_ce: no such channel",), "t1_ce: no such channel."),
        (("torch is not installed",), "torch is not installed."),
        (("Importing x.zip: it's damaged",), "Importing x.zip: it's damaged."),
        (("wait …",), "Wait …"),
        (("don't do it",), "Don't do it."),
        ((), ""),
    ],
)
def test_parts_become_sentences_but_names_of_files_and_packages_keep_their_letters(slicer_app, parts, text):
    from MedSegEffNetPanel.wording import sentences

    assert sentences(*parts) == text
