"""Queues that hold jobs and that no application declares any more: they are told, not forgotten."""

from __future__ import annotations

import pytest

from shared.cli.exit_codes import Exit
from shared.declare.app import Registry
from shared.observe.undeclared import read_undeclared
from shared.store import Store
from tests.cli.conftest import Cli
from tests.support.turns import numbered
from tests.support.world import World

WARNING = "no application declares these queues, which hold jobs: slow (1), work (1)"
NOTE = ("note.keep", "-p", '{"text": "x"}')


@pytest.fixture
def renamed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A waiting and a delayed job, of two queues that the application of today does not have."""
    cli("drain")
    cli("enqueue", "work", *NOTE)
    cli("enqueue", "slow", *NOTE, "--delay", "3600")
    monkeypatch.setenv("TIDEGATE_APPS", "tests.cli.second:app")
    return cli


def warning(cli: Cli) -> str | None:
    """What doctor says of them; None where all is well."""
    findings = cli("doctor", "--json").json["findings"]
    (found,) = (one for one in findings if one["check"] == "undeclared")
    return None if found["verdict"] == "OK" else str(found["detail"])


def test_doctor_warns_of_each(renamed: Cli) -> None:
    assert warning(renamed) == WARNING
    assert renamed("doctor").code is Exit.OK


def test_status_shows_them(renamed: Cli) -> None:
    rows = renamed("status", "--json").json["undeclared"]
    counts = {row["name"]: (row["jobs"], row["counts"]["waiting"]) for row in rows}
    assert counts == {"slow": (1, 0), "work": (1, 1)}

    head, slow, work = renamed("status").out.split("\n\n")[1].splitlines()
    assert head.startswith("queue that no application declares")
    assert (slow.split()[:2], work.split()[:2]) == (["slow", "1"], ["work", "1"])


def test_a_status_of_named_queues_is_about_these(renamed: Cli) -> None:
    assert renamed("status", "seconds", "--json").json["undeclared"] == []


def test_a_drain_names_what_is_due_and_leaves_it(renamed: Cli) -> None:
    report = renamed("drain", "--json")

    assert report.json["undeclared"] == ["work"]
    assert "no application declares what is due: work" in report.err
    assert warning(renamed) == WARNING
    assert "undeclared" not in renamed("drain", "seconds", "--json").json


def test_without_any_application_they_are_told_too(
    renamed: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_APPS", "tests.cli.sample:nothing")

    assert warning(renamed) == WARNING


def test_declared_again_and_drained_there_is_nothing_to_tell(
    renamed: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_APPS", "tests.cli.sample:app")

    assert "undeclared" not in renamed("drain", "--json").json
    assert renamed("status", "--json").json["undeclared"] == []
    assert warning(renamed) is None


async def test_the_look_costs_one_command_where_all_is_declared(world: World, store: Store) -> None:
    await store.enqueue(world.queue(), numbered(3))
    before = store.meter.snapshot()

    assert await read_undeclared(store, Registry([world.app])) == []

    assert store.meter.since(before).commands == 1
