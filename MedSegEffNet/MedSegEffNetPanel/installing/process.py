"""A short question to a program: started in the background, its output handed over when it has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import qt

from MedSegEffNetPanel.processes import process_environment

_PATIENCE = 60_000  # milliseconds; a first start from a network drive takes long


class Question:
    """Runs ``program`` and calls ``answer(exit code, output)`` once; -1 if it could not be started or gave no answer."""

    def __init__(
        self, program: str, arguments: Sequence[str], variables: Mapping[str, str], answer: Callable[[int, str], None]
    ) -> None:
        self._answer: Callable[[int, str], None] | None = answer
        self._process = qt.QProcess()
        self._process.setProcessChannelMode(qt.QProcess.MergedChannels)
        self._process.setProcessEnvironment(process_environment(variables))
        self._process.connect("finished(int,QProcess::ExitStatus)", self._on_finished)
        self._process.connect("errorOccurred(QProcess::ProcessError)", self._on_error)
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self.end)
        self._timer.start(_PATIENCE)
        self._process.start(program, list(arguments))

    def end(self) -> None:
        """End the program; what it printed so far is the answer."""
        self._process.kill()

    def forget(self) -> None:
        """The answer is not wanted any more."""
        self._answer = None
        self._timer.stop()
        self._process.kill()

    def _on_finished(self, code: int, status: object) -> None:
        output = self._process.readAllStandardOutput().data().decode("utf-8", errors="replace")
        self._tell(code if status == qt.QProcess.NormalExit else -1, output)

    def _on_error(self, error: object) -> None:
        if error == qt.QProcess.FailedToStart:
            self._tell(-1, str(self._process.errorString()))

    def _tell(self, code: int, output: str) -> None:
        self._timer.stop()
        answer, self._answer = self._answer, None
        if answer is not None:
            answer(code, output)
