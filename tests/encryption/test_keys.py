"""The setting: each wrong one stops the start with one sentence that quotes no key."""

from __future__ import annotations

import base64
import logging

import pytest

from shared import App
from shared.config.settings import Settings
from shared.connect import connect
from shared.encryption.setting import VARIABLE, parse_keys
from shared.errors import ConfigurationError
from shared.extras import MissingExtra
from shared.jobs.redact import redact

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.urlsafe_b64encode(bytes(range(200, 232))).decode().rstrip("=")


def test_keys_are_read_in_their_order_in_either_alphabet() -> None:
    keys = parse_keys(f" 2026-11:{KEY} , 2026-05:{OTHER},")

    assert [(key.name, key.secret[0]) for key in keys] == [("2026-11", 0), ("2026-05", 200)]
    assert parse_keys("") == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (KEY, "entry 1 is not name:base64"),
        (f"a:{KEY},:{OTHER}", "entry 2 is not name:base64"),
        (f"Big Name:{KEY}", "entry 1 is not name:base64"),
        ("a:???", "key 'a' is not base64"),
        ("a:", "key 'a' has 0 bytes, not 32"),
        (f"a:{KEY[:20]}", "key 'a' has 15 bytes, not 32"),
        (f"a:{KEY},a:{OTHER}", "two keys are named 'a'"),
        (f"a:{KEY},b:{KEY}", "'a' and 'b' are the same key"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Settings.from_env({VARIABLE: text})

    assert sentence in str(raised.value)
    assert str(raised.value).startswith(VARIABLE)
    assert not [part for part in (KEY, OTHER, KEY[:20]) if part in str(raised.value)]


def test_keys_are_in_no_repr_and_in_no_log() -> None:
    settings = Settings.from_env({VARIABLE: f"a:{KEY}"})

    assert KEY not in repr(settings)
    assert repr(settings.encryption_keys[0]) == "EncryptionKey(name='a')"
    assert KEY not in redact(f"posted {KEY}")
    assert logging.getLogger("tidegate.job").filters


def test_without_the_package_the_start_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings.from_env({VARIABLE: f"a:{KEY}"})
    monkeypatch.setattr("shared.extras.find_spec", lambda _name: None)

    with pytest.raises(MissingExtra, match=r"pip install 'tidegate\[encryption\]'"):
        connect(settings)


@pytest.mark.parametrize("encrypt", ["yes", 1, None])
def test_an_unknown_value_of_the_option_is_refused(encrypt: object) -> None:
    with pytest.raises(ConfigurationError, match="encrypt is True or False or 'new'"):
        App("a").queue("q", encrypt=encrypt)  # type: ignore[arg-type]  # wrong on purpose


def test_what_an_encrypted_queue_can_not_have_is_refused() -> None:
    app = App("a")
    with pytest.raises(ConfigurationError, match="at most 3 MiB"):
        app.queue("q", encrypt=True, payload_limit=4 * 2**20)
    with pytest.raises(ConfigurationError, match="public_result"):
        app.queue("r", encrypt=True).job("t", public_result=True)
