"""The keys of the section: what each does, in the map of Slicer and in one like Amira's.

In Slicer's map the keys of Slicer's segment editor keep their meaning (1 to 0 and Shift with them choose a tool, Q and W
the segment, Escape no tool, I the range of brightness, Z and Y undo and redo): the editor installs them itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

SLICER, AMIRA = "slicer", "amira"
MAPS = (SLICER, AMIRA)
LABELS = 9  # that have a key of their own


@dataclass(frozen=True)
class Key:
    """An action and its keys.

    Parameters
    ----------
    action : its name in the code. slicer, amira : its keys in each map.
    """

    action: str
    slicer: tuple[str, ...]
    amira: tuple[str, ...]

    def of(self, name: str) -> tuple[str, ...]:
        """The keys in the map ``name``."""
        return self.amira if name == AMIRA else self.slicer


TABLE = (
    Key("add", ("+",), ("+", "A")),
    Key("remove", ("-",), ("-", "S")),
    Key("replace", ("=",), ("=", "R")),
    Key("take", ("Shift+T",), ("T",)),
    Key("clear", ("Shift+C",), ("C",)),
    Key("interpolate", ("Shift+I",), ("Ctrl+I",)),
    Key("fill", ("Shift+F",), ("F",)),
    Key("grow", ("Shift+G",), ("Ctrl++", "Ctrl+=")),
    Key("shrink", ("Shift+H",), ("Ctrl+-",)),
    Key("smooth", ("Shift+M",), ("Ctrl+M",)),
    Key("island", ("Shift+K",), ("K",)),
    Key("threshold", ("Shift+R",), ("H",)),
    Key("wand", ("Shift+W",), ("W",)),
    Key("flat", ("Shift+D",), ("D",)),
    Key("paint", (), ("B",)),
    Key("no_tool", (), ("Escape",)),
    Key("undo", (), ("Ctrl+Z",)),
    Key("redo", (), ("Ctrl+Y", "Ctrl+Shift+Z")),
    Key("previous", ("Ctrl+Left",), ("Ctrl+Left",)),
    Key("next", ("Ctrl+Right",), ("Ctrl+Right",)),
    Key("skip", ("Ctrl+Down",), ("Ctrl+Down",)),
    Key("accept", ("Ctrl+Return",), ("Ctrl+Return",)),
    Key("reject", ("Ctrl+Backspace",), ("Ctrl+Backspace",)),
    Key("save", ("Ctrl+Shift+S",), ("Ctrl+Shift+S",)),
    *(Key(f"label{number}", (f"Alt+{number}",), (str(number),)) for number in range(1, LABELS + 1)),
)


def keys_of(action: str, name: str) -> str:
    """The keys of an action in the map ``name``, as text; empty: it has none."""
    keys = next((key.of(name) for key in TABLE if key.action == action), ())
    return _(" or ").join(keys)


class Keyboard:
    """The keys while the section is used: they belong to Slicer's window and are taken away again."""

    def __init__(self, editor: Any, actions: Mapping[str, Callable[[], object]]) -> None:
        """``actions``: what to do, by the names of :data:`TABLE`; ``editor`` is the segment editor."""
        self._editor, self._actions = editor, actions
        self._shortcuts: list[Any] = []

    @property
    def installed(self) -> bool:
        """Whether the keys work now."""
        return bool(self._shortcuts)

    def install(self, name: str) -> None:
        """Let the keys of the map ``name`` work, and those of no other."""
        self.remove()
        window = slicer.util.mainWindow()
        for key in TABLE:
            for sequence in key.of(name):
                shortcut = qt.QShortcut(qt.QKeySequence(sequence), window)
                shortcut.connect("activated()", self._actions[key.action])
                self._shortcuts.append(shortcut)
        if name == SLICER:
            self._editor.installKeyboardShortcuts(window)

    def remove(self) -> None:
        """Take all keys away."""
        for shortcut in self._shortcuts:
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts = []
        self._editor.uninstallKeyboardShortcuts()
