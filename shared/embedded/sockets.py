"""The unix socket of the local server: the record of its path, and a probe of its state."""

from __future__ import annotations

import os
import socket
import tempfile
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path

_PATH_BYTES = 107 if os.uname().sysname == "Linux" else 103
"""The longest path of a unix socket."""


class ServerState(Enum):
    """The state of the server behind a socket."""

    SILENT = auto()
    LOADING = auto()
    BUSY = auto()
    """A script has blocked it for longer than the server allows."""
    READY = auto()


class SocketRecord:
    """The file in the data directory that has the socket's path, for other processes to read.

    The socket is in the data directory too, or in a temporary one if its path would be too long.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def read(self) -> Path | None:
        """The recorded path, or None."""
        try:
            return Path((self._data_dir / "socket").read_text("utf-8"))
        except FileNotFoundError:
            return None

    def replace(self) -> Path:
        """Remove the recorded socket; record and return the path of a new one."""
        self._remove()
        path = self._data_dir / "server.sock"
        if len(os.fsencode(path)) > _PATH_BYTES:
            path = Path(tempfile.mkdtemp(prefix="tidegate-")) / "server.sock"
        record = self._data_dir / "socket.new"
        record.write_text(str(path), "utf-8")
        record.replace(self._data_dir / "socket")
        return path

    def _remove(self) -> None:
        path = self.read()
        if path is None:
            return
        with suppress(OSError):
            path.unlink()
        if path.parent != self._data_dir:
            with suppress(OSError):
                path.parent.rmdir()


def probe(path: Path) -> ServerState:
    """The state of the server on a socket, from its reply to PING.

    A script that blocks a BUSY server is killed, if that is possible.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            reply = connection.recv(64)
            if reply.startswith(b"-BUSY"):
                # Ends the script unless it has written.
                connection.sendall(b"SCRIPT KILL\r\n")
                connection.recv(64)
        except OSError:
            return ServerState.SILENT
    for beginning, state in _STATES.items():
        if reply.startswith(beginning):
            return state
    return ServerState.SILENT


_STATES = {
    b"+PONG": ServerState.READY,
    b"-LOADING": ServerState.LOADING,
    b"-BUSY": ServerState.BUSY,
}
