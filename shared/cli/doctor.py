"""`tidegate doctor`: checks of the configuration, each with advice if it fails."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from .command import command
from .exit_codes import Exit
from .options import Json
from .output import as_json, flush

Live = Annotated[
    bool,
    typer.Option(
        "--live", help="Survey the Upstash database instead, and print docs/upstash-live.md."
    ),
]

VercelPlan = Annotated[
    Literal["hobby", "pro"] | None,
    typer.Option("--plan", help="Vercel's plan, for the check of vercel.json."),
]
Wait = Annotated[
    float, typer.Option("--wait", min=0.1, max=60, help="Seconds to wait for the store.")
]


@command
async def doctor(
    json: Json = False, live: Live = False, wait: Wait = 5.0, plan: VercelPlan = None
) -> Exit:
    """Check settings, declarations, host files and the store. Costs at most 20 billed commands and
    70 a queue, and two for each job that is compared with its list.

    Ends with exit code 1 if a check fails; a warning is none. --live costs some 500
    commands instead.
    """
    import os
    from dataclasses import asdict
    from pathlib import Path

    from .diagnosis.examine import examine

    if live:
        return await _survey(json=json)
    findings = []
    async for finding in examine(os.environ, Path(), wait=wait, plan=plan):
        findings.append(finding)
        if not json:
            advice = f" -> {finding.advice}" if finding.advice else ""
            print(f"{finding.verdict:<5}{finding.check:<11}{finding.detail}{advice}")
            flush()
    failed = any(finding.verdict == "FAIL" for finding in findings)
    if json:
        as_json({"ok": not failed, "findings": [asdict(finding) for finding in findings]})
    return Exit.FAILED if failed else Exit.OK


async def _survey(*, json: bool) -> Exit:
    """Ask the configured database the questions of docs/upstash-live.md."""
    from dataclasses import asdict
    from datetime import UTC, datetime

    from ..config.settings import Settings
    from ..errors import ConfigurationError
    from .upstash_survey import ask, page

    settings = Settings.from_env()
    if settings.redis_url is None:
        raise ConfigurationError(
            "--live needs a real Upstash database: set UPSTASH_REDIS_REST_URL and its token"
        )
    answers = [answer async for answer in ask(settings.redis_url, settings.redis_token or "")]
    if json:
        as_json([asdict(answer) for answer in answers])
    else:
        print(page(answers, when=f"Asked on {datetime.now(UTC):%Y-%m-%d}."), end="")
    return Exit.OK
