"""A local Redis-compatible server: its start, its reuse by other processes, its stop.

One lock file per data directory decides which process starts the server. The server inherits the
lock, so the lock lasts for as long as a process can write to the directory.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from ..errors import ConfigurationError
from .engine import EngineUnreachable
from .parent import die_with_parent
from .sockets import ServerState, SocketRecord, probe

START_SECONDS = 10.0
_POLL_SECONDS = 0.002
_BUSY_POLL_SECONDS = 0.05
_LOG_TAIL_LINES = 8


class LocalRedis:
    """The server on `data_dir`, started by this process or by another one. All methods block.

    Persistent: an append-only file, fsynced every second. A killed server loses no acknowledged
    write; a power cut loses at most the last second. Volatile: a temporary directory without data
    files, removed by `close`. The server dies with the process that started it.
    """

    def __init__(self, binary: Path, *, data_dir: Path | None = None, volatile: bool) -> None:
        self.volatile = volatile
        self._binary = binary
        if volatile:
            self.data_dir = Path(tempfile.mkdtemp(prefix="tidegate-"))
        else:
            self.data_dir = (data_dir or Path(".tidegate")).resolve()
        self._socket = SocketRecord(self.data_dir)
        self._owner = os.getpid()
        self._path: Path | None = None
        self._starting = threading.Lock()
        self._closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: threading.Thread | None = None
        atexit.register(self.close)

    @property
    def pid(self) -> int | None:
        """The server's process id, if this process started it."""
        return self._process.pid if self._process is not None else None

    def ensure(self) -> Path:
        """The socket of the server, which this method starts if none answers.

        A server of this process that a script blocks for good is killed and started again: the
        script's writes were not acknowledged. Raises `ConfigurationError`, with the end of the
        server's log, if the server does not start, or if a script blocks another process' server.
        """
        with self._starting:
            if self._closed:
                raise EngineUnreachable("The embedded store is closed; open it again.")
            self._make_directory()
            deadline = time.monotonic() + START_SECONDS
            state = ServerState.SILENT
            while time.monotonic() < deadline:
                path = self._socket.read()
                state = probe(path) if path is not None else ServerState.SILENT
                if path is not None and state is ServerState.READY:
                    return path
                lock = self._lock()
                if lock is not None:
                    return self._start(lock)
                if state is ServerState.LOADING:
                    deadline = time.monotonic() + START_SECONDS
                time.sleep(_BUSY_POLL_SECONDS if state is ServerState.BUSY else _POLL_SECONDS)
            if state is ServerState.BUSY:
                return self._restart()
            raise ConfigurationError(
                f"Another process holds {self.data_dir} but its server does not answer. "
                "Stop that process, or choose another data directory."
            )

    def close(self) -> None:
        """Stop the server if this process started it. A second call does nothing."""
        if os.getpid() != self._owner:
            return  # a forked child runs this exit handler too
        with self._starting:
            self._closed = True
            atexit.unregister(self.close)
            if self._process is not None and self._keeper is not None:
                blocked = self._path is not None and probe(self._path) is not ServerState.READY
                if not blocked:
                    self._process.terminate()
                    self._keeper.join(START_SECONDS)
                self._kill()
            # The server removes its own socket; a socket that is there now may be another server's.
            if self._path is not None and self._path.parent != self.data_dir:
                with suppress(OSError):
                    self._path.parent.rmdir()
            if self.volatile:
                shutil.rmtree(self.data_dir, ignore_errors=True)

    def _restart(self) -> Path:
        lock = None
        if self._process is not None and self._process.returncode is None:
            self._kill()
            lock = self._lock()
        if lock is None:
            raise ConfigurationError(
                f"The server on {self.data_dir} belongs to another process, and a script blocks "
                "it: the script has written, so it can't be stopped. Stop that process, or choose "
                "another data directory."
            )
        return self._start(lock)

    def _kill(self) -> None:
        if self._process is not None and self._keeper is not None and self._keeper.is_alive():
            self._process.kill()
            self._keeper.join()

    def _make_directory(self) -> None:
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"The data directory {self.data_dir} can't be created: {error}. Choose another one."
            ) from error

    def _lock(self) -> int | None:
        lock = os.open(self.data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock

    def _start(self, lock: int) -> Path:
        try:
            path = self._path = self._socket.replace()
            started = threading.Event()
            failure: list[OSError] = []
            self._keeper = threading.Thread(
                target=self._keep, args=(path, lock, started, failure), daemon=True
            )
            self._keeper.start()
            started.wait()
        finally:
            # The server inherited the lock and holds it until it ends.
            os.close(lock)
        if failure:
            raise ConfigurationError(f"{self._binary} can't be run: {failure[0]}")
        deadline = time.monotonic() + START_SECONDS
        while self._process is not None and self._process.returncode is None:
            state = probe(path)
            if state is ServerState.READY:
                return path
            if state is ServerState.LOADING:
                deadline = time.monotonic() + START_SECONDS
            elif time.monotonic() > deadline:
                self._process.kill()
                break
            time.sleep(_POLL_SECONDS)
        raise ConfigurationError(
            f"{self._binary.name} did not start on {self.data_dir}. Its log ends with:\n"
            f"{_log_tail(self.data_dir)}"
        )

    def _keep(
        self, path: Path, lock: int, started: threading.Event, failure: list[OSError]
    ) -> None:
        # The parent-death signal is sent when the forking thread ends, not the process. So a thread
        # of its own starts the server and waits for its end.
        try:
            self._process = subprocess.Popen(
                [str(self._binary), *_options(path, self.data_dir, volatile=self.volatile)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=self.data_dir,
                pass_fds=(lock,),
                start_new_session=True,
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - calls prctl, takes no lock
            )
        except OSError as error:
            failure.append(error)
            started.set()
            return
        started.set()
        self._process.wait()


def _options(path: Path, data_dir: Path, *, volatile: bool) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(data_dir),
        "logfile": str(data_dir / "server.log"),
        "daemonize": "no",
        "save": "",
        "appendonly": "no" if volatile else "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
    }
    return [part for name, value in options.items() for part in (f"--{name}", value)]


def _log_tail(data_dir: Path) -> str:
    try:
        log = (data_dir / "server.log").read_text("utf-8", "replace")
    except OSError:
        return "(no log)"
    return "\n".join(log.splitlines()[-_LOG_TAIL_LINES:])
