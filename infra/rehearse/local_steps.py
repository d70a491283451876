"""The steps for local tools that need no account: `sls invoke local`, and serverless-offline with a
real schedule."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from ..manifest import FUNCTIONS, ROOT, own_files
from .aws_steps import credentials, osls, service
from .builds import sources
from .checks import PATIENCE, CheckFailed, check, wait_for
from .lambda_steps import LOGS
from .lambdas import CRON_SECRET, TOKEN, http_event
from .processes import Program, Store, embedded_store, free_port, running
from .template import STAGE
from .tools import CACHE, HERE, bare_environment, node_modules, plain_environment

LOCAL = CACHE / "local-service"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
MINUTES = 3
"""Minutes to wait for a tick of the local schedule; the first one comes within a minute."""
JOBS = "/api/v1/queues/rehearsal/jobs"


def sls_invoke_local() -> str:
    """`sls invoke local` for both functions: enqueue, tick, completed."""
    checkout()
    with embedded_store(LOGS / "sls-invoke-local" / "store.log") as store:
        env = _environment(store)
        enqueue = http_event("POST", JOBS, json.dumps({"type": "step", "payload": {"name": "a"}}))
        accepted = _invoke("api", enqueue, env)
        check(accepted["statusCode"] == 202, f"enqueueing answered {accepted}")
        job_id = json.loads(accepted["body"])["id"]
        report = _invoke("drain", {}, env)
        check(report["outcomes"] == {"done": 1}, f"the drain answered {report}")
        response = _invoke("api", http_event("GET", f"/api/v1/jobs/{job_id}"), env)
        state = json.loads(response["body"])["state"]
        check(state == "completed", f"the job is {state}")
    return "enqueued, drained and completed by three `sls invoke local`"


def sls_offline() -> str:
    """serverless-offline: enqueue over HTTP, and wait for its own schedule to run the drain."""
    checkout()
    port, more, log = free_port(), free_port(), LOGS / "sls-offline" / "offline.log"
    with embedded_store(log.with_name("store.log")) as store:
        ports = ["--host", "127.0.0.1", "--httpPort", str(port), "--lambdaPort", str(more)]
        command = [str(node_modules() / ".bin" / "osls"), "offline", "--stage", STAGE, *ports]
        env = {**bare_environment(), **credentials(), **_environment(store)}
        with running(command, cwd=LOCAL, env=env, log=log) as program:
            url = f"http://127.0.0.1:{port}"
            wait_for(lambda: _alive(url, program), within=120, what="serverless-offline", every=0.5)
            with httpx.Client(
                base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=PATIENCE
            ) as client:
                accepted = client.post(JOBS, json={"type": "step", "payload": {"name": "offline"}})
                check(accepted.status_code == 202, f"enqueueing answered {accepted.text}")
                job_id = accepted.json()["id"]

                def is_completed() -> bool:
                    state: str = client.get(f"/api/v1/jobs/{job_id}").json()["state"]
                    return state == "completed"

                wait_for(is_completed, within=MINUTES * 60, every=2.0, what="the schedule's tick")
    return "the job that HTTP enqueued was completed by a tick of the local schedule"


def checkout() -> None:
    """Copy the deployed files and serverless.yml, with the plugin and this machine's Python."""
    service()
    shutil.rmtree(LOCAL, ignore_errors=True)
    shutil.copytree(service(), LOCAL, ignore=shutil.ignore_patterns(".serverless", "unreserved"))
    for function in FUNCTIONS.values():
        for relative in own_files(function, sources()):
            (LOCAL / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(sources() / relative, LOCAL / relative)
    text = (ROOT / "serverless.yml").read_text("utf-8")
    text = text.replace("runtime: python3.13", f"runtime: python{VERSION}")
    text += "\nplugins:\n  - serverless-offline\n"
    (LOCAL / "node_modules").symlink_to(node_modules())
    (LOCAL / "serverless.yml").write_text(text, "utf-8")


def _invoke(function: str, event: Mapping[str, Any], env: Mapping[str, str]) -> Any:
    path = LOCAL / "event.json"
    path.write_text(json.dumps(event), "utf-8")
    arguments = ["invoke", "local", "--stage", STAGE, "-f", function, "--path", str(path)]
    output = osls(*arguments, cwd=LOCAL, **env)
    # Log lines come first; the handler's result is the last, indented JSON document.
    answers = re.findall(r"^\{\n.*?^\}", output, re.MULTILINE | re.DOTALL)
    if not answers:
        raise CheckFailed(f"`sls invoke local -f {function}` answered:\n{output}")
    return json.loads(answers[-1])


def _environment(store: Store) -> dict[str, str]:
    python = plain_environment(Path(sys.executable), VERSION)
    path = bare_environment()["PATH"]
    return {
        **store.environment,
        "PATH": f"{python.parent}:{path}",
        "PYTHONPATH": str(HERE / "app"),
        "TIDEGATE_APPS": "rehearsal:app",
        "TIDEGATE_API_TOKENS": f"admin:{TOKEN}",
        "CRON_SECRET": CRON_SECRET,
    }


def _alive(url: str, program: Program) -> bool:
    if program.process.poll() is not None:
        raise CheckFailed(f"serverless-offline did not start:\n{program.output()}")
    try:
        return httpx.get(f"{url}/healthz", timeout=30).status_code == 200
    except httpx.TransportError:
        return False
