"""vercel.json, as far as the CLI's own validator does not look: it passes `61 * * * *`, and a
build drops a function's limits silently when their key matches no file."""

from __future__ import annotations

import importlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from shared.config.settings import Settings

LONGEST = 300
"""Seconds: what Hobby allows, and Pro's default."""
FIELDS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 6)}


@pytest.fixture
def config(root: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((root / "vercel.json").read_text(encoding="utf-8"))
    return loaded


def problems_of(cron: str) -> list[str]:
    """What Vercel would refuse: five fields in range, no names, not both day fields."""
    parts = cron.split()
    if len(parts) != len(FIELDS):
        return [f"{len(parts)} fields"]
    problems = []
    for part, (field, (least, most)) in zip(parts, FIELDS.items(), strict=True):
        if not re.fullmatch(r"(\*|\d+(-\d+)?)(/\d+)?(,(\*|\d+(-\d+)?)(/\d+)?)*", part):
            problems.append(f"{field} {part!r}")
        numbers = [int(number) for number in re.findall(r"(?<!/)\b\d+", part)]
        if any(not least <= number <= most for number in numbers):
            problems.append(f"{field} {part!r} out of range")
    if parts[2] != "*" and parts[4] != "*":
        problems.append("day of month and day of week at once")
    return problems


def test_crons_are_what_vercel_accepts_and_lead_to_a_route(config: dict[str, Any]) -> None:
    api = importlib.import_module("functions.api")
    paths = {getattr(route, "path", "") for route in api.app.routes}

    assert config["crons"], "without a cron nothing ticks"
    for cron in config["crons"]:
        assert problems_of(cron["schedule"]) == []
        assert cron["path"] in paths


@pytest.mark.parametrize(
    "cron", ["61 * * * *", "* * * *", "0 9 1 * 1", "0 0 * * MON", "* 24 * * *"]
)
def test_a_wrong_cron_is_seen(cron: str) -> None:
    assert problems_of(cron)


@pytest.mark.parametrize("cron", ["* * * * *", "*/5 8-18 * * 1-5", "0 0,12 1 * *"])
def test_a_right_cron_passes(cron: str) -> None:
    assert problems_of(cron) == []


def test_limits_belong_to_the_file_that_is_the_entrypoint(
    config: dict[str, Any], root: Path
) -> None:
    pyproject = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    module = pyproject["tool"]["vercel"]["entrypoint"].partition(":")[0]

    assert list(config["functions"]) == [f"{module.replace('.', '/')}.py"]


def test_the_default_budget_is_the_duration_that_vercel_gives(config: dict[str, Any]) -> None:
    (limits,) = config["functions"].values()

    assert limits["maxDuration"] <= LONGEST
    assert limits["maxDuration"] == Settings().max_duration, "TIDEGATE_MAX_DURATION's default"


def test_secrets_and_history_stay_out_of_the_bundle(config: dict[str, Any]) -> None:
    (limits,) = config["functions"].values()
    patterns = limits["excludeFiles"].strip("{}").split(",")

    assert {".*", ".*/**"} <= set(patterns), ".env, .git, .tidegate and .venv all begin with a dot"
    assert len(limits["excludeFiles"]) <= 256, "Vercel refuses a longer pattern"
