"""Single flight: callers that load the same key at the same time share one load."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class Flight(Generic[T]):
    """One load. `followers`: the callers that wait for it beside the one that runs it. `needs`: the
    loads that it waits for."""

    key: str
    value: asyncio.Future[T]
    followers: int = 0
    needs: list[Flight[Any]] = field(default_factory=list)

    def waits_for(self, other: Flight[Any]) -> bool:
        """True if it can't end before the other one has."""
        return self is other or any(flight.waits_for(other) for flight in self.needs)


_current: ContextVar[Flight[Any] | None] = ContextVar("tidegate_cache_load", default=None)
"""The load that the running code is a part of."""


class Flights(Generic[T]):
    """The loads under way in this process. An entry goes when its load ends."""

    def __init__(self) -> None:
        self._flights: dict[tuple[asyncio.AbstractEventLoop, str], Flight[T]] = {}

    async def run(self, key: str, load: Callable[[], Awaitable[T]]) -> T:
        """The value of `load`, called once for all callers that wait for `key`.

        Each caller gets a value of its own, which it may change. An error of `load` reaches each
        of them. If the caller that runs it is cancelled, another one runs its own. Raises
        RuntimeError where a load would wait for itself.
        """
        place = asyncio.get_running_loop(), key
        while flight := self._flights.get(place):
            flight.followers += 1
            try:
                with _mark_waiting(flight):
                    return _copy(await asyncio.shield(flight.value))
            except asyncio.CancelledError:
                if not flight.value.cancelled() or _is_cancelled():
                    raise
        flight = self._flights[place] = Flight(key, place[0].create_future())
        try:
            with _mark_waiting(flight):
                value = await _run(flight, load)
                flight.value.set_result(_copy(value) if flight.followers else value)
        except asyncio.CancelledError:
            flight.value.cancel()
            raise
        except BaseException as error:
            flight.value.set_exception(error)
            flight.value.exception()  # it counts as seen, also when no other caller waits
            raise
        finally:
            del self._flights[place]
        return value


def _copy(value: T) -> T:
    """Another one, so that a change of one is none of the other; the same where a class can't be
    copied."""
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - a class may do anything when it is copied
        return value


async def _run(flight: Flight[T], load: Callable[[], Awaitable[T]]) -> T:
    token = _current.set(flight)
    try:
        return await load()
    finally:
        _current.reset(token)


@contextmanager
def _mark_waiting(flight: Flight[Any]) -> Iterator[None]:
    """For the length of the block the current load, if any, waits for this one."""
    current = _current.get()
    if current is None:
        yield
        return
    if flight.waits_for(current):
        raise RuntimeError(
            f"get_or_load({flight.key[:80]!r}) inside the load of {current.key[:80]!r} would wait "
            "for itself: load it once"
        )
    current.needs.append(flight)
    try:
        yield
    finally:
        current.needs.remove(flight)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
