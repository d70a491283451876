"""Secrets that the environment only names: read from AWS when a function starts.

`TIDEGATE_SECRETS=CRON_SECRET=ssm:/tidegate/cron-secret,UPSTASH_REDIS_REST_TOKEN=secretsmanager:redis`
sets two variables. Without it nothing of this is imported: boto3 costs half a second of cold start.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import ConfigurationError

SOURCES = ("ssm", "secretsmanager")
MAX_AGE = 300
"""Seconds that a value read is kept by this process."""


def with_secrets(env: Mapping[str, str]) -> Mapping[str, str]:
    """`env` and the variables that its TIDEGATE_SECRETS names. One that is set already is not
    asked for. Raises ConfigurationError when a name can't be read."""
    wanted = {
        variable: place
        for variable, place in _named(env.get("TIDEGATE_SECRETS", "")).items()
        if not env.get(variable)
    }
    return {**env, **_read(wanted)} if wanted else env


def _named(text: str) -> dict[str, tuple[str, str]]:
    """Variable -> (source, name there)."""
    named: dict[str, tuple[str, str]] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        variable, _, place = entry.partition("=")
        source, _, name = place.partition(":")
        if not variable or not name or source not in SOURCES:
            raise ConfigurationError(
                f"TIDEGATE_SECRETS: {entry!r} is not VARIABLE=ssm:name or "
                "VARIABLE=secretsmanager:name"
            )
        named[variable] = source, name
    return named


def _read(wanted: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    # boto3 comes with these, and only who keeps secrets in AWS shall wait for it.
    from aws_lambda_powertools.utilities import parameters  # noqa: PLC0415
    from aws_lambda_powertools.utilities.parameters.exceptions import (  # noqa: PLC0415
        GetParameterError,
    )

    in_ssm = [name for source, name in wanted.values() if source == "ssm"]
    try:
        # One request for all of them; a repeated start finds them in powertools' cache.
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
            for variable, (source, name) in wanted.items()
        }
    except GetParameterError as error:
        raise ConfigurationError(
            f"TIDEGATE_SECRETS: {error}. Do these names exist here, and may the function's role "
            "read them?"
        ) from error
