"""Starts without garbage collection: paused for the block, and as it was before after it."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from shared.hosts.start import collector_paused


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """The collector of the other tests."""
    yield
    gc.unfreeze()
    gc.enable()


def test_nothing_is_collected_during_a_start() -> None:
    with collector_paused():
        assert not gc.isenabled()

    assert gc.isenabled()


def test_what_a_start_leaves_is_not_looked_at_again() -> None:
    gc.unfreeze()

    with collector_paused():
        left: list[list[object]] = [[] for _ in range(1_000)]

    assert gc.get_freeze_count() >= len(left)


def test_a_start_that_fails_leaves_the_collector_on() -> None:
    with pytest.raises(LookupError), collector_paused():
        raise LookupError

    assert gc.isenabled()


def test_a_process_without_collector_stays_without() -> None:
    gc.disable()
    frozen = gc.get_freeze_count()

    with collector_paused():
        pass

    assert (gc.isenabled(), gc.get_freeze_count()) == (False, frozen)


def test_a_start_within_a_start_leaves_the_end_to_the_outer_one() -> None:
    with collector_paused():
        with collector_paused():
            pass
        assert not gc.isenabled()
