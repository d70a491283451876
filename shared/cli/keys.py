"""`tidegate keys`: make an encryption key, list the configured ones, check them. A key that exists
is never printed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from .command import command
from .context import open_deployment
from .exit_codes import Exit
from .options import Json
from .output import as_json, note, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..encryption.keyring import EncryptionKey

app = typer.Typer(no_args_is_help=True, help="Encryption keys: generate, list, check.")
COLUMNS = ("name", "fingerprint", "use", "jobs")
Name = Annotated[
    str | None, typer.Argument(help="The key's name. [default: this month, e.g. 2026-11]")
]
Count = Annotated[
    bool, typer.Option("--count", help="Count the stored jobs of each; a request for 500 jobs.")
]


@app.command()
@command
async def generate(name: Name = None, json: Json = False) -> Exit:
    """Make a random key, as an entry for TIDEGATE_ENCRYPTION_KEYS. Stores nothing."""
    import base64
    import os
    from datetime import UTC, datetime

    from ..config.settings import Settings
    from ..encryption.keyring import KEY_BYTES
    from ..encryption.setting import VARIABLE
    from ..errors import InvalidOption
    from ..jobs.ids import NAME_GRAMMAR, is_name

    name = name or f"{datetime.now(UTC):%Y-%m}"
    others = [key.name for key in Settings.from_env().encryption_keys]
    if not is_name(name):
        raise InvalidOption(f"the name {name[:80]!r}: {NAME_GRAMMAR}", "name")
    if name in others:
        raise InvalidOption(f"there is a key {name!r} already; give this one another name", "name")
    entry = f"{name}:{base64.b64encode(os.urandom(KEY_BYTES)).decode()}"
    if json:
        as_json({"name": name, "entry": entry})
        return Exit.OK
    print(entry if others else f"{VARIABLE}={entry}")
    note("Store it with your host's secrets; it is shown once. Who loses it loses the payloads.")
    if others:
        note(
            f"Put it in front of {', '.join(others)}: the first key encrypts. Remove one of those "
            "when `tidegate keys list --count` shows no job for it."
        )
    return Exit.OK


@app.command("list")
@command
async def list_(count: Count = False, json: Json = False) -> Exit:
    """List the configured keys by name and fingerprint, and with --count the jobs that need each:
    a key of which no job is left can be removed."""
    async with open_deployment() as deployment:
        keys = deployment.settings.encryption_keys
        counts: Counter[str] | None = None
        if count:
            from ..store.key_usage import count_by_key

            counts = Counter()
            for queue in deployment.registry.queues():
                counts += await count_by_key(deployment.store, queue)
    rows = _rows(keys, counts)
    if json:
        as_json({"keys": [dict(zip(COLUMNS, row, strict=True)) for row in rows]})
    elif rows:
        table(COLUMNS, rows)
    else:
        print("no encryption keys; make one: tidegate keys generate")
    return Exit.OK


def _rows(keys: Sequence[EncryptionKey], counts: Counter[str] | None) -> list[list[object]]:
    rows: list[list[object]] = []
    for at, key in enumerate(keys):
        use = ["encrypts"] if at == 0 else ["decrypts"]
        use += ["names"] if at == len(keys) - 1 else []
        jobs = None if counts is None else counts.pop(key.name, 0)
        rows.append([key.name, key.fingerprint, ", ".join(use), jobs])
    for name, jobs in sorted((counts or {}).items()):
        rows.append([name or "(not encrypted)", None, "missing" if name else "", jobs])
    return rows


@app.command()
@command
async def check(json: Json = False) -> Exit:
    """Check the keys against the encrypted queues. Contacts nothing; exit code 1 if jobs could not
    be encrypted."""
    from dataclasses import asdict

    from ..config.settings import Settings
    from ..declare.app import Registry
    from .diagnosis.keys import check_keys

    settings = Settings.from_env()
    finding = check_keys(settings, Registry.load(settings.apps))
    if json:
        as_json(asdict(finding))
    else:
        advice = f" -> {finding.advice}" if finding.advice else ""
        print(f"{finding.verdict} {finding.detail}{advice}")
    return Exit.FAILED if finding.verdict == "FAIL" else Exit.OK
