"""Synthetic tumors: nested, within the brain, and bright where a sequence shows them so."""

import numpy as np
import pytest

from MedSegEffNetLib.synthetic import brain_tumors as synthetic

RIM = synthetic.TISSUES.index("enhancing")


@pytest.fixture(scope="module")
def tissues():
    """A round brain: white matter, a shell of grey matter, fluid around it and in its middle."""
    axes = np.meshgrid(*[np.arange(n) - n / 2 for n in (72, 84, 64)], indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in axes))
    brain = radius < 30
    white, grey = (radius > 6) & (radius < 24), (radius >= 24) & (radius < 28)
    return synthetic.tissues_of(grey.astype(float), white.astype(float), brain)


@pytest.fixture(scope="module")
def ring(tissues):
    return synthetic.grow_tumor(tissues, np.random.default_rng(3), "ring")


def test_tissues_come_from_probabilities(tissues):
    assert [synthetic.TISSUES[number] for number in np.unique(tissues)] == ["background", "csf", "grey", "white"]


@pytest.mark.parametrize("kind", synthetic.KINDS)
def test_a_tumor_lies_within_the_brain_and_has_the_parts_of_its_kind(kind, tissues):
    grown = synthetic.grow_tumor(tissues, np.random.default_rng(1), kind)
    labels = synthetic.label_map(grown)
    assert labels.any()
    assert not labels[tissues == 0].any()
    assert (4 in labels) == synthetic.KINDS[kind].has_rim
    assert set(np.unique(labels)) <= {0, 1, 2, 4}


def test_the_same_seed_grows_the_same_tumor(tissues, ring):
    assert np.array_equal(ring, synthetic.grow_tumor(tissues, np.random.default_rng(3), "ring"))


def test_warping_keeps_the_tissues_and_moves_them(tissues):
    warped = synthetic.warp(tissues, np.random.default_rng(0))
    assert warped.shape == tissues.shape
    assert set(np.unique(warped)) == set(np.unique(tissues))
    assert 0.6 < (warped > 0).sum() / (tissues > 0).sum() < 1.5
    assert (warped != tissues).mean() > 0.02


def test_mimics_are_no_tumor(tissues):
    changed = synthetic.add_mimics(tissues, np.random.default_rng(2))
    assert not synthetic.label_map(changed).any()
    assert (changed == synthetic.TISSUES.index("vessel")).any()


@pytest.mark.parametrize("sequence", synthetic.SEQUENCES)
def test_an_image_is_normalized_over_the_brain_and_the_background_is_marked(sequence, ring):
    draw = np.random.default_rng(4)
    counts = np.bincount(ring.ravel(), minlength=len(synthetic.TISSUES))
    picture = synthetic.render(ring, synthetic.draw_brightness(sequence, draw).normalized(counts), draw, -4.0)
    assert picture.dtype == np.float32
    assert (picture[ring == 0] == -4).all()
    assert abs(picture[ring > 0].mean()) < 0.3
    assert 0.5 < picture[ring > 0].std() < 1.4


def test_enhancing_tumor_is_the_brightest_in_t1ce_and_fluid_the_darkest_in_flair():
    draw = np.random.default_rng(5)
    for _ in range(20):
        t1ce, flair = (synthetic.draw_brightness(name, draw).mean for name in ("t1ce", "flair"))
        assert t1ce[RIM] > max(t1ce[1:4].max(), t1ce[6:9].max())
        assert flair[1] < flair[6]
