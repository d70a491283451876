"""The settings of alerts: what can be written, and a sentence for what can't."""

from __future__ import annotations

import math
from base64 import b64encode

import pytest

from shared.config.alerts import OF_DEPLOYMENT, THRESHOLDS, AlertSettings
from shared.config.settings import Settings
from shared.errors import ConfigurationError

SECRET = "whsec_" + b64encode(bytes(range(32))).decode()


def test_without_settings_the_thresholds_are_the_documented_ones() -> None:
    settings = AlertSettings.from_env({})

    assert {rule: settings.threshold(rule, "any") for rule in THRESHOLDS} == THRESHOLDS
    assert THRESHOLDS["backlog"] == 100
    assert THRESHOLDS["failure_rate"] == 0.05
    assert THRESHOLDS["latency"] == 2
    assert THRESHOLDS["store_bytes"] == 0.8


@pytest.mark.parametrize(
    ("text", "rule", "queue", "value"),
    [
        ("backlog=500", "backlog", "import", 500),
        (" backlog = 500 , import/backlog = 5e3 ", "backlog", "import", 5000),
        ("import/backlog=5", "backlog", "email", 100),
        ("latency=off", "latency", "import", math.inf),
        ("latency=off,import/latency=3", "latency", "import", 3),
        ("", "backlog", "import", 100),
    ],
)
def test_thresholds_are_read_by_queue(text: str, rule: str, queue: str, value: float) -> None:
    settings = AlertSettings.from_env({"TIDEGATE_ALERTS": text})

    assert settings.threshold(rule, queue) == value


@pytest.mark.parametrize(
    "text",
    [
        "backlog", "backlog=", "backlog=-1", "backlog=0", "backlog=nan", "backlog=inf", "=5",
        "backlogs=5", "import/=5", "/backlog=5", "im port/backlog=5", "backlog=5,backlog=6",
        *(f"import/{rule}=5" for rule in sorted(OF_DEPLOYMENT)),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_the_grammar(text: str) -> None:
    with pytest.raises(ConfigurationError, match="write rule=number or queue/rule=number"):
        AlertSettings.from_env({"TIDEGATE_ALERTS": text})


@pytest.mark.parametrize("text", ["0", "-1", "256MB", "1e9", "9" * 16])
def test_the_plan_is_a_number_of_bytes(text: str) -> None:
    with pytest.raises(ConfigurationError, match="TIDEGATE_STORE_BYTES"):
        AlertSettings.from_env({"TIDEGATE_STORE_BYTES": text})


@pytest.mark.parametrize("address", ["http://hooks.example.com/1", "hooks.example.com", "ftp://a"])
def test_a_webhook_is_an_https_address(address: str) -> None:
    env = {"TIDEGATE_ALERT_WEBHOOK": address, "TIDEGATE_CALLBACK_SECRET": SECRET}
    with pytest.raises(ConfigurationError, match="https"):
        AlertSettings.from_env(env)


def test_a_webhook_needs_a_secret() -> None:
    with pytest.raises(ConfigurationError, match="must be signed"):
        AlertSettings.from_env({"TIDEGATE_ALERT_WEBHOOK": "https://hooks.example.com/1"})


def test_secrets_stand_in_no_representation() -> None:
    env = {"TIDEGATE_CALLBACK_SECRET": SECRET}

    assert "secrets" not in repr(AlertSettings.from_env(env))


@pytest.mark.parametrize(
    "wrong",
    [
        {"TIDEGATE_ALERTS": "backlogg=3"},
        {"TIDEGATE_STORE_BYTES": "100MB"},
        {"TIDEGATE_STORE_COMMANDS": "many"},
        {"TIDEGATE_ALERT_EMAIL": "a@b.de"},
        {"TIDEGATE_ALERT_SMTP": "smtps://u:p@b.de"},
        {"TIDEGATE_ALERT_WEBHOOK": "https://hooks.example.com/1"},
        {"TIDEGATE_ALERT_WEBHOOK": "hooks", "TIDEGATE_CALLBACK_SECRET": SECRET},
    ],
)
def test_a_wrong_setting_of_alerts_stops_the_start(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="|".join(wrong)):
        Settings.from_env(wrong)


def test_right_settings_of_alerts_do_not() -> None:
    right = {"TIDEGATE_ALERTS": "backlog=3", "TIDEGATE_STORE_BYTES": " 100 "}

    assert Settings.from_env(right) == Settings.from_env({})
    assert AlertSettings.from_env(right).store_bytes == 100
