"""``python -m MedSegEffNetLib``, also installed as ``medsegeffnet``. Exit codes: 0 done, 2 bad input, 1 failure."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence

from MedSegEffNetLib.commands import make_parser
from MedSegEffNetLib.errors import MedSegEffNetError, MissingPackage
from MedSegEffNetLib.priority import step_back


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the process's exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    parsed = make_parser().parse_args(arguments)
    if arguments is None and getattr(parsed, "folder", None) is not None:
        step_back()  # a job with a run folder is followed from elsewhere: nobody waits at this process
    try:
        _run(parsed)
        sys.stdout.flush()
    except MedSegEffNetError as error:
        print(str(error) if error.exit_code == 0 else f"Error: {error}", file=sys.stderr)
        return error.exit_code
    except MemoryError:
        print("Error: memory ran out\nWhat to do: close other programs, or give smaller images", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except Exception:
        traceback.print_exc()
        print("Error: this is a fault of the program; please report it with the lines above.", file=sys.stderr)
        return 1
    return 0


def _run(parsed: argparse.Namespace) -> None:
    try:
        parsed.run(parsed)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("MedSegEffNet"):
            raise
        raise MissingPackage("this command", error.name) from error


if __name__ == "__main__":
    sys.exit(main())
