"""The child's end of the connection. The process ends with its parent's end."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator

from .frames import Frames, Message, encode

_CHUNK = 2**16
_PR_SET_PDEATHSIG = 1


class Channel:
    """Sends and receives messages. Any thread may send."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)  # a program that the handler starts must not hold it
        self._socket = socket.socket(fileno=descriptor)
        self._sending = threading.Lock()
        self._messages = self._receive()

    def send(self, message: Message) -> None:
        """Send a message. Blocks until the parent has room for it."""
        frame = encode(message)
        with self._sending:
            self._socket.sendall(frame)

    def receive(self) -> Message:
        """The next message. If there is no parent any more, this ends the process and all that it
        has started."""
        message = next(self._messages, None)
        if message is None:
            os.killpg(0, signal.SIGKILL)
        assert message is not None  # noqa: S101 - the signal ended the process
        return message

    def listen(self, deliver: Callable[[Message], object]) -> None:
        """From now on hand every message to `deliver`, from a thread: also while a handler
        computes, the end of the parent is seen."""

        def listen() -> None:
            while True:
                deliver(self.receive())

        threading.Thread(target=listen, name="channel", daemon=True).start()

    def _receive(self) -> Iterator[Message]:
        frames = Frames()
        try:
            while data := self._socket.recv(_CHUNK):
                yield from frames.feed(data)
        except OSError:  # the handler closed it
            return


def end_with_parent() -> None:
    """Have the system end this process when its parent dies: a handler inside foreign code may
    keep every thread from running. Linux only; elsewhere the channel's end is the only sign."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
