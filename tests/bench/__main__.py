"""`python -m tests.bench [--full] [--only SECTION …]`: measure, print, and (full) write
docs/benchmarks.md with its plots."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.field import CACHE, FIELD, Peer
from tests.bench.install import install
from tests.bench.kept import kept
from tests.bench.measure import FULL, QUICK, Bench
from tests.bench.nudged import nudged
from tests.bench.report import table, write
from tests.bench.runs import PeerFailed, version
from tests.bench.samples import Samples
from tests.bench.servers import ROOT
from tests.bench.starts import cold, million

RESULTS = ROOT / "docs" / "benchmarks" / "results.json"
SECTIONS = (
    *("drain", "again", "enqueue", "commands", "idle", "memory"),
    *("kept", "latency", "nudge", "cold", "million"),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all of it, about an hour; writes docs")
    parser.add_argument("--only", nargs="+", choices=(*SECTIONS, "report"), default=SECTIONS)
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every process is ended
    samples = Samples.load(RESULTS) if asked.full else Samples(CACHE / "quick.json")
    if tuple(asked.only) != ("report",):
        measure(samples, full=asked.full, sections=asked.only)
    print("\n" + table(samples))
    if asked.full:
        write(samples, ROOT / "docs" / "benchmarks.md")
        plots = [str(CACHE / "python" / "bin" / "python"), "-m", "tests.bench.plots", str(RESULTS)]
        subprocess.run(plots, cwd=ROOT, check=True)


def measure(samples: Samples, *, full: bool, sections: Sequence[str]) -> None:
    """The sections asked for, saved one by one: what broke later does not cost what came before."""
    failures = install()
    peers = [peer for peer in FIELD if peer.env not in failures]
    for peer in FIELD:
        if peer.env in failures:
            samples.errors[f"install/{peer.name}"] = failures[peer.env]
    bench = Bench(samples, FULL if full else QUICK, peers)
    samples.about = {**samples.about, **_about(bench, peers)}
    steps: dict[str, Callable[[], None]] = {
        "drain": bench.drains,
        "again": bench.again,
        "enqueue": bench.enqueues,
        "commands": bench.commands,
        "idle": bench.idle,
        "memory": bench.memory,
        "kept": lambda: kept(bench, bench.plan.jobs * 5),
        "latency": bench.latency,
        "nudge": lambda: nudged(bench, 60 if full else 15),
        "cold": lambda: cold(bench, 7 if full else 1),
        "million": lambda: million(bench, bench.plan.million),
    }
    try:
        for section in sections:
            if section in {"million", "again"} and not full:
                continue
            began = time.monotonic()
            print(f"{section} …", flush=True)
            steps[section]()
            samples.save()
            print(f"{section}: {time.monotonic() - began:.0f} s", flush=True)
    finally:
        bench.close()


def _about(bench: Bench, peers: list[Peer]) -> dict[str, object]:
    versions = {}
    for peer in peers:
        try:
            versions[peer.name] = version(peer)
        except PeerFailed as error:
            versions[peer.name] = f"? ({error})"
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "versions": versions,
        "server": bench.server.product(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "cores": os.cpu_count(),
        "processor": _processor(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
