"""The queues of a child process, as its parent names them."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from ..declare.app import App, Registry
from ..declare.queue import JobType, Queue
from ..errors import UnknownQueue


class QueueFinder:
    """Imports the applications `module:attribute`, or where those are not known (None) the module
    of a handler. Raises whatever the import raises."""

    def __init__(self, apps: Sequence[str] | None, module: str | None) -> None:
        if apps is not None:
            found = Registry.load(apps).queues()
        else:
            found = _queues_in(importlib.import_module(str(module)).__dict__.values())
        self._queues = {queue.name: queue for queue in found}

    def queue(self, name: str) -> Queue:
        """The queue of that name. Raises UnknownQueue."""
        if name not in self._queues:
            raise UnknownQueue(
                f"its child process has no queue {name!r}: name the application in TIDEGATE_APPS"
            )
        return self._queues[name]


def _queues_in(values: object) -> list[Queue]:
    """The queues of the applications, queues and job types among a module's names."""
    queues: list[Queue] = []
    for value in list(values):  # type: ignore[call-overload]
        if isinstance(value, App):
            queues += value.queues.values()
        elif isinstance(value, Queue):
            queues.append(value)
        elif isinstance(value, JobType):
            queues.append(value.queue)
    return queues
