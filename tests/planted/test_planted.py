"""The simulator's own test: bugs planted in the scripts, each of which must be found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.planted.bugs import BUGS, Bug
from tests.planted.drains import DRAIN_BUGS, ROOT
from tests.planted.mutator import mutants
from tests.planted.named import STORIES, Story
from tests.planted.plant import Hunter, planted
from tests.simulation.server import Server
from tests.simulation.world import World

EVERY = 12
"""One bug in so many is hunted in `make test`; `make planted` hunts all."""


@pytest.fixture(scope="module")
def hunter() -> Iterator[Hunter]:
    opened = Hunter()
    yield opened
    opened.close()


def test_at_least_forty_bugs_are_planted_and_each_has_its_own_name() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 40


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_still_applies_to_the_scripts(bug: Bug) -> None:
    assert planted(bug)


@pytest.mark.parametrize("bug", BUGS[::EVERY], ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(hunter: Hunter, bug: Bug) -> None:
    kill = hunter.hunt(planted(bug), seeds=1)

    assert kill.reason, f"{kill.steps} steps did not find it"


@pytest.mark.parametrize("bug", DRAIN_BUGS, ids=lambda bug: bug.name)
def test_a_bug_of_the_drain_still_applies_to_its_code(bug: Bug) -> None:
    assert (ROOT / "shared" / bug.file).read_text(encoding="utf-8").count(bug.old) == 1


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_directed_story_holds_on_the_scripts_as_they_are(story: Story) -> None:
    server = Server()
    try:
        story(World(server))
    finally:
        server.close()


def test_the_mutator_changes_one_line_at_a_time() -> None:
    some = list(mutants())

    assert len(some) > 300
    assert len({(mutant.file, mutant.line, mutant.what) for mutant in some}) > 300
