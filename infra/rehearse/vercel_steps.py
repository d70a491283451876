"""vercel.json, executed: the CLI's own validator, an offline build, its output, and the built
function driven as the platform drives it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx

from ..contents import ROOT, SOURCES
from ..interpreters import newest_python
from ..package import uv
from .builds import sources
from .checks import Skipped, check, wait_for
from .lambda_steps import LOGS
from .lambdas import CRON_SECRET, TOKEN
from .processes import embedded_store
from .tools import CACHE, HERE, bare_environment, node_modules, run_tool, tool_environment
from .vercel import VercelFunction, unpacked, vercel_function

BUILD = CACHE / "vercel"
PYTHONS = ("3.13", "3.14", "3.12")
COPIED = ("pyproject.toml", "vercel.json", "README.md", "LICENSE", "CHANGELOG.md", "Makefile")
PROJECT = {"projectId": "prj_local", "orgId": "team_local"}
SETTINGS = {"framework": None, "nodeVersion": "24.x"}
SECRET = "a-secret-that-must-not-be-bundled"  # noqa: S105 - bait
JOBS = "/api/v1/queues/{}/jobs"


def vercel_build() -> str:
    """Validate and build offline; one function, its limits kept, nothing that must not be there."""
    _validate()
    output = built()
    functions = [path.name for path in (output / "functions").iterdir()]
    check(functions == ["python.func"], f"functions: {functions}")
    static = output / "static"
    check(
        not static.exists() or not any(static.rglob("*")), "sources are published as static files"
    )
    config = json.loads((output / "functions/python.func/.vc-config.json").read_text("utf-8"))
    wanted = json.loads((ROOT / "vercel.json").read_text("utf-8"))
    limits = wanted["functions"]["functions/api.py"]
    for name in ("maxDuration", "memory"):
        check(
            config.get(name) == limits[name],
            f"{name} is {config.get(name)}: the key matched nothing",
        )
    routed = json.loads((output / "config.json").read_text("utf-8"))
    check(routed["crons"] == wanted["crons"], f"crons: {routed.get('crons')}")
    files = list(config["filePathMap"])
    ours = [name for name in files if not name.startswith("_vendor/")]
    bad = ("shared/cli", "shared/embedded", "shared/testing", "tests", "infra", "docs", ".")
    strays = [name for name in ours if name.startswith(bad) or name.endswith(".yml")]
    check(not strays, f"bundled and should not be: {strays[:10]}")
    check(not any(n.startswith(("_vendor/shared", "_vendor/functions")) for n in files), "twice")
    for name in ours:
        check(SECRET not in (BUILD / name).read_text("utf-8", "ignore"), f"{name} has the secret")
    compiled = sum(name.endswith(".pyc") for name in files)
    check(compiled > 100, f"only {compiled} .pyc files: is VERCEL_PYTHON_COMPILEALL gone?")
    return f"one function, {config['runtime']}, {len(files)} files, {compiled} of them byte code"


def vercel_run() -> str:
    """Enqueue, cron tick with its secret, the deadline, and enqueues while a drain runs."""
    with deployed("run") as start, start() as running:
        accepted = _enqueue(running, "rehearsal", "step", {"name": "one"})
        check(
            _tick(running, token=None).status_code == 401, "a tick without the secret was admitted"
        )
        report = _tick(running).json()
        check(report["outcomes"] == {"done": 1}, f"the tick answered {report}")
        check(_state(running, accepted)["state"] == "completed", "the job is not completed")
        used = _deadline(running)
        slowest = _enqueue_beside_a_drain(running)
        return (
            f"enqueued, ticked, completed; a drain with 4 s ended after {used:.1f} s; "
            f"slowest of 30 enqueues beside a drain {slowest * 1000:.0f} ms"
        )


def vercel_sigterm() -> str:
    """SIGTERM while a job runs: given back, and the process ends soon."""
    with deployed("sigterm") as start:
        with start() as running:
            job = _enqueue(running, "rehearsal-long", "long-step", {"name": "slow", "seconds": 15})
            ticking = threading.Thread(target=_tick_until_gone, args=(running,))
            ticking.start()
            wait_for(
                lambda: _state(running, job)["state"] == "active", within=10, what="the job to run"
            )
            began = time.monotonic()
            running.program.process.send_signal(signal.SIGTERM)
            running.program.process.wait(10)
            took = time.monotonic() - began
            ticking.join(10)
        with start() as again:
            shown = _state(again, job)
            check(
                shown["state"] == "waiting" and shown["attempts"] == 0, f"not given back: {shown}"
            )
    return f"the running job was given back, no attempt spent; the process ended after {took:.2f} s"


@contextmanager
def deployed(
    name: str,
) -> Generator[Callable[[], AbstractContextManager[VercelFunction]], None, None]:
    """An embedded store, and how to start the built function on it."""
    output = built()
    _, python = interpreter()
    logs = LOGS / f"vercel-{name}"
    shutil.rmtree(logs, ignore_errors=True)
    with (
        tempfile.TemporaryDirectory(prefix="tidegate-vercel-") as made,
        embedded_store(logs / "store.log") as store,
    ):
        folder = unpacked(output, BUILD, Path(made) / "task")
        environment = {
            **store.environment,
            "PYTHONPATH": str(HERE / "app"),
            "TIDEGATE_APPS": "rehearsal:app",
            "TIDEGATE_API_TOKENS": f"admin:{TOKEN}",
            "CRON_SECRET": CRON_SECRET,
        }
        yield partial(
            vercel_function,
            folder,
            python=python,
            environment=environment,
            log=logs / "function.log",
        )


@cache
def built() -> Path:
    """`vercel build` on a copy of the deployed files, with bait beside them; its output folder."""
    version, python = interpreter()
    shutil.rmtree(BUILD, ignore_errors=True)
    for name in SOURCES:
        shutil.copytree(sources() / name, BUILD / name)
    for name in COPIED:
        if (ROOT / name).exists():
            shutil.copyfile(ROOT / name, BUILD / name)
    for name in (".env", ".env.local", "docs/x.md", "tests/test_x.py", "infra/x.py"):
        (BUILD / name).parent.mkdir(exist_ok=True)
        (BUILD / name).write_text(f"TOKEN = '{SECRET}'\n", "utf-8")
    (BUILD / ".python-version").write_text(f"{version}\n", "utf-8")
    (BUILD / ".vercel").mkdir()
    project = json.dumps({**PROJECT, "settings": SETTINGS})
    (BUILD / ".vercel" / "project.json").write_text(project, "utf-8")
    env = tool_environment(VERCEL_TELEMETRY_DISABLED="1", VERCEL_PYTHON_COMPILEALL="1")
    env["PATH"] = os.pathsep.join([str(python.parent), str(uv().parent), env["PATH"]])
    run_tool([str(node_modules() / ".bin" / "vercel"), "build", "--yes"], cwd=BUILD, env=env)
    return BUILD / ".vercel" / "output"


def interpreter() -> tuple[str, Path]:
    """Vercel's runtime needs Python 3.12 or newer."""
    found = newest_python(*PYTHONS)
    if found is None:
        raise Skipped("needs Python 3.12 or newer (vercel-runtime); this machine has none")
    return found


def _validate() -> None:
    chunk = node_modules() / "vercel" / "dist" / "chunks" / "config-validator.mjs"
    code = (
        f"import {{ getConfigValidator }} from {json.dumps(str(chunk))};"
        "const validate = getConfigValidator();"
        "const told = JSON.parse(process.argv[1]).map((c) => validate(c) ? [] : validate.errors);"
        "console.log(JSON.stringify(told));"
    )
    wanted = json.loads((ROOT / "vercel.json").read_text("utf-8"))
    broken = {**wanted, "functions": {"functions/api.py": {"maxDuration": "long"}}}
    said = run_tool(
        ["node", "--input-type=module", "-e", code, json.dumps([wanted, broken])],
        env=bare_environment(),
    )
    errors = json.loads(said.splitlines()[-1])
    check(errors[0] == [], f"vercel.json is invalid: {errors[0]}")
    check(errors[1], "the validator accepts anything")


def _deadline(running: VercelFunction) -> float:
    """A drain whose request ends in 4 s gives a job of 15 s back in time. Seconds it took."""
    job = _enqueue(running, "rehearsal-long", "long-step", {"name": "slow", "seconds": 15})
    began = time.monotonic()
    report = _tick(running, seconds=4).json()
    used = time.monotonic() - began
    check(used < 4, f"with 4 s the drain took {used:.1f} s")
    check(report["stop"] == "budget", f"the drain stopped by {report}")
    shown = _state(running, job)
    check(shown["state"] == "waiting" and shown["attempts"] == 0, f"not given back: {shown}")
    running.request("DELETE", f"/api/v1/jobs/{job}", token=TOKEN)
    return used


def _enqueue_beside_a_drain(running: VercelFunction) -> float:
    """Seconds of the slowest enqueue while one job of a drain waits and one blocks its thread."""
    _enqueue(running, "rehearsal-long", "long-step", {"name": "waits", "seconds": 5})
    job = _enqueue(running, "rehearsal-long", "blocking-step", {"name": "blocks", "seconds": 5})
    reports: list[Any] = []
    draining = threading.Thread(
        target=lambda: reports.append(_tick(running, only="rehearsal-long").json())
    )
    draining.start()
    wait_for(lambda: _state(running, job)["state"] == "active", within=10, what="the job to run")
    slowest = 0.0
    for number in range(30):
        began = time.monotonic()
        _enqueue(running, "rehearsal", "step", {"name": f"beside-{number}"})
        slowest = max(slowest, time.monotonic() - began)
    check(not reports, f"the drain had ended already: {reports}")
    check(slowest < 1.0, f"an enqueue beside a drain took {slowest:.2f} s")
    draining.join(30)
    check(reports and reports[0]["outcomes"].get("done") == 2, f"the drain answered {reports}")
    return slowest


def _enqueue(running: VercelFunction, queue: str, kind: str, payload: dict[str, Any]) -> str:
    body = {"type": kind, "payload": payload}
    answer = running.request("POST", JOBS.format(queue), token=TOKEN, body=body)
    check(answer.status_code == 202, f"enqueueing answered {answer.status_code}: {answer.text}")
    job_id: str = answer.json()["id"]
    return job_id


def _state(running: VercelFunction, job: str) -> dict[str, Any]:
    answer: dict[str, Any] = running.request("GET", f"/api/v1/jobs/{job}", token=TOKEN).json()
    return answer


def _tick(
    running: VercelFunction,
    *,
    token: str | None = CRON_SECRET,
    seconds: float = 60,
    only: str = "",
) -> httpx.Response:
    path = f"/api/cron/drain?queue={only}" if only else "/api/cron/drain"
    return running.request("GET", path, token=token, seconds=seconds)


def _tick_until_gone(running: VercelFunction) -> None:
    try:
        _tick(running)
    except httpx.TransportError:
        return
