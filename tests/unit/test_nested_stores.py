"""An embedded store inside the block of another one, as a fixture and its test have them."""

from __future__ import annotations

import pytest

from shared import App, Cache
from shared.errors import TidegateError
from shared.testing import embedded_store
from tests.support.values import Number


@pytest.mark.parametrize("depth", [1, 2, 3])
async def test_the_outer_store_is_the_default_again_when_an_inner_one_has_ended(
    depth: int,
) -> None:
    queue = App("shop").queue("orders")

    @queue.job("ship")
    async def ship(payload: Number) -> None: ...

    async def nest(left: int) -> None:
        async with embedded_store() as store:
            cache = Cache("looks", str)
            await cache.set("a", f"level {left}")
            if left:
                await nest(left - 1)
            await ship.enqueue(Number(n=left))
            assert (await store.stats(queue)).waiting == 1
            assert await cache.get("a") == f"level {left}"

    await nest(depth)

    with pytest.raises(TidegateError):  # and none reaches the environment's database
        await ship.enqueue(Number(n=1))


async def test_blocks_may_end_in_any_order() -> None:
    queue = App("shop").queue("orders")

    @queue.job("ship")
    async def ship(payload: Number) -> None: ...

    first, second = embedded_store(), embedded_store()
    await first.__aenter__()
    store = await second.__aenter__()
    await first.__aexit__(None, None, None)
    await ship.enqueue(Number(n=1))

    assert (await store.stats(queue)).waiting == 1
    await second.__aexit__(None, None, None)
