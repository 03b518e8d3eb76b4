"""Fixtures that many tests share."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data():
    """The research data beside the checkout; tests that need them are skipped where they are missing."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the research data are not there: put them into shared/data beside the checkout")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory, monkeypatch):
    """Tests neither see nor touch the user's models and caches."""
    folder = tmp_path_factory.mktemp("user")
    monkeypatch.setenv("MEDSEGEFFNET_DATA", str(folder))
    monkeypatch.setenv("MEDSEGEFFNET_MODELS", str(folder / "Models"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
