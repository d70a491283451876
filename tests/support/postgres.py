"""A real Postgres as an ordinary process, one per worker of the tests."""

from __future__ import annotations

import itertools
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_number = itertools.count()


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a server."""
    with tempfile.TemporaryDirectory() as name, _serve(Path(name)) as url:
        yield url


@contextmanager
def _serve(folder: Path) -> Iterator[str]:
    # Postgres refuses to run as root, so pgserver runs it as another user, whose the data are. That
    # user must come through the folder, which rules out pytest's own.
    folder.chmod(0o755)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pgserver's own dependencies
        from pgserver.postgres_server import get_server  # noqa: PLC0415 - few tests need it

        server = get_server(folder / "postgres")
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()


@contextmanager
def empty_database(server: str, options: str = "") -> Iterator[str]:
    """The URL of a new database on the server, which is dropped in the end. `options`: SQL behind
    CREATE DATABASE."""
    name = f"test_{os.getpid()}_{next(_number)}"
    import psycopg  # noqa: PLC0415 - few tests need it

    with psycopg.connect(server, autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name} {options}".encode())
        try:
            yield server.replace("/postgres?", f"/{name}?")
        finally:
            db.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
