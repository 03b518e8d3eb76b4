"""Progress of a download and an installation, read from pip's lines."""

from __future__ import annotations

import re

from MedSegEffNetLib.job import Job

_UNITS = {"bytes": 1e-6, "kB": 1e-3, "MB": 1.0, "GB": 1e3}


class Progress:
    """Turns pip's lines into ``progress`` events in megabytes.

    Parameters
    ----------
    megabytes : about what will be downloaded; the bar never reaches its end before pip does.
    packages : how many there are.
    """

    def __init__(self, job: Job, megabytes: int, packages: int) -> None:
        self._job, self._total, self._packages = job, max(megabytes, 1), packages
        self._before = 0.0  # megabytes of the files that are there
        self._file = 0.0  # megabytes of the file that is coming
        self._name = ""
        self._seen = 0

    def line(self, text: str) -> bool:
        """Take a line of pip's; True if it was a number that nobody wants to read in a log."""
        raw = re.fullmatch(r"Progress (\d+) of (\d+)", text)
        if raw:
            self._show(int(raw[1]) / 1e6)
            return True
        collecting = re.match(r"Collecting ([\w.\-]+)==|Processing .*?([\w.]+)-[^/\\]*$", text)
        if collecting:
            self._seen += 1
            self._before, self._file = self._before + self._file, 0.0
            self._name = collecting[1] or collecting[2]
        size = re.match(r"\s*(?:Downloading|Using cached) .*\(([\d.]+) (bytes|kB|MB|GB)\)", text)
        if size:
            self._file = float(size[1]) * _UNITS[size[2]]
        if collecting or size:
            self._show(0.0)
        elif text.startswith("Installing collected packages"):
            self._job.progress("Installing", 0, 1)
        return False

    def _show(self, megabytes: float) -> None:
        stage = f"Downloading {self._name} ({min(self._seen, self._packages)} of {self._packages})"
        self._job.progress(stage, min(round(self._before + megabytes), self._total - 1), self._total)
