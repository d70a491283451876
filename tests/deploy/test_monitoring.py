"""The Grafana dashboard and the Prometheus rules in infra/monitoring: they name what /metrics has.
Where promtool is installed (Debian: prometheus), it reads and runs them, too."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from shared.alerts.rules import READINGS, SAMPLES
from shared.config.alerts import THRESHOLDS
from shared.observe.metrics import families

FOLDER = Path("infra/monitoring")
PROMTOOL = shutil.which("promtool")
LABELS = {"queue", "state", "outcome", "reason", "stop", "le"}
_NAME = re.compile(r"tidegate[_:][a-z_0-9:]+")
_LABEL = re.compile(r"\b(\w+)(?:=~?|!=)\"|by \(([\w, ]+)\)|\$labels\.(\w+)|\{\{(\w+)\}\}")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")


def exported() -> set[str]:
    """The names of the samples that /metrics has."""
    names = set()
    for family in families([]):
        parts = ("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",)
        names |= {family.name + part for part in parts}
    return names


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    document = json.loads((FOLDER / "grafana.json").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = document["panels"]
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """(what names it, its text) of every expression."""
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def test_every_name_is_exported_or_recorded() -> None:
    known = exported() | {rule["record"] for rule in rules() if "record" in rule}
    found = list(expressions())

    unknown = {name: set(_NAME.findall(text)) - known for name, text in found}

    assert len(found) > 20
    assert {name: names for name, names in unknown.items() if names} == {}


def test_every_label_is_one_of_ours() -> None:
    texts = [
        (FOLDER / name).read_text(encoding="utf-8").replace('\\"', '"')
        for name in ("alerts.yml", "grafana.json")
    ]
    used = {
        label.strip()
        for text in texts
        for match in _LABEL.findall(text)
        for part in match
        for label in part.split(",")
        if label.strip()
    }

    assert used - LABELS == set()


def test_the_dashboard_shows_every_metric_but_those_that_it_leaves_out() -> None:
    shown = {name for _title, text in expressions() for name in _NAME.findall(text)}

    assert exported() - shown == {"tidegate_claims_total", "tidegate_lost_records_total"}


def test_each_rule_of_ours_that_a_scrape_can_tell_is_a_rule_of_prometheus() -> None:
    told = {rule["labels"]["rule"] for rule in rules() if "alert" in rule}

    assert set(THRESHOLDS) - told == {"store_bytes", "refused", "month_commands"}
    text = (FOLDER / "alerts.yml").read_text(encoding="utf-8")
    assert f">= {SAMPLES}" in text
    assert READINGS > 1  # as `for:` there


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()]

    assert len({panel["id"] for panel in panels()}) == len(panels()) == len(set(places))


@needs_promtool
def test_promtool_reads_the_rules_and_the_expressions_of_the_dashboard(tmp_path: Path) -> None:
    asked = [
        {"record": f"panel:expr{i}", "expr": target["expr"].replace("$queue", ".*")}
        for i, target in enumerate(t for panel in panels() for t in panel["targets"])
    ]
    (tmp_path / "panels.yml").write_text(
        yaml.safe_dump({"groups": [{"name": "panels", "rules": asked}]}), encoding="utf-8"
    )

    for path in (FOLDER / "alerts.yml", tmp_path / "panels.yml"):
        run = subprocess.run(
            [str(PROMTOOL), "check", "rules", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr


@needs_promtool
def test_each_rule_of_prometheus_fires_on_its_case_and_on_no_quiet_queue() -> None:
    run = subprocess.run(
        [str(PROMTOOL), "test", "rules", "tests/deploy/prometheus_cases.yml"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
