"""The cold start benchmark: the time of a fresh process to its first claim (drain) and its first
enqueue (api), as a ratio to `python -c "import httpx, pydantic"` in the same run. Run it with
`python -m infra.rehearse.coldstart`.

Every round starts each kind of process once, in turn, so that noise affects all kinds equally.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..manifest import ROOT
from ..package import Target
from .builds import artefacts
from .checks import check
from .lambdas import TOKEN, http_event, schedule_event, unzip
from .processes import Store, embedded_store
from .tools import CACHE, HERE, bare_environment, empty_environment, plain_environment

ROUNDS = 5
BUDGETS = {"drain": 2.0, "api": 2.4}
"""The intended cost of a start, as a ratio to the base."""
LIMITS = {"drain": 2.8, "api": 3.1}
"""The cost at which the step fails: a third above what it is now, for a noisy machine. The step
prints which budgets are missed."""
BASE = "import httpx, pydantic"
APP = "rehearsal:app"
"""One small application: the budgets are the engine's. Each application adds its own models."""
ALL_APPS = "functions.apps:APPS,rehearsal:app"
"""Measured beside it, without a budget: a deployment that serves every application."""


@dataclass(frozen=True, slots=True)
class Start:
    """One kind of fresh process: its command, and the function whose work ends the measurement."""

    name: str
    function: str
    command: Sequence[str]
    cwd: Path
    env: Mapping[str, str]

    def seconds(self) -> float:
        """The time from before the fork to the instant that the process prints, or to its end."""
        began = time.monotonic()
        done = subprocess.run(
            self.command, cwd=self.cwd, env=self.env, capture_output=True, text=True, check=False
        )
        ended = time.monotonic()
        check(done.returncode == 0, f"{self.name} ended with {done.returncode}:\n{done.stderr}")
        if not self.function:
            return ended - began
        reached = [line for line in done.stdout.splitlines() if line.startswith("REACHED ")]
        check(reached, f"{self.name} never got there:\n{done.stdout}\n{done.stderr}")
        return float(reached[0].split()[1]) - began


@dataclass(frozen=True, slots=True)
class StartTimes:
    """The fastest start of each process in seconds, and as a ratio to the base. The fastest, since
    other work on this machine can only add time."""

    fastest: Mapping[str, float]

    def ratio(self, name: str) -> float:
        """The fastest start as a multiple of the base."""
        return self.fastest[name] / self.fastest["base"]

    def __str__(self) -> str:
        base = f"base {self.fastest['base'] * 1000:.0f} ms"
        rest = [
            f"{name} {self.ratio(name):.2f} x ({seconds * 1000:.0f} ms)"
            for name, seconds in self.fastest.items()
            if name != "base"
        ]
        return ", ".join([base, *rest])


def cold_starts() -> str:
    """Measure. Raises CheckFailed if a function exceeds its limit, as tree or as artefact."""
    measured = measure(ROUNDS)
    print(f"  {measured}")
    over = []
    for name in measured.fastest:
        function = name.split("-")[0]
        if function in BUDGETS:
            ratio = measured.ratio(name)
            hint = f"`python -X importtime -c 'import functions.{function}'` shows what is loaded"
            check(ratio <= LIMITS[function], f"{name} is at {ratio:.2f} x the base: {hint}")
            if ratio > BUDGETS[function]:
                over.append(f"{name} ({BUDGETS[function]} x)")
    missed = f"; OVER ITS BUDGET: {', '.join(over)}" if over else "; all within their budgets"
    return f"{measured}{missed}"


def measure(rounds: int) -> StartTimes:
    """The fastest of `rounds`, after one round that warms the caches."""
    with (
        embedded_store(CACHE / "logs" / "coldstart" / "store.log") as store,
        _starts(store) as all_,
    ):
        times: dict[str, list[float]] = {start.name: [] for start in all_}
        for turn in range(rounds + 1):
            for start in all_:
                if start.function == "drain":
                    _waiting_job(all_)
                seconds = start.seconds()
                if turn:
                    times[start.name].append(seconds)
        return StartTimes({name: min(taken) for name, taken in times.items()})


@contextmanager
def _starts(store: Store) -> Generator[list[Start], None, None]:
    """The base, and each function as plain tree and as artefact, on one interpreter."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    plain = str(plain_environment(Path(sys.executable), version))
    bare = str(empty_environment(Path(sys.executable), version))
    env = bare_environment(
        AWS_LAMBDA_FUNCTION_NAME="tidegate-coldstart",
        TIDEGATE_APPS=APP,
        TIDEGATE_API_TOKENS=f"admin:{TOKEN}",
        PYTHONHASHSEED="0",
        **store.environment,
    )
    with tempfile.TemporaryDirectory(prefix="tidegate-coldstart-") as made:
        folder = Path(made)
        starts = [
            Start("base", "", [plain, "-c", BASE], folder, bare_environment()),
            Start("packages", "packages", [plain, "-c", _PACKAGES], folder, env),
        ]
        built = artefacts(Target.here(version))
        for name, code in _CODE.items():
            tree = unzip(built[name].path, folder / name)
            for kind, python, root in (("plain", plain, ROOT), ("artefact", bare, tree)):
                path = {"PYTHONPATH": f"{root}:{HERE / 'app'}"}
                command = [python, "-c", code]
                starts.append(Start(f"{name}-{kind}", name, command, folder, {**env, **path}))
            everything = {"PYTHONPATH": f"{ROOT}:{HERE / 'app'}", "TIDEGATE_APPS": ALL_APPS}
            command = [plain, "-c", code]
            starts.append(Start(f"all-{name}", name, command, folder, {**env, **everything}))
        yield starts


def _waiting_job(starts: Sequence[Start]) -> None:
    """Enqueue a job to claim, in a process that is not measured."""
    next(start for start in starts if start.name == "api-plain").seconds()


_PACKAGES = """
import asyncio, json, os, time
import httpx, pydantic
from upstash_redis.asyncio import Redis
class Payload(pydantic.BaseModel):
    name: str
async def main():
    token = {"Authorization": "Bearer " + os.environ["UPSTASH_REDIS_REST_TOKEN"]}
    async with httpx.AsyncClient(headers=token) as client:
        (await client.post(os.environ["UPSTASH_REDIS_REST_URL"], json=["PING"])).raise_for_status()
        print("REACHED", time.monotonic())
asyncio.run(main())
"""
"""The prescribed packages without our code: one model, the client, one request."""
_CONTEXT = """
class Context:
    aws_request_id = "coldstart"
    function_name = memory_limit_in_mb = invoked_function_arn = "coldstart"
    def get_remaining_time_in_millis(self): return 20000
"""
_REPORT_CLAIM = """
import time
from shared.store import Store
turn = Store.turn
async def reporting(*args, **kwargs):
    reply = await turn(*args, **kwargs)
    if reply.claims:
        print("REACHED", time.monotonic())
    return reply
Store.turn = reporting
"""
_JOB = json.dumps({"type": "step", "payload": {"name": "cold"}})
_CODE = {
    "drain": f"{_CONTEXT}\nfrom functions.drain import handler\n{_REPORT_CLAIM}\n"
    f"handler({schedule_event()!r}, Context())",
    "api": f"{_CONTEXT}\nimport time\nfrom functions.api import handler\n"
    f"answer = handler({http_event('POST', '/api/v1/queues/rehearsal/jobs', _JOB)!r}, Context())\n"
    "assert answer['statusCode'] == 202, answer\nprint('REACHED', time.monotonic())",
}


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m infra.rehearse.coldstart", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    print(measure(parser.parse_args().rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
