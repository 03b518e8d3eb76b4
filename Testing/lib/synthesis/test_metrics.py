"""Metrics of synthesised images against values found by hand and those of other libraries."""

import numpy as np
import pytest

from MedSegEffNetLib.synthesis import metrics

pytest.importorskip("skimage")


@pytest.fixture
def pair():
    """A smooth volume, a noisy copy, and the part of it that counts."""
    from scipy.ndimage import gaussian_filter

    draw = np.random.default_rng(0)
    real = gaussian_filter(draw.random((64, 60, 3)), (2, 2, 0)).astype(np.float32)
    real = (real - real.min()) / (real.max() - real.min())
    mask = np.zeros(real.shape, bool)
    mask[8:56, 6:54] = True
    return real, np.clip(real + 0.05 * draw.standard_normal(real.shape), 0, 1).astype(np.float32), mask


def test_equal_images_have_the_best_values(pair):
    real, _, mask = pair
    figures = metrics.compare(real, real, mask, mask)
    assert figures["nmae"] == 0
    assert figures["psnr"] == np.inf
    assert figures["ssim"] == pytest.approx(1)
    assert figures["vif"] == pytest.approx(1, abs=1e-4)


def test_error_and_signal_to_noise_are_those_found_by_hand():
    real = np.zeros((2, 2, 1), np.float32)
    real[0, 0] = 1
    made = np.array([[0.5, 0.1], [0.0, 0.0]], np.float32)[..., None]
    mask = np.ones(real.shape, bool)
    assert metrics.nmae(real, made, mask) == pytest.approx((0.5 + 0.1) / 4)
    assert metrics.psnr(real, made, mask) == pytest.approx(10 * np.log10(1 / ((0.25 + 0.01) / 4)))


def test_the_signal_to_noise_ratio_is_that_of_scikit_image(pair):
    from skimage.metrics import peak_signal_noise_ratio

    real, made, mask = pair
    theirs = peak_signal_noise_ratio(real[mask].astype(float), made[mask].astype(float), data_range=1.0)
    assert metrics.psnr(real, made, mask) == pytest.approx(theirs)


def test_only_the_region_counts(pair):
    real, made, mask = pair
    wrong = np.where(mask, made, 1 - made)
    assert metrics.nmae(real, wrong, mask) == metrics.nmae(real, made, mask)
    assert metrics.psnr(real, wrong, mask) == pytest.approx(metrics.psnr(real, made, mask))


def test_the_range_is_that_of_the_real_image_inside_of_the_head():
    real = np.array([-9.0, -2.0, 0.0, 2.0])[:, None, None]
    made = np.array([-9.0, -3.0, 1.0, 2.0])[:, None, None]
    one, other = metrics.scaled(real, made, real > -9)
    np.testing.assert_allclose(one.ravel(), [0, 0, 0.5, 1])
    np.testing.assert_allclose(other.ravel(), [0, 0, 0.75, 1])


def test_an_image_without_contrast_has_no_range():
    with pytest.raises(ValueError, match="no contrast"):
        metrics.scaled(np.ones((2, 2, 1)), np.ones((2, 2, 1)), np.ones((2, 2, 1), bool))


def test_similarity_is_that_of_another_library(pair):
    torch, theirs = pytest.importorskip("torch"), pytest.importorskip("torchmetrics.functional.image")
    real, made, _ = pair
    found = []
    for index in range(3):
        one, other = (torch.from_numpy(np.ascontiguousarray(image[..., index]))[None, None] for image in (real, made))
        _, similar = theirs.structural_similarity_index_measure(
            other, one, sigma=1.5, kernel_size=11, data_range=1.0, return_full_image=True
        )
        found.append(float(similar[..., 8:-8, 8:-8].mean()))
    inner = np.zeros(real.shape, bool)
    inner[8:-8, 8:-8] = True
    assert metrics.ssim(real, made, inner) == pytest.approx(np.mean(found), abs=2e-3)


def fidelity(real, made, noise=2.0):
    """VIF in the pixel domain, written out after the publication: four scales of Gaussian windows."""
    from scipy.ndimage import correlate

    told, whole = 0.0, 0.0
    for scale in range(4):
        side = 2 ** (4 - scale) + 1
        line = np.exp(-((np.arange(side) - side // 2) ** 2) / (2 * (side / 5) ** 2))
        window, cut = np.outer(line, line) / line.sum() ** 2, slice(side // 2, -(side // 2))

        def mean(picture, window=window, cut=cut):
            return correlate(picture, window)[cut, cut]

        if scale:
            real, made = mean(real)[::2, ::2], mean(made)[::2, ::2]
        one, other = mean(real), mean(made)
        of_real = np.maximum(mean(real * real) - one**2, 0)
        of_made = np.maximum(mean(made * made) - other**2, 0)
        shared = mean(real * made) - one * other
        gain = shared / (of_real + 1e-10)
        rest = np.maximum(of_made - gain * shared, 1e-10)
        told += np.log10(1 + np.maximum(gain, 0) ** 2 * of_real / (rest + noise)).sum()
        whole += np.log10(1 + of_real / noise).sum()
    return told / whole


def test_information_fidelity_is_that_of_the_publication(pair):
    pytest.importorskip("torchmetrics")
    real, made, _ = pair
    found = [fidelity(255.0 * real[..., index], 255.0 * made[..., index]) for index in range(3)]
    assert metrics.vif(real, made, np.ones(real.shape, bool)) == pytest.approx(np.mean(found), abs=2e-3)


def test_what_a_region_is_too_small_for_is_undefined(pair):
    real, made, mask = pair
    none = np.zeros_like(mask)
    assert all(np.isnan(metrics.compare(real, made, none, mask)[name]) for name in ("nmae", "psnr", "ssim", "vif"))
    assert np.isnan(metrics.niqe(made, none, (np.zeros(36), np.eye(36))))
    assert np.isnan(metrics.niqe(made, mask, None))
    few = none.copy()
    few[30:34, 30:34, 1] = True
    assert np.isnan(metrics.vif(real, made, few))
    assert np.isfinite(metrics.ssim(real, made, few))


def natural(seed, shape=(192, 192)):
    """A picture with the spectrum of natural ones."""
    draw = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(shape[1]), np.fft.fftfreq(shape[0]))) + 1 / shape[0]
    picture = np.fft.ifft2(np.fft.fft2(draw.standard_normal(shape)) / frequency).real
    return (picture - picture.min()) / (picture.max() - picture.min())


def test_a_picture_like_the_reference_looks_more_natural_than_a_noisy_or_blurred_one():
    from scipy.ndimage import gaussian_filter

    mask = np.ones((192, 192), bool)
    learnt = np.concatenate([metrics.niqe_features(natural(seed), mask, sharpest=True) for seed in range(12)])
    reference = learnt.mean(axis=0), np.cov(learnt, rowvar=False)
    fresh = natural(99)
    noisy = np.clip(fresh + 0.1 * np.random.default_rng(0).standard_normal(fresh.shape), 0, 1)
    values = [
        metrics.niqe(picture[..., None], mask[..., None], reference)
        for picture in (fresh, noisy, gaussian_filter(fresh, 2))
    ]
    assert values[0] < min(values[1:]) / 2


def test_the_fit_finds_the_shape_of_a_gaussian_and_of_a_laplacian():
    draw = np.random.default_rng(0)
    assert metrics._asymmetric_gaussian(draw.standard_normal(200_000))[0] == pytest.approx(2, abs=0.05)
    assert metrics._asymmetric_gaussian(draw.laplace(size=200_000))[0] == pytest.approx(1, abs=0.05)
    shape, left, right, mean = metrics._asymmetric_gaussian(np.abs(draw.standard_normal(1000)) + 0.01)
    assert right > left
    assert mean > 0
    assert shape > 0


def test_there_is_a_reference_of_every_sequence():
    found = metrics.references()
    assert set(found) == {"t1", "t1ce", "t2", "flair"}
    for mean, covariance in found.values():
        assert mean.shape == (36,)
        assert covariance.shape == (36, 36)
        assert np.linalg.eigvalsh(covariance).min() > -1e-6


def test_summaries_leave_out_what_is_undefined_or_infinite():
    rows = [
        {"case": "a", "task": "t1 → t2", "region": "head", "psnr": 20.0, "vif": float("nan")},
        {"case": "b", "task": "t1 → t2", "region": "head", "psnr": 30.0, "vif": 0.5},
        {"case": "c", "task": "t1 → t2", "region": "head", "psnr": float("inf"), "vif": 0.7},
    ]
    summary = metrics.summarize(rows)["t1 → t2"]["head"]
    assert summary["psnr"] == {"mean": 25.0, "std": pytest.approx(7.0711, abs=1e-3), "median": 25.0, "n": 2}
    assert summary["vif"]["n"] == 2


def test_a_missing_package_is_named_as_it_is_installed(pair, monkeypatch):
    from MedSegEffNetLib.errors import InputError

    def missing(name):
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(metrics.importlib, "import_module", missing)
    real, made, mask = pair
    with pytest.raises(InputError, match="scikit-image"):
        metrics.ssim(real, made, mask)


def test_the_share_of_the_enhancement_is_that_of_the_brightening():
    head = np.ones((10, 10, 10), bool)
    tumor = np.zeros_like(head)
    tumor[2:6, 2:6, 2:6] = True
    native = np.random.default_rng(0).standard_normal(head.shape)
    real = native + np.where(tumor, 3.0, 0.2)  # 0.2: another window, no enhancement
    for share in (0, 0.25, 1):
        made = native + share * np.where(tumor, 2.8, 0) - 0.5
        assert metrics.enhancement(native, real, made, tumor, head) == pytest.approx(share)
    assert np.isnan(metrics.enhancement(native, native, native, tumor, head))
