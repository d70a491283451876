"""Secrets in AWS: the environment has their names, and a function reads the values when it starts.

`TIDEGATE_SECRETS=CRON_SECRET=ssm:/tidegate/cron-secret,UPSTASH_REDIS_REST_TOKEN=secretsmanager:redis`
sets two variables. Without it boto3 is not imported, which saves half a second of cold start.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import ConfigurationError

SOURCES = ("ssm", "secretsmanager")
MAX_AGE = 300
"""Seconds for which this process caches a value."""


def with_secrets(env: Mapping[str, str]) -> Mapping[str, str]:
    """`env` with the variables that its TIDEGATE_SECRETS lists. A variable that is already set is
    not read. Raises ConfigurationError when a secret can't be read."""
    references = {
        variable: reference
        for variable, reference in _parse(env.get("TIDEGATE_SECRETS", "")).items()
        if not env.get(variable)
    }
    return {**env, **_read(references)} if references else env


def _parse(text: str) -> dict[str, tuple[str, str]]:
    """Variable → (source, name of the secret in that source)."""
    references: dict[str, tuple[str, str]] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        variable, _, reference = entry.partition("=")
        source, _, name = reference.partition(":")
        if not variable or not name or source not in SOURCES:
            raise ConfigurationError(
                f"TIDEGATE_SECRETS: {entry!r} is not VARIABLE=ssm:name or "
                "VARIABLE=secretsmanager:name"
            )
        references[variable] = source, name
    return references


def _read(references: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    # These import boto3, so only a deployment with secrets in AWS pays for it.
    from aws_lambda_powertools.utilities import parameters  # noqa: PLC0415
    from aws_lambda_powertools.utilities.parameters.exceptions import (  # noqa: PLC0415
        GetParameterError,
    )

    in_ssm = [name for source, name in references.values() if source == "ssm"]
    try:
        # One request for all; a second start of this process reads powertools' cache.
        values = (
            parameters.get_parameters_by_name(
                {name: {} for name in in_ssm}, decrypt=True, max_age=MAX_AGE
            )
            if in_ssm
            else {}
        )
        return {
            variable: str(
                values[name] if source == "ssm" else parameters.get_secret(name, max_age=MAX_AGE)
            )
            for variable, (source, name) in references.items()
        }
    except GetParameterError as error:
        raise ConfigurationError(
            f"TIDEGATE_SECRETS: {error}. Do these names exist here, and may the function's role "
            "read them?"
        ) from error
