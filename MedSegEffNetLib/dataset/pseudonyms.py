"""Pseudonyms: ids that are keyed hashes, so that nobody without the key can tell whose they are.

The key lies in a file of its own, outside of every data set: by default in the user's data folder, and a group that
shares a data set shares one key file. The same patient gets the same pseudonym under the same key.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from MedSegEffNetLib import atomic
from MedSegEffNetLib.dataset.store import Dataset
from MedSegEffNetLib.errors import InputError
from MedSegEffNetLib.resources import data_folder

if TYPE_CHECKING:
    from MedSegEffNetLib.dataset.importing import NewCase

KEY_FILE = "pseudonyms.key"
_SETTING = "pseudonym_key"  # in dataset.json: which key was used, not the key
_DIGITS = 10


@dataclass(frozen=True)
class Pseudonyms:
    """The key by which ids are made (at least 16 bytes)."""

    key: bytes

    @classmethod
    def of(cls, dataset: Dataset, key_file: Path | None = None) -> Pseudonyms:
        """The pseudonyms of a data set; the key file is made where there is none.

        Raises
        ------
        InputError
            The data set has pseudonyms of another key (a patient would get a second one), the key lies in the data set,
            or its file cannot be used.
        """
        path = (key_file or data_folder() / KEY_FILE).resolve()
        if path.is_relative_to(dataset.folder.resolve()):
            raise InputError(
                f"{path} lies in the data set",
                expected="a key file outside of it, where only you can read it",
                hint="whoever has data set and key can test who a pseudonym is",
            )
        names = cls(_read_or_make(path))
        used = dataset.info.settings.get(_SETTING)
        if used not in (None, names.mark):
            raise InputError(
                f"the data set's pseudonyms were made with another key than that in {path}",
                expected="one key for all its cases: a patient must not get two pseudonyms",
                hint="ask for the key file of whoever made the data set, and name it with --key FILE",
            )
        if used is None:
            dataset.change_settings(**{_SETTING: names.mark})
        return names

    @property
    def mark(self) -> str:
        """Tells keys apart without telling the key."""
        return self._hash("key", "")

    def patient(self, name: str) -> str:
        """The pseudonym of a patient."""
        return f"P{self._hash('patient', name)}"

    def applied(self, new: NewCase) -> NewCase:
        """The case with pseudonyms for its id and patient, and no word of where it comes from."""
        patient = self.patient(new.patient)
        return replace(new, id=f"{patient}-{self._hash('case', new.id)[:4]}", patient=patient, source="", site=new.site)

    def _hash(self, kind: str, text: str) -> str:
        told = hmac.new(self.key, f"{kind}\0{text}".encode(), hashlib.sha256)
        return told.hexdigest()[:_DIGITS].upper()


def _read_or_make(path: Path) -> bytes:
    if not path.exists():
        atomic.write_text(path, secrets.token_hex(32) + "\n")
        path.chmod(0o600)
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be used as a key ({error})", expected="64 hexadecimal digits") from error
    if len(key) < 16:
        raise InputError(f"{path} is no key: {len(key)} bytes", expected="at least 32 hexadecimal digits")
    return key
