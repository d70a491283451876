"""The wheel in a user's project: one that has a `shared/` and `functions/` of its own, outside of
the checkout, on each Python of this machine."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import pytest

from .conftest import TIMEOUT, Environment, Install, Ran

pytestmark = [pytest.mark.timeout(TIMEOUT), pytest.mark.slow]
PYTHONS = ("3.11", "3.12", "3.13")
KIT = ("pytest", "pytest-asyncio")
SHOP = {
    "shared/__init__.py": 'CURRENCY = "EUR"\n',
    "functions/__init__.py": "",
    "functions/invoice.py": 'PREFIX = "INV"\n',
    "shop.py": """
        from functions.invoice import PREFIX
        from pydantic import BaseModel
        from shared import CURRENCY
        from tidegate import App

        app = App("shop")
        orders = app.queue("orders")

        class Order(BaseModel):
            number: int

        @orders.job("order.ship")
        async def ship(order: Order) -> dict[str, str]:
            if order.number == 13:
                raise ValueError("no such address")
            return {"invoice": f"{PREFIX}-{order.number} {CURRENCY}"}
        """,
    "test_shop.py": """
        from shop import Order, ship
        from tidegate.testing import FakeClock, embedded_store, run_job

        async def test_an_order_without_an_address_dies() -> None:
            clock = FakeClock()
            async with embedded_store(clock=clock) as store:
                job = await run_job(store, ship, Order(number=13), clock=clock)
            assert job.state == "dead"
        """,
}
APPS = {"TIDEGATE_APPS": "shop:app"}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for name, text in SHOP.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(dedent(text), encoding="utf-8")
    return tmp_path


def ok(ran: Ran) -> str:
    assert ran.code == 0, ran.out + ran.err
    return ran.out


@pytest.mark.parametrize("version", PYTHONS)
def test_a_project_with_both_folders_enqueues_drains_and_sees_a_failure(
    version: str, install: Install, shop: Path
) -> None:
    env = install(version, "cli", "embedded", also=KIT)

    for number in (7, 13):
        payload = json.dumps({"number": number})
        arguments = ("--payload", payload, "--job-id", f"n{number}", "--attempts", "1")
        ok(env.run("tidegate", "enqueue", "orders", "order.ship", *arguments, cwd=shop, **APPS))
    ok(env.run("tidegate", "drain", "orders", cwd=shop, **APPS))
    shipped = ok(env.run("tidegate", "jobs", "show", "n7.orders", "--json", cwd=shop, **APPS))
    failed = ok(env.run("tidegate", "jobs", "show", "n13.orders", "--json", cwd=shop, **APPS))

    assert json.loads(shipped)["state"] == "completed"
    assert "INV-7 EUR" in shipped
    assert json.loads(failed)["state"] == "dead"
    assert "ValueError" in failed
    assert "no such address" in failed


@pytest.mark.parametrize("version", PYTHONS)
def test_a_projects_tests_run_with_the_kit(version: str, install: Install, shop: Path) -> None:
    env = install(version, "cli", "embedded", also=KIT)

    tests = ("-q", "-o", "asyncio_mode=auto", "-o", "pythonpath=.", "-p", "no:cacheprovider")
    assert "1 passed" in ok(env.run("python", "-m", "pytest", *tests, cwd=shop))


def test_without_applications_nothing_is_served_and_a_sentence_says_what_to_set(
    install: Install, shop: Path
) -> None:
    ran = install("3.11", "cli", "embedded", also=KIT).run("tidegate", "status", cwd=shop)

    assert (ran.code, ran.out) == (5, "")
    assert "TIDEGATE_APPS is not set" in ran.err
    assert "TIDEGATE_APPS=shop:app" in ran.err
    assert "Traceback" not in ran.err


def test_a_bare_installation_declares_queues_and_says_what_the_command_line_needs(
    install: Install, shop: Path
) -> None:
    env = install("3.11")

    ok(env.run("python", "-c", "import shop, tidegate.hosts.aws, tidegate.hosts.asgi", cwd=shop))
    for command in (("tidegate", "status"), ("tidegate",), ("python", "-m", "tidegate", "dev")):
        ran = env.run(*command, cwd=shop, **APPS)

        assert (ran.code, ran.out) == (5, "")
        assert ran.err.count("\n") == 1
        assert "pip install 'tidegate[cli]'" in ran.err


@pytest.mark.parametrize("command", ["status", "drain", "dev"])
def test_the_command_line_alone_says_what_the_embedded_store_needs(
    command: str, install: Install, shop: Path
) -> None:
    ran = install("3.11", "cli").run("tidegate", command, cwd=shop, **APPS)

    assert ran.code == 5
    assert ran.err.count("\n") == 1
    assert "pip install 'tidegate[embedded]'" in ran.err
    if command != "dev":  # that one is about a local store; the others may have wanted a database
        assert "UPSTASH_REDIS_REST_URL is not set" in ran.err


def test_doctor_says_it_too(install: Install, shop: Path) -> None:
    ran = install("3.11", "cli").run("tidegate", "doctor", cwd=shop, **APPS)

    (line,) = (line for line in ran.out.splitlines() if line.startswith("FAIL"))
    assert ran.code == 1
    assert "UPSTASH_REDIS_REST_URL is not set" in line
    assert line.endswith("install it, or set UPSTASH_REDIS_REST_URL")


def test_the_command_line_alone_works_on_a_database(install: Install, shop: Path) -> None:
    env = install("3.11", "cli")
    variables = {
        **APPS,
        "UPSTASH_REDIS_REST_URL": "http://127.0.0.1:9",
        "UPSTASH_REDIS_REST_TOKEN": "none",
    }

    ran = env.run("tidegate", "status", cwd=shop, **variables)
    checked = env.run("tidegate", "doctor", "--wait", "0.2", cwd=shop, **variables)

    assert ran.code == 4, "it tried the store, so nothing was missing"
    assert "orders" not in ran.out
    assert "OK   apps" in checked.out
    assert "Traceback" not in checked.err


def test_the_kit_says_what_it_needs(install: Install, shop: Path) -> None:
    ran = install("3.11").run("python", "-c", "import tidegate.testing", cwd=shop)

    assert "pip install 'tidegate[embedded]'" in ran.err.splitlines()[-1]


def test_the_demonstration_stays_in_its_repository(install: Install, shop: Path) -> None:
    env: Environment = install("3.11", "cli", "embedded", also=KIT)

    ran = env.run("tidegate", "demo", cwd=shop)

    assert ran.code == 5
    assert "clone the repository" in ran.err
