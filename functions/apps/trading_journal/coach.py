"""A language model's words on trades: feedback on a day, an analysis of a period, vectors."""

from __future__ import annotations

import asyncio
import datetime as dt

from functions.providers.openai import LanguageModel
from shared import JobContext

from .results import results_by_symbol
from .trades import Trades

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
    "Use the given figures only; of a result that is unknown, say that the fills don't tell it. No "
    "advice to buy or sell."
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
    results = await asyncio.to_thread(_results, first, last, trades)
    lines = [f"{symbol}: {result}" for symbol, result in results.items()]
    text = await model.complete(_ANALYST, "\n".join(lines[:MOST_TRADES]))
    await asyncio.to_thread(trades.set_note, "analysis", f"{first}/{last}", text)
    return {"trades": len(done), "analysis": text, "results": results}


def _results(first: dt.date, last: dt.date, trades: Trades) -> dict[str, str]:
    figures = results_by_symbol(trades.history(first, last), first.isoformat())
    return {name: "unknown" if figure is None else str(figure) for name, figure in figures.items()}


async def embed(job: JobContext, trades: Trades, model: LanguageModel) -> tuple[int, str | None]:
    """Vectors of the trades that have none, a batch a request, each kept before the next one. One
    batch at least: where a function is short, each of its runs gets further. How many there were,
    and the id of the last one where there are more."""
    count, last = 0, None
    while count == 0 or job.budget_left() > SECONDS_A_BATCH:
        batch = await asyncio.to_thread(trades.without_vector, BATCH)
        if batch:
            vectors = await model.embed([str(trade) for trade in batch])
            by_id = {trade.id: vector for trade, vector in zip(batch, vectors, strict=True)}
            await asyncio.to_thread(trades.set_vectors, by_id)
        count += len(batch)
        if len(batch) < BATCH:
            return count, None
        last = batch[-1].id
    return count, last
