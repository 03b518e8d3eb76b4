"""The panel in a narrow window: nothing is as wide as to be cut off."""

import pytest

WIDTH = 320  # pixels, with the scroll bar


@pytest.mark.parametrize("name", ["compare", "correct", "dataset", "environment", "models"])
def test_a_section_fits_into_a_narrow_panel(panel, name):
    widget = panel.section(name).widget
    assert widget.minimumSizeHint.width() <= WIDTH, widths(widget)


@pytest.mark.parametrize("name", ["batchBox", "advancedBox"])
def test_a_box_fits_into_a_narrow_panel(panel, name):
    box = getattr(panel.section("segment").ui, name)
    box.collapsed = False
    assert box.minimumSizeHint.width() <= WIDTH - 20, widths(box)


def widths(widget):
    """The widest parts, for the message."""
    import qt

    parts = [(part.minimumSizeHint.width(), part.objectName) for part in widget.findChildren(qt.QWidget)]
    return sorted(parts, reverse=True)[:8]
