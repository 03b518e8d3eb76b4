"""One training by several processes that ``torchrun`` starts, on one computer or on many.

Each process takes its share of every batch and of the validation cases; losses, gradients and figures are sums over all of
them, so that the training is the one of a single process with a batch that many times as large. The first process
(rank 0) alone writes. Without ``torchrun`` everything here is done for one process and costs nothing.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from MedSegEffNetLib.errors import InputError, MedSegEffNetError, Stopped
from MedSegEffNetLib.job import Job

T = TypeVar("T")
_PATIENCE = timedelta(minutes=30)  # with processes that say nothing any more
_BUCKET = 1 << 23  # gradients that are summed at once: enough to use a network's speed, little beside the weights


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Work together, within, with the other processes that ``torchrun`` has started for this training.

    Raises
    ------
    InputError
        There are more processes on this computer than GPUs.
    MedSegEffNetError
        Another process has ended.
    """
    if not _started_with_others():
        yield
        return
    where = device()
    if where.type == "cuda":
        torch.cuda.set_device(where)
    # Both where there are GPUs: figures and words are exchanged between the processors.
    backend = "cpu:gloo,cuda:nccl" if where.type == "cuda" else "gloo"
    with _ending_told():
        with _others_watched():
            dist.init_process_group(backend, timeout=_PATIENCE)
        yield
        dist.destroy_process_group()  # after an error it might wait for a process that is gone


def processes() -> int:
    """How many work together; 1: this one is alone."""
    return dist.get_world_size() if _together() else 1


def rank() -> int:
    """Which of them this one is, from 0."""
    return dist.get_rank() if _together() else 0


def device() -> torch.device:
    """Where this process computes: each on a GPU of its own, or all on the processor."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    if not _started_with_others():
        return torch.device("cuda")
    number, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= count:
        raise InputError(
            f"there are more processes on this computer than GPUs ({count})",
            expected="one process a GPU",
            hint=f"start torchrun with --nproc-per-node {count}",
        )
    return torch.device("cuda", number)


def neighbors() -> int:
    """How many processes share this computer."""
    return max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def open_job(folder: Path | None, request: Mapping[str, Any]) -> Job:
    """The job: the first process writes it; the others have one that writes nothing. A stop is one for all.

    :meth:`~MedSegEffNetLib.job.Job.check_stop` has to be called by all processes alike.
    """
    if processes() == 1:
        return Job.open(folder, request)
    return _FirstJob.open(folder, request) if rank() == 0 else _OtherJob(None, request)


def own_part(order: Sequence[T], batch_size: int) -> list[T]:
    """This process's samples of an epoch whose ``order`` is the same in all processes.

    Of every ``batch_size`` samples a process it gets its ``batch_size``, of the last, smaller lot as many as the others, or
    one more or less. Samples at the end that are fewer than the processes are left out: each has to do the same steps.

    Raises
    ------
    InputError
        The epoch has fewer samples than there are processes.
    """
    count, size = processes(), batch_size * processes()
    lots = [order[start : start + size] for start in range(0, len(order), size)]
    if lots and len(lots[-1]) < count:
        lots.pop()
    if order and not lots:
        raise InputError(
            f"{len(order)} training samples in an epoch for {count} processes",
            expected="one for each process at least",
            hint="start fewer processes",
        )
    return [sample for lot in lots for sample in lot[rank() :: count]]


def own_seed(seed: int) -> int:
    """A seed for random numbers that must not be the same in two processes; the first one's is ``seed``."""
    return seed if rank() == 0 else int(np.random.SeedSequence([seed, rank()]).generate_state(1)[0])


def part_ways(draw: np.random.Generator) -> None:
    """From here on the numbers of ``draw``, so far the same in all processes, differ."""
    generator = draw.bit_generator
    if rank() and isinstance(generator, np.random.PCG64):
        generator.advance(rank() << 64)


def total(tensor: Tensor) -> Tensor:
    """The sum over all processes of what each one has.

    Its gradient is that of the own part, as each process works out the same loss from the same sums: the gradients of
    the weights add up to the loss's by :func:`sum_gradients`.
    """
    if processes() == 1:
        return tensor
    own = tensor.detach()
    return tensor + (_summed(own.clone()) - own)


def mean(value: Tensor, count: int) -> Tensor:
    """The mean of what each process has as a mean over ``count`` samples; its gradient as of :func:`total`."""
    if processes() == 1:
        return value
    return total(value * count) / total(value.new_tensor(count))


def sum_gradients(network: nn.Module) -> None:
    """Replace the gradients of ``network`` by their sums over all processes."""
    if processes() == 1:
        return
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    for bucket in _buckets(gradients):
        _in_one(bucket, _summed)


def average_statistics(network: nn.Module) -> None:
    """Replace running statistics, which each process gathered from its own samples, by their means over all."""
    if processes() > 1:
        statistics = [buffer for buffer in network.buffers() if buffer.is_floating_point()]
        for bucket in _buckets(statistics):
            _in_one(bucket, lambda flat: _summed(flat).div_(processes()))


def synchronized(network: nn.Module) -> nn.Module:
    """``network`` whose batch normalization takes in the samples of all processes, where GPUs compute.

    PyTorch has none for processors: there each process normalizes its own samples.
    """
    if processes() > 1 and torch.cuda.is_available():
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    return network


def align(network: nn.Module) -> None:
    """Give all processes the weights and statistics of the first one's ``network``."""
    if processes() > 1:
        with torch.no_grad(), _others_watched():
            for tensor in network.state_dict().values():
                dist.broadcast(tensor, 0)


def share(cases: Sequence[T]) -> Sequence[T]:
    """The cases that this process looks at; what it finds goes to :func:`gathered`."""
    return cases[rank() :: processes()]


def gathered(rows: list[T]) -> list[T]:
    """What the processes found for each of their :func:`share`, in the order of the whole."""
    if processes() == 1:
        return rows
    parts: list[list[T]] = [[] for _ in range(processes())]
    with _others_watched():
        dist.all_gather_object(parts, rows)
    rounds = itertools.zip_longest(*([[row] for row in part] for part in parts), fillvalue=[])
    return [row for some in rounds for boxed in some for row in boxed]


def summed_counts(counts: np.ndarray) -> np.ndarray:
    """``counts`` (of any shape, whole numbers), added up over all processes."""
    if processes() == 1:
        return counts
    return _summed(torch.from_numpy(np.ascontiguousarray(counts))).numpy()


def from_first(value: T) -> T:
    """The first process's ``value``."""
    if processes() == 1:
        return value
    box = [value]
    with _others_watched():
        dist.broadcast_object_list(box, 0)
    return box[0]


def check_same(value: Any, folder: Path) -> None:
    """Raise :class:`InputError` if the processes do not all see the same ``value`` in ``folder``."""
    if len(set(gathered([value]))) > 1:
        raise InputError(
            f"the processes do not see the same in {folder}",
            expected="a run folder that all of them can read",
            hint="put it on a disk that all computers share",
        )


class _FirstJob(Job):
    """The job of the first process: it tells the others of a stop."""

    def check_stop(self) -> None:
        try:
            super().check_stop()
        except Stopped:
            _anybody(True)
            raise
        _anybody(False)


class _OtherJob(Job):
    """The job of another process: nobody reads it."""

    def check_stop(self) -> None:
        if _anybody(False):
            raise Stopped("stopped together with the first process")


def _anybody(says: bool) -> bool:
    """Whether a process says yes. All wait here for each other: none runs ahead of what another one still looks at."""
    return bool(_summed(torch.tensor(int(says))).item())


def _started_with_others() -> bool:
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def _together() -> bool:
    return dist.is_available() and dist.is_initialized()


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """``tensors``, some at a time, of one type each time."""
    bucket: list[Tensor] = []
    for tensor in tensors:
        if bucket and (tensor.dtype != bucket[0].dtype or sum(t.numel() for t in bucket) + tensor.numel() > _BUCKET):
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket


def _in_one(tensors: Sequence[Tensor], change: Any) -> None:
    """Do ``change`` to ``tensors`` as one long tensor."""
    flat = change(torch.cat([tensor.reshape(-1) for tensor in tensors]))
    for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view(tensor.shape))


def _summed(tensor: Tensor) -> Tensor:
    with _others_watched():
        dist.all_reduce(tensor)
    return tensor


@contextlib.contextmanager
def _others_watched() -> Iterator[None]:
    """Say that another process has ended where PyTorch speaks of connections."""
    try:
        yield
    except RuntimeError as error:
        raise _other_ended(str(error)) from error


@contextlib.contextmanager
def _ending_told() -> Iterator[None]:
    """``torchrun`` ends all processes by SIGTERM when one has ended: the job's folder should say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ended(number: int, frame: object) -> None:
        raise _other_ended(signal.Signals(number).name)

    before = signal.signal(signal.SIGTERM, ended)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _other_ended(reason: str) -> MedSegEffNetError:
    return MedSegEffNetError(
        f"another process of this training has ended, or all were asked to ({reason.splitlines()[0][:200]})",
        hint="look at what torchrun printed for the first that failed; the same command again goes on from the last "
        "checkpoint, with as many processes as you like",
    )
