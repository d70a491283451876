"""The artefacts under Lambda's runtime: enqueue, tick, a kill at the deadline and what comes of it,
SIGTERM."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..interpreters import find_python
from ..package import RUNTIME, Target
from .builds import artefacts
from .checks import check, wait_for
from .lambdas import Function, http_event, lambda_function, schedule_event, unzipped
from .processes import embedded_store
from .tools import CACHE, python_tools

DEADLINE = 4
LEASE_MARGIN = 5.0
LOGS = CACHE / "logs"


@dataclass(frozen=True, slots=True)
class Deployment:
    """Both functions on one store."""

    api: Function
    drain: Function
    version: str

    def enqueue(self, *steps: dict[str, Any], queue: str = "rehearsal") -> list[str]:
        """Job ids, in order."""
        kind = "step" if queue == "rehearsal" else "long-step"
        jobs = [{"type": kind, "payload": step} for step in steps]
        status, body = self.api.call(
            "POST", f"/api/v1/queues/{queue}/jobs", json.dumps({"jobs": jobs})
        )
        check(status == 202, f"enqueueing answered {status}: {body}")
        return [job["id"] for job in json.loads(body)["jobs"]]

    def job(self, job_id: str) -> dict[str, Any]:
        """What the API says of it."""
        status, body = self.api.call("GET", f"/api/v1/jobs/{job_id}")
        check(status == 200, f"asking for {job_id} answered {status}: {body}")
        found: dict[str, Any] = json.loads(body)
        return found

    def tick(self) -> Any:
        """One scheduled invocation of the drain: its report."""
        return self.drain.invoke(schedule_event())

    def states(self, ids: list[str]) -> list[str]:
        """Each job's state."""
        return [self.job(job_id)["state"] for job_id in ids]


def lambda_journey() -> str:
    """Enqueue by an HTTP API event, tick by a schedule event, job completed."""
    with deployment("journey", timeout=20) as deployed:
        ids = deployed.enqueue({"name": "one"}, {"name": "two"})
        report = deployed.tick()
        check(isinstance(report, dict) and report["claimed"] == 2, f"the tick answered {report}")
        states = deployed.states(ids)
        check(states == ["completed"] * 2, f"after the tick the jobs are {states}")
        idle = deployed.tick()
        check(idle["store"]["billed_commands"] == 1, f"an idle tick must cost one command: {idle}")
        stranger = http_event("GET", "/api/v1/stats")
        del stranger["headers"]["authorization"]
        refused = deployed.api.invoke(stranger)
        check(refused["statusCode"] == 401, f"without a token: {refused}")
        init = _init_ms(deployed.drain), _init_ms(deployed.api)
        return (
            f"python{deployed.version}: 2 jobs completed, idle tick 1 command, "
            f"init {init[0]} ms drain, {init[1]} ms api"
        )


def lambda_kill() -> str:
    """A handler that hangs takes its drain down at the deadline; the next ticks recover."""
    with deployment("kill", timeout=DEADLINE) as deployed:
        ids = deployed.enqueue(
            {"name": "before"}, {"name": "guilty", "hang": True}, {"name": "after"}
        )
        killed = deployed.tick()
        check("Task timed out after 4.00 seconds" in str(killed), f"no kill, but {killed}")
        check("active" in deployed.states(ids), "after the kill the claimed jobs should be leased")
        early = deployed.tick()
        check(early["claimed"] == 0, f"a leased job was claimed again: {early}")
        wait_for(
            lambda: deployed.tick() and deployed.states(ids) == ["completed"] * 3,
            within=LEASE_MARGIN + 20,
            every=1.0,
            what="the jobs of the killed drain",
        )
        log = deployed.drain.program.said()
        ran = re.findall(r"REHEARSAL ran (\w+) attempt=(\d) redelivered=(\w+) beside=(\d)", log)
        check(("guilty", "1", "True", "0") in ran, f"not re-run alone as a suspect: {ran}")
        jobs = {job["result"]["name"]: job for job in map(deployed.job, ids)}
        first = {name: attempt for name, attempt, _, _ in ran}
        check(set(first.values()) == {"1"}, f"an attempt was lost: {ran}")
        spent = {name: job["attempts"] for name, job in jobs.items()}
        check(len(set(spent.values())) == 1, f"the kill was charged to somebody: {spent}")
        return (
            "killed at its deadline (4 s), lease expired, guilty job re-run alone as a suspect, "
            f"neighbours completed, attempts {spent}"
        )


def lambda_sigterm() -> str:
    """SIGTERM while a job runs: it is given back, and no attempt is spent."""
    with deployment("sigterm", timeout=30) as deployed:
        (job_id,) = deployed.enqueue({"name": "slow", "seconds": 12}, queue="rehearsal-long")
        reports: list[Any] = []
        ticking = threading.Thread(target=lambda: reports.append(deployed.tick()))
        ticking.start()
        wait_for(
            lambda: deployed.job(job_id)["state"] == "active", within=10, what="the job to run"
        )
        os.kill(deployed.drain.runtime_pid(), signal.SIGTERM)
        ticking.join(10)
        check(reports and reports[0]["stop"] == "sigterm", f"the drain answered {reports}")
        job = deployed.job(job_id)
        check(job["state"] == "waiting", f"the job was not given back: {job}")
        check(job["attempts"] == 0, f"an attempt was spent: {job}")
        return "the running job was given back, no attempt spent, the report says sigterm"


@contextmanager
def deployment(name: str, *, timeout: int) -> Generator[Deployment, None, None]:
    """Both artefacts, built for the newest fitting interpreter of this machine, unzipped into empty
    folders and running."""
    version, interpreter = runtime()
    python = python_tools("lambda", interpreter, version)
    with tempfile.TemporaryDirectory(prefix="tidegate-rehearsal-") as made:
        folder, logs = Path(made), LOGS / f"lambda-{name}"
        shutil.rmtree(logs, ignore_errors=True)
        (folder / "marks").mkdir()
        trees = {
            name: unzipped(artefact.path, folder / name)
            for name, artefact in artefacts(Target.here(version)).items()
        }
        before = _files(folder / "drain")
        with embedded_store(logs / "store.log") as store:
            env = {**store.environment, "REHEARSAL_MARKS": str(folder / "marks")}
            with (
                lambda_function(
                    trees["api"], "functions.api.handler", python=python, timeout=timeout,
                    environment=env, log=logs / "api.log",
                ) as api,
                lambda_function(
                    trees["drain"], "functions.drain.handler", python=python, timeout=timeout,
                    environment=env, log=logs / "drain.log",
                ) as drain,
            ):  # fmt: skip
                yield Deployment(api, drain, version)
        check(_files(folder / "drain") == before, "the drain wrote into its own folder")


@cache
def runtime() -> tuple[str, Path]:
    """The Lambda runtime's interpreter when it is here, else the one that runs this."""
    target = find_python(RUNTIME)
    if target is not None:
        return RUNTIME, target
    return f"{sys.version_info.major}.{sys.version_info.minor}", Path(sys.executable)


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _init_ms(function: Function) -> str:
    found = re.search(r"INIT REPORT\(durationMs: ([\d.]+)", function.program.said())
    return f"{float(found[1]):.0f}" if found else "?"
