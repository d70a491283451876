"""Writes docs/benchmarks.md from the samples. Every figure in it comes from a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.bench.field import FIELD, TIDEGATE, Peer
from tests.bench.rows import ASKED, BULLMQ, SUMMARY, Row, best_python
from tests.bench.samples import Figure, Samples

HEAD = """\
# Benchmarks

Written by `make bench ARGS=--full` from [results.json](benchmarks/results.json); do not edit. A
quick look at the same rows: `make bench` (under 3 minutes, prints only).

All systems use one Redis in one session on one machine. **Peers talk to it directly over TCP;
Tidegate talks the Upstash REST protocol** to the embedded REST server, a process of its own in
front of that Redis, which shares the machine's {cores} cores with the server and the worker. One
worker process each (RQ: as many as its concurrency). Jobs carry a 200-byte payload. Peers are timed
from their first handler's begin to their last one's end; Tidegate's whole drain is timed, from its
first request to the last settle. "+5 ms" and "+50 ms" are added to every round trip by a proxy that
limits no bandwidth.

{machine}

Each cell is a median. A row that Tidegate loses says **lost**. `~` marks a figure without a single
quiet run: other work took more than 0.15 of a core in each.
"""
METHOD = """\
## How it is measured

- **Drained jobs/s**: the queue is filled, then one worker drains it for {seconds}; every
  concurrency once, the best one again, systems interleaved (two to four times). With
  a delay, concurrencies from 50 on; with a delay and 5 ms of I/O, each system's usual one once.
- **Concurrency** of Tidegate is `TIDEGATE_BATCH` (default 100): the most jobs that a consumer runs
  at a time. A queue with a backlog gets up to four consumers.
- **Billed commands** are what Upstash bills: commands as sent, plus each command that a script
  runs. Peers are counted by a proxy in front of Redis and by `INFO commandstats`; Tidegate by the
  REST server's meter.
- **Idle**: one worker, one empty queue, 60 s, a Redis of its own each. Tidegate has no worker: an
  idle minute is one tick of a schedule. RQ and taskiq (list) block in a resident process, which
  REST can't: RQ wakes every 405 s, beyond this window, taskiq (list) not at all.
- **Latency**: 20 ms between two jobs, an idle worker. Tidegate: the producer nudges a warm function
  on the same machine after each enqueue, with the queue's name, which then claims.
- **A function that nudges itself**: the API function over HTTP with `TIDEGATE_NUDGE=url`, p50 from
  the request that stores a job to its handler's begin. A job that comes within the window of a
  nudge (0.25 s) waits for its end.
- **A job by its state**: on a queue that keeps all that ended, with a small result or one error;
  plain, and with payload, result and error encrypted.
- **Fresh process to first job**: from before the fork to the first handler's begin, one job
  waiting. Interpreter, imports, connection and claim.
- Tidegate runs with `TIDEGATE_KEY_LOCKING=0`: the embedded server checks declared keys in Lua, a
  check that Upstash's own engine does natively.

## Why rows are lost

- **Stored singly, jobs a second and commands**: each job is one HTTP request and one script (a
  record, a place in line, the agenda, the script itself). Sampled (py-spy, 400 a second), half of
  the producer's time is the wait for the REST server's reply, a quarter the write to the socket;
  all Python in between is the last quarter. taskiq and Huey push one element over an open TCP
  connection and hold no state of the job afterwards. Producers with many jobs store them in bulk.
- **Enqueue to start**: two requests through the REST server, one to store and one to claim, against
  a worker that already blocks on the list.
- **Fresh process to first job**: `import httpx, pydantic`, which both are prescribed here, alone
  costs what the quickest workers take to their first job. The rest of Tidegate's start is
  pydantic's model machinery, upstash-redis, asyncio and its own modules (docs/operations.md).
- **Idle**: RQ and taskiq (list) wait in a resident process on a blocking connection.
- **Bytes**: Huey and taskiq store only the message; a Tidegate record has a header for fence,
  attempts and crashes, and its own hash field.
"""


def write(samples: Samples, path: Path) -> None:
    """The whole page."""
    about = samples.about
    machine = (
        f"{about['date']}; {about['system']}, {about['cores']} cores ({about['processor']}); "
        f"{about['server']}; Python {about['python']}."
    )
    parts = [
        HEAD.format(cores=about["cores"], machine=machine),
        "## In short\n\n" + table(samples) + _missing(samples),
        _asked(samples),
        _plots(samples, path),
        *_details(samples),
        METHOD.format(seconds="1.5 to 3 s"),
        _field(samples),
        _errors(samples),
    ]
    path.write_text("\n".join(part for part in parts if part).rstrip() + "\n", "utf-8")


def table(samples: Samples) -> str:
    """The summary: ratios first."""
    lines = []
    for row in SUMMARY:
        ours = row.figure(samples, TIDEGATE)
        if ours is None:
            continue
        bull, python = row.figure(samples, BULLMQ), best_python(samples, row)
        ratios = [row.ratio(ours[1], one[1]) if one else None for one in (bull, python)]
        lines.append(
            [
                row.title,
                _times(ratios[0]),
                _times(ratios[1]),
                _cell(ours[1]),
                _cell(bull[1]) if bull else "-",
                f"{_cell(python[1])} ({python[0].name})" if python else "-",
                _verdict(row, ours[1], ratios),
            ]
        )
    head = ("row", "to BullMQ", "to best Python peer", "Tidegate", "BullMQ", "best Python peer", "")
    return _markdown(head, lines) + "\n"


def _asked(samples: Samples) -> str:
    """What the requirements ask for, and what was measured."""
    lines = []
    for asked in ASKED:
        figure = asked.figure(samples)
        bound = f"{'at least' if asked.more else 'at most'} {asked.bound:,.0f}"
        verdict = "" if figure is None or asked.holds(figure) else "**missed**"
        lines.append([asked.title, bound, _cell(figure) if figure else "not measured yet", verdict])
    return f"### What the requirements ask for\n\n{_markdown(('', 'asked', 'here', ''), lines)}\n"


def _missing(samples: Samples) -> str:
    """Rows of the summary that are not measured yet, so that none is missing in silence."""
    missing = [row.title for row in SUMMARY if row.figure(samples, TIDEGATE) is None]
    return f"\nNot measured yet: {'; '.join(missing)}.\n" if missing else ""


def _verdict(row: Row, ours: Figure, ratios: Sequence[float | None]) -> str:
    if any(ratio is not None and ratio < 1 for ratio in ratios):
        return "**lost**"
    missed = [
        f"{bar:g} times"
        for bar, ratio in zip(row.bars, ratios, strict=True)
        if ratio is not None and ratio < bar
    ]
    if row.least and ours.median < row.least:
        missed.append(f"{row.least:,.0f}/s")
    if row.most and ours.median > row.most:
        missed.append(f"{row.most:g}")
    return f"bar missed: {', '.join(missed)}" if missed else ""


def _details(samples: Samples) -> Iterable[str]:
    sections = [f"drain {h} +{d} ms" for h in ("noop", "io") for d in (0, 5, 50)]
    titles = {"noop": "no-op handlers", "io": "handlers that wait 5 ms"}
    for section in sections:
        _, handler, delay = section.split(" ", 2)
        yield _grid(samples, section, f"Drained jobs/s, {titles[handler]}, {delay}, by concurrency")
    for more in (0, 5, 50):
        yield _grid(samples, f"enqueue +{more} ms", f"Enqueued jobs/s, +{more} ms")
    yield _commands(samples)
    yield _grid(samples, "idle", "Idle commands a minute (with those inside scripts)")
    yield _grid(samples, "memory", "Bytes of Redis memory a waiting job")
    yield _grid(
        samples, "kept", "Bytes of Redis memory a job of ours, by state and queue", [TIDEGATE]
    )
    yield _latency(samples)
    yield _grid(
        samples, "nudge", "Enqueue to start through a function that nudges itself, ms", [TIDEGATE]
    )
    yield _cold(samples)
    yield _grid(samples, "million", "A turn that claims 100 jobs, ms", [TIDEGATE])


def _grid(samples: Samples, section: str, title: str, peers: Sequence[Peer] = FIELD) -> str:
    """Systems by variants; the best of a system in bold, with its spread."""
    found = {variant for peer in peers for variant in samples.variants(section, peer.name)}
    columns = sorted(found, key=lambda variant: (int(variant) if variant.isdigit() else 0, variant))
    lines = []
    for peer in peers:
        chosen = samples.best(section, peer.name) if len(columns) > 1 else None
        cells = [peer.name]
        for column in columns:
            name = f"{section}/{peer.name}/{column}"
            figure = samples.figure(name)
            text = _cell(figure) if figure else "error" if name in samples.errors else "-"
            if figure and (len(columns) == 1 or (chosen and chosen[0] == column)):
                text = f"**{text}** ({_spread(figure)})"
            cells.append(text)
        if any(cell != "-" for cell in cells[1:]):
            lines.append(cells)
    return f"### {title}\n\n{_markdown(('', *columns), lines)}\n" if lines else ""


def _commands(samples: Samples) -> str:
    lines = []
    for peer in FIELD:
        for variant in samples.variants("commands", peer.name):
            sample = samples.rows[f"commands/{peer.name}/{variant}"][-1]
            more = [sample.more[name] for name in ("top", "inner", "trips")]
            lines.append([peer.name, variant, *(f"{n:.3g}" for n in (sample.value, *more))])
    head = ("", "what (at concurrency)", "billed/job", "as sent", "inside scripts", "round trips")
    return f"### Commands and round trips a job\n\n{_markdown(head, lines)}\n" if lines else ""


def _latency(samples: Samples) -> str:
    lines = []
    for peer in FIELD:
        rows = samples.rows.get(f"latency/{peer.name}/p50")
        if rows:
            one = rows[-1]
            cells = (one.value, one.more["p95"], one.more["worst"])
            lines.append([peer.name, *(f"{n:.1f}" for n in cells), str(one.more["n"])])
    head = ("", "p50", "p95", "worst", "jobs")
    return f"### Enqueue to start, ms\n\n{_markdown(head, lines)}\n" if lines else ""


def _cold(samples: Samples) -> str:
    names = list(dict.fromkeys(n.split("/")[1] for n in samples.rows if n.startswith("cold/")))
    base = samples.figure("cold/python -c 'import httpx, pydantic'/ms")
    lines = []
    for name in names:
        figure = samples.figure(f"cold/{name}/ms")
        if figure and base:
            times = f"{figure.median / base.median:.2f}"
            lines.append([name, _cell(figure), _spread(figure), times])
    head = ("", "ms", "spread", "ratio to `import httpx, pydantic`")
    return f"### Fresh process to first job, ms\n\n{_markdown(head, lines)}\n" if lines else ""


def _field(samples: Samples) -> str:
    versions = samples.about.get("versions", {})
    lines = [[peer.name, versions.get(peer.name, "?"), peer.does] for peer in FIELD]
    return f"## Who takes part\n\n{_markdown(('', 'versions', 'what it does here'), lines)}\n"


def _errors(samples: Samples) -> str:
    if not samples.errors:
        return ""
    lines = [[name, text.replace("|", "/")] for name, text in sorted(samples.errors.items())]
    return f"## What did not run\n\n{_markdown(('row', 'error'), lines)}\n"


def _plots(samples: Samples, path: Path) -> str:
    drawn = {"drain": "drain", "costs": "memory"}
    names = [n for n, section in drawn.items() if any(r.startswith(section) for r in samples.rows)]
    return "\n".join(f"![{name}]({path.stem}/{name}.png)" for name in names) + "\n"


def _cell(figure: Figure) -> str:
    value = figure.median
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return ("" if figure.quiet else "~") + f"{value:,.{digits}f}"


def _spread(figure: Figure) -> str:
    if figure.runs == 1:
        return "1 run"
    return f"{figure.low:,.0f} to {figure.high:,.0f}, {figure.runs} runs"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:,.1f}" if ratio >= 0.1 else f"{ratio:.2g}"


def _markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = ["---"] + ["--:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines))
