"""`tidegate tokens`: random secrets for a deployment's settings. Stores nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from .command import command
from .exit_codes import Exit
from .options import Json
from .output import as_json, note

Roles = Annotated[
    list[str] | None,
    typer.Option(
        "--role", help="producer, viewer, operator or admin; repeat it for several. [default: all]"
    ),
]


@command
async def tokens(role: Roles = None, json: Json = False) -> Exit:
    """Make random API tokens and a CRON_SECRET, as lines of an environment file."""
    from secrets import token_urlsafe

    from ..config.settings import ROLES
    from ..errors import InvalidOption

    roles = role or list(ROLES)
    unknown = sorted(set(roles) - set(ROLES))
    if unknown:
        raise InvalidOption(f"--role {unknown[0]}: choose from {', '.join(ROLES)}", "role")
    pairs = {name: token_urlsafe(32) for name in roles}
    secret = token_urlsafe(32)
    if json:
        as_json({"api_tokens": pairs, "cron_secret": secret})
        return Exit.OK
    print("TIDEGATE_API_TOKENS=" + ",".join(f"{name}:{token}" for name, token in pairs.items()))
    print(f"CRON_SECRET={secret}")
    note("Store them with your host's secrets; they are shown once.")
    return Exit.OK
