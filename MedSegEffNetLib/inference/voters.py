"""The networks of a model that vote on a case: opened beside other work, then run one after the other."""

from __future__ import annotations

import functools
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from MedSegEffNetLib.errors import OutOfMemory
from MedSegEffNetLib.inference import engine, ensemble, slices, volumes
from MedSegEffNetLib.inference.options import Options, Setup
from MedSegEffNetLib.job import Job
from MedSegEffNetLib.models.bundle import Bundle


class Voter:
    """A network of the model that votes.

    Parameters
    ----------
    number : its place in the model.
    rows : its channels among those that are prepared.
    """

    def __init__(self, bundle: Bundle, number: int, rows: list[int]) -> None:
        self.bundle, self.number, self.rows = bundle, number, rows
        self.entry = bundle.info["networks"][number]
        self.key = str(self.entry["key"])
        self._opened: tuple[Setup, tuple[int, ...], Future[engine.Engine]] | None = None

    @classmethod
    def of(cls, bundle: Bundle, key: str, names: list[str]) -> Voter:
        """The network ``key`` of a model, given the prepared channels' ``names``."""
        keys = [str(entry["key"]) for entry in bundle.info["networks"]]
        number = keys.index(key)
        channels = bundle.info["networks"][number]["channels"] if len(keys) > 1 else names
        return cls(bundle, number, [names.index(name) for name in channels])

    def cutter(self, array: np.ndarray) -> slices.SliceCutter | volumes.StackCutter:
        """What cuts its channels of ``array`` ``(C, X, Y, Z)`` into its inputs."""
        seen = array[self.rows[0] :][:1] if len(self.rows) == 1 else array[self.rows]
        if self.entry.get("depth"):
            return volumes.StackCutter(seen, self.entry["depth"], self.entry["divisor"])
        return slices.SliceCutter(seen, self.entry["context"], self.entry["divisor"])

    def begin(
        self, setup: Setup, shape: tuple[int, ...], options: Options, beside: ThreadPoolExecutor
    ) -> Future[engine.Engine]:
        """Open the network for inputs of ``shape`` in the thread ``beside``, unless it is open."""
        if self._opened is None or self._opened[:2] != (setup, shape):
            self._opened = None  # memory may be short
            threads = options.threads or engine.default_threads()
            opening = beside.submit(engine.open_engine, self.bundle, self.number, setup, shape, threads)
            self._opened = setup, shape, opening
        return self._opened[2]

    def opened(self, setup: Setup, shape: tuple[int, ...], options: Options) -> engine.Engine:
        """The network, ready to run."""
        with ThreadPoolExecutor(1) as beside:
            return self.begin(setup, shape, options, beside).result()

    def close(self) -> None:
        """Let go of the network's memory."""
        self._opened = None


def run(
    voters: list[Voter],
    ballot: ensemble.Ballot,
    array: np.ndarray,
    setup: Setup,
    options: Options,
    job: Job,
    turn: tuple[int, int],
) -> tuple[Setup, int]:
    """Let every network vote on its channels of ``array`` ``(C, X, Y, Z)``, part ``turn[0]`` of ``turn[1]``.

    Returns how they ran, and the slices seen: none in a part that is one value throughout, which gets no vote.

    Raises
    ------
    InputError
        What is no part is empty.
    OutOfMemory
        Memory ran out, and no smaller way of working was left.
    """
    seen = 0
    for done, voter in enumerate(voters):
        cutter = voter.cutter(array)
        seen = len(cutter.full)
        if not seen and turn[1] > 1:
            break
        now = (turn[0] * len(voters) + done, turn[1] * len(voters))
        maps, setup = _run_network(voter, cutter, ballot.rows(voter.key), options, setup, job, now)
        ballot.add(voter.key, maps)
        if len(voters) > 1 or turn[0] + 1 == turn[1]:
            voter.close()
    return setup, seen


def _run_network(
    voter: Voter,
    cutter: slices.SliceCutter | volumes.StackCutter,
    rows: slice | list[int],
    options: Options,
    start: Setup,
    job: Job,
    turn: tuple[int, int],
) -> tuple[np.ndarray, Setup]:
    """Probabilities of one network, those of its outputs ``rows``, and the setup that did it.

    ``turn`` is which of how many networks it is.
    """
    exclusive = voter.bundle.info["activation"] == "softmax"

    def progress(done: int, total: int) -> None:
        job.progress("Segmenting", turn[0] * total + done, turn[1] * total)
        job.check_stop()

    for setup in engine.ladder(start):
        try:
            network = functools.partial(_outputs, voter.opened(setup, cutter.input_shape, options), rows)
            if isinstance(cutter, volumes.StackCutter):
                return volumes.predict(network, cutter, exclusive, options.flips, progress), setup
            return slices.predict(network, cutter, setup.batch_size, exclusive, options.flips, progress), setup
        except (MemoryError, RuntimeError) as error:
            if not engine.is_out_of_memory(error):
                raise
            job.notice(f"Memory ran out with {setup}; a smaller way of working is tried.")
    raise OutOfMemory("memory ran out, even with one slice at a time", hint="close other programs, or use --device cpu")


def _outputs(network: engine.Engine, rows: slice | list[int], batch: np.ndarray) -> np.ndarray:
    return network(batch)[:, rows]
