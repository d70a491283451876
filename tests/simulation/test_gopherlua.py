"""The simulator's stories with the scripts run by GopherLua, a few thousand steps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gopher import build
from tests.simulation.server import GOPHERLUA, Server
from tests.simulation.story import Tally, simulate

pytestmark = pytest.mark.skipif(bool(build.problem()), reason=build.problem())

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
