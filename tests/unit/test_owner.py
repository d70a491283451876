"""A job remembers the stored token that enqueued it, whatever else its body says."""

from __future__ import annotations

import pytest

from shared.encryption.jobs import decrypt_payload, encrypt_job
from shared.jobs.body import decode_body
from shared.jobs.job import Job
from shared.testing.store import KEYRING

OVERRIDES = [{}, {"attempts": 2}, {"attempts": 2, "timeout": 5.5, "backoff": [1, 2]}]


@pytest.mark.parametrize("by", ["", "0123456789ab"])
@pytest.mark.parametrize("created_ms", [0, 1_800_000_000_000])
@pytest.mark.parametrize("overrides", OVERRIDES, ids=len)
@pytest.mark.parametrize("encrypted", [False, True])
def test_its_body_tells_the_token_apart_from_the_numbers_of_the_job(
    overrides: dict[str, object], by: str, created_ms: int, *, encrypted: bool
) -> None:
    job = Job("t", '{"by":"nobody"}', overrides=overrides, created_ms=created_ms, by=by)

    if encrypted:
        read = decrypt_payload(KEYRING, "q", job.id, encrypt_job(KEYRING, "q", job)[1])
    else:
        read = decode_body(job.body())

    assert (read.type, read.by, read.overrides) == ("t", by, overrides)
    assert (read.payload, read.created_ms or 0) == (job.payload, created_ms)


def test_a_job_of_no_stored_token_costs_no_byte() -> None:
    assert Job("t", "1").body() == '{"type":"t"}\n1'
