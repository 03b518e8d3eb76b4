import errno
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from MedSegEffNetLib.dataset.journal import Journal, Start, recover
from MedSegEffNetLib.errors import MedSegEffNetError
from MedSegEffNetLib.labelops import Selection, add

SHAPE = (12, 10, 8)


def test_a_full_disk_is_said_and_the_edits_before_are_kept(journal, monkeypatch):
    labels = np.zeros(SHAPE, dtype=np.uint8)
    edit(journal, labels, 0)
    before = labels.copy()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(MedSegEffNetError, match="Free some space"):
        patch.setattr(os, "fsync", full)
        edit(journal, labels, 1)
    edit(journal, labels, 2)
    restored = np.zeros(SHAPE, dtype=np.uint8)
    recover(journal.path).replay(restored)
    expected = before.copy()
    mask = np.zeros(SHAPE, dtype=bool)
    mask[2:5, 2:5, 3] = True
    assert (restored[mask] == 3).all()
    assert (restored[~mask] == expected[~mask]).all()


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "journal", Start("abc", SHAPE))
    yield made
    made.close()


def edit(journal, labels, number):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[number : number + 3, 2:5, 1 + number % 4] = True
    change = add(labels, Selection.of(mask), 1 + number % 3)
    change.apply(labels)
    journal.append(change.box, change.after)


def test_edits_are_done_again_on_the_label_they_started_from(journal):
    labels = np.zeros(SHAPE, dtype=np.uint8)
    for number in range(6):
        edit(journal, labels, number)
    found = recover(journal.path)
    restored = np.zeros(SHAPE, dtype=np.uint8)
    found.replay(restored)
    assert found.start == Start("abc", SHAPE)
    assert (restored == labels).all()


def test_a_record_that_was_cut_off_is_left_out_wherever_the_cut_is(journal):
    labels = np.zeros(SHAPE, dtype=np.uint8)
    edit(journal, labels, 0)
    before, whole = labels.copy(), len(journal.path.read_bytes())
    edit(journal, labels, 1)
    content = journal.path.read_bytes()
    for length in range(whole, len(content)):
        journal.path.write_bytes(content[:length])
        restored = np.zeros(SHAPE, dtype=np.uint8)
        recover(journal.path).replay(restored)
        assert (restored == before).all()


def test_a_damaged_record_ends_what_is_read(journal):
    labels = np.zeros(SHAPE, dtype=np.uint8)
    edit(journal, labels, 0)
    before, whole = labels.copy(), len(journal.path.read_bytes())
    edit(journal, labels, 1)
    content = bytearray(journal.path.read_bytes())
    content[whole + 40] ^= 1
    journal.path.write_bytes(content)
    restored = np.zeros(SHAPE, dtype=np.uint8)
    recover(journal.path).replay(restored)
    assert (restored == before).all()


def test_without_edits_there_is_nothing_to_recover(journal, tmp_path):
    assert recover(journal.path) is None
    assert recover(tmp_path / "none") is None
    (tmp_path / "empty").write_bytes(b"")
    assert recover(tmp_path / "empty") is None


def test_a_saved_label_needs_no_journal(journal):
    edit(journal, np.zeros(SHAPE, dtype=np.uint8), 0)
    journal.discard()
    assert not journal.path.exists()


def test_a_journal_begun_anew_keeps_the_old_one_until_it_is_there(journal):
    edit(journal, np.zeros(SHAPE, dtype=np.uint8), 0)
    Journal(journal.path, Start("def", SHAPE)).close()
    assert recover(journal.path) is None
    assert [path.name for path in journal.path.parent.iterdir()] == ["journal"]


def test_edits_of_another_volume_are_not_done(journal):
    edit(journal, np.zeros(SHAPE, dtype=np.uint8), 0)
    with pytest.raises(ValueError, match="array"):
        recover(journal.path).replay(np.zeros((3, 3, 3), dtype=np.uint8))


def test_a_newer_journal_is_refused(journal, monkeypatch):
    monkeypatch.setattr("MedSegEffNetLib.dataset.journal.VERSION", 0)
    with pytest.raises(MedSegEffNetError, match="version 1"):
        recover(journal.path)


WRITER = """
import sys, numpy as np
from pathlib import Path
from MedSegEffNetLib.dataset.journal import Journal, Start
journal = Journal(Path(sys.argv[1]), Start("abc", (40, 40, 40)))
print("begun", flush=True)
number = 0
while True:
    number += 1
    journal.append((slice(0, 40),) * 3, np.full((40, 40, 40), number, dtype=np.uint32))
    print(number, flush=True)
"""


@pytest.mark.parametrize("wait", [0.0, 0.01, 0.03, 0.1])
def test_a_killed_writer_loses_no_edit_that_it_had_recorded(tmp_path, wait):
    path = tmp_path / "journal"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "begun\n"
        time.sleep(wait)
        writer.kill()
        told = writer.stdout.read().split()
    recorded = int(told[-1]) if told else 0
    found = recover(path)
    restored = np.zeros((40, 40, 40), dtype=np.uint32)
    if found is not None:
        found.replay(restored)
    assert recorded <= restored[0, 0, 0] <= recorded + 1
    assert (restored == restored[0, 0, 0]).all()
