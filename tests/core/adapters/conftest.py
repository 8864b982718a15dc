"""The versions of a base that is not on this machine."""

from pathlib import Path

import pytest

from core.adapters.registry import Adapters
from core.models.folder import ModelFolder


@pytest.fixture
def adapters(tmp_path: Path) -> Adapters:
    folder = ModelFolder(tmp_path / "base", "base-00000000", "base", "revision-1")
    return Adapters(tmp_path / "models", folder)
