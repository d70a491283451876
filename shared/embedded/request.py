"""The commands in Upstash REST requests, parsed from JSON bodies and from paths."""

from __future__ import annotations

import json
from typing import TypeAlias
from urllib.parse import parse_qsl, unquote_to_bytes

Args: TypeAlias = list[str | bytes]


class MalformedRequest(Exception):
    """A request without a valid command. The text is the error reply."""


def one_command(method: str, route: str, query: str, body: bytes) -> Args:
    """`POST /` with a JSON array, or the path's segments, the body, and the query's pairs."""
    if route == "/":
        return _arguments(_parse(body))
    args: Args = [unquote_to_bytes(segment) for segment in route[1:].split("/")]
    if body and method in {"POST", "PUT"}:
        args.append(body)
    if query:
        pairs = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
        words = [word for name, value in pairs if name != "_token" for word in (name, value)]
        # An option without a value (`?NX`) is one argument.
        args.extend(word.encode("utf-8", "surrogateescape") for word in words if word)
    return args


def many_commands(body: bytes) -> list[Args]:
    """The body of `/pipeline` and `/multi-exec`: a JSON array of commands, at least one."""
    rows = _parse(body)
    if not isinstance(rows, list):
        raise MalformedRequest("ERR expected JSON array")
    if not rows:
        raise MalformedRequest("ERR empty pipeline request")
    return [_arguments(row) for row in rows]


def number(text: str | None) -> int:
    """A header's number; 0 if the header is missing or is no number."""
    return int(text) if text and len(text) < _DIGITS and text.isascii() and text.isdigit() else 0


_DIGITS = 18


def _parse(body: bytes) -> object:
    if not body:
        raise MalformedRequest("ERR failed to parse the request body: EOF")
    try:
        document: object = _decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise MalformedRequest(f"ERR failed to parse the request body as JSON: {error}") from error
    return document


def _arguments(row: object) -> Args:
    if not isinstance(row, list):
        raise MalformedRequest("ERR expected JSON array")
    if not row:
        raise MalformedRequest("ERR empty command")
    return [_argument(value) for value in row]


def _argument(value: object) -> str:
    if isinstance(value, str):
        return value if value.isascii() else _utf8(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        raise MalformedRequest("ERR null args are not supported")
    opening = "[" if isinstance(value, list) else "{"
    raise MalformedRequest(f'ERR unsupported arg type: "{opening}": json.Delim')


def _utf8(text: str) -> str:
    # A lone surrogate (half an emoji, escaped) has no UTF-8; Go's decoder makes it U+FFFD.
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# Numbers stay as text: 1.0 must not become 1, nor 2**64 a float.
_decode = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse_constant).decode
