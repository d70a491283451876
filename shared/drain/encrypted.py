"""Encrypted jobs in a drain: decrypted before their handlers start, their histories encrypted again
when they are settled."""

from __future__ import annotations

from ..declare.queue import Queue
from ..encryption.cipher import NotAuthentic
from ..encryption.history import INTEGRITY, decrypt_history, encrypt_history
from ..encryption.jobs import decrypt_payload
from ..encryption.keyring import Keyring, MissingKey
from ..errors import InvalidPayload
from ..extras import MissingExtra
from ..jobs.history import add_to_history
from ..jobs.outcome import Outcome
from .run import RECHECK, Run


def decrypt(run: Run, queue: Queue, keyring: Keyring) -> None:
    """Decrypt a run of an encrypted queue, or say by its `refusal` why it can't start."""
    claim = run.claim
    if not run.body.encryption:
        run.refusal = _refuse_plain(run, queue)
        return
    run.encrypted = True
    try:
        body = decrypt_payload(keyring, claim.queue, claim.id, str(claim.body))
        history = decrypt_history(keyring, claim.queue, claim.id, claim.history)
    except (MissingKey, MissingExtra) as missing:
        run.refusal = Outcome("park", RECHECK, {"parked": str(missing)}, started=False)
    except NotAuthentic:
        run.refusal = _dead(run, INTEGRITY["type"], INTEGRITY["message"])
    else:
        run.body, run.claim = body, claim._replace(history=history)


def history_of(run: Run, outcome: Outcome, at_ms: int, keyring: Keyring) -> str:
    """The history to store with an outcome."""
    claim = run.claim
    if not outcome.detail and not run.encrypted:
        return claim.history
    history = add_to_history(claim, outcome, at_ms)
    if not run.encrypted:
        return history
    return encrypt_history(keyring, claim.queue, claim.id, history)


def _refuse_plain(run: Run, queue: Queue) -> Outcome | None:
    """A plain job of a queue that takes none: whoever writes to the store could have put it there.
    It waits for the declaration that lets it run; a foreign record has no way to be encrypted."""
    if queue.encrypt is not True:
        return None
    if run.claim.foreign:
        message = f"queue {queue.name!r} is encrypted, and its inbox can't be: enqueue the job"
        return _dead(run, "PlainPayload", message)
    reason = (
        f"its payload is not encrypted, and queue {queue.name!r} is declared with encrypt=True; "
        'encrypt="new" lets it run'
    )
    return Outcome("park", RECHECK, {"parked": reason}, started=False)


def _dead(run: Run, error_type: str, message: str) -> Outcome:
    run.error = InvalidPayload(message)
    return Outcome(
        "dead", detail={"error": {"type": error_type, "message": message}}, started=False
    )
