from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.apps.weather.tables import Tables, tables_in
from functions.providers.database import close_databases


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    """The app's tables, and accounts at its services."""
    monkeypatch.setenv("WEATHER_DATA_DIR", str(tmp_path))
    for name in ("OPENWEATHER_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "test")
    yield tables_in(tmp_path)
    close_databases()


@pytest.fixture
def public_server(monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of every name, so that no test calls a real resolver; requests go to it."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: found)
    return "93.184.215.14"
