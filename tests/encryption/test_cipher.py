"""The form of what is stored: it round-trips any payload, and a later version still reads it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.encryption.cipher import NotAuthentic, Place, decrypt, encrypt
from shared.encryption.history import (
    INTEGRITY,
    decrypt_history,
    encrypt_history,
    with_hidden_texts,
)
from shared.encryption.jobs import decrypt_payload, encrypt_job
from shared.encryption.keyring import Keyring
from shared.jobs.job import Job
from tests.encryption.conftest import NEW, OLD, SECRET

RING = Keyring([NEW, OLD])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = TEXTS.filter(lambda name: name != "encrypted")
STORED = (
    '{"type":"charge","encryption":"2026-05/85e52cde"}\n'
    "AAECAwQFBgcICQoLU6YIjuSLZG6OsFyQbl+rGQj5uMjFShQxcStvdUvZzOj1"
)


def test_a_body_of_the_first_version_is_read() -> None:
    body = decrypt_payload(Keyring([OLD]), "cards", "job-1", STORED)

    assert (body.type, body.payload) == ("charge", '{"number":"4111"}')


@given(TEXTS, TEXTS)
def test_any_payload_comes_back_and_never_looks_the_same(payload: str, context: str) -> None:
    place = Place("payload", "q", "id")

    texts = {encrypt(NEW, place, payload, context) for _ in range(3)}

    assert len(texts) == 3
    assert {decrypt(NEW, place, text, context) for text in texts} == {payload}


@pytest.mark.parametrize(
    "place",
    [Place("history", "q", "id"), Place("payload", "r", "id"), Place("payload", "q", "ie")],
)
def test_a_text_belongs_to_one_purpose_queue_and_job(place: Place) -> None:
    text = encrypt(NEW, Place("payload", "q", "id"), SECRET)

    with pytest.raises(NotAuthentic):
        decrypt(NEW, place, text)
    with pytest.raises(NotAuthentic):
        decrypt(OLD, Place("payload", "q", "id"), text)


@given(TEXTS, st.dictionaries(st.sampled_from(["attempts", "timeout"]), st.integers(1, 9)))
def test_a_job_comes_back_with_its_own_numbers(payload: str, overrides: dict[str, int]) -> None:
    job, text = encrypt_job(RING, "q", Job("t", payload, "id", overrides=overrides))

    body = decrypt_payload(RING, "q", "id", text)

    assert job.id == "id"
    assert (body.type, body.payload, body.overrides) == ("t", payload, overrides)


@given(st.dictionaries(NAMES, st.integers() | TEXTS | st.lists(st.dictionaries(TEXTS, TEXTS))))
def test_any_history_comes_back_and_hides_what_is_not_known(history: dict[str, object]) -> None:
    history = {**history, "log": [SECRET], "errors": [{"type": "E", "message": SECRET}]}
    text = encrypt_history(RING, "q", "id", json.dumps(history))

    assert SECRET not in text
    assert SECRET not in json.dumps(with_hidden_texts(json.loads(text)))
    assert json.loads(decrypt_history(RING, "q", "id", text)) == history


def test_a_history_that_is_not_decrypted_keeps_its_part_and_adds_no_text() -> None:
    text = encrypt_history(RING, "q", "id", json.dumps({"result": SECRET}))
    added = {
        **json.loads(text),
        "parked": "why",
        "note": SECRET,
        "errors": [{**INTEGRITY, "at": 1}],
    }

    again = json.loads(encrypt_history(RING, "q", "id", json.dumps(added)))

    assert again["parked"] == "why"
    assert again["errors"] == [{**INTEGRITY, "at": 1}]
    assert again["encrypted"] == json.loads(text)["encrypted"]
    assert SECRET not in json.dumps(again)
