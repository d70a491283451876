"""The machinery of `make planted` on a sample: bugs are generated, planted and found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.planted.commands import Fault, faults
from tests.planted.drains import PLANTS, Plant
from tests.planted.harmless import HARMLESS
from tests.planted.mutator import mutants
from tests.planted.named import FLAVOUR, STORIES, Story
from tests.planted.plant import LUA, Hunter
from tests.planted.town import hunt
from tests.simulation.world import World

SOON = 400
"""Steps within which a story makes the writes of the sample."""
SAMPLE = 5


@pytest.fixture(scope="module")
def hunter() -> Iterator[Hunter]:
    opened = Hunter()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def planted(hunter: Hunter) -> list[Fault]:
    return hunter.use(lambda server: faults(server, [1], SOON))


def test_faults_are_generated_from_the_writes_of_the_scripts(planted: list[Fault]) -> None:
    assert len({fault.name for fault in planted}) == len(planted) > 40
    assert {"enqueue", "turn", "cancel"} <= {fault.script for fault in planted}
    assert not {"stats", "inspect", "browse"} & {fault.script for fault in planted}


def test_a_dropped_command_is_found(hunter: Hunter, planted: list[Fault]) -> None:
    bad = [f for f in planted if (f.script, f.command, f.part) not in HARMLESS]
    for fault in bad[:: len(bad) // SAMPLE]:
        kill = hunter.hunt(fault.bodies())

        assert kill.reason, f"{fault.name}: {kill.steps} steps did not find it"
        assert not kill.reason.startswith(("unreadable", "a script")), kill.reason


def test_scripts_without_a_fault_are_not_accused(hunter: Hunter) -> None:
    other = Fault("turn", "NOSUCHCOMMAND", "records")

    assert not hunter.hunt(other.bodies(), seeds=1, steps=1_000).reason


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_directed_story_holds_on_the_scripts_as_they_are(hunter: Hunter, story: Story) -> None:
    hunter.use(lambda server: story(World(server, FLAVOUR)))


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_bug_can_be_planted_in_the_drain(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch.setattr)


def test_a_bug_in_the_drain_is_found() -> None:
    assert hunt(PLANTS[0])


def test_the_mutator_changes_one_line_at_a_time() -> None:
    some = list(mutants({"turn", "enqueue"}))

    assert len({(mutant.file, mutant.line, mutant.what) for mutant in some}) > 300
    for mutant in some:
        before = (LUA / mutant.file).read_text(encoding="utf-8").splitlines()
        after = mutant.text.splitlines()
        changes = [
            i for i, pair in enumerate(zip(before, after, strict=True), 1) if len({*pair}) > 1
        ]
        assert changes == [mutant.line]
