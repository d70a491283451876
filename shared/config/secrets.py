"""Secrets in AWS: the environment has their names, and a function reads the values when it starts.

`TIDEGATE_SECRETS=CRON_SECRET=ssm:/tidegate/cron-secret,RESEND_API_KEY=secretsmanager:resend`
sets two variables. Without it boto3 is not imported, which saves half a second of cold start.

No message here quotes an entry or the name of a secret: in the wrong place, that is the secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..errors import ConfigurationError

SOURCES = ("ssm", "secretsmanager")
MAX_AGE = 300
"""Seconds for which this process caches a value."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_secrets(env: Mapping[str, str]) -> dict[str, str]:
    """Variable -> value, of the variables that TIDEGATE_SECRETS lists and `env` does not set.
    Raises ConfigurationError when a secret can't be read."""
    references = {
        variable: reference
        for variable, reference in _parse(env.get("TIDEGATE_SECRETS", "")).items()
        if not env.get(variable)
    }
    return _read(references) if references else {}


def _parse(text: str) -> dict[str, tuple[str, str]]:
    """Variable → (source, name of the secret in that source)."""
    references: dict[str, tuple[str, str]] = {}
    entries = [entry.strip() for entry in text.split(",")]
    for number, entry in enumerate(filter(None, entries), start=1):
        variable, _, reference = entry.partition("=")
        source, _, name = reference.partition(":")
        if not _VARIABLE.fullmatch(variable) or not name or source not in SOURCES:
            raise ConfigurationError(
                f"TIDEGATE_SECRETS: its entry {number} is not VARIABLE=ssm:name or "
                "VARIABLE=secretsmanager:name"
            )
        references[variable] = source, name
    return references


def _read(references: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    in_ssm = {variable: name for variable, (source, name) in references.items() if source == "ssm"}
    others = {
        variable: name for variable, (_, name) in references.items() if variable not in in_ssm
    }
    values = _from_ssm(in_ssm) if in_ssm else {}
    return values | {
        variable: _from_secrets_manager(variable, others[variable]) for variable in others
    }


def _from_ssm(names: Mapping[str, str]) -> dict[str, str]:
    """All in one request; a second start of this process reads powertools' cache."""
    # Here and below: it imports boto3, so only a deployment with secrets in AWS pays for it.
    from aws_lambda_powertools.utilities import parameters  # noqa: PLC0415

    wanted: dict[str, dict[str, object]] = {name: {} for name in names.values()}
    try:
        values = parameters.get_parameters_by_name(
            wanted, decrypt=True, max_age=MAX_AGE, raise_on_error=False
        )
    except Exception as error:  # noqa: BLE001 - botocore's errors quote the names that it was given
        raise _unreadable(sorted(names), "ssm", error) from None
    unread = set(values.pop("_errors", []))
    missing = sorted(variable for variable, name in names.items() if name in unread)
    if missing:
        raise _unreadable(missing, "ssm")
    return {variable: str(values[name]) for variable, name in names.items()}


def _from_secrets_manager(variable: str, name: str) -> str:
    from aws_lambda_powertools.utilities import parameters  # noqa: PLC0415

    try:
        return str(parameters.get_secret(name, max_age=MAX_AGE))
    except Exception as error:  # noqa: BLE001 - as above
        raise _unreadable([variable], "secretsmanager", error) from None


def _unreadable(
    variables: Sequence[str], source: str, error: Exception | None = None
) -> ConfigurationError:
    """The error for these variables, with the service's code for the reason if it gave one."""
    response = getattr(error.__cause__ or error, "response", {}) if error else {}
    code = response.get("Error", {}).get("Code", type(error).__name__ if error else "")
    return ConfigurationError(
        f"TIDEGATE_SECRETS: {', '.join(variables)} can't be read from {source}"
        f"{f' ({code})' if code else ''}. Does the name in its entry exist in this region and "
        "account, and may the function's role read it?"
    )
