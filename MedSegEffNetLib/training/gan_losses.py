"""The losses of a synthesis training, and the two figures it is validated by.

Of the discriminator D, with pictures x that are real and G that are made: ``d_real`` = -mean D(x), ``d_fake`` = mean D(G),
``d_gp`` the gradient penalty (:func:`gradient_penalty`), ``d_cls`` the cross-entropy of the channel that x is said to be.
Of the generator: ``g_fake`` = -mean D(G), ``g_cls`` the cross-entropy of the channel that G is said to be, ``g_rec`` the L1
distance of an input and what the generator makes of G when it is asked for that input (cycle), ``g_seg`` the loss of the
tumor that the segmentation U-Net finds in G; and, as the images are registered, ``g_l1`` and ``g_ssim`` of G and x.
``s_loss`` is what ``g_seg`` would be if x had been made.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_SIGMA, _RADIUS = 1.5, 5  # pixels, Wang et al.
_STEADY = (0.01, 0.03)


def gradient_penalty(discriminator: nn.Module, real: Tensor, made: Tensor, mix: Tensor) -> Tensor:
    """How far the discriminator's gradient is from length 1 between real and made pictures ``(N, 1, H, W)``.

    ``mix`` ``(N, 1, 1, 1)`` of 0..1 says where between the two. Source: Gulrajani et al., Improved training of Wasserstein
    GANs, NIPS 2017, arXiv:1704.00028.
    """
    between = (mix * real + (1 - mix) * made).requires_grad_(True)
    realness, _ = discriminator(between)
    (slope,) = torch.autograd.grad(realness.mean(dim=(1, 2, 3)).sum(), between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()


def l1(made: Tensor, real: Tensor, inside: Tensor) -> Tensor:
    """Mean absolute difference where ``inside`` ``(N, 1, H, W)`` is true, of each picture: ``(N,)``."""
    weights = inside.to(made)
    return ((made - real).abs() * weights).sum(dim=(1, 2, 3)) / weights.sum(dim=(1, 2, 3)).clamp(min=1)


def psnr(made: Tensor, real: Tensor, inside: Tensor, span: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB over ``inside``, ``(N,)``; ``span`` ``(N,)`` is the peak-to-peak of real values."""
    weights = inside.to(made)
    errors = ((made - real).square() * weights).sum(dim=(1, 2, 3)) / weights.sum(dim=(1, 2, 3)).clamp(min=1)
    return 10 * torch.log10(span.square() / errors.clamp(min=1e-10))


def ssim(made: Tensor, real: Tensor, inside: Tensor, span: Tensor) -> Tensor:
    """Structural similarity over ``inside``, ``(N,)``; what lies outside counts as equal.

    Gaussian window of 11 pixels with a standard deviation of 1.5, constants 0.01 and 0.03 of ``span`` ``(N,)``, the
    peak-to-peak of real values. Source: Wang et al., IEEE TIP 13, 2004.
    """
    made, real = torch.where(inside, made, 0).float(), torch.where(inside, real, 0).float()
    means = [_blur(part) for part in (made, real)]
    first = _blur(made * made) - means[0] ** 2
    second = _blur(real * real) - means[1] ** 2
    both = _blur(made * real) - means[0] * means[1]
    low, high = ((share * span).square().view(-1, 1, 1, 1) for share in _STEADY)
    similar = (2 * means[0] * means[1] + low) * (2 * both + high)
    similar = similar / ((means[0] ** 2 + means[1] ** 2 + low) * (first + second + high))
    weights = inside.to(similar)
    return (similar * weights).sum(dim=(1, 2, 3)) / weights.sum(dim=(1, 2, 3)).clamp(min=1)


def _blur(pictures: Tensor) -> Tensor:
    steps = torch.arange(-_RADIUS, _RADIUS + 1, device=pictures.device, dtype=pictures.dtype)
    window = torch.exp(-0.5 * (steps / _SIGMA) ** 2)
    window = window / window.sum()
    rows = functional.conv2d(pictures, window.view(1, 1, -1, 1), padding=(_RADIUS, 0))
    return functional.conv2d(rows, window.view(1, 1, 1, -1), padding=(0, _RADIUS))
