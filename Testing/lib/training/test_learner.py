"""One step at a time, also where memory runs out or the loss is no number."""

import numpy as np
import pytest
import torch

from MedSegEffNetLib.errors import OutOfMemory
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.training.config import Recipe
from MedSegEffNetLib.training.economy import Economy
from MedSegEffNetLib.training.halfway import Halfway
from MedSegEffNetLib.training.learner import Learner, NotFinite

CUDA = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
CPU = RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to allocate")
WINDOWS = RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 64 bytes")


class Block(torch.nn.Module):
    """A convolution that can compute its features again."""

    def __init__(self):
        super().__init__()
        self.convolution = torch.nn.Conv2d(1, 1, 3, padding=1)
        self.checkpointing = False

    def forward(self, images):
        return self.convolution(images)


class Fails(torch.nn.Module):
    """Raises the errors one after the other, then works; keeps the shapes that it saw."""

    divisor = 4

    def __init__(self, *errors, block=False):
        super().__init__()
        self.block = Block() if block else Block().convolution
        self.errors = list(errors)
        self.shapes = []

    def forward(self, images):
        self.shapes.append(tuple(images.shape))
        if self.errors:
            raise self.errors.pop(0)
        return self.block(images)


def learner(*errors, block=False, **settings):
    torch.manual_seed(0)
    return Learner(Fails(*errors, block=block), Recipe(batch_size=4, loss="bce", **settings))


def batch():
    draw = torch.Generator().manual_seed(0)
    images = torch.randn(4, 1, 16, 16, generator=draw)
    return images, (images > 0.5).float()


def step(taught, said=None):
    job = Job.open(None, {})
    job.listeners.append((said if said is not None else []).append)
    return taught.learn(*batch(), Halfway(1, torch.Generator().manual_seed(0), torch.device("cpu")), job)


@pytest.mark.parametrize("error", [CUDA, CPU, WINDOWS, MemoryError()])
def test_when_memory_runs_out_the_same_step_is_done_in_a_smaller_way_and_that_is_said(error):
    taught, said = learner(error), []
    loss, counts = step(taught, said)
    assert np.isfinite(loss)
    assert taught.steps == 1
    assert taught.network.shapes == [(4, 1, 16, 16), (4, 1, 12, 12)]
    assert [event["text"].startswith("Memory ran out") for event in said] == [True]
    assert "12 × 12" in said[0]["text"]
    assert counts.sum() == 4 * 12 * 12


def test_the_ladder_goes_from_computing_again_over_smaller_patches_to_parts_of_a_batch():
    taught, said = learner(CUDA, CPU, CUDA, CUDA, CUDA, block=True), []
    step(taught, said)
    assert taught.economy == Economy(checkpointing=True, share=0.5, parts=4)
    assert taught.network.block.checkpointing
    texts = [event["text"] for event in said]
    for text, words in zip(texts, ("computed again", "12 × 12", "2 parts", "4 parts", "8 × 8"), strict=True):
        assert words in text
    assert taught.network.shapes[-4:] == [(1, 1, 8, 8)] * 4


def test_the_end_of_the_ladder_is_an_error_that_says_what_to_do():
    with pytest.raises(OutOfMemory, match="no smaller way") as caught:
        step(learner(*[CUDA] * 20))
    assert "batch_size" in caught.value.hint


def test_other_errors_of_torch_are_not_taken_for_want_of_memory():
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        step(learner(RuntimeError("mat1 and mat2 shapes cannot be multiplied")))


def test_a_batch_in_parts_gives_the_gradient_of_the_whole():
    whole, parts = learner(optimizer="sgd"), learner(optimizer="sgd")
    parts.economy = Economy(parts=3)
    losses = [step(taught)[0] for taught in (whole, parts)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for one, other in zip(whole.network.parameters(), parts.network.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_a_step_that_was_repeated_draws_the_same_changes():
    settings = {"augmentation": {"rotation_degrees": 30.0, "noise": 0.1}, "optimizer": "sgd"}
    plain, repeated = learner(**settings), learner(CPU, **settings)
    repeated.economy = Economy(share=0.5, parts=2)  # nothing but parts is left, which change no gradient
    plain.economy = Economy(share=0.5, parts=4)
    assert step(plain)[0] == pytest.approx(step(repeated)[0], rel=1e-5)


def test_a_validation_that_does_not_fit_is_done_in_parts():
    taught, said = learner(CUDA), []
    job = Job.open(None, {})
    job.listeners.append(said.append)
    assert taught.predict(batch()[0], job).shape == (4, 1, 16, 16)
    assert taught.network.shapes[1:] == [(2, 1, 16, 16)] * 2
    assert "2 parts" in said[0]["text"]
    with pytest.raises(OutOfMemory):
        learner(*[CUDA] * 9).predict(batch()[0], job)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nothing_is_learnt_from_a_loss_that_is_no_number(value):
    taught = learner()
    before = [parameter.detach().clone() for parameter in taught.network.parameters()]
    forward = taught.network.forward
    taught.network.forward = lambda images: forward(images) * value
    with pytest.raises(NotFinite):
        step(taught)
    for one, other in zip(before, taught.network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_what_was_spared_is_kept_in_the_checkpoint():
    taught = learner(CUDA, block=True)
    step(taught)
    resumed = learner(block=True)
    resumed.restore(taught.state())
    assert resumed.economy == taught.economy
    assert resumed.network.block.checkpointing
