"""`tidegate doctor`: is this configuration well, and what to do where it is not?"""

from __future__ import annotations

from .exits import Exit, command
from .options import Json
from .output import as_json, flush


@command
async def doctor(json: Json = False) -> Exit:
    """Check settings, applications and the store. Costs some ten billed commands.

    Ends with exit code 1 when a check fails.
    """
    import os
    from dataclasses import asdict

    from .checks import examine

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
