"""Single flight: callers that load the same key at the same time share one load."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Flights(Generic[T]):
    """The loads under way in this process. An entry goes when its load ends."""

    def __init__(self) -> None:
        self._flights: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Future[T]] = {}

    async def run(self, key: str, load: Callable[[], Awaitable[T]]) -> T:
        """The value of `load`, called once for all callers that wait for `key`.

        An error of `load` reaches each of them. If the caller that runs it is cancelled, another
        one runs its own.
        """
        place = asyncio.get_running_loop(), key
        while flight := self._flights.get(place):
            try:
                return await asyncio.shield(flight)
            except asyncio.CancelledError:
                if not flight.cancelled() or _is_cancelled():
                    raise
        flight = self._flights[place] = place[0].create_future()
        try:
            value = await load()
        except asyncio.CancelledError:
            flight.cancel()
            raise
        except BaseException as error:
            flight.set_exception(error)
            flight.exception()  # it counts as seen, also when nobody else waits
            raise
        else:
            flight.set_result(value)
            return value
        finally:
            del self._flights[place]


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
