"""An unzipped artefact under AWS's own runtime client and interface emulator. The deadline is real:
the emulator kills the process when it expires."""

from __future__ import annotations

import zipfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from .checks import CheckFailed, check, wait_for
from .processes import Program, free_port, running
from .tools import HERE, bare_environment, lambda_emulator

HOST = "127.0.0.1"
TOKEN = "admin-token-of-rehearsals"  # noqa: S105 - opens an API that lives as long as a rehearsal
CRON_SECRET = "cron-secret-of-rehearsals"  # noqa: S105 - likewise


@dataclass(frozen=True, slots=True)
class Function:
    """A running function that receives invocations in Lambda's format."""

    url: str
    timeout: int
    program: Program

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """The handler's result; a string if the emulator killed it (`Task timed out …`)."""
        answer = httpx.post(self.url, json=event, timeout=self.timeout + 30)
        try:
            return answer.json()
        except ValueError:
            return answer.text

    def call(self, method: str, path: str, body: str = "") -> tuple[int, str]:
        """Status and body of one request through an HTTP API event."""
        answer = self.invoke(http_event(method, path, body))
        if not isinstance(answer, dict) or "statusCode" not in answer:
            raise CheckFailed(
                f"{method} {path} was no HTTP answer: {answer}\n{self.program.output()}"
            )
        return answer["statusCode"], answer["body"]

    def runtime_pid(self) -> int:
        """The process of the handler."""
        children = self.program.children()
        check(len(children) == 1, f"the emulator should have one child, not {children}")
        return children[0]


@contextmanager
def lambda_function(
    artefact: Path,
    handler: str,
    *,
    python: Path,
    timeout: int,
    environment: Mapping[str, str],
    log: Path,
) -> Generator[Function, None, None]:
    """Run `handler` of the unzipped `artefact`; `python` has only awslambdaric installed."""
    port = free_port()
    env = bare_environment(
        AWS_LAMBDA_FUNCTION_NAME="tidegate-rehearsal",
        AWS_LAMBDA_FUNCTION_TIMEOUT=str(timeout),
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE="512",
        AWS_REGION="eu-central-1",
        LAMBDA_TASK_ROOT=str(artefact),
        PYTHONPATH=str(HERE / "app"),
        PYTHONDONTWRITEBYTECODE="1",  # Lambda's task root is read-only
        TIDEGATE_APPS="rehearsal:app",
        TIDEGATE_API_TOKENS=f"admin:{TOKEN}",
        CRON_SECRET=CRON_SECRET,
        **environment,
    )
    command: list[str | Path] = [
        lambda_emulator(),
        *("--runtime-interface-emulator-address", f"{HOST}:{port}"),
        *("--runtime-api-address", f"{HOST}:{free_port()}"),
        *(python, "-m", "awslambdaric", handler),
    ]
    with running(command, cwd=artefact, env=env, log=log) as program:
        url = f"http://{HOST}:{port}/2015-03-31/functions/function/invocations"
        wait_for(lambda: _listens(port), what="the interface emulator")
        yield Function(url, timeout, program)


def unzip(path: Path, folder: Path) -> Path:
    """The zip's content in an empty folder."""
    folder.mkdir(parents=True)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    return folder


def http_event(method: str, path: str, body: str = "") -> dict[str, Any]:
    """An event of an HTTP API (payload format 2.0)."""
    bare, _, query = path.partition("?")
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": bare,
        "rawQueryString": query,
        "headers": {
            "authorization": f"Bearer {TOKEN}",
            "content-type": "application/json",
            "host": "example.execute-api.eu-central-1.amazonaws.com",
        },
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "example",
            "domainName": "example.execute-api.eu-central-1.amazonaws.com",
            "http": {
                "method": method,
                "path": bare,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "rehearsal",
            },
            "requestId": "rehearsal",
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1767225600000,
        },
        "body": body,
        "isBase64Encoded": False,
    }


def schedule_event() -> dict[str, Any]:
    """An event of an EventBridge schedule."""
    return {
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "region": "eu-central-1",
        "resources": ["arn:aws:events:eu-central-1:000000000000:rule/tidegate-drain"],
        "detail": {},
    }


def _listens(port: int) -> bool:
    try:
        httpx.get(f"http://{HOST}:{port}/", timeout=1)
    except httpx.TransportError:
        return False
    return True
