"""The simulator's stories with the scripts run by GopherLua, a few thousand steps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.server import BEST, GOPHERLUA, Server
from tests.simulation.simulation import Simulation
from tests.simulation.story import Tally, simulate
from tests.simulation.world import World

STEPS = 2_000


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    opened = Server(GOPHERLUA)
    yield opened
    opened.close()


@pytest.mark.parametrize("seed", [1, 2])
def test_no_invariant_breaks_where_gopherlua_runs_the_scripts(server: Server, seed: int) -> None:
    tally = Tally()

    failure = simulate(server, seed, STEPS, tally=tally)

    assert failure is None, failure.text()
    assert tally.steps == STEPS


def test_a_seed_tells_the_same_story_on_both_engines() -> None:
    stories: list[list[str]] = []
    for engine in (BEST, GOPHERLUA):
        server = Server(engine)
        stories.append([])
        try:
            Simulation(7, World(server, 7), told=stories[-1].append).run(range(1_000))
        finally:
            server.close()

    assert stories[0] == stories[1]
