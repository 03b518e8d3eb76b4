"""Models as the panel shows them: read from their metadata, searched by words, told in a card."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cases import SHIPPED_MODEL as SHIPPED
from MedSegEffNetLib.models.bundle import METADATA

TUMOR_SLICES = "tumor-slices-efficientnet"

pytestmark = pytest.mark.usefixtures("slicer_app", "models")


def install(models, name, version, card=None, **keys):
    """A model without weights under another name and version, with these keys of ours."""
    folder = models / f"{name}-{version}"
    shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns("network.*"))
    metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    metadata["version"] = version
    metadata["medsegeffnet"] |= {"name": name, **keys}
    (folder / METADATA).write_text(json.dumps(metadata), encoding="utf-8")
    if card is not None:
        (folder / "docs" / "README.md").write_text(card, encoding="utf-8")
    return folder


def shipped(name=TUMOR_SLICES):
    """The entry of a shipped model."""
    from MedSegEffNetPanel import model_list

    return next(entry for entry in model_list.entries() if entry.name == name)


def test_default_models_come_first_then_newest_versions_and_broken_ones_last(models):
    from MedSegEffNetPanel import model_list

    for version in ("0.9.0", "0.10.0"):
        install(models, "a-model", version)
    (install(models, "broken", "1.0.0") / METADATA).write_text("{", encoding="utf-8")
    listed = model_list.entries()
    defaults = [entry for entry in listed if entry.default]
    assert listed[: len(defaults)] == defaults
    assert TUMOR_SLICES in [entry.name for entry in defaults]
    assert {entry.where for entry in defaults} == {"shipped"}
    others = listed[len(defaults) :]
    assert [(entry.key, entry.where) for entry in others[:2]] == [("a-model@0.10.0", "user"), ("a-model@0.9.0", "user")]
    assert listed[-1].folder == models / "broken-1.0.0"
    assert listed[-1].bundle is None
    assert "cannot be read" in listed[-1].problem
    assert "Install the model again." in listed[-1].problem
    assert not any(entry.problem for entry in listed[:-1])


def test_an_entry_says_what_a_model_takes_marks_and_costs():
    entry = shipped()
    assert entry.channels == "FLAIR (optional: T1, T1 post-contrast)"
    assert entry.labels == ("tumor",)
    assert entry.licence.startswith("CC BY-NC-SA 4.0")
    assert entry.time_text == "2.1 s for 60 slices on 2 cores of an Intel Xeon with AMX"
    assert 14 < entry.megabytes < 16
    assert (entry.task, entry.task_title, entry.kind) == ("tumor-slices", "Brain tumor in slices", "segmentation")


def test_a_model_of_an_unknown_task_that_says_little_is_listed(models):
    from MedSegEffNetPanel import model_list

    install(models, "liver", "1.0.0", task="liver-ct", title="", measured={}, provenance={"data": "a disk"})
    entry = next(entry for entry in model_list.entries() if entry.name == "liver")
    assert (entry.task_title, entry.time_text, entry.kind) == ("liver-ct", "", "segmentation")
    assert "LICENSE" in entry.licence


def test_search_finds_every_word_in_names_tasks_labels_and_other_spellings_of_channels(models):
    from MedSegEffNetPanel import model_list

    install(models, "glioma-parts", "2.0.0")
    listed = model_list.entries()
    assert [entry.name for entry in model_list.search(listed, "parts GLIOMA flair")] == ["glioma-parts"]
    brain = [entry for entry in listed if entry.task in ("tumor-slices", "brain-tumor")]
    assert model_list.search(listed, "t1gd tumor") == brain
    assert model_list.search(listed, "tumor lung") == []
    assert model_list.search(listed, "  ") == listed


def test_listing_does_not_hold_the_window_up(models, window_lives):
    from MedSegEffNetPanel import model_list

    for number in range(20):
        install(models, f"model{number}", "1.0.0")
    assert len(model_list.entries()) >= 22
    window_lives(model_list.entries)


def test_the_card_has_a_head_block_with_colors_licence_time_and_disclaimer():
    from MedSegEffNetPanel.card_view import card_html

    html = card_html(shipped())
    for part in (
        "Not for clinical use",
        '<font color="#e64b35">&#9632;</font>&nbsp;tumor',
        "FLAIR (optional: T1, T1 post-contrast)",
        "CC BY-NC-SA 4.0",
        "2.1 s for 60 slices on 2 cores",
        "1.0.0 (came with MedSegEffNet, 14.9 MB)",
        "<h4>What it cannot do</h4>",
        "<td>dice</td><td>0.850</td>",
    ):
        assert part in html
    assert "# tumor-slices" not in html


def test_the_card_of_a_broken_model_says_why():
    from MedSegEffNetPanel.card_view import card_html
    from MedSegEffNetPanel.model_list import ModelEntry

    html = card_html(ModelEntry("mine", Path("there") / "mine", "user", problem="It is <torn>."))
    assert "It is &lt;torn&gt;." in html


def test_a_card_can_neither_load_nor_run_nor_hide_anything(models):
    from MedSegEffNetPanel import model_list
    from MedSegEffNetPanel.card_view import card_html

    card = '<script>x</script>\n<img src="file:///x">\n![a](http://b.c/d.png)\n[go](javascript:x) [go](file:///x)'
    install(models, "evil", "1.0.0", card=card)
    entry = replace(model_list.search(model_list.entries(), "evil")[0], description="<b>bold</b>")
    html = card_html(entry)
    for part in ("<script", "<img", 'href="javascript', 'href="file', "<b>bold"):
        assert part not in html


def test_markdown_becomes_html():
    from MedSegEffNetPanel.card_view import markdown_html

    assert markdown_html("# A & B\n\none\ntwo **three** `4 < 5`") == (
        "<h3>A &amp; B</h3><p>one two <b>three</b> <code>4 &lt; 5</code></p>"
    )
    assert markdown_html("- one\n  more\n* two\n\n1. first") == (
        "<ul><li>one more</li><li>two</li></ul><ol><li>first</li></ol>"
    )
    table = markdown_html("|a|b|\n|---|:-:|\n| 1 | |")
    assert "<tr><th>a</th><th>b</th></tr><tr><td>1</td><td></td></tr>" in table
    assert markdown_html("see [it](https://a.b/c?d=1&e=2), or https://f.g/h.") == (
        '<p>see <a href="https://a.b/c?d=1&amp;e=2">it</a>, or <a href="https://f.g/h">https://f.g/h</a>.</p>'
    )
    assert markdown_html("a | b\nno table") == "<p>a | b no table</p>"
    assert markdown_html("") == ""


def test_a_model_of_several_networks_offers_its_ensembles_and_each_network_alone(models):

    folder = install(models, "two", "1.0.0", ensembles=[{"name": "both", "title": "", "votes": {}}])
    metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    network = metadata["medsegeffnet"]["networks"][0]
    metadata["medsegeffnet"]["networks"] = [network | {"key": "flair"}, network | {"key": "t1"}]
    (folder / METADATA).write_text(json.dumps(metadata), encoding="utf-8")
    assert shipped("two").ensembles == ("both", "flair", "t1")
    assert shipped().ensembles == ()
