"""The steps under Lambda's runtime: enqueue and tick, a kill at the deadline and the recovery,
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
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from shared.drain.leases import LEASE

from ..interpreters import find_python
from ..package import RUNTIME, Target
from .builds import artefacts
from .checkpoints import Checkpoints
from .checks import PATIENCE, check, wait_for
from .lambdas import Function, http_event, lambda_function, schedule_event, unzip
from .processes import embedded_store
from .tools import CACHE, python_tools

DEADLINE = 6
API_TIMEOUT = 29
CLOCKS = 0.5
"""Seconds by which the clocks of the emulator, the store and this process may disagree."""
_RAN = r"REHEARSAL ran at=([\d.]+) (\w+) attempt=(\d) redelivered=(\w+) beside=(\d)"
LOGS = CACHE / "logs"


@dataclass(frozen=True, slots=True)
class Deployment:
    """Both functions on one store."""

    api: Function
    drain: Function
    version: str
    checkpoints: Checkpoints

    def enqueue(self, *steps: dict[str, Any], queue: str = "rehearsal") -> list[str]:
        """Job ids, in order."""
        kind = "step" if queue == "rehearsal" else "held-step"
        jobs = [{"type": kind, "payload": step} for step in steps]
        status, body = self.api.call(
            "POST", f"/api/v1/queues/{queue}/jobs", json.dumps({"jobs": jobs})
        )
        check(status == 202, f"enqueueing answered {status}: {body}")
        return [job["id"] for job in json.loads(body)["jobs"]]

    def job(self, job_id: str) -> dict[str, Any]:
        """The job as the API describes it."""
        status, body = self.api.call("GET", f"/api/v1/jobs/{job_id}")
        check(status == 200, f"asking for {job_id} answered {status}: {body}")
        job: dict[str, Any] = json.loads(body)
        return job

    def tick(self) -> Any:
        """One scheduled invocation of the drain: its report."""
        return self.drain.invoke(schedule_event())

    def states(self, ids: list[str]) -> list[str]:
        """Each job's state."""
        return [self.job(job_id)["state"] for job_id in ids]


def lambda_journey() -> str:
    """Enqueue by an HTTP API event, tick by a schedule event, job completed."""
    with deployment("journey", timeout=60) as deployed:
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
    """A handler that blocks gets its drain killed at the deadline; the next ticks recover."""
    with deployment("kill", timeout=DEADLINE) as deployed:
        # A warm process: a slow start must not use up the seconds before the kill.
        wait_for(lambda: isinstance(deployed.tick(), dict), what="a tick within its deadline")
        ids = deployed.enqueue(
            {"name": "before"}, {"name": "guilty", "hang": True}, {"name": "after"}
        )
        began = time.monotonic()
        killed = deployed.tick()
        check(f"Task timed out after {DEADLINE}.00 seconds" in str(killed), f"no kill: {killed}")
        check("active" in deployed.states(ids), "after the kill the claimed jobs should be leased")
        wait_for(
            lambda: deployed.tick() and deployed.states(ids) == ["completed"] * 3,
            within=LEASE + PATIENCE,
            every=0.5,
            what="the jobs of the killed drain",
        )
        stamped = re.findall(_RAN, deployed.drain.program.output())
        again = [run for run in stamped if run[3] == "True"]
        leased = began + LEASE - CLOCKS
        early = [name for at, name, *_ in again if float(at) < leased]
        check(not early, f"{early} ran again before {leased}, the end of their leases: {stamped}")
        names = sorted(name for _, name, *_ in again)
        check(names == ["after", "before", "guilty"], f"not each job ran again, once: {stamped}")
        together = max(int(beside) for *_, beside in again)
        check(together == 2, f"after one crash the suspects did not run together: {stamped}")
        check({run[2] for run in stamped} == {"1"}, f"an attempt was lost: {stamped}")
        spent = [deployed.job(job_id)["attempts"] for job_id in ids]
        check(len(set(spent)) == 1, f"the kill was charged to one job: {spent}")
        late = min(float(at) for at, *_ in again) - began
        return (
            f"killed at its deadline ({DEADLINE} s), nothing re-run before its lease expired, "
            f"its 3 jobs re-run together {late:.1f} s after their claim, attempts {spent}"
        )


def lambda_sigterm() -> str:
    """SIGTERM while a job runs: it is released, and no attempt is spent."""
    with deployment("sigterm", timeout=120) as deployed:
        (job_id,) = deployed.enqueue({"name": "held"}, queue="rehearsal-long")
        reports: list[Any] = []
        ticking = threading.Thread(target=lambda: reports.append(deployed.tick()))
        ticking.start()
        deployed.checkpoints.wait_until_runs("held")
        os.kill(deployed.drain.runtime_pid(), signal.SIGTERM)
        ticking.join(PATIENCE)
        check(reports and reports[0]["stop"] == "shutdown", f"the drain answered {reports}")
        job = deployed.job(job_id)
        check(job["state"] == "waiting", f"the job was not released: {job}")
        check(job["attempts"] == 0, f"an attempt was spent: {job}")
        return "the running job was released, no attempt spent, the report says shutdown"


@contextmanager
def deployment(name: str, *, timeout: int) -> Generator[Deployment, None, None]:
    """Both artefacts, built for the newest fitting interpreter of this machine, unzipped into empty
    folders and running; `timeout` is the drain's."""
    version, interpreter = runtime()
    python = python_tools("lambda", interpreter, version)
    with tempfile.TemporaryDirectory(prefix="tidegate-rehearsal-") as made:
        folder, logs = Path(made), LOGS / f"lambda-{name}"
        shutil.rmtree(logs, ignore_errors=True)
        checkpoints = Checkpoints(folder / "checkpoints")
        checkpoints.folder.mkdir()
        trees = {
            name: unzip(artefact.path, folder / name)
            for name, artefact in artefacts(Target.here(version)).items()
        }
        before = _files(folder / "drain")
        with embedded_store(logs / "store.log") as store:
            env = {**store.environment, **checkpoints.environment}
            with (
                lambda_function(
                    trees["api"], "functions.api.handler", python=python, timeout=API_TIMEOUT,
                    environment=env, log=logs / "api.log",
                ) as api,
                lambda_function(
                    trees["drain"], "functions.drain.handler", python=python, timeout=timeout,
                    environment=env, log=logs / "drain.log",
                ) as drain,
            ):  # fmt: skip
                yield Deployment(api, drain, version, checkpoints)
        check(_files(folder / "drain") == before, "the drain wrote into its own folder")


@cache
def runtime() -> tuple[str, Path]:
    """The Lambda runtime's interpreter if this machine has it, else the current one."""
    target = find_python(RUNTIME)
    if target is not None:
        return RUNTIME, target
    return f"{sys.version_info.major}.{sys.version_info.minor}", Path(sys.executable)


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _init_ms(function: Function) -> str:
    match = re.search(r"INIT REPORT\(durationMs: ([\d.]+)", function.program.output())
    return f"{float(match[1]):.0f}" if match else "?"
