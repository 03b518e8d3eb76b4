"""Volumes find their channels by name, and never a wrong one."""

import numpy as np
import pytest

from MedSegEffNetLib.task import get_segmentation_task

pytestmark = pytest.mark.usefixtures("slicer_app")
BRAIN = get_segmentation_task("brain-tumor").channels
SLICES = get_segmentation_task("tumor-slices").channels
CT = get_segmentation_task("covid-ct").channels


def candidate(name, number=0, affine=None, shape=(4, 4, 4), **facts):
    from MedSegEffNetPanel.grid import Grid
    from MedSegEffNetPanel.matching import Candidate

    facts.setdefault("fingerprint", f"{name}{number}")
    return Candidate(f"{name}#{number}", name, grid=Grid(shape, np.eye(4) if affine is None else affine), **facts)


def filled(names, channels=BRAIN):
    from MedSegEffNetPanel.matching import fill_channels

    volumes = [name if not isinstance(name, str) else candidate(name) for name in names]
    return {channel: node.rpartition("#")[0] for channel, node in fill_channels(volumes, channels).items()}


def states(channels=BRAIN, **facts):
    from MedSegEffNetPanel.matching import channel_states

    return channel_states(channels, {channel.name: facts.get(channel.name) for channel in channels})


# filling


@pytest.mark.parametrize(
    "names",
    [
        ["BraTS20_Training_001_" + end for end in ("seg", "t1", "t1ce", "t2", "flair")],
        ["BraTS-GLI-00000-000-" + end for end in ("seg", "t1n", "t1c", "t2w", "t2f")],
        ["1: localizer", "3: t1_se_tra", "9: t1_se_tra_KM", "4: t2_tse_tra_4mm", "5: t2_tirm_tra_dark-fluid_5mm"],
        ["701: dADC map", "301: T1W_SE", "801: T1W_SE_Gd", "401: T2W_TSE", "501: FLAIR"],
    ],
)
def test_a_case_fills_all_channels(names):
    assert filled(names) == dict(zip(["t1", "t1ce", "t2", "flair"], names[1:], strict=True))


def test_what_can_be_read_in_two_ways_stays_empty():
    assert filled(["T1 a", "T1 b", "T1 POST"]) == {"t1ce": "T1 POST"}
    assert filled(["T2"], SLICES) == {}


def test_two_patients_are_never_mixed():
    assert filled(["case_001_t1", "case_002_t1ce"]) == {}
    assert filled(["t1_001", "t1ce_002"]) == {}
    assert filled(["Patient1 FLAIR", "Patient2 T1 POST"]) == {}
    assert filled(["case_001_t1", "case_001_t1ce"]) == {"t1": "case_001_t1", "t1ce": "case_001_t1ce"}
    first, second = candidate("T1", group="1"), candidate("FLAIR", group="2")
    assert filled([first, second]) == {}
    assert filled([first, second], SLICES) == {"flair": "FLAIR"}  # only one of the two has what is required
    assert filled(["Anna Mueller flair", "Berta Schmidt t1", "Berta Schmidt t1ce"]) == {}
    assert filled([candidate("T1 POST", 1, group="1"), candidate("T1 POST", 2, group="2")]) == {}


def test_of_two_volumes_the_one_on_the_others_grid_is_taken():
    far = np.diag([2.0, 2.0, 2.0, 1.0])
    volumes = [candidate("FLAIR", affine=far), candidate("FLAIR on T1 POST"), candidate("T1 POST"), candidate("T2")]
    assert filled(volumes) == {"flair": "FLAIR on T1 POST", "t1ce": "T1 POST", "t2": "T2"}


def test_a_color_volume_serves_all_channels():
    color = candidate("slices", components=3)
    assert filled([color], SLICES) == dict.fromkeys(["t1", "flair", "t1ce"], "slices")
    assert filled([color], BRAIN) == {}
    assert filled([color, candidate("FLAIR")], SLICES) == {"flair": "FLAIR"}


def test_the_only_volume_serves_the_only_channel():
    assert filled(["Patient 12"], CT) == {"ct": "Patient 12"}
    assert filled(["Patient 12", "lung mask"], CT) == {"ct": "Patient 12"}
    assert filled(["a", "b"], CT) == {}
    assert filled([], CT) == {}


def test_volumes_without_voxels_are_left_out():
    from MedSegEffNetPanel.matching import Candidate

    assert filled([Candidate("x", "T1 POST")]) == {}


# states


def test_a_complete_choice_is_ok():
    found = states(t1=candidate("T1"), t1ce=candidate("T1 POST"), t2=candidate("T2"), flair=candidate("FLAIR"))
    assert [state.word for state in found.values()] == ["ok"] * 4


def test_missing_channels_block_only_where_they_are_required():
    found = states(SLICES)
    assert found["flair"].blocks
    assert found["flair"].sentence == "Choose the volume for FLAIR."
    assert not found["t1"].blocks
    assert "FLAIR takes its place" in found["t1"].sentence


def test_a_model_that_requires_none_takes_any_of_its_channels_but_one_at_least():
    none = states(BRAIN)
    assert all(state.blocks for state in none.values())
    assert none["t2"].sentence == "Choose a volume for one at least of T1, T1 post-contrast, T2, FLAIR."
    one = states(t1ce=candidate("T1 POST"))
    assert not any(state.blocks for state in one.values())
    assert one["t2"].sentence == "T2 is optional. Without it the networks of the other images decide."


def test_another_grid_blocks_and_can_be_resampled():
    far = np.diag([2.0, 2.0, 2.0, 1.0])
    found = states(t1ce=candidate("T1 POST"), t2=candidate("T2", affine=far))
    assert found["t1ce"].word == "ok"
    assert (found["t2"].word, found["t2"].blocks, found["t2"].can_resample) == ("other grid", True, True)
    assert "Press Resample" in found["t2"].sentence


def test_the_first_required_channel_gives_the_grid():
    far = np.diag([2.0, 2.0, 2.0, 1.0])
    found = states(SLICES, t1=candidate("T1"), flair=candidate("FLAIR", affine=far))
    assert [found[name].word for name in ("t1", "flair")] == ["other grid", "ok"]


def test_one_volume_for_two_channels_blocks():
    node = candidate("T1 POST")
    found = states(t1ce=node, t2=node)
    assert [found[name].word for name in ("t1ce", "t2")] == ["twice", "twice"]
    assert found["t2"].blocks


def test_equal_images_in_two_channels_block():
    found = states(t1ce=candidate("T1 POST", fingerprint="x"), t2=candidate("T2", fingerprint="x"))
    assert (found["t2"].word, found["t2"].blocks) == ("same image", True)


def test_suspicious_names_warn_and_do_not_block():
    found = states(t1ce=candidate("T1 POST"), t1=candidate("T2 tra"), flair=candidate("lesion"))
    assert found["t1"].word == "looks like T2"
    assert "Check that it is T1" in found["t1"].sentence
    assert found["flair"].word == "a mask?"
    assert not any(state.blocks for state in found.values())
    other = states(t1ce=candidate("T1 POST", group="1"), t2=candidate("T2", group="2"))
    assert (other["t1ce"].word, other["t2"].word) == ("ok", "other patient?")
    other = states(t1ce=candidate("Anna t1ce"), t1=candidate("Anna t1"), t2=candidate("Berta t2"))
    assert [other[name].word for name in ("t1ce", "t1", "t2")] == ["ok", "ok", "other patient?"]
    assert other["t2"].doubtful
    assert not other["t2"].blocks


def test_a_color_volume_must_have_a_component_for_each_channel():
    color = candidate("slices", components=3)
    found = states(SLICES, t1=color, flair=color, t1ce=color)
    assert [state.word for state in found.values()] == ["ok"] * 3
    assert found["flair"].sentence == "Component 2 of slices is FLAIR."
    wrong = states(BRAIN, t1ce=color)["t1ce"]
    assert (wrong.word, wrong.blocks) == ("wrong components", True)
    mixed = states(SLICES, t1=color, flair=candidate("FLAIR"), t1ce=color)["flair"]
    assert (mixed.word, mixed.blocks) == ("not used", True)


def test_a_volume_without_voxels_blocks():
    from MedSegEffNetPanel.matching import Candidate

    assert states(t1ce=Candidate("x", "T1 POST"))["t1ce"].blocks


def test_every_sentence_that_blocks_says_what_to_do():
    far, node = np.diag([2.0, 2.0, 2.0, 1.0]), candidate("x")
    found = [
        *states(SLICES).values(),
        *states(t1ce=node, t2=node).values(),
        *states(t1ce=node, t2=candidate("T2", affine=far)).values(),
        *states(t1ce=candidate("c", components=2)).values(),
    ]
    verbs = ("Choose", "Press", "Load")
    assert [
        state.sentence for state in found if state.blocks and not any(verb in state.sentence for verb in verbs)
    ] == []


def test_a_volume_that_a_network_made_is_never_chosen():
    made = candidate("anna t1ce", synthesised="maker@1")
    assert filled(["anna flair", "anna t1", made]) == {"flair": "anna flair", "t1": "anna t1"}
    assert filled([made]) == {}


def test_a_chosen_volume_that_a_network_made_says_so():
    made = states(t1=candidate("anna t1"), t1ce=candidate("anna t1ce", synthesised="maker@1"))["t1ce"]
    assert made.word == "synthesised"
    assert "maker@1" in made.sentence
    assert made.doubtful
    assert not made.blocks
