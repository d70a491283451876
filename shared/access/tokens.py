"""The verbs for stored tokens: create, list, revoke, rotate. What writes asks the store first
whether its caller's own token still holds: the process's copy may be a minute old, and a token
that is revoked or rotated out must leave no successor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ..clock import Clock, utc
from ..declare.key import check_word
from ..declare.queue import Queue
from ..errors import Forbidden, InvalidOption, Unauthenticated, UnknownToken
from ..store.access import AccessEntries
from .caller import Caller
from .rights import NO_LIMITS, RIGHTS, ROLES, Allowance, Right
from .token import END, NO_TOKEN, Token, read_tokens, write_token
from .token_text import new_text

MOST_TOKENS = 500
KEPT_MS = 30 * 86_400_000
"""How long a token that has ended is still listed."""
LEAST_LIFE, LONGEST_LIFE = 0.001, 10 * 366 * 86_400.0
"""Seconds for which a token works."""
OVERLAP = 86_400.0
"""Seconds for which a rotated token goes on working, by default."""
LONGEST_NAME = 64
MOST = {"requests_a_minute": 100_000, "jobs_a_day": 100_000_000}


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token with its text, which is stored nowhere: this is the only time it is known."""

    token: Token
    text: str = field(repr=False)


class Tokens:
    """The tokens of one deployment. `by`: the caller. Raises StoreError, and Unauthenticated where
    the caller's own token is revoked or has ended."""

    def __init__(self, entries: AccessEntries, prefix: str, clock: Clock) -> None:
        self._entries, self._prefix, self._clock = entries, prefix, clock

    async def list(self) -> list[Token]:
        """All tokens, the oldest first; also those that have ended within a month."""
        tokens = read_tokens(await self._entries.tokens())
        return sorted(tokens, key=lambda token: token.created_ms)

    async def create(
        self,
        name: str,
        rights: frozenset[Right],
        queues: Iterable[str] | None,
        *,
        by: Caller,
        seconds: float | None = None,
        types: Iterable[str] | None = None,
        keys: Iterable[str] | None = None,
        allowance: Allowance = NO_LIMITS,
    ) -> NewToken:
        """Store a new token. `queues`, `types`, `keys`: None for all; `seconds`: None: it does not
        expire. Raises InvalidOption, and Forbidden for what its maker does not have."""
        _check_name(name)
        now, text = self._clock.epoch_ms(), new_text(self._prefix)
        token = Token(
            id=text.id,
            subject=text.id,
            name=name,
            rights=rights,
            queues=None if queues is None else frozenset(queues),
            created_ms=now,
            expires_ms=None if seconds is None else now + _life_ms(seconds),
            created_by=by.who,
            digest=text.digest,
            types=None if types is None else frozenset(types),
            keys=None if keys is None else frozenset(check_word(key, "keys") for key in keys),
            allowance=_check_allowance(allowance),
        )
        fields = await self._entries.tokens()
        _require_within(self._present(by, fields), token)
        await self._make_room(fields)
        await self._entries.put_tokens({token.id: write_token(token)})
        return NewToken(token, text.text)

    async def revoke(self, token_id: str, *, by: Caller) -> Token:
        """Delete a token; it opens nothing after a minute at the latest. Raises UnknownToken."""
        fields = await self._entries.tokens()
        self._present(by, fields)
        token = _find(fields, token_id)
        await self._entries.remove_tokens([token.id, token.id + END])
        return token

    async def rotate(self, token_id: str, *, by: Caller, overlap: float = OVERLAP) -> NewToken:
        """A new token with the same name, rights, limits and time to live; it sees the jobs of the
        old one, which goes on working for `overlap` seconds. A token that rotates itself keeps its
        end. Raises UnknownToken, InvalidOption and Forbidden."""
        fields = await self._entries.tokens()
        by, now = self._present(by, fields), self._clock.epoch_ms()
        old = _find(fields, token_id)
        ends = now + _milliseconds(overlap, "overlap")
        lifetime = _lifetime(old, fields)
        text = new_text(self._prefix)
        token = replace(
            old,
            id=text.id,
            created_ms=now,
            expires_ms=None if lifetime is None else now + lifetime,
            created_by=by.who,
            digest=text.digest,
        )
        if token.subject == by.subject and by.expires_ms is not None:
            token = token.ended_at(by.expires_ms)
        _require_within(by, token)
        await self._make_room(fields)
        # One command: no stop can leave the old one ended without the new one.
        end = old.ended_at(ends).expires_ms or ends
        await self._entries.put_tokens({token.id: write_token(token), old.id + END: end})
        return NewToken(token, text.text)

    def _present(self, by: Caller, fields: dict[str, object]) -> Caller:
        """The caller as its token is stored now, maybe with an earlier end. Raises Unauthenticated
        where it holds no more."""
        if not by.token_id:
            return by
        for token in read_tokens(fields):
            if token.id == by.token_id and token.is_valid(self._clock.epoch_ms()):
                return token.caller()
        raise Unauthenticated(NO_TOKEN)

    async def _make_room(self, fields: dict[str, object]) -> None:
        """Remove what ended a month ago, and ends of tokens that are revoked. Raises InvalidOption
        where there are too many tokens."""
        until = self._clock.epoch_ms() - KEPT_MS
        kept = {token.id for token in read_tokens(fields) if token.is_valid(until)}
        old = [name for name in fields if name.removesuffix(END) not in kept]
        if old:
            await self._entries.remove_tokens(old)
        if len(kept) >= MOST_TOKENS:
            raise InvalidOption(f"there are {MOST_TOKENS} tokens; revoke some first", "token")


def rights_of(roles: Iterable[str], rights: Iterable[str] = ()) -> frozenset[Right]:
    """The rights of these roles, and these ones. Raises InvalidOption for an unknown name, or if
    there is none."""
    wanted = set(rights)
    for role in roles:
        if role not in ROLES:
            raise InvalidOption(f"role {role[:40]!r}: choose from {', '.join(ROLES)}", "roles")
        wanted |= ROLES[role]
    unknown = sorted(wanted - set(RIGHTS))
    if unknown:
        raise InvalidOption(f"right {unknown[0][:40]!r}: choose from {', '.join(RIGHTS)}", "rights")
    if not wanted:
        raise InvalidOption("name a role or a right", "roles")
    return frozenset(right for right in RIGHTS if right in wanted)


def check_types(types: Iterable[str], queues: Iterable[Queue]) -> list[str]:
    """The types, if these queues declare them. Raises InvalidOption for another."""
    known = {name for queue in queues for name in queue.types}
    wanted = list(types)
    unknown = sorted(set(wanted) - known)
    if unknown:
        names = ", ".join(sorted(known)) or "none"
        raise InvalidOption(f"type {unknown[0][:64]!r}: its queues declare {names}", "types")
    return wanted


def _check_allowance(allowance: Allowance) -> Allowance:
    for name, value in allowance._asdict().items():
        most = MOST[name]
        if value is not None and not 1 <= value <= most:
            raise InvalidOption(f"{name}: 1 to {most}", name)
    return allowance


def _require_within(by: Caller, token: Token) -> None:
    """Raises Forbidden where the token may do more than its maker."""
    missing = sorted(token.rights - by.rights)
    if missing:
        raise Forbidden(f"Nobody hands out a right without having it: {', '.join(missing)}.")
    reaches = ((by.queues, token.queues), (by.types, token.types), (by.keys, token.keys))
    if any(own is not None and (other is None or other - own) for own, other in reaches):
        raise Forbidden("Nobody hands out queues, job types or keys that they do not reach.")
    ends = token.expires_ms
    if by.expires_ms is not None and (ends is None or ends > by.expires_ms):
        raise Forbidden(
            f"Nobody hands out a token that outlives theirs: it ends {utc(by.expires_ms)}."
        )
    if any(by.allowance) and token.subject != by.subject:
        raise Forbidden(
            "A token whose requests or jobs are limited hands out no other: each has its own count."
        )


def _find(fields: dict[str, object], token_id: str) -> Token:
    for token in read_tokens(fields):
        if token.id == token_id:
            return token
    raise UnknownToken(f"no token {token_id[:40]!r}: it never existed, or it is revoked")


def _lifetime(token: Token, fields: dict[str, object]) -> int | None:
    """The milliseconds from its making to its own end, whatever ended it early."""
    (own,) = read_tokens({token.id: fields[token.id]})
    return None if own.expires_ms is None else own.expires_ms - own.created_ms


def _check_name(name: str) -> None:
    if not (1 <= len(name) <= LONGEST_NAME and name.isprintable()):
        raise InvalidOption(f"name: 1 to {LONGEST_NAME} printable characters", "name")


def _life_ms(seconds: float) -> int:
    return _milliseconds(seconds, "expires_in", LEAST_LIFE)


def _milliseconds(seconds: float, name: str, least: float = 0.0) -> int:
    if not least <= seconds <= LONGEST_LIFE:  # NaN fails both comparisons
        raise InvalidOption(f"{name}: {least:g} to {LONGEST_LIFE:.0f} seconds", name)
    return round(seconds * 1000)
