"""Secrets that live in AWS: read by name, once, and with a sentence when that fails."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities import parameters
from moto import mock_aws

from shared import ConfigurationError
from shared.config.secrets import with_secrets
from shared.config.settings import Settings

STORE = {"UPSTASH_REDIS_REST_URL": "https://db.example", "AWS_LAMBDA_FUNCTION_NAME": "drain"}
# botocore builds a URL pattern with an escape that newer Pythons warn about.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Empty SSM and Secrets Manager, and what was asked of them."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    with mock_aws():
        _forget()
        yield {"ssm": boto3.client("ssm"), "secrets": boto3.client("secretsmanager")}
        _forget()


def _forget() -> None:
    """Values and clients: one made under another mock would ask nobody."""
    parameters.clear_caches()  # type: ignore[no-untyped-call]


def test_a_parameter_and_a_secret_become_variables(aws: dict[str, Any]) -> None:
    aws["ssm"].put_parameter(Name="/t/token", Value="from-ssm", Type="SecureString")
    aws["secrets"].create_secret(Name="cron", SecretString="0123456789abcdef")

    settings = Settings.from_env(
        {
            **STORE,
            "TIDEGATE_SECRETS": "UPSTASH_REDIS_REST_TOKEN=ssm:/t/token, "
            "CRON_SECRET=secretsmanager:cron",
        }
    )

    assert (settings.redis_token, settings.cron_secret) == ("from-ssm", "0123456789abcdef")


def test_a_second_start_of_the_process_asks_nothing(aws: dict[str, Any]) -> None:
    aws["ssm"].put_parameter(Name="/t/token", Value="first", Type="SecureString")
    named = {"TIDEGATE_SECRETS": "UPSTASH_REDIS_REST_TOKEN=ssm:/t/token"}
    before = with_secrets(named)
    aws["ssm"].delete_parameter(Name="/t/token")

    assert with_secrets(named) == before


def test_a_variable_that_is_set_is_not_asked_for() -> None:
    env = {
        "CRON_SECRET": "set-by-hand-0123456789",
        "TIDEGATE_SECRETS": "CRON_SECRET=ssm:/nowhere",
    }

    assert with_secrets(env) is env


def test_a_name_that_is_not_there_is_told(aws: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"/t/missing.*role"):
        with_secrets({"TIDEGATE_SECRETS": "CRON_SECRET=ssm:/t/missing"})

    with pytest.raises(ConfigurationError, match="TIDEGATE_SECRETS"):
        with_secrets({"TIDEGATE_SECRETS": "CRON_SECRET=secretsmanager:missing"})


@pytest.mark.parametrize(
    "text", ["CRON_SECRET", "CRON_SECRET=/t/x", "CRON_SECRET=vault:x", "=ssm:x"]
)
def test_a_place_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="VARIABLE=ssm:name"):
        with_secrets({"TIDEGATE_SECRETS": text})


def test_without_names_nothing_of_aws_is_imported(root: Path) -> None:
    code = (
        "import sys; from shared.config.settings import Settings; Settings.from_env({});"
        "print('boto3' in sys.modules, 'aws_lambda_powertools' in sys.modules)"
    )

    run = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )

    assert run.stdout.split() == ["False", "False"]
