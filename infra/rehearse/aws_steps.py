"""The steps for serverless.yml: package, lint, compare the template, deploy to an AWS emulator."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from ..manifest import FUNCTIONS, ROOT
from ..package import ALL, Target
from .builds import artefacts
from .checks import CheckFailed, check, wait_for
from .lambda_steps import LOGS
from .processes import free_port, running
from .template import STAGE, check_template
from .tools import CACHE, HERE, bare_environment, node_modules, python_tools, run_tool

REGION = "eu-central-1"
TOLERATED = {"W3005"}
"""cfn-lint's code for duplicate dependencies, which osls writes."""
SERVICE = CACHE / "service"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def sls_package() -> str:
    """`sls package` without an account, cfn-lint, and a comparison of the template."""
    service()
    osls("package", "--stage", STAGE)
    path = SERVICE / ".serverless" / "cloudformation-template-update-stack.json"
    template = json.loads(path.read_text("utf-8"))
    check_template(template)
    lint = python_tools("aws", Path(sys.executable), VERSION).with_name("cfn-lint")
    ignored = [part for code in sorted(TOLERATED) for part in ("-i", code)]
    run_tool([str(lint), "-t", str(path), "-r", REGION, *ignored])
    osls("package", "--stage", STAGE, "--param", "reserve=no", "--package", "unreserved")
    unreserved = SERVICE / "unreserved" / path.name
    drain = json.loads(unreserved.read_text("utf-8"))["Resources"]["DrainLambdaFunction"]
    check("ReservedConcurrentExecutions" not in drain["Properties"], "reserve=no still reserves")
    _check_app_stage("trading-journal", "trading_journal")
    _check_app_stage("weather-staging", "weather", "--param", "app=weather")
    return f"{len(template['Resources'])} resources as declared, cfn-lint content"


def _check_app_stage(stage: str, app: str, *params: str) -> None:
    """A stage of one application serves it, by the artefact that carries it."""
    config = json.loads(osls("print", "--format", "json", "--stage", stage, *params))
    served = config["provider"]["environment"]["TIDEGATE_APPS"]
    check(served == f"functions.apps.{app}:app", f"--stage {stage} serves {served}")
    artefact = config["functions"]["drain"]["package"]["artifact"]
    check(artefact == f"build/lambda/{app}/x86_64/drain.zip", f"--stage {stage}: {artefact}")


def sls_deploy() -> str:
    """`sls deploy` to the emulator, an inspection of its resources, `sls remove`."""
    service()
    with cloud() as endpoint:
        osls("deploy", "--stage", STAGE, endpoint=endpoint)
        summary = _inspect(endpoint)
        info = osls("info", "--stage", STAGE, endpoint=endpoint)
        check(f"tidegate-{STAGE}-drain" in info, f"`sls info` says:\n{info}")
        osls("remove", "--stage", STAGE, endpoint=endpoint)
        left = _client("lambda", endpoint).list_functions()["Functions"]
        check(left == [], f"`sls remove` left {left}")
    return summary


def _inspect(endpoint: str) -> str:
    """Check the emulator's resources: the functions with our zips, their callers and limits.
    Returns a summary."""
    functions = _client("lambda", endpoint)
    for name in FUNCTIONS:
        deployed = functions.get_function(FunctionName=f"tidegate-{STAGE}-{name}")["Configuration"]
        zipped = (SERVICE / "build" / "lambda" / ALL / "x86_64" / f"{name}.zip").read_bytes()
        ours = base64.b64encode(hashlib.sha256(zipped).digest()).decode("ascii")
        check(deployed["CodeSha256"] == ours, f"{name}: the deployed code is not what was packaged")
        check(
            deployed["Handler"] == f"functions.{name}.handler", f"{name} runs {deployed['Handler']}"
        )
    drain = f"tidegate-{STAGE}-drain"
    reserved = functions.get_function_concurrency(FunctionName=drain)
    check(reserved["ReservedConcurrentExecutions"] == 10, f"reserved is {reserved}")
    policy = json.loads(functions.get_policy(FunctionName=drain)["Policy"])
    callers = [statement["Principal"]["Service"] for statement in policy["Statement"]]
    check(callers == ["events.amazonaws.com"], f"the drain may be called by {callers}")

    events = _client("events", endpoint)
    rule, upkeep = sorted(events.list_rules()["Rules"], key=lambda one: one["ScheduleExpression"])
    check(upkeep["State"] == "DISABLED", f"the archive's schedule is {upkeep}, without an archive")
    check(rule["ScheduleExpression"] == "rate(1 minute)", f"the schedule is {rule}")
    (target,) = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    check(target["Arn"].endswith(f":function:{drain}"), f"the schedule calls {target}")

    _check_logs(endpoint)
    queues = _client("sqs", endpoint).list_queues()["QueueUrls"]
    check(queues[0].endswith(f"/tidegate-{STAGE}-drain-failures"), f"queues: {queues}")
    topics = _client("sns", endpoint).list_topics()["Topics"]
    check(len(topics) == 1, f"topics: {topics}")
    roles = _client("iam", endpoint).list_roles()["Roles"]
    check(len(roles) == len(FUNCTIONS), f"roles: {[role['RoleName'] for role in roles]}")
    rate = rule["ScheduleExpression"]
    return f"{len(FUNCTIONS)} functions hold our zips, each its role; {rate} calls {drain}"


def _check_logs(endpoint: str) -> None:
    groups = _client("logs", endpoint).describe_log_groups()["logGroups"]
    retention = {group["logGroupName"]: group.get("retentionInDays") for group in groups}
    names = [f"/aws/lambda/tidegate-{STAGE}-{name}" for name in FUNCTIONS]
    expected = dict.fromkeys([*names, f"/aws/http-api/tidegate-{STAGE}"], 14)
    check(retention == expected, f"the logs' retention is {retention}")


@contextmanager
def cloud() -> Generator[str, None, None]:
    """An empty AWS; its endpoint."""
    python = python_tools("aws", Path(sys.executable), VERSION)
    port, log = free_port(), LOGS / "sls-deploy" / "moto.log"
    env = bare_environment(**credentials())
    command: list[str | Path] = [python, HERE / "aws_emulator.py", str(port)]
    with running(command, cwd=CACHE, env=env, log=log) as program:

        def ready() -> bool:
            if program.process.poll() is not None:
                raise CheckFailed(f"moto did not start:\n{program.output()}")
            return "READY" in program.output()

        wait_for(ready, what="moto")
        yield f"http://127.0.0.1:{port}"


@cache
def service() -> Path:
    """A copy of the files that `sls` reads, with zips for the deployed runtime."""
    shutil.rmtree(SERVICE, ignore_errors=True)
    SERVICE.mkdir(parents=True)
    shutil.copyfile(ROOT / "serverless.yml", SERVICE / "serverless.yml")
    shutil.copytree(ROOT / "infra" / "aws", SERVICE / "infra" / "aws")
    folder = SERVICE / "build" / "lambda" / ALL / "x86_64"
    folder.mkdir(parents=True)
    for artefact in artefacts(Target()).values():
        shutil.copyfile(artefact.path, folder / artefact.path.name)
    return SERVICE


def osls(*arguments: str, endpoint: str = "", cwd: Path = SERVICE, **env: str) -> str:
    """Run `sls`; return its output without colours."""
    if endpoint:
        env["AWS_ENDPOINT_URL"] = endpoint
    output = run_tool(
        [str(node_modules() / ".bin" / "osls"), *arguments],
        cwd=cwd,
        env={**bare_environment(), **credentials(), **env},
    )
    return re.sub(r"\x1b\[[0-9;]*m", "", output)


def credentials() -> dict[str, str]:
    """Dummy credentials, which the tools require, and switches against telemetry."""
    return {
        "AWS_ACCESS_KEY_ID": "rehearsal",
        "AWS_SECRET_ACCESS_KEY": "rehearsal",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SLS_TELEMETRY_DISABLED": "1",
        "SLS_NOTIFICATIONS_MODE": "off",
        "FORCE_COLOR": "0",
    }


def _client(name: str, endpoint: str) -> Any:
    return boto3.client(
        name,
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="rehearsal",
        aws_secret_access_key="rehearsal",  # noqa: S106 - moto requires one
        config=Config(retries={"max_attempts": 1}),
    )
