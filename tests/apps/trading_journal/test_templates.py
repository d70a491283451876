"""Templates are filled as written, and no value breaks out of its place."""

from __future__ import annotations

from email.policy import SMTP

import pytest
from pydantic import ValidationError

from functions.apps.trading_journal import EmailMessage
from functions.apps.trading_journal.templates import render
from functions.providers.mail import _mime
from functions.providers.templates import Email
from shared import Discard

WELCOME = EmailMessage(to="ada@example.com", template="welcome", values={"name": "Ada"})


def welcome(name: str | int) -> Email:
    return render(WELCOME.model_copy(update={"values": {"name": name}}))


def test_a_template_is_filled() -> None:
    email = welcome("Ada")

    assert email.subject == "Welcome to your trading journal, Ada"
    assert email.text.startswith("Hello Ada,")
    assert "<p>Hello Ada,</p>" in email.html


def test_values_are_text_in_html() -> None:
    email = welcome("<script>alert('x')</script> & \"co\"")

    assert "<script>" not in email.html
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &quot;co&quot;" in email.html
    assert "<script>alert('x')</script>" in email.text


def test_values_are_no_templates() -> None:
    assert "Hello $name ${to},\n" in welcome("$name ${to}").text


@pytest.mark.parametrize(
    "sign",
    [
        "\n",
        "\r",
        "\r\n",
        "\0",
        "\x0b",
        "\x0c",
        "\x1c",
        "\x85",
        "\u2028",
        "\u2029",
        "\x7f",
        "\ud800",
    ],
)
def test_a_value_breaks_out_of_no_header(sign: str) -> None:
    with pytest.raises(Discard, match=r"subject: a value in it has U\+"):
        welcome(f"Ada{sign}Bcc: all@example.com")


@pytest.mark.parametrize(
    "name", ["山田\u3000太郎", "گل\u200cرخ", "Zoë\u00a0B", "\u202bعلي\u202c", "👩\u200d🚀"]
)
def test_spaces_and_joiners_of_every_script_are_ordinary_text(name: str) -> None:
    email = welcome(name)

    assert email.subject.endswith(name)
    assert _mime(email, "journal@example.com", "key").as_bytes(policy=SMTP).count(b"Subject:") == 1


def test_an_address_that_was_never_checked_breaks_out_of_no_header() -> None:
    unchecked = WELCOME.model_copy(update={"to": "ada@example.com\nBcc: all@example.com"})

    with pytest.raises(Discard, match=r"to: a value in it has U\+000A"):
        render(unchecked)


def test_a_subject_has_an_end() -> None:
    with pytest.raises(Discard, match="longer than 254"):
        welcome("a" * 250)


def test_an_unknown_template_names_those_there_are() -> None:
    with pytest.raises(Discard, match=r"no template 'nope'; known: import-finished, welcome"):
        render(WELCOME.model_copy(update={"template": "nope"}))


def test_a_missing_value_is_named() -> None:
    with pytest.raises(Discard, match="needs a value for 'name'"):
        render(WELCOME.model_copy(update={"values": {}}))


@pytest.mark.parametrize(
    "to",
    [
        "",
        "ada",
        "ada@localhost",
        "ada@example.com\n",
        "ada@example.com, eve@example.com",
        "Ada <ada@example.com>",
        "ada@exam\rple.com",
        "ada @example.com",
        "ada@-example.com",
        "a" * 65 + "@example.com",
        "ada@" + "a." * 130 + "com",
    ],
)
def test_what_is_no_single_address_is_refused(to: str) -> None:
    with pytest.raises(ValidationError):
        EmailMessage(to=to, template="welcome")


@pytest.mark.parametrize("to", ["ada@example.com", "a.b+c@mail.example.co.uk", "x_y@ex-ample.io"])
def test_an_address_is_accepted(to: str) -> None:
    assert EmailMessage(to=to, template="welcome").to == to
