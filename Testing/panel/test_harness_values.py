"""Values of Qt have the names that PythonQt shows, as widgets have."""

import pytest

pytestmark = pytest.mark.usefixtures("slicer_app")


def test_names_that_slicer_does_not_show_are_refused():
    import qt

    with pytest.raises(AttributeError, match="QColor has no attribute named 'getRgb'"):
        qt.QColor(255, 128, 0).getRgb()
    with pytest.raises(AttributeError, match="QPoint has no attribute named 'toTuple'"):
        qt.QPoint(1, 2).toTuple()
    with pytest.raises(AttributeError, match="QFileInfo has no attribute named 'isJunction'"):
        qt.QFileInfo("folder").isJunction()


def test_the_others_do_what_they_do_in_qt():
    import qt

    color = qt.QColor(255, 128, 0)
    assert (color.red(), color.name()) == (255, "#ff8000")
    assert qt.QBrush(color).color().green() == 128
    assert qt.QUrl("file:///folder/file").toLocalFile() == "/folder/file"
    table = qt.QTableWidget(1, 1)
    item = qt.QTableWidgetItem("text")
    item.setData(qt.Qt.UserRole, "kept")
    item.setBackground(qt.QBrush(color))
    table.setItem(0, 0, item)
    assert (table.item(0, 0).text(), item.data(qt.Qt.UserRole)) == ("text", "kept")
