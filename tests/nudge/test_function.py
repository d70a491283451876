"""Nudges on AWS: what Lambda is asked, by moto's record; and what its refusals do."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.awslambda_simple.models import LambdaSimpleBackend

from shared.nudge.function import FunctionNudge
from shared.nudge.sender import NudgeSender

NAME = "shop-production-drain"
# botocore builds a URL pattern with an escape that newer Pythons warn about.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, Any]]]:
    """A function in moto's Lambda, and (invocation type, event) of each of its invocations."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-these-tests")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    seen: list[tuple[str, Any]] = []

    def recorded(
        backend: LambdaSimpleBackend, name: str, version: Any, body: Any, headers: Any, _answer: Any
    ) -> bytes:
        backend.get_function(name, version)  # raises where there is none, as Lambda does
        seen.append((headers["X-Amz-Invocation-Type"], json.loads(body)))
        return b""

    monkeypatch.setattr(LambdaSimpleBackend, "invoke", recorded)
    with mock_aws(config={"lambda": {"use_docker": False}}):
        role = boto3.client("iam").create_role(RoleName="drain", AssumeRolePolicyDocument="{}")
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("drain.py", "")
        boto3.client("lambda").create_function(
            FunctionName=NAME,
            Runtime="python3.13",
            Role=role["Role"]["Arn"],
            Handler="drain.handler",
            Code={"ZipFile": code.getvalue()},
        )
        yield seen


async def test_the_function_is_invoked_and_its_end_not_awaited(
    events: list[tuple[str, Any]],
) -> None:
    nudge = FunctionNudge(NAME)
    await nudge.call(["import"], 0)  # cold: it makes the client
    await nudge.call(["import", "email"], 4)
    await nudge.close()

    assert events == [
        ("Event", {"queues": ["import"], "hops": 0}),
        ("Event", {"queues": ["import", "email"], "hops": 4}),
    ]


async def test_a_function_by_its_arn(events: list[tuple[str, Any]]) -> None:
    arn = boto3.client("lambda").get_function(FunctionName=NAME)["Configuration"]["FunctionArn"]
    nudge = FunctionNudge(arn)
    await nudge.call(["q"], 0)
    await nudge.close()

    assert len(events) == 1


async def test_a_function_that_does_not_exist_is_logged_once_and_no_error(
    events: list[tuple[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    sender = NudgeSender(FunctionNudge("shop-production-train"), 1.0)
    sent = [await sender.send(["q"]) for _ in range(2)]
    await sender.close()

    assert (sent, events) == ([False, False], [])
    lines = [vars(record) for record in caplog.records if record.message == "nudge_failed"]
    assert len(lines) == 1
    assert "ResourceNotFoundException" in lines[0]["error"]


def test_boto3_is_loaded_by_the_first_nudge_only() -> None:
    code = (
        "import sys, shared.connect, shared.deployment, shared.nudge.function as f\n"
        "f.FunctionNudge('x')\n"
        "assert not {'boto3', 'botocore'} & set(sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
