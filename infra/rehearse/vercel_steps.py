"""The steps for vercel.json: the CLI's own validator, an offline build and its output, and the
built function called as the platform calls it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
from packaging.utils import canonicalize_name

from ..interpreters import newest_python
from ..manifest import DEVELOPERS_ONLY, FUNCTIONS, ROOT, SOURCES, locked
from ..package import uv
from .builds import sources
from .checkpoints import Checkpoints
from .checks import PATIENCE, CheckFailed, StepSkipped, check, wait_for
from .lambda_steps import LOGS
from .lambdas import CRON_SECRET, TOKEN
from .processes import embedded_store
from .tools import (
    CACHE,
    HERE,
    bare_environment,
    node_modules,
    run_tool,
    tool_environment,
)
from .vercel import MAX_DURATION, VercelFunction, unpack, vercel_function
from .vercel_calls import enqueue, state, tick, tick_until_gone

BUILD = CACHE / "vercel"
PYTHONS = ("3.13", "3.14", "3.12")
COPIED = ("pyproject.toml", "vercel.json", "README.md", "LICENSE", "CHANGELOG.md", "Makefile")
PROJECT = {"projectId": "prj_local", "orgId": "team_local"}
SETTINGS = {"framework": None, "nodeVersion": "24.x"}
SECRET = "a-secret-that-must-not-be-bundled"  # noqa: S105 - bait
BAIT = (
    *(".env", ".env.local", "docs/x.md", "tests/test_x.py", "infra/x.py"),
    *("functions/credentials.env", "functions/apps/key.pem", "functions/apps/customers.csv"),
    *("functions/id_rsa", "shared/store.json", "shared/store/dump.sql.gz"),
)
DEADLINE = 10
"""Seconds of a request, within which its drain must end; one of them is the drain's reserve."""
BESIDE, AT_ONCE = 30, 6
"""The number of enqueues during a drain, and of simultaneous ones."""


def vercel_build() -> str:
    """Validate and build offline; one function with its limits and without unwanted files."""
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
    unwanted = (*DEVELOPERS_ONLY, "tests", "infra", "docs", ".")
    strays = [name for name in ours if name.startswith(unwanted) or name.endswith(".yml")]
    strays += [name for name in ours if name in BAIT]
    check(not strays, f"bundled and should not be: {strays[:10]}")
    check(not any(n.startswith(("_vendor/shared", "_vendor/functions")) for n in files), "twice")
    for name in ours:
        check(SECRET not in (BUILD / name).read_text("utf-8", "ignore"), f"{name} has the secret")
    _check_versions(files)
    compiled = sum(name.endswith(".pyc") for name in files)
    check(compiled > 100, f"only {compiled} .pyc files: is VERCEL_PYTHON_COMPILEALL gone?")
    return f"one function, {config['runtime']}, {len(files)} files, {compiled} of them byte code"


def _check_versions(files: list[str]) -> None:
    """The distributions of the build are those of the engine's lock, in the same versions. It is a
    push of the repository, which carries no needs of applications."""
    vendored = {
        name.split("/")[1].removesuffix(".dist-info").partition("-")[::2]
        for name in files
        if name.startswith("_vendor/") and name.split("/")[1].endswith(".dist-info")
    }
    bundled = {(canonicalize_name(name), version) for name, version in vendored}
    for requirement in locked(replace(FUNCTIONS["api"], needs=frozenset())):
        version = str(requirement.specifier).removeprefix("==")
        pinned = canonicalize_name(requirement.name), version
        check(pinned in bundled, f"{requirement} is locked; the build has {sorted(bundled)}")


def vercel_run() -> str:
    """Enqueue, cron tick with its secret, the deadline, and enqueues while a drain runs."""
    with deployed("run") as (start, checkpoints), start() as running:
        accepted = enqueue(running, "rehearsal", "step", {"name": "one"})
        check(
            tick(running, token=None).status_code == 401, "a tick without the secret was admitted"
        )
        report = tick(running).json()
        check(report["outcomes"] == {"done": 1}, f"the tick answered {report}")
        check(state(running, accepted)["state"] == "completed", "the job is not completed")
        used = _deadline(running, checkpoints)
        slowest = _enqueue_beside_a_drain(running, checkpoints)
        return (
            f"enqueued, ticked, completed; a drain with {DEADLINE} s ended after {used:.1f} s; "
            f"{BESIDE} enqueues answered beside an open drain, the slowest after "
            f"{slowest * 1000:.0f} ms"
        )


def vercel_sigterm() -> str:
    """SIGTERM while a job runs: it is released, and the process ends soon."""
    with deployed("sigterm") as (start, checkpoints):
        with start() as running:
            job = enqueue(running, "rehearsal-long", "held-step", {"name": "held"})
            ticking = threading.Thread(target=tick_until_gone, args=(running,))
            ticking.start()
            checkpoints.wait_until_runs("held")
            process = running.program.process
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            wait_for(lambda: process.poll() is not None, every=0.01, what="the process to end")
            took = time.monotonic() - began
            ticking.join(PATIENCE)
        with start() as again:
            shown = state(again, job)
            check(shown["state"] == "waiting" and shown["attempts"] == 0, f"not released: {shown}")
    return f"the running job was released, no attempt spent; the process ended after {took:.2f} s"


@contextmanager
def deployed(
    name: str,
) -> Generator[
    tuple[Callable[[], AbstractContextManager[VercelFunction]], Checkpoints], None, None
]:
    """An embedded store, how to start the built function on it, and the checkpoints of its jobs."""
    output = built()
    _, python = interpreter()
    logs = LOGS / f"vercel-{name}"
    shutil.rmtree(logs, ignore_errors=True)
    with (
        tempfile.TemporaryDirectory(prefix="tidegate-vercel-") as made,
        embedded_store(logs / "store.log") as store,
    ):
        folder = unpack(output, BUILD, Path(made) / "task")
        checkpoints = Checkpoints(Path(made) / "checkpoints")
        checkpoints.folder.mkdir()
        environment = {
            **store.environment,
            **checkpoints.environment,
            "PYTHONPATH": str(HERE / "app"),
            "TIDEGATE_APPS": "rehearsal:app",
            "TIDEGATE_API_TOKENS": f"admin:{TOKEN}",
            "CRON_SECRET": CRON_SECRET,
        }
        start = partial(
            vercel_function,
            folder,
            python=python,
            environment=environment,
            log=logs / "function.log",
        )
        yield start, checkpoints


@cache
def built() -> Path:
    """`vercel build` on a copy of the deployed files, with bait beside them; its output folder."""
    shutil.rmtree(BUILD, ignore_errors=True)
    for name in SOURCES:
        shutil.copytree(sources() / name, BUILD / name)
    for name in COPIED:
        if (ROOT / name).exists():
            shutil.copyfile(ROOT / name, BUILD / name)
    for name in BAIT:
        (BUILD / name).parent.mkdir(exist_ok=True)
        (BUILD / name).write_text(f"TOKEN = '{SECRET}'\n", "utf-8")
    return run_build(BUILD)


def run_build(folder: Path) -> Path:
    """`vercel build` in a folder, offline and on this machine's Python; its output folder."""
    version, python = interpreter()
    (folder / ".python-version").write_text(f"{version}\n", "utf-8")
    (folder / ".vercel").mkdir()
    project = json.dumps({**PROJECT, "settings": SETTINGS})
    (folder / ".vercel" / "project.json").write_text(project, "utf-8")
    env = tool_environment(VERCEL_TELEMETRY_DISABLED="1", VERCEL_PYTHON_COMPILEALL="1")
    env["PATH"] = os.pathsep.join([str(python.parent), str(uv().parent), env["PATH"]])
    run_tool([str(node_modules() / ".bin" / "vercel"), "build", "--yes"], cwd=folder, env=env)
    return folder / ".vercel" / "output"


def interpreter() -> tuple[str, Path]:
    """Vercel's runtime needs Python 3.12 or newer."""
    newest = newest_python(*PYTHONS)
    if newest is None:
        raise StepSkipped("needs Python 3.12 or newer (vercel-runtime), and there is none here")
    return newest


def vercel_errors(configs: list[Any]) -> list[Any]:
    """What the CLI's own validator says about each vercel.json: [] if it is valid."""
    chunk = node_modules() / "vercel" / "dist" / "chunks" / "config-validator.mjs"
    code = (
        f"import {{ getConfigValidator }} from {json.dumps(str(chunk))};"
        "const validate = getConfigValidator();"
        "const results = JSON.parse(process.argv[1])"
        ".map((c) => validate(c) ? [] : validate.errors);"
        "console.log(JSON.stringify(results));"
    )
    command = ["node", "--input-type=module", "-e", code, json.dumps(configs)]
    output = run_tool(command, env=bare_environment())
    errors: list[Any] = json.loads(output.splitlines()[-1])
    return errors


def _validate() -> None:
    wanted = json.loads((ROOT / "vercel.json").read_text("utf-8"))
    hobby = json.loads((ROOT / "infra" / "vercel" / "hobby.json").read_text("utf-8"))
    broken = {**wanted, "functions": {"functions/api.py": {"maxDuration": "long"}}}
    errors = vercel_errors([wanted, hobby, broken])
    check(errors[:2] == [[], []], f"vercel.json or infra/vercel/hobby.json is invalid: {errors}")
    check(errors[2], "the validator accepts anything")


def _deadline(running: VercelFunction, checkpoints: Checkpoints) -> float:
    """Check that a drain releases an endless job before its request ends; return the drain's
    seconds."""
    job = enqueue(running, "rehearsal-long", "held-step", {"name": "endless"})
    began = time.monotonic()
    report = tick(running, seconds=DEADLINE).json()
    used = time.monotonic() - began
    checkpoints.wait_until_runs("endless")
    check(used < DEADLINE, f"with {DEADLINE} s the drain took {used:.1f} s")
    check(report["stop"] == "budget", f"the drain stopped by {report}")
    shown = state(running, job)
    check(shown["state"] == "waiting" and shown["attempts"] == 0, f"not released: {shown}")
    gone = running.request("DELETE", f"/api/v1/jobs/{job}", token=TOKEN)
    check(gone.is_success, f"cancelling the job answered {gone.status_code}: {gone.text}")
    return used


def _enqueue_beside_a_drain(running: VercelFunction, checkpoints: Checkpoints) -> float:
    """Enqueue during a drain of two held jobs, of which one awaits and one blocks its thread. The
    jobs, and so the drain, end only after all enqueues. Returns the slowest enqueue's seconds."""
    jobs = [
        enqueue(running, "rehearsal-long", "held-step", {"name": "awaits"}),
        enqueue(running, "rehearsal-long", "held-thread", {"name": "blocks"}),
    ]
    with ThreadPoolExecutor(1 + AT_ONCE) as pool:
        drain = pool.submit(tick, running, only="rehearsal-long", seconds=MAX_DURATION)
        try:
            checkpoints.wait_until_runs("awaits", "blocks")
            slowest = max(pool.map(partial(_enqueue_during, running, drain), range(BESIDE)))
            states = [state(running, job)["state"] for job in jobs]
            check(states == ["active"] * 2, f"the drain's jobs were not held: {states}")
        finally:
            checkpoints.release()
        wait_for(drain.done, what="the drain to end after its jobs were released")
        report = drain.result().json()
    ending = report["stop"], report["outcomes"]
    check(ending == ("empty", {"done": 2}), f"the drain answered {report}")
    states = [state(running, job)["state"] for job in jobs]
    check(states == ["completed"] * 2, f"after the drain its jobs are {states}")
    return slowest


def _enqueue_during(running: VercelFunction, drain: Future[httpx.Response], number: int) -> float:
    """The seconds of one enqueue. Raises CheckFailed unless it is answered during the drain."""
    began = time.monotonic()
    payload = {"name": f"beside-{number}"}
    try:
        enqueue(running, "rehearsal", "step", payload, seconds=PATIENCE)
    except httpx.TimeoutException:
        raise CheckFailed(
            "an enqueue beside an open drain was not answered: it is blocked"
        ) from None
    took = time.monotonic() - began
    if drain.done():
        raise CheckFailed(f"the drain ended although its jobs are held: {drain.result().text}")
    return took
