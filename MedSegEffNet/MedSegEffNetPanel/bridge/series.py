"""What Slicer's DICOM database knows of the series that a volume was loaded from."""

from __future__ import annotations

from typing import Any

import slicer

_DESCRIPTION = "0008,103E"


def series_description(node: Any) -> str:
    """How the scanner called the series; empty: it did not, or the volume is from no series."""
    uids = (node.GetAttribute("DICOM.instanceUIDs") or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    if not uids or database is None or not database.isOpen:
        return ""
    return str(database.instanceValue(uids[0], _DESCRIPTION) or "")
