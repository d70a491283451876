"""`tidegate doctor`: is this configuration well, and what to do where it is not?"""

from __future__ import annotations

from typing import Annotated

import typer

from .exit_codes import Exit, command
from .options import Json
from .output import as_json, flush

Live = Annotated[
    bool,
    typer.Option(
        "--live", help="Ask the Upstash database what its documents leave open; prints a page."
    ),
]


@command
async def doctor(json: Json = False, live: Live = False) -> Exit:
    """Check settings, applications and the store. Costs some ten billed commands.

    Ends with exit code 1 when a check fails. --live costs some 500 commands instead.
    """
    import os
    from dataclasses import asdict

    from .doctor_checks import examine

    if live:
        return await ask_live(json=json)
    failed = False
    findings = []
    async for finding in examine(os.environ):
        failed = failed or finding.verdict == "FAIL"
        findings.append(asdict(finding))
        if not json:
            do = f" -> {finding.do}" if finding.do else ""
            print(f"{finding.verdict:<5}{finding.check:<10}{finding.said}{do}")
            flush()
    if json:
        as_json({"ok": not failed, "findings": findings})
    return Exit.FAILED if failed else Exit.OK


async def ask_live(*, json: bool) -> Exit:
    """The questions of docs/upstash-live.md, put to the database that the environment names."""
    from dataclasses import asdict
    from datetime import UTC, datetime

    from ..config.settings import Settings
    from ..errors import ConfigurationError
    from .upstash_survey import ask, page

    settings = Settings.from_env()
    if settings.redis_url is None:
        raise ConfigurationError(
            "--live asks a real Upstash database: set UPSTASH_REDIS_REST_URL and its token"
        )
    answers = [answer async for answer in ask(settings.redis_url, settings.redis_token or "")]
    if json:
        as_json([asdict(answer) for answer in answers])
    else:
        print(page(answers, when=f"Asked on {datetime.now(UTC):%Y-%m-%d}."), end="")
    return Exit.OK
