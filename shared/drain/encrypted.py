"""Encrypted jobs in a drain: decrypted before their handlers start. `SettleWriter.write` has their
histories encrypted again."""

from __future__ import annotations

from ..declare.queue import Queue
from ..encryption.cipher import NotAuthentic
from ..encryption.history import INTEGRITY, decrypt_history
from ..encryption.jobs import decrypt_payload
from ..encryption.keyring import Keyring, MissingKey
from ..extras import MissingExtra
from ..jobs.claim import Claim
from ..jobs.outcome import Outcome
from .run import RECHECK, NotStarted, Run, decode_claim


def open_run(claim: Claim, queue: Queue, keyring: Keyring) -> Run:
    """The run of a claim, decrypted. One that can't be, or may not run as it is, has a `NotStarted`
    as its error."""
    run = decode_claim(claim, queue)
    if run.body.encryption:
        _decrypt(run, keyring)
    elif queue.encrypt is True and run.error is None:
        _refuse_plain(run, queue)
    return run


def _decrypt(run: Run, keyring: Keyring) -> None:
    claim = run.claim
    try:
        body = decrypt_payload(keyring, claim.queue, claim.id, str(claim.body))
        history = decrypt_history(keyring, claim.queue, claim.id, claim.history)
    except (MissingKey, MissingExtra) as missing:
        _park(run, str(missing))
    except NotAuthentic:
        _end(run, INTEGRITY["type"], INTEGRITY["message"])
    else:
        run.body, run.claim = body, claim._replace(history=history)


def _refuse_plain(run: Run, queue: Queue) -> None:
    """A plain job of a queue that takes none: whoever writes to the store could have put it there.
    It waits for the declaration that lets it run; a foreign record has no way to be encrypted."""
    if run.claim.foreign:
        message = f"queue {queue.name!r} is encrypted, and its inbox can't be: enqueue the job"
        _end(run, "PlainPayload", message)
        return
    _park(
        run,
        f"its payload is not encrypted, and queue {queue.name!r} is declared with encrypt=True; "
        'encrypt="new" lets it run',
    )


def _park(run: Run, reason: str) -> None:
    outcome = Outcome("park", RECHECK, {"parked": reason}, started=False)
    run.error = NotStarted(reason, outcome)


def _end(run: Run, error_type: str, message: str) -> None:
    error = {"type": error_type, "message": message}
    run.error = NotStarted(message, Outcome("dead", detail={"error": error}, started=False))
