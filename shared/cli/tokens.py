"""`tidegate tokens`: stored tokens for callers of the API, and random secrets for the environment.
The text of a token is printed once and stored nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .audited import audited, this_user
from .command import command
from .context import open_deployment
from .exit_codes import Exit
from .options import Json
from .output import as_json, note, table

if TYPE_CHECKING:
    from ..access.rights import Allowance
    from ..access.tokens import NewToken, Tokens
    from ..deployment import Deployment

app = typer.Typer(
    no_args_is_help=True, help="Tokens of callers: create, list, revoke, rotate, generate."
)
COLUMNS = ("id", "name", "role", "queues", "limits", "created", "expires", "by")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Who uses it; for people.")]
TokenId = Annotated[str, typer.Argument(metavar="ID", help="A token's id, as the list has it.")]
Roles = Annotated[
    list[str] | None,
    typer.Option(
        "--role",
        help="producer, viewer, payload-reader, operator, admin, cron or metrics; repeatable.",
    ),
]
Rights = Annotated[
    list[str] | None,
    typer.Option(
        "--right",
        help="enqueue, read, payloads, operate, delete, drain, metrics or manage; repeatable.",
    ),
]
OnQueues = Annotated[
    list[str] | None, typer.Option("--queue", help="Only this queue; repeatable. [default: all]")
]
Types = Annotated[
    list[str] | None,
    typer.Option("--type", help="Only jobs of this type; repeatable. [default: all]"),
]
Keys = Annotated[
    list[str] | None,
    typer.Option("--key", help="Only jobs with this key; repeatable. [default: any or none]"),
]
PerMinute = Annotated[
    int | None, typer.Option("--per-minute", help="Most requests a minute. [default: any number]")
]
PerDay = Annotated[
    int | None,
    typer.Option("--jobs-a-day", help="Most jobs to store a day, in UTC. [default: any number]"),
]
Days = Annotated[
    float | None, typer.Option(min=0.001, max=3660, help="Days after which it expires.")
]
Hours = Annotated[
    float, typer.Option("--overlap", min=0, max=8784, help="Hours the old token goes on working.")
]
EnvironmentRoles = Annotated[
    list[str] | None,
    typer.Option(
        "--role", help="producer, viewer, operator or admin; repeat it for several. [default: all]"
    ),
]


@app.command()
@command
async def create(
    name: Name,
    *,
    role: Roles = None,
    right: Rights = None,
    queue: OnQueues = None,
    type: Types = None,
    key: Keys = None,
    per_minute: PerMinute = None,
    jobs_a_day: PerDay = None,
    days: Days = None,
    json: Json = False,
) -> Exit:
    """Make a stored token, and print it this once."""
    from ..access.rights import Allowance
    from ..access.tokens import check_types, rights_of

    rights = rights_of(role or (), right or ())
    limits = Allowance(per_minute, jobs_a_day)
    async with open_deployment() as deployment:
        reached = deployment.queues(queue or ())
        types = type and check_types(type, reached)
        queues = queue and [one.name for one in reached]
        words = f"queues {', '.join(queues)}" if queues else "all queues"
        about = f"{name}: {', '.join([*(role or ()), *(right or ())])}; {words}"
        async with audited(deployment, "tokens.create", about + _in_words(types, key, limits)):
            new = await _tokens(deployment).create(
                name, rights, queues, by=this_user(), seconds=days and days * 86_400,
                types=types, keys=key, allowance=limits,
            )  # fmt: skip
    return _print_new(new, json=json)


@app.command("list")
@command
async def list_(json: Json = False) -> Exit:
    """List the stored tokens; also those that have ended within a month."""
    from ..access.describe import describe_token

    async with open_deployment() as deployment:
        rows = [describe_token(one) for one in await _tokens(deployment).list()]
    if json:
        as_json({"tokens": rows})
    elif rows:
        table(COLUMNS, [
            [row["id"], row["name"], row["role"] or ", ".join(row["rights"]),
             "all" if row["queues"] is None else ", ".join(row["queues"]), _limits_of(row),
             row["created_at"], row["expires_at"], row["created_by"]] for row in rows
        ])  # fmt: skip
    else:
        print("no stored tokens; make one: tidegate tokens create NAME --role producer")
    return Exit.OK


@app.command()
@command
async def revoke(token_id: TokenId, json: Json = False) -> Exit:
    """Delete a stored token. It opens nothing after a minute at the latest."""
    from ..access.describe import describe_token

    async with open_deployment() as deployment, audited(deployment, "tokens.revoke", token_id):
        token = await _tokens(deployment).revoke(token_id, by=this_user())
    if json:
        as_json(describe_token(token))
    else:
        print(f"{token.id} ({token.name}) is revoked; functions know it within 60 s")
    return Exit.OK


@app.command()
@command
async def rotate(token_id: TokenId, overlap: Hours = 24.0, json: Json = False) -> Exit:
    """Make a token in place of another, which goes on working for --overlap hours, and print it
    this once."""
    async with open_deployment() as deployment, audited(deployment, "tokens.rotate", token_id):
        new = await _tokens(deployment).rotate(token_id, by=this_user(), overlap=overlap * 3600)
    return _print_new(new, json=json)


@app.command()
@command
async def generate(role: EnvironmentRoles = None, json: Json = False) -> Exit:
    """Make random API tokens and a CRON_SECRET, as lines of an environment file. Stores nothing."""
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


def _in_words(types: Sequence[str] | None, keys: Sequence[str] | None, limits: Allowance) -> str:
    """What a token is limited to beside its queues, each part behind a semicolon."""
    parts = [f"types {', '.join(types)}"] if types else []
    parts += [f"keys {', '.join(keys)}"] if keys else []
    counts = ((limits.requests_a_minute, "requests a minute"), (limits.jobs_a_day, "jobs a day"))
    parts += [f"{count} {what}" for count, what in counts if count]
    return "".join(f"; {part}" for part in parts)


def _limits_of(row: Mapping[str, Any]) -> str:
    from ..access.rights import Allowance

    limits = Allowance(row["requests_a_minute"], row["jobs_a_day"])
    return _in_words(row["types"], row["keys"], limits).removeprefix("; ") or "none"


def _tokens(deployment: Deployment) -> Tokens:
    from ..access.tokens import Tokens

    return Tokens(deployment.store.access, deployment.settings.prefix, deployment.clock)


def _print_new(new: NewToken, *, json: bool) -> Exit:
    from ..access.describe import describe_new

    if json:
        as_json(describe_new(new))
    else:
        print(new.text)
        note(f"This is token {new.token.id}; its text is shown this once.")
    return Exit.OK
