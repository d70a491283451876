"""Bounds on jobs that would never end: cut off by every function's end, snoozed for ever, or with a
payload that no function's model takes."""

from __future__ import annotations

from ..jobs.history import number, read_history
from ..jobs.outcome import Outcome
from .outcome import outcome_of
from .run import RECHECK, Run

FREE_CUTS = 3
"""Cuts by the end of a whole window after which a job is parked for a longer window, in place of
being started again at once."""
MOST_CUTS = 10
"""Cuts by whole windows that cost a job nothing: a host with a longer window may exist. Each later
one is an attempt."""
WHOLE = 0.9
"""The share of a window that counts as a whole one."""
COUNTS = ("cuts", "cut_after", "parks")
"""What a job's history remembers of them."""
SNOOZE_HORIZON = 7 * 86_400.0
"""Seconds after the first of a row of snoozes after which the next one ends the job."""
MISFIT_HORIZON = 86_400.0
"""Seconds for which a job waits whose payload does not fit its model. The producer's model took the
payload, so functions of another version exist or existed; a deployment, or its reversal, takes no
longer than a day."""
ROWS = {"snoozed_since": ("snooze", "release", "park"), "misfit_since": ("park",)}
"""The instants since which a job does one thing in a row, as its history remembers them, and the
outcomes that go on with it. Any other outcome ends the row."""


def bound(outcome: Outcome, run: Run, window: float, now_ms: int) -> Outcome:
    """The outcome, with what must be remembered for the bounds, or the end that they impose.

    `window`: seconds that handlers get in a whole function.
    """
    if outcome.kind == "release" and run.cancel_reason == "deadline" and run.allowed:
        outcome = _cut(run, window)
    elif outcome.kind == "snooze":
        outcome = _limit_snooze(outcome, run, now_ms)
    return end_rows(outcome, run)


def end_rows(outcome: Outcome, run: Run) -> Outcome:
    """The outcome, which also clears what the history remembers of the rows that it ends. A dead
    job remembers nothing: after a redrive it begins again."""
    if not run.claim.history:
        return outcome
    over = [name for name, kinds in ROWS.items() if outcome.kind not in kinds]
    if outcome.kind == "dead":
        over += COUNTS
    ended = {name: None for name in over if name in run.claim.history}
    return outcome._replace(detail={**outcome.detail, **ended}) if ended else outcome


def _cut(run: Run, window: float) -> Outcome:
    whole = run.allowed >= window * WHOLE
    cuts = run.cuts.windows + whole
    detail = {"cuts": cuts, "cut_after": max(run.allowed, run.cuts.longest)}
    if run.cuts.parks:  # this was a trial: it is parked before the next one
        detail["parks"] = run.cuts.parks + 1
    if not whole or cuts <= MOST_CUTS:
        return Outcome("release", detail=detail)
    error = TimeoutError(
        f"the end of the function cut it off {cuts} times, after {run.allowed:.1f} s; "
        "split the job, or give the function more time"
    )
    run.error = error
    outcome = outcome_of(error, attempt=run.claim.attempt, retry=run.retry, own=run.package)
    if outcome.kind == "dead":
        return outcome
    return outcome._replace(detail={**outcome.detail, **detail})


def _limit_snooze(outcome: Outcome, run: Run, now_ms: int) -> Outcome:
    since = number(read_history(run.claim.history), "snoozed_since") or now_ms
    if now_ms - since <= SNOOZE_HORIZON * 1000:
        return outcome._replace(detail={**outcome.detail, "snoozed_since": int(since)})
    message = f"snoozed for {SNOOZE_HORIZON / 86_400:.0f} days without an attempt"
    error = {"type": "SnoozedTooLong", "message": message}
    return Outcome("dead", detail={"error": error})


def misfit(run: Run, message: str, reason: str) -> Outcome:
    """The outcome of a payload that does not fit: it is parked for this reason until functions of
    another version come, and after a day it is dead with this message. A foreign record, which no
    model has taken before, is dead at once."""
    now_ms = run.claim.at_ms
    since = number(read_history(run.claim.history), "misfit_since") or now_ms
    if not run.claim.foreign and now_ms - since <= MISFIT_HORIZON * 1000:
        detail = {"parked": reason, "misfit_since": int(since)}
        return Outcome("park", RECHECK, detail, started=False)
    error = {"type": "InvalidPayload", "message": message}
    return Outcome("dead", detail={"error": error}, started=False)
