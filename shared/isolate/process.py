"""One child process: spawned, spoken to, killed with all that it has started."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress

from ..errors import ChildDied, ConfigurationError
from .frames import Frames, Message, encode
from .output import Output

_CHUNK = 2**16
POLL = 0.25
"""Seconds between looks whether it still lives. Its end of the connection closes at once, unless a
process that it forked holds that too."""
EXIT_SECONDS = 2.0
"""A killed process is waited for no longer; a system that is out of memory takes its time."""


class ChildProcess:
    """A spawned interpreter that runs `main(descriptor)` of a module. One caller speaks to it at a
    time, from any event loop."""

    def __init__(self, module: str) -> None:
        """Spawn it. Raises ConfigurationError on a system without process groups (Windows)."""
        if not hasattr(os, "killpg") or not sys.executable:
            raise ConfigurationError("isolation needs a POSIX system and a Python executable")
        ours, theirs = socket.socketpair()
        output, write_end = os.pipe()
        # The host may have extended the path at run time (Vercel does), so the child gets ours.
        entries: list[object] = [*sys.path]  # a Path among them finds nothing
        path = [str.__str__(entry) for entry in entries if isinstance(entry, str)]
        start = f"from {module} import main; main({theirs.fileno()})"
        code = f"import sys; sys.path[:] = {path!r}; {start}"
        command = [sys.executable, "-u", "-X", "faulthandler", "-c", code]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                pass_fds=(theirs.fileno(),),
                process_group=0,
            )
        except BaseException:
            ours.close()
            os.close(output)
            raise
        finally:
            theirs.close()
            os.close(write_end)
        ours.setblocking(False)
        self._socket, self.output = ours, Output(output)
        self._frames, self._messages = Frames(), list[Message]()
        self._open = True

    async def send(self, message: Message) -> None:
        """Send a message. The next `receive` raises where it did not arrive."""
        with suppress(OSError):
            await asyncio.get_running_loop().sock_sendall(self._socket, encode(message))

    async def receive(self) -> Message:
        """The next message. Raises ChildDied, and has ended the process, when there is none."""
        while not self._messages:
            data = await self._read()
            try:
                self._messages += self._frames.feed(data)
            except (ValueError, RecursionError):
                await self.end()
                raise ChildDied("the handler wrote into its child process's connection") from None
            if not data:
                raise await self._death()
        return self._messages.pop(0)

    def kill(self) -> None:
        """Kill it and its process group. `end` must follow."""
        if self._process.returncode is not None:
            return  # its id may be another process's by now
        with suppress(ProcessLookupError, PermissionError):  # macOS denies it for a zombie
            os.killpg(self._process.pid, signal.SIGKILL)

    async def end(self) -> int | None:
        """Kill it, wait until it is gone, and close the pipes. Its exit code, if it is known."""
        if self._open:
            self._open = False
            self.kill()
            self.output.detach()
            self.output.close()
            self._socket.close()
        for _ in range(int(EXIT_SECONDS / 0.01)):
            if self._process.poll() is not None:
                break
            await asyncio.sleep(0.01)
        return self._process.returncode

    async def _read(self) -> bytes:
        """What has arrived; nothing if it is dead."""
        reading = asyncio.ensure_future(asyncio.get_running_loop().sock_recv(self._socket, _CHUNK))
        try:
            while not (await asyncio.wait({reading}, timeout=POLL))[0]:
                if self._has_exited():
                    return b""
            return reading.result()
        except OSError:
            return b""
        finally:
            reading.cancel()

    async def _death(self) -> ChildDied:
        """How it ended, after its end of the connection was closed."""
        for _ in range(int(POLL / 0.01)):
            if self._has_exited():
                code = await self.end()
                return ChildDied(exit_text(code), code)
            await asyncio.sleep(0.01)
        await self.end()
        return ChildDied("the handler closed the connection of its child process")

    def _has_exited(self) -> bool:
        """True if it has; it stays a zombie, so that its process group can still be killed."""
        if self._process.returncode is not None or not hasattr(os, "waitid"):  # older macOS
            return self._process.poll() is not None
        try:
            exited = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:  # the host ignores SIGCHLD, or has waited for it
            return True
        return exited is not None


def exit_text(code: int | None) -> str:
    """An exit code as a sentence."""
    if code is None or code >= 0:
        return f"its child process ended with exit code {'unknown' if code is None else code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "unknown"
    memory = "; was the memory used up?" if -code == signal.SIGKILL else ""
    return f"its child process was ended by signal {-code} ({name}){memory}"
