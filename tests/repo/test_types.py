"""User code under mypy --strict: what is right passes, what is wrong is told at its line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "mypy-user-code"
DECLARED = """\
import functools
from datetime import UTC, datetime
from typing import Any
from pydantic import BaseModel
from shared import App, Completed, Dead, JobContext, JobHandle, Overrides, Retry

app = App("shop")
orders = app.queue("orders", overrides=Overrides(attempts=9))

class Order(BaseModel):
    number: int

class Receipt(BaseModel):
    number: int

@orders.job("order.ship")
async def ship(payload: Order, job: JobContext) -> int:
    return payload.number

@orders.job("order.print", retry=Retry.fixed(attempts=1))
def print_order(payload: Receipt, *, job: JobContext | None = None) -> None: ...

def notify(channel: str, payload: Order) -> None: ...

partial = orders.job("order.notify")(functools.partial(notify, "email"))

@ship.on_completed
async def thank(end: Completed[Order], job: JobContext) -> None:
    print(end.payload.number, end.result)

@ship.on_dead(queue=orders, name="order.alarm", timeout=5)
def alarm(end: Dead[Order]) -> None:
    print(end.payload and end.payload.number, end.error.message)
"""
RIGHT = """\
async def right() -> None:
    handle: JobHandle = await ship.enqueue(Order(number=1))
    await ship.enqueue(
        Order(number=1), delay=5, priority="high", attempts=2, backoff=[1, 5], timeout=3,
        dedup={"id": "x", "ttl": 60}, dedup_ttl=None, key="k", job_id="mine", idempotency_key="k",
    )
    await ship.enqueue(Order(number=1), run_at=datetime.now(UTC), backoff=1.5, dedup="x")
    await ship.enqueue(Order(number=1), run_at="2030-01-01T00:00:00Z")
    await ship.enqueue(Order(number=1), backoff={"type": "fixed", "delay": 5})
    handles: list[JobHandle] = await ship.enqueue_many([ship.job(Order(number=n)) for n in (1, 2)])
    state: str = (await handle.status()).state
    value: Any = await handle.result(timeout=5)
    changed: bool = await handles[0].redrive()
    done: float | None = await orders.handle(handle.id).progress()
    print_order.enqueue_sync(Receipt(number=1)).wait_sync(timeout=1)
    await partial.enqueue(Order(number=1))
    await ship.enqueue(
        Order(number=1), then=[print_order.job(Receipt(number=1), delay=5)],
        on_dead=[ship.job(Order(number=2))], callback="https://example.com/hook",
    )
    again: Completed[Order] = Completed(
        id="x", queue="q", type="t", attempts=1, payload=Order(number=1)
    )
    await thank.enqueue(again)
    print(state, value, changed, done)
"""
WRONG = """\
from shared import RateLimt  # E: has no attribute "RateLimt"

async def wrong() -> None:
    await ship.enqueue(Receipt(number=1))  # E: Argument 1 .* "Receipt"; expected "Order"
    await ship.enqueue({"number": 1})  # E: Argument 1 .* expected "Order"
    await ship.enqueue(Order(number=1), priority="urgent")  # E: Argument "priority"
    await ship.enqueue(Order(number=1), delay="5")  # E: Argument "delay"
    await ship.enqueue(Order(number=1), run_at=5.0)  # E: Argument "run_at"
    await ship.enqueue(Order(number=1), dely=5)  # E: Unexpected keyword argument "dely"
    await ship.enqueue(Order(number=1), dedup={"name": "x"})  # E: Argument "dedup"
    await ship.enqueue(Order(number=1), backoff={"type": "jazz", "delay": 1})  # E: "backoff"
    await ship.enqueue(Order(number=1), attempts="3")  # E: Argument "attempts"
    ship.enqueue_sync(Receipt(number=1))  # E: Argument 1 .* "Receipt"; expected "Order"
    ship.job(Order(number=1), key=7)  # E: Argument "key"
    print_order.job(Order(number=1))  # E: Argument 1 .* "Order"; expected "Receipt"
    await ship.enqueue_many([Order(number=1)])  # E: List item 0 .* expected "Job"
    handle = await ship.enqueue(Order(number=1))
    handle.delete()  # E: "JobHandle" has no attribute "delete"
    print((await handle.status()).state == "complete")  # E: Non-overlapping equality check
    number: int = await handle.cancel()  # E: Incompatible types in assignment
    app.queue("x", overrides=5)  # E: Argument "overrides"
    await ship.enqueue(Order(number=1), then=[Order(number=1)])  # E: List item 0 .* expected "Job"
    await ship.enqueue(Order(number=1), callback=5)  # E: Argument "callback"
    await thank.enqueue(Order(number=1))  # E: expected "Completed\\[Order\\]"

    @ship.on_completed  # E: incompatible type
    async def other(end: Completed[Receipt]) -> None: ...

    @ship.on_dead(queue="orders")  # E: No overload variant
    async def third(end: Dead[Order]) -> None: ...

    @ship.on_dead()  # E: incompatible type
    async def fourth(end: Completed[Order]) -> None: ...
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_mypy_tells_wrong_user_code_at_its_line_and_passes_right_code(tmp_path: Path) -> None:
    code = f"{DECLARED}\n{RIGHT}\n{WRONG}"
    file = tmp_path / "user_code.py"
    file.write_text(code, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "--hide-error-context",
    ]
    config = ["--config-file=", "--cache-dir", str(CACHE), "--follow-imports=silent", str(file)]

    ran = subprocess.run(
        [*command, *config], capture_output=True, text=True, check=False, cwd=ROOT,
        env={"MYPYPATH": str(ROOT)},
    )  # fmt: skip

    told = dict[int, str]()
    for line, text in re.findall(r"user_code\.py:(\d+): error: (.*)", ran.stdout):
        told[int(line)] = told.get(int(line), "") + text
    wanted = {
        number: line.partition("# E: ")[2]
        for number, line in enumerate(code.splitlines(), 1)
        if "# E: " in line
    }
    assert not ran.stderr, ran.stderr
    assert told.keys() == wanted.keys(), ran.stdout
    assert not {n: told[n] for n in wanted if not re.search(wanted[n], told[n])}


def test_the_package_says_that_it_has_types() -> None:
    assert (ROOT / "shared" / "py.typed").is_file()
