"""A fresh folder of artifacts for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.artifacts.folder import Folder


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Folder]:
    folder = Folder(tmp_path / "artifacts")
    yield folder
    await folder.close()
