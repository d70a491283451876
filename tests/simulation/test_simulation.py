"""Fifty thousand steps of the engine's scripts under faults, a few thousand a seed."""

from __future__ import annotations

import pytest

from shared.embedded import guard
from tests.simulation.campaign import PART, main, parts
from tests.simulation.server import Server, on_fake_time, production
from tests.simulation.simulation import Simulation
from tests.simulation.story import STORY_STEPS, Failure, Tally, shrink, simulate
from tests.simulation.world import AuditedStore

SEEDS = range(1, 11)
STEPS = 5_000


@pytest.mark.parametrize("seed", SEEDS)
def test_no_invariant_breaks_whatever_happens_to_requests_functions_and_store(
    server: Server, seed: int
) -> None:
    tally = Tally()

    failure = simulate(server, seed, STEPS, tally=tally)

    assert failure is None, failure.text()
    assert tally.steps == STEPS
    assert tally.faulted >= 0.10
    assert min(tally.harms[harm] for harm in ("kill", "freeze", "thaw", "snapshot")) > 0
    seen = ("follow-ups", "decided", "nudges", "isolated", "stopped intakes")
    assert min(tally.seen[what] for what in seen) > 0


def test_a_seed_tells_the_same_story_each_time(server: Server) -> None:
    told: list[list[str]] = []
    for _ in range(2):
        lines: list[str] = []
        Simulation(7, AuditedStore(server, 7), told=lines.append).run(range(1_500))
        told.append(lines)

    assert told[0] == told[1]


@pytest.mark.parametrize("verb", sorted(production()))
def test_the_simulated_script_is_productions_but_for_its_time(verb: str) -> None:
    body = production()[verb]
    simulated = on_fake_time(body).text.decode()

    before, _found, after = simulated.partition(body)

    assert simulated == before + body + after
    assert before.endswith("local function body(...)\n")
    assert (before, after) == (_empty()[0], _empty()[1])


def _empty() -> tuple[str, str]:
    """What the guard puts around any script."""
    marker = "return 'the body'"
    before, _found, after = on_fake_time(marker).text.decode().partition(marker)
    return before, after


def test_with_real_time_the_guard_answers_no_command_itself() -> None:
    prologue = guard.compose(b"", strict=False, clock=False).text.decode()

    assert "is_time" not in prologue


def test_a_failure_is_shrunk_to_the_steps_that_matter(server: Server) -> None:
    bodies = production()
    bodies["cancel"] = bodies["cancel"].replace("end_job(id, job, STATE.cancelled,", "local _ = (")

    failure = simulate(server, 1, 5_000, bodies=bodies)

    assert isinstance(failure, Failure)
    assert len(failure.steps) <= 12, failure.text()
    assert "cancel" in failure.text()
    assert shrink(server, failure, production()).reason == failure.reason


@pytest.mark.parametrize("seed", [1, 300])
@pytest.mark.parametrize("jobs", [1, 2, 3])
@pytest.mark.parametrize("steps", [1, STORY_STEPS - 1, STORY_STEPS, 2 * PART + 1, 9 * PART])
def test_parts_are_the_stories_of_one_process(seed: int, jobs: int, steps: int) -> None:
    told = list(parts(seed, steps, jobs))

    stories = [first + at for first, some in told for at in range(-(-some // STORY_STEPS))]
    assert stories == list(range(seed, seed + -(-steps // STORY_STEPS)))
    assert sum(some for _first, some in told) == steps
    assert all(some % STORY_STEPS == 0 for _first, some in told[:-1])
    assert len(told) >= min(jobs, len(stories))


def test_two_processes_simulate_all_stories(capfd: pytest.CaptureFixture[str]) -> None:
    steps = STORY_STEPS + 400

    assert main(1, steps, jobs=2) == 0

    first, last, verdict = capfd.readouterr().out.splitlines()
    assert first.startswith(f"from seed 1: {STORY_STEPS:,} steps in ")
    assert last.startswith(f"from seed 1: {steps:,} steps in ")
    assert verdict == "0 violations"
