"""The cases of the section Data set: states, flags, comments, versions, conflicts."""

from __future__ import annotations

import curating_cases
from curating_cases import choose, label, shown, states

section, idle, source = curating_cases.section, curating_cases.idle, curating_cases.source
opened, filled, labelled = curating_cases.opened, curating_cases.filled, curating_cases.labelled


def test_states_are_set_by_buttons_that_say_why_they_cannot(filled, idle):
    ui = filled.ui
    choose(filled, "anna")
    assert "anna has no label" in ui.acceptButton.toolTip
    assert ui.rejectButton.enabled
    label(filled, "anna")
    filled.panel.curation.refresh()
    idle()
    assert ui.acceptButton.enabled
    assert "in review already" in ui.reviewButton.toolTip
    ui.acceptButton.click()
    assert idle() == "anna is accepted now."
    assert states(filled)["anna"] == "accepted"
    assert "press Review first" in ui.rejectButton.toolTip
    choose(filled, "bert", "carl")
    ui.rejectButton.click()
    assert idle() == "2 cases are rejected now."
    assert states(filled) == {"anna": "accepted", "bert": "rejected", "carl": "rejected"}


def test_a_case_that_cannot_be_changed_does_not_hinder_the_others(labelled, idle):
    labelled.panel.curation.dataset.set_state("bert", "rejected", "Bob")
    choose(labelled, "anna", "bert", "carl")
    labelled.ui.acceptButton.click()
    told = idle()
    assert "3 cases are accepted now." in told
    assert "bert is rejected and cannot become accepted" in told
    assert states(labelled) == {"anna": "accepted", "bert": "rejected", "carl": "accepted"}


def test_flags_comment_history_and_versions(labelled, wait_until, idle):
    ui = labelled.ui
    ui.caseBox.collapsed = False
    choose(labelled, "anna")
    assert wait_until(lambda: "version 1" in ui.historyText.plainText, 5)
    ui.flagBox.setEditText("hard")
    ui.flagButton.click()
    assert idle() == "The flag hard is set."
    assert labelled.panel.curation.cases[0].flags == ("hard",)
    assert ui.flagButton.text == "Remove flag"
    ui.flagButton.click()
    idle()
    assert labelled.panel.curation.cases[0].flags == ()
    ui.commentEdit.text = "edema <at> the border"
    ui.commentButton.click()
    idle()
    assert wait_until(lambda: "edema <at> the border" in ui.historyText.plainText, 5)
    assert "not changed" in ui.commentButton.toolTip
    label(labelled, "anna", 9, base=1)
    labelled.panel.curation.refresh()
    idle()
    assert wait_until(lambda: ui.versionBox.count == 2, 5)
    assert not ui.chooseButton.enabled
    ui.versionBox.setCurrentIndex(1)
    ui.chooseButton.click()
    assert idle() == "Version 1 is the case's label now."
    assert labelled.panel.curation.dataset.read("anna").current == 1


def test_a_conflict_is_shown_and_settled(labelled, wait_until, idle):
    ui = labelled.ui
    label(labelled, "bert", 8, base=0)
    labelled.panel.curation.refresh()
    idle()
    ui.caseFilter.text = "conflict"
    assert wait_until(lambda: shown(labelled) == ["bert"], 5)
    ui.caseBox.collapsed = False
    choose(labelled, "bert")
    assert "side by side" in ui.acceptButton.toolTip
    assert wait_until(lambda: "saved beside version" in ui.historyText.plainText, 5)
    ui.chooseButton.click()
    idle()
    assert labelled.panel.curation.dataset.read("bert").conflicts == ()


def test_a_damaged_record_is_a_row_that_says_so(labelled, idle):
    (labelled.panel.curation.dataset.case_folder("carl") / "case.json").write_text("{", encoding="utf-8")
    labelled.panel.curation.refresh()
    idle()
    assert "unreadable" in labelled.ui.datasetSummary.text
    choose(labelled, "carl")
    assert "cannot be read" in labelled.ui.acceptButton.toolTip
