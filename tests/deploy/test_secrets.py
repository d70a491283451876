"""Secrets that live in AWS: read by name, once, and with a sentence when that fails."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities import parameters
from moto import mock_aws

from shared import ConfigurationError
from shared.config.secrets import read_secrets
from shared.config.settings import Settings
from shared.jobs.redact import redact

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
    """Values and clients: one made under another mock would reach no service."""
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
    before = read_secrets(named)
    aws["ssm"].delete_parameter(Name="/t/token")

    assert read_secrets(named) == before


def test_a_variable_that_is_set_is_not_asked_for() -> None:
    env = {
        "CRON_SECRET": "set-by-hand-0123456789",
        "TIDEGATE_SECRETS": "CRON_SECRET=ssm:/nowhere",
    }

    assert read_secrets(env) == {}


def test_an_applications_secret_lands_in_its_environment(
    aws: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    aws["ssm"].put_parameter(Name="/t/resend", Value="re_a-key-of-tests", Type="SecureString")
    monkeypatch.setenv("TIDEGATE_SECRETS", "RESEND_API_KEY=ssm:/t/resend")
    monkeypatch.setenv("RESEND_API_KEY", "")

    Settings.from_env()

    assert os.environ["RESEND_API_KEY"] == "re_a-key-of-tests"
    assert redact("Bearer re_a-key-of-tests") == "Bearer [secret]"


@pytest.mark.parametrize("source", ["ssm", "secretsmanager"])
def test_a_secret_that_can_not_be_read_is_told_by_its_variable(
    aws: dict[str, Any], source: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"CRON_SECRET can't be read from {source}.*role"):
        read_secrets({"TIDEGATE_SECRETS": f"CRON_SECRET={source}:/t/missing"})


VALUE = "re_the-secret-itself"


@pytest.mark.parametrize(
    "entry",
    [
        f"RESEND_API_KEY={VALUE}",
        VALUE,
        f"RESEND_API_KEY:{VALUE}",
        f"={VALUE}",
        f"RESEND_API_KEY=vault:{VALUE}",
        f"RESEND_API_KEY=ssm:{VALUE}",
        f"RESEND_API_KEY=secretsmanager:{VALUE}",
    ],
)
def test_a_slip_never_echoes_the_secret(aws: dict[str, Any], entry: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_secrets({"TIDEGATE_SECRETS": f"CRON_SECRET=ssm:/t/cron,{entry}"})

    shown = "".join(traceback.format_exception(raised.value))
    assert "TIDEGATE_SECRETS" in str(raised.value)
    assert VALUE not in shown


def test_without_names_nothing_of_aws_is_imported(root: Path) -> None:
    code = (
        "import sys; from shared.config.settings import Settings; Settings.from_env({});"
        "print('boto3' in sys.modules, 'aws_lambda_powertools' in sys.modules)"
    )

    result = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )

    assert result.stdout.split() == ["False", "False"]
