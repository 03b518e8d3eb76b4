"""The part of the segment editor that is about its effects: their buttons, their keys, and which is in use."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import slicer
from PySide6 import QtGui, QtWidgets


class EffectsPart:
    """Mixed into the editor, which has ``_node``, ``_parts``, ``_logic``, ``_effects`` and ``_active``."""

    def availableEffectNames(self) -> list[str]:
        """The names of all effects."""
        return [effect.name for effect in self._effects]

    def effectByName(self, name: str) -> Any:
        """An effect, or None."""
        return next((effect for effect in self._effects if effect.name == name), None)

    def activeEffect(self) -> Any:
        """The effect in use, or None."""
        return self._active

    def setActiveEffect(self, effect: Any) -> None:
        """Use an effect, or none."""
        if self._node is None:
            refuse(effect, "setActiveEffect: set the segment editor node before")
        else:
            self._node.SetActiveEffectName(effect.name if effect is not None else "")

    def setActiveEffectByName(self, name: str) -> None:
        """Use the effect of a name; with an unknown or empty one none is used."""
        self.setActiveEffect(self.effectByName(name))

    def _show_effect(self) -> None:
        effect = self.effectByName(self._node.GetActiveEffectName() or "")
        usable = self._source is not None and not self.readOnly
        self._parts.effects.setEnabled(usable)
        if effect is self._active:
            return
        if self._active is not None:
            self._active.deactivate()
        if effect is not None:
            self._logic.SetSourceRepresentationToBinaryLabelMap()
            effect.activate()
        self._active = effect
        self._parts.options.setVisible(effect is not None)
        self._parts.options.setTitle(effect.title if effect is not None else "")
        self._parts.masking.setVisible(effect is not None and self.maskingSectionVisible)
        for name, button in self._buttons.items():
            button.setChecked(name == (effect.name if effect is not None else ""))

    def _button(self, text: str, effect: Any) -> QtWidgets.QToolButton:
        button = QtWidgets.QToolButton(self._parts.effects, text=text, checkable=True)
        button.setObjectName(text if effect is not None else "NULL")
        button.clicked.connect(lambda: self.setActiveEffect(effect))
        return button

    def effectNameOrder(self) -> list[str]:
        """The names that come first."""
        return list(self._order)

    def setEffectNameOrder(self, names: Any) -> None:
        """Show these effects first."""
        self._order = list(names)
        self.updateEffectList()

    def _write_unorderedEffectsVisible(self, on: bool) -> None:
        self._unorderedEffectsVisible = on
        self.updateEffectList()

    def _displayed(self) -> list[str]:
        known = self.availableEffectNames()
        first = [name for name in self._order if name in known]
        return ["", *first, *(name for name in known if self.unorderedEffectsVisible and name not in first)]

    def updateEffectList(self) -> None:
        """Show the buttons in their order."""
        grid = self._parts.effects.layout()
        for button in self._buttons.values():
            grid.removeWidget(button)
            button.hide()
        for place, name in enumerate(self._displayed()):
            grid.addWidget(self._buttons[name], *divmod(place, self.effectColumnCount))
            self._buttons[name].show()

    def effectCount(self) -> int:
        """How many buttons there are, with that for no effect."""
        return len(self._displayed())

    def effectByIndex(self, place: int) -> Any:
        """The effect of a button; the first is for none."""
        names = self._displayed()
        return self.effectByName(names[place]) if 0 <= place < len(names) else None

    def toggleSourceVolumeIntensityMaskEnabled(self) -> None:
        """Edit in a range of intensities only, or everywhere."""
        self._node.SetSourceVolumeIntensityMask(not self._node.GetSourceVolumeIntensityMask())

    toggleMasterVolumeIntensityMaskEnabled = toggleSourceVolumeIntensityMaskEnabled

    # keys

    def installKeyboardShortcuts(self, parent: Any = None) -> None:
        """Numbers for the effects, Escape for none, Z and Y for undo and redo, Q and W for the segments."""
        self.uninstallKeyboardShortcuts()
        keys: dict[str, Callable[[], None]] = {
            "Z": self.undo,
            "Ctrl+Z": self.undo,
            "Y": self.redo,
            "Ctrl+Y": self.redo,
            "Q": self.selectPreviousSegment,
            "W": self.selectNextSegment,
            "Escape": partial(self.setActiveEffect, None),
            "I": self.toggleSourceVolumeIntensityMaskEnabled,
            **{("Shift+" if n > 10 else "") + str(n % 10): partial(self._toggle, n) for n in range(1, 21)},
        }
        for key, do in keys.items():
            shortcut = QtGui.QShortcut(QtGui.QKeySequence(key), parent or slicer.util.mainWindow())
            shortcut.activated.connect(do)
            self._keys.append(shortcut)

    def uninstallKeyboardShortcuts(self) -> None:
        """Take the keys away."""
        for shortcut in self._keys:
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._keys = []

    def _toggle(self, place: int) -> None:
        effect = self.effectByIndex(place)
        if not self.readOnly:
            self.setActiveEffect(None if effect is self._active else effect)


def refuse(given: Any, message: str) -> None:
    """Raise an error where Slicer prints one; to take nothing is always allowed."""
    if given is not None:
        raise RuntimeError(message)
