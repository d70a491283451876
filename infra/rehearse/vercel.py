"""A built Vercel function, run as the platform runs it. It announces its port over a unix socket
and then serves all HTTP requests in one process."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from .checks import PATIENCE, CheckFailed
from .processes import Program, running
from .tools import bare_environment

MAX_DURATION = 300.0


@dataclass(frozen=True, slots=True)
class VercelFunction:
    """A running function."""

    url: str
    program: Program

    def request(
        self,
        method: str,
        path: str,
        *,
        token: str | None,
        body: object = None,
        seconds: float = MAX_DURATION,
    ) -> httpx.Response:
        """One request, with the headers that Vercel's proxy adds; `seconds` is its time limit."""
        ends = datetime.now(UTC) + timedelta(seconds=seconds)
        headers = {
            "x-vercel-internal-invocation-id": secrets.token_hex(8),
            "x-vercel-internal-request-id": secrets.token_hex(8),
            "x-vercel-internal-deadline": ends.isoformat(timespec="milliseconds"),
        }
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        return httpx.request(
            method, f"{self.url}{path}", headers=headers, json=body, timeout=seconds + 10
        )


def unpack(output: Path, sources: Path, folder: Path) -> Path:
    """The function's files as its configuration maps them, in an empty folder."""
    function = output / "functions" / "python.func"
    mapped = json.loads((function / ".vc-config.json").read_text("utf-8"))["filePathMap"]
    for name, source in mapped.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sources / source, folder / name)
    for path in function.rglob("*"):
        if path.is_file():
            target = folder / path.relative_to(function)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return folder


@contextmanager
def vercel_function(
    folder: Path, *, python: Path, environment: Mapping[str, str], log: Path
) -> Generator[VercelFunction, None, None]:
    """Run the unpacked function; wait until it announces its port."""
    path = folder.parent / "ipc"
    path.unlink(missing_ok=True)
    paths = f"{folder}:{folder / '_vendor'}"
    env = bare_environment(
        VERCEL="1",
        VERCEL_IPC_PATH=str(path),
        PYTHONDONTWRITEBYTECODE="1",
        **{**environment, "PYTHONPATH": f"{paths}:{environment['PYTHONPATH']}"},
    )
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        listening.settimeout(PATIENCE)
        command = [str(python), "-S", "-c", "import vc__handler__python"]
        with running(command, cwd=folder, env=env, log=log) as program:
            try:
                connection, _ = listening.accept()
                with connection:
                    connection.settimeout(PATIENCE)
                    port = _read_port(connection)
                    yield VercelFunction(f"http://127.0.0.1:{port}", program)
            except TimeoutError:
                raise CheckFailed(f"the function announced nothing:\n{program.output()}") from None


def _read_port(connection: socket.socket) -> int:
    received = b""
    while True:
        chunk = connection.recv(65536)
        received += chunk
        for raw in received.split(b"\0")[:-1]:
            message = json.loads(raw)
            if message["type"] == "server-started":
                port: int = message["payload"]["httpPort"]
                return port
            if message["type"] == "unrecoverable-error":
                raise CheckFailed(f"the function does not start: {message['payload']}")
        if not chunk:
            raise CheckFailed("the function ended before it was ready")
