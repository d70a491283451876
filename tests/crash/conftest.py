"""A server with an append-only file, as the embedded store runs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.embedded.binary import find_server
from shared.embedded.local import LocalRedis


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalRedis]:
    binary = find_server()
    if binary is None:
        pytest.skip("a real server is needed")
    opened = LocalRedis(binary, data_dir=tmp_path / "data", volatile=False)
    opened.ensure()
    yield opened
    opened.close()
