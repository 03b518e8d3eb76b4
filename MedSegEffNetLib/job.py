"""A job's folder: what was asked, what happens, how to stop it. Standard library only; Slicer's panel reads it too.

``job.json`` is the request; ``events.jsonl`` has one event a line, appended; a file ``STOP`` asks the job to end in
good order; ``lock.json`` names the process that works on it. Whoever reads the folder knows the whole state.

Every event has ``version``, ``sequence`` (from 1, over all starts of the job), ``time`` (ISO 8601, UTC) and ``event``, its
kind, with these fields (paths are in full, unknown numbers null):

``started``
    ``request`` (as in ``job.json``), ``process``.
``plan``
    What a prediction will need: ``batch_size`` (slices at a time), ``megabytes``, ``seconds``.
``progress``
    ``stage``, ``done`` of ``total`` parts, ``seconds_left`` (null: not known yet).
``notice``
    ``text`` for the user.
``case``
    Of ``segment --batch``: ``case`` (its folder's name), ``index`` (from 0) of ``total``, ``state`` (first ``queued`` for
    all, then ``running`` and ``done`` or ``failed`` for each, or ``skipped``: done by an earlier start), ``message``,
    ``expected`` and ``hint`` (failed), ``output`` (the label map), and, done or skipped, the fields of ``finished``.
    Of ``dataset predict`` too, without ``queued``, with ``figures``.
``data``
    Of a training: ``splits``, with ``cases`` and ``patients`` (counts) of each split by its name.
``epoch``
    Of a training: ``epoch``, ``train_loss``, ``train_dice``, ``train_iou``, ``train_accuracy``, ``val_loss``,
    ``val_dice``, ``val_iou``, ``val_accuracy``, ``val_dice_<region>`` (each that a case tells),
    ``rate``, ``seconds``, ``best`` (the monitored figure), ``best_epoch``, ``seconds_left`` (at most, of all networks;
    null: not known). Of a synthesis training ``d_loss``, ``g_loss`` and the others that
    :mod:`MedSegEffNetLib.training.gan_losses` tells (null: left out), ``train_loss`` (``g_loss``), ``val_l1``,
    ``val_loss`` (the same), ``val_psnr``, ``val_ssim`` and each of these of a target, ``val_ssim_<channel>``, in place of
    the others; its segmentation network's epochs have ``network`` ``critic``. ``network`` where the task has several; in
    ``preview`` and ``checkpoint``, too.
``preview``
    Of a training: ``epoch``, ``case``, ``path`` (a PNG in the folder: image, truth and prediction side by side, always of
    the same slice), ``dice``. Up to three validation cases: the worst, the median and the best one of the first epoch.
``checkpoint``
    ``path`` (in the folder), ``epoch``.
``preflight``
    Of ``train --check``: ``splits`` (as in ``data``), ``labels`` (by split and region: how many cases have it),
    ``memory_mb``, ``memory_free_mb``, ``gpu_memory_mb``, ``gpu_memory_free_mb``, ``seconds_per_epoch``,
    ``seconds_total``, ``disk_mb``, ``disk_free_mb``, ``errors``, ``warnings`` and ``notes`` (how the figures were found),
    texts each.
``overfit``
    Of ``train --overfit``: ``case``, ``steps``, ``loss_first``, ``loss_last``, ``dice``, ``learns``, ``text``.
``finished``
    ``segment``: ``label_map``, ``report`` and ``uncertainty`` (a path or null), ``probabilities`` (path by region),
    ``volumes_ml`` (by label; null where no voxel size is known), ``warnings``, ``measured`` (``seconds``, ``peak_mb``,
    ``device``, ``engine``, ``precision``, ``setup`` …), ``quality`` (``flag``: ``ok`` or ``doubtful``; ``reasons``, which
    are among the warnings, too; ``measures`` by name and region, from 0 to 1), ``measurements`` (rows with ``name``,
    ``value`` and ``unit``; what the task measures beyond volumes), ``synthesised`` (models that made images that it was
    made from; empty: none did). ``synthesize``: ``output`` (the image), ``report``, ``real`` and ``difference``
    (a path or null each), ``compared`` (null without a real image; ``head``: ``nmae``, ``psnr`` in dB, ``ssim``, which is
    null without scikit-image), ``target``, ``inputs`` (channels), ``synthesised`` (the model), ``warnings``, ``measured``
    (as above). ``segment --batch``:
    ``output`` (folder),
    ``results`` (a CSV table of the cases), ``total``, ``done``, ``skipped``, ``failed``.
    ``train``: ``model`` (in the folder); with ``--check`` or ``--overfit`` (command ``train-check``) the fields of
    ``preflight`` or ``overfit``. ``evaluate``: ``output`` (folder), ``summary``. ``report``: ``output`` (file).
    ``compare``: ``output`` (folder or null), ``rows`` (as in its ``comparison.csv``).
    ``doctor``: ``diagnosis``. ``models``: ``models``, or ``model``, ``folder`` and ``output`` where they apply;
    ``models compare``: ``output`` (folder), ``page``, ``verdict``, ``regions`` (as in ``comparison.json``), ``warnings``.
    ``sample``: ``images`` (path by channel). ``dataset import``: ``added``, ``relabelled``, ``known``, ``failed`` (reason
    by case); ``dataset add``: ``case``, ``state``; ``check``: ``errors``, ``warnings``, ``findings``, ``output``;
    ``export``: ``output``, ``cases``, ``notes``; ``predict``: ``total``, ``done``, ``skipped``, ``failed``.
``stopped``
    ``message``.
``failed``
    ``type`` (the error's class), ``message``, ``expected``, ``hint``, and what was given to :meth:`Job.finish` before.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from MedSegEffNetLib import __version__, atomic
from MedSegEffNetLib.errors import InputError, MedSegEffNetError, Stopped
from MedSegEffNetLib.processes import has_ended, identity

SCHEMA = 1
REQUEST = "job.json"
EVENTS = "events.jsonl"
STOP = "STOP"
LOCK = "lock.json"
_PROGRESS_INTERVAL = 0.2  # seconds between two progress events of one stage

Event = dict[str, Any]


class Job:
    """A long command's events; with a folder, written there.

    Used as a context manager: emits ``started``, and at the end ``finished``, ``stopped`` or ``failed``.
    """

    def __init__(self, folder: Path | None, request: Mapping[str, Any]) -> None:
        self.folder = folder
        self.request = dict(request)
        self.listeners: list[Callable[[Event], None]] = []
        self._sequence = 0
        self._results: dict[str, Any] = {}
        self._stage = ""
        self._stage_start = 0.0
        self._stage_offset = 0
        self._last_progress = -math.inf

    @classmethod
    def open(cls, folder: Path | None, request: Mapping[str, Any]) -> Job:
        """A job in ``folder`` (made if need be; None: nothing is written). One that was begun there is continued.

        Raises
        ------
        InputError
            Another process works on the folder, it holds the job of another command, it cannot be written, or a newer
            version of this program wrote it.
        """
        job = cls(folder, request)
        if folder is not None:
            _refuse_other_command(folder, job.request)
            atomic.check_writable(folder / REQUEST)
            _take_lock(folder)
            (folder / STOP).unlink(missing_ok=True)
            events, _ = read_events(folder)
            job._sequence = max((event["sequence"] for event in events), default=0)
            _repair_last_line(folder / EVENTS)
            content = {
                "schema": SCHEMA,
                "request": _plain(job.request),
                "versions": {"medsegeffnet": __version__, "python": platform.python_version()},
                "time": _now(),
            }
            atomic.write_json(folder / REQUEST, content)
        return job

    def __enter__(self) -> Job:
        self.emit("started", request=self.request, process=os.getpid())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.emit("finished", **self._results)
            else:
                # A full disk may be why the job failed: this event fails too, and the first error is the one to tell.
                with contextlib.suppress(MedSegEffNetError):
                    self._emit_end(error)
        finally:
            if self.folder is not None:
                (self.folder / LOCK).unlink(missing_ok=True)

    def _emit_end(self, error: BaseException) -> None:
        if isinstance(error, Stopped | KeyboardInterrupt):
            self.emit("stopped", message=str(error) or "interrupted from the keyboard")
            return
        message, expected, hint = str(error) or type(error).__name__, "", ""
        if isinstance(error, MedSegEffNetError):
            message, expected, hint = error.found, error.expected, error.hint
        told = {"type": type(error).__name__, "message": message, "expected": expected, "hint": hint}
        self.emit("failed", **{**self._results, **told})

    def emit(self, kind: str, /, **fields: Any) -> None:
        """Append an event of this kind with these fields; :class:`MedSegEffNetError` if the disk is full, say."""
        self._sequence += 1
        base = {"version": SCHEMA, "sequence": self._sequence, "time": _now(), "event": kind}
        event: Event = {**base, **_plain(fields), **base}
        if self.folder is not None:
            path = self.folder / EVENTS
            try:
                with open(path, "a", encoding="utf-8", newline="\n") as file:
                    file.write(json.dumps(event, allow_nan=False) + "\n")
            except OSError as error:
                raise atomic.write_error(path, error) from error
        for listener in self.listeners:
            listener(event)

    def notice(self, text: str) -> None:
        """Say something that the user should know and that is no failure."""
        self.emit("notice", text=text)

    def progress(self, stage: str, done: int, total: int) -> None:
        """``done`` of ``total`` parts of ``stage``; the event has ``seconds_left``. Not more than five a second."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._stage_start, self._stage_offset, self._last_progress = stage, now, done, -math.inf
        if done < total and now - self._last_progress < _PROGRESS_INTERVAL:
            return
        self._last_progress = now
        advanced = done - self._stage_offset
        left = (now - self._stage_start) / advanced * (total - done) if advanced > 0 else None
        self.emit("progress", stage=stage, done=done, total=total, seconds_left=left)

    def check_stop(self) -> None:
        """Raise :class:`Stopped` if the file ``STOP`` has appeared in the folder."""
        if self.folder is not None and (self.folder / STOP).exists():
            raise Stopped("stopped as asked by the file STOP; run the same command again to go on")

    def finish(self, **results: Any) -> None:
        """What the event ``finished`` (or ``failed``) at the end will carry."""
        self._results = results


def read_request(folder: Path) -> dict[str, Any] | None:
    """``job.json`` of ``folder``, or None where no job was begun; an :class:`InputError` if it cannot be used."""
    path = folder / REQUEST
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file", expected="a folder for the run", hint="name another --run folder")
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        schema = int(content["schema"])
        dict(content["request"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error})", hint="use another --run folder") from error
    if schema > SCHEMA:
        raise InputError(
            f"{folder} was written by a newer version (schema {schema})",
            expected=f"schema {SCHEMA} or older",
            hint="update MedSegEffNet, or use another --run folder",
        )
    return content


def _refuse_other_command(folder: Path, request: Mapping[str, Any]) -> None:
    """A folder belongs to the command that began it: its checkpoints and its request must not be lost to another one."""
    before = (read_request(folder) or {"request": {}})["request"].get("command")
    now = request.get("command")
    if before and now and before != now:
        raise InputError(
            f"{folder} holds a job of the command '{before}'",
            expected=f"a new folder, or one of the command '{now}'",
            hint="name another --run folder",
        )


def read_events(folder: Path, offset: int = 0, *, limit: int | None = None) -> tuple[list[Event], int]:
    """The events written after byte ``offset`` and the offset to ask from next time.

    A line that is still being written (or that a killed process left torn) is left for the next call.

    Parameters
    ----------
    limit : bytes that are read at most, to the end of the line that they end in; None: all that there are.
    """
    path = folder / EVENTS
    if not path.is_file():
        return [], offset
    with open(path, "rb") as file:
        file.seek(offset)
        content = file.read() if limit is None else file.read(limit) + file.readline()
    whole = content[: content.rfind(b"\n") + 1]
    events = []
    for line in whole.splitlines():
        with contextlib.suppress(ValueError):  # a torn line that a later process closed
            event = json.loads(line)
            if isinstance(event, dict) and isinstance(event.get("sequence"), int):
                events.append(event)
    return events, offset + len(whole)


def running_process(folder: Path) -> int | None:
    """The process that works on ``folder`` now, or None; a lock that a killed process left does not count.

    On another host's lock nothing can be asked: its process counts as running while the lock is there.
    """
    try:
        lock = json.loads((folder / LOCK).read_text(encoding="utf-8"))
        process, ended = int(lock["process"]), has_ended(lock)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if ended else process  # another process may have the number of one that ended


def _take_lock(folder: Path) -> None:
    """Write the lock so that of two processes that try at once only one gets it (a hard link is made once or not)."""
    process = running_process(folder)
    if process is not None and process != os.getpid():
        raise _locked(folder, process)
    draft = folder / f".{LOCK}-{uuid.uuid4().hex[:12]}"
    _put_aside(folder / LOCK, draft)
    atomic.write_json(draft, {**identity(), "time": _now()})
    try:
        os.link(draft, folder / LOCK)
    except FileExistsError:
        raise _locked(folder, running_process(folder)) from None
    except OSError:  # a file system without hard links
        os.replace(draft, folder / LOCK)
    finally:
        draft.unlink(missing_ok=True)


def _put_aside(lock: Path, name: Path) -> None:
    """Remove the lock that a killed process left; one that another start has taken meanwhile is put back."""
    with contextlib.suppress(FileNotFoundError):
        os.replace(lock, name)
        try:
            named = json.loads(name.read_text(encoding="utf-8"))
            taken = int(named["process"]) != os.getpid() and not has_ended(named)
        except (OSError, ValueError, KeyError, TypeError):
            return
        if taken:
            os.replace(name, lock)
            raise _locked(lock.parent, int(named["process"]))


def _locked(folder: Path, process: int | None) -> InputError:
    return InputError(
        f"process {process or '(unknown)'} works on {folder} already",
        expected="a run folder that no other process uses",
        hint=f"wait for it, stop it with a file {STOP} in the folder, or use another --run folder; "
        f"if it no longer runs, delete {LOCK}",
    )


def _repair_last_line(path: Path) -> None:
    """End a line that a killed process left torn, so that the next event gets its own."""
    if path.is_file() and path.stat().st_size:
        with open(path, "rb+") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _plain(value: Any) -> Any:
    """``value`` as JSON knows it: NaN and infinity become null, paths texts, NumPy numbers numbers."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    if hasattr(value, "tolist"):  # NumPy's and torch's numbers and arrays
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)
