import numpy as np

from MedSegEffNetLib.synthetic import scanner


def test_air_holds_the_noise_of_a_magnitude_image():
    """Without signal the magnitude's distribution is Rayleigh's: its mean is 1.91 standard deviations."""
    water = np.zeros((96, 96), dtype=np.float32)
    water[:, 72:] = 1
    ratios = []
    for seed in range(10):  # some have ghosts, which are signal
        air = scanner.acquire(water, np.zeros_like(water), np.ones_like(water), np.random.default_rng(seed))[
            20:76, 10:50
        ]
        ratios.append(air.mean() / air.std())
    assert abs(np.median(ratios) - 1.91) < 0.1


def test_a_loop_sees_less_the_deeper_it_looks():
    depth = np.linspace(-3, 20, 60)[None, :] * np.ones((40, 1))
    field = scanner.loop_sensitivity(depth, np.linspace(-12, 12, 40)[:, None], np.random.default_rng(0))
    assert field.max() == 1
    inside = field[:, depth[0] > 0]
    assert (np.diff(inside, axis=1) < 0).all()


def test_fat_is_displaced_along_x_alone():
    fat = np.zeros((64, 64), dtype=np.float32)
    fat[20:40, 20:40] = 1
    shifts = []
    for seed in range(12):
        seen = scanner.acquire(np.zeros_like(fat), fat, np.ones_like(fat), np.random.default_rng(seed))
        seen = np.where(seen > seen.max() / 2, seen, 0)
        center = [np.average(np.arange(64), weights=seen.sum(axis=1 - axis)) - 29.5 for axis in (0, 1)]
        shifts.append(center)
    aside, down = np.median(np.abs(shifts), axis=0)
    assert 0.3 < aside < 3
    assert down < 0.3


def test_smooth_noise_has_unit_variance_and_the_width_asked_for():
    noise = scanner.smooth_noise((128, 128), 4.0, np.random.default_rng(0))
    assert abs(noise.std() - 1) < 1e-3
    neighbor = (noise[:-4] * noise[4:]).mean()
    assert abs(neighbor - np.exp(-0.25)) < 0.15  # correlation of smoothed noise: exp(-d² / 4σ²)
