"""A local server that runs scripts in GopherLua: our Go server in front of a real one."""

from __future__ import annotations

import subprocess
from pathlib import Path

from shared.embedded.local import LocalRedis
from tests.gopher.build import binary

SECONDS = 10.0
"""A process that has not ended by then is killed."""


class LocalGopherLua:
    """Both servers, started by `ensure` and ended by `close`; they end with this process too."""

    def __init__(self, real: Path) -> None:
        self._real = LocalRedis(real, volatile=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._path: Path | None = None

    def ensure(self) -> Path:
        """The socket that serves."""
        backend = self._real.ensure()
        if self._path is None:
            path = backend.with_name("gopherlua.sock")
            # The server reads its input to the end, so it ends when this process does.
            self._process = subprocess.Popen(
                [str(binary()), "-listen", str(path), "-backend", str(backend)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            assert self._process.stdout is not None
            if self._process.stdout.readline() != b"ready\n":
                raise RuntimeError("the GopherLua server did not start; its error is above")
            self._path = path
        return self._path

    @property
    def pid(self) -> int | None:
        """The process that runs the scripts."""
        return self._process.pid if self._process else None

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=SECONDS)
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self._real.close()
