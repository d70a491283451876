"""Jobs as they are stored encrypted: the payload, and the names that are made of it.

The first line of the body stays readable: type, overrides, and the label of the key. It is
authenticated with the payload, so a change of any of them shows.
"""

from __future__ import annotations

from dataclasses import replace

from ..jobs.body import Body, decode_body, encode_body, has_follow_ups, with_content
from ..jobs.job import NO_FINGERPRINT, Job
from .cipher import Place, decrypt, encrypt, keyed_hash
from .keyring import Keyring

CONTENT = "dedup:sha256:"
"""Names that are made of payloads begin so (declare/make_job.py)."""
KEYED = "dedup:hmac:"
"""So begin those of encrypted jobs, and go on with the name of their key."""


def encrypt_job(keyring: Keyring, queue: str, job: Job) -> tuple[Job, str]:
    """The job with names that do not reveal its payload, and the body to store. Raises
    MissingSecret and MissingExtra."""
    key = keyring.first(queue)
    values = {"encryption": key.label, **job.values()}
    line = encode_body(job.type, values, "", job.created_ms)
    body = line + encrypt(key, Place("payload", queue, job.id), job.payload, context=line)
    return _with_keyed_names(keyring, queue, job), body


def decrypt_payload(keyring: Keyring, queue: str, job_id: str, stored: str) -> Body:
    """The body of an encrypted job. Raises MissingKey, NotAuthentic and MissingExtra."""
    body = decode_body(stored)
    line = stored[: stored.index("\n") + 1]
    key = keyring.find(body.encryption)
    payload = decrypt(key, Place("payload", queue, job_id), stored[len(line) :], context=line)
    body = body._replace(payload=payload)
    return with_content(body, payload) if has_follow_ups(stored) else body


def name_key(dedup: str) -> str | None:
    """The name of the key that made a deduplication name; None for one that a caller chose."""
    return dedup.removeprefix(KEYED).partition(":")[0] if dedup.startswith(KEYED) else None


def _with_keyed_names(keyring: Keyring, queue: str, job: Job) -> Job:
    """The job with keyed hashes in place of plain ones: of its payload as a deduplication name,
    and of its request as the fingerprint of an idempotency key."""
    if job.dedup is None and job.idempotency is None:
        return job
    key = keyring.last(queue)

    def hashed(text: str) -> str:
        return keyed_hash(key, queue, text)

    dedup, idempotency = job.dedup, job.idempotency
    if dedup and dedup.name.startswith(CONTENT):
        dedup = dedup._replace(name=f"{KEYED}{key.name}:{hashed(dedup.name)}")
    if idempotency and idempotency.fingerprint != NO_FINGERPRINT:
        short = hashed(idempotency.fingerprint)[: len(idempotency.fingerprint)]
        idempotency = idempotency._replace(fingerprint=short)
    return replace(job, dedup=dedup, idempotency=idempotency)
