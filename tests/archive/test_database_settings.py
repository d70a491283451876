"""A database of another encoding or date style takes letters and gives them back."""

from __future__ import annotations

import psycopg
import pytest

from shared.archive.criteria import Criteria
from shared.archive.redrive import redrive
from shared.store import Store
from shared.testing import FakeClock
from tests.archive.world import World
from tests.support.postgres import empty_database

ENCODINGS = ("UTF8", "SQL_ASCII", "LATIN1")
STYLES = ("ISO, DMY", "German, DMY", "SQL, MDY", "Postgres, MDY")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("style", STYLES)
async def test_letters_are_archived_found_and_redriven(
    store: Store,
    clock: FakeClock,
    postgres: str,
    encoding: str,
    style: str,
) -> None:
    options = f"ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    with empty_database(postgres, options) as url:
        with psycopg.connect(url, autocommit=True) as db:
            db.execute(f"ALTER DATABASE {db.info.dbname} SET datestyle = '{style}'".encode())
        for name in ("a", "b"):  # the second finds the tables, as another process does
            dying = World(store, clock, f"{url}&application_name={name}")
            await dying.die(name)
            assert (await dying.maintain()).stop == "done"

        async with dying.deployment.open_archive() as archive:
            page = await archive.page(dying.registry.queues(), Criteria(), cursor=None, most=10)
            verdicts = await redrive(store, archive, page.rows)

    assert sorted(row.record.id for row in page.rows) == ["a.q", "b.q"]
    assert [verdict.left for verdict in verdicts] == [None, None]
