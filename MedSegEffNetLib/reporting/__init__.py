"""The parts of reports: pictures, charts, the page, and the two kinds of report. Use :mod:`MedSegEffNetLib.report`."""
