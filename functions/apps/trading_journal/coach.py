"""A language model's words on trades: feedback on a day, an analysis of a period, vectors."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from functions.providers.openai import LanguageModel
from shared import JobContext

from .trades import Trade, Trades

MOST_TRADES = 200
"""Trades that one question shows: the last ones."""
BATCH = 100
"""Texts of one request for vectors."""
SECONDS_A_BATCH = 30.0
_COACH = (
    "You are a trading coach. The user gives you the fills of one day. In at most 150 words: what "
    "was done well, what to do otherwise, one question to think about. No advice to buy or sell."
)
_ANALYST = (
    "You analyse a trader's period. The user gives you the result of each symbol, computed from "
    "the fills. In at most 200 words: what carried the result, what cost most, which habit shows. "
    "Use the given figures only. No advice to buy or sell."
)


async def feedback(day: dt.date, trades: Trades, model: LanguageModel) -> dict[str, object]:
    """A coach's words on one day, kept in the journal. A day without trades costs no request."""
    done = await asyncio.to_thread(trades.between, day, day)
    if not done:
        return {"trades": 0, "feedback": None}
    text = await model.complete(_COACH, "\n".join(map(str, done[-MOST_TRADES:])))
    await asyncio.to_thread(trades.set_note, "feedback", day.isoformat(), text)
    return {"trades": len(done), "feedback": text}


async def analysis(
    first: dt.date, last: dt.date, trades: Trades, model: LanguageModel
) -> dict[str, object]:
    """An analyst's words on a period, and the figures that they rest on."""
    done = await asyncio.to_thread(trades.between, first, last)
    if not done:
        return {"trades": 0, "analysis": None, "results": {}}
    results = {symbol: str(result) for symbol, result in results_by_symbol(done).items()}
    lines = [f"{symbol}: {result}" for symbol, result in results.items()]
    text = await model.complete(_ANALYST, "\n".join(lines[:MOST_TRADES]))
    await asyncio.to_thread(trades.set_note, "analysis", f"{first}/{last}", text)
    return {"trades": len(done), "analysis": text, "results": results}


async def embed(job: JobContext, trades: Trades, model: LanguageModel) -> dict[str, object]:
    """Vectors of the trades that have none, a batch a request, each kept before the next one. One
    batch at least: where a function is short, each of its runs gets further."""
    count, more = 0, True
    while more and (count == 0 or job.budget_left() > SECONDS_A_BATCH):
        batch = await asyncio.to_thread(trades.without_vector, BATCH)
        if batch:
            vectors = await model.embed([str(trade) for trade in batch])
            by_id = {trade.id: vector for trade, vector in zip(batch, vectors, strict=True)}
            await asyncio.to_thread(trades.set_vectors, by_id)
        count, more = count + len(batch), len(batch) == BATCH
    return {"embedded": count, "more": more}


def results_by_symbol(trades: Iterable[Trade]) -> dict[str, Decimal]:
    """What each symbol's closed quantity earned: a close is set against the average price of what
    was open. Trades come in order of time; what is open in the end counts nothing."""
    open_quantity: dict[str, Decimal] = defaultdict(Decimal)
    average: dict[str, Decimal] = defaultdict(Decimal)
    results: dict[str, Decimal] = defaultdict(Decimal)
    for trade in trades:
        symbol, held = trade.symbol, open_quantity[trade.symbol]
        change = trade.quantity if trade.side == "buy" else -trade.quantity
        closed = min(abs(held), abs(change)) if held * change < 0 else Decimal(0)
        results[symbol] += closed * (trade.price - average[symbol]) * (1 if held > 0 else -1)
        open_quantity[symbol] = held + change
        if closed < abs(change):  # the rest opens, or adds to what is open
            rest = abs(held) if closed == 0 else Decimal(0)
            opened = abs(change) - closed
            cost = rest * average[symbol] + opened * trade.price
            average[symbol] = cost / (rest + opened)
    return dict(results)
