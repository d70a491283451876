"""Types of declared values. Python accepts any value for any annotation, and a wrong one would fail
only where it is used: in a running job, or in a script of the store. So what a user declares is
compared with its annotation where it is made. Bounds are checked beside the values themselves.

An int is accepted for a float, a bool for no number, and a text for no list.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin

from .errors import ConfigurationError

P = ParamSpec("P")
T = TypeVar("T")
_WORDS: Mapping[object, str] = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    str: "a text",
    types.NoneType: "None",
    Callable: "a function",
    Iterable: "an iterable",
    Sequence: "a list",
}
_UNIONS = (Union, types.UnionType)


def checked(function: Callable[P, T]) -> Callable[P, T]:
    """The function, which from now on compares its arguments with their annotations before it does
    anything. Raises ConfigurationError."""
    name = function.__qualname__.removesuffix(".__init__")

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        bound = _signature(function).bind(*args, **kwargs)
        given = bound.arguments
        for option, hint in _hints(function).items():
            if option in given:
                check_type(given[option], hint, f"{name}: {option}")
                given[option] = plain(given[option])
        return function(*bound.args, **bound.kwargs)

    return call


def check_fields(record: Any, kind: type, what: str) -> None:
    """Compare each field of the dataclass `kind` with its annotation. A subclass of the user's may
    have fields and annotations of its own. Raises ConfigurationError."""
    for field, hint in _hints(kind).items():
        value = getattr(record, field)
        if not _test(hint)(value):
            check_type(value, hint, f"{what}: {field}")
        if plain(value) is not value:
            object.__setattr__(record, field, plain(value))


def check_type(value: object, hint: Any, what: str) -> None:
    """Raise ConfigurationError unless the value is of the type."""
    if not _test(hint)(value):
        given = f"{value!r:.80}"
        if inspect.isfunction(value):  # its text is an address
            given = f"the function {value.__name__!r}"
            if hint is str:  # a decorator without its parentheses
                given += ': a decorator is written with its name, as @queue.job("order.ship")'
        raise ConfigurationError(f"{what} is {_type_in_words(hint)}, not {given}")


def check_function(
    function: Callable[..., object], argument: str, what: str, *, may_yield: bool = False
) -> None:
    """Raise ConfigurationError unless it can be called with one argument and answers at once."""
    call = getattr(function, "__call__", None)  # noqa: B004 - an object's own, which may be async
    sentence = f"{what} is a plain function of one argument, {argument}"
    for one in (function, call):
        is_async = inspect.iscoroutinefunction(one) or inspect.isasyncgenfunction(one)
        require(not is_async, f"{sentence}, and no async one: nothing awaits it")
        ok = may_yield or not inspect.isgeneratorfunction(one)
        require(ok, f"{sentence}, and no generator: return a value, don't yield")
    try:
        inspect.signature(function).bind(None)
    except TypeError as error:
        raise ConfigurationError(f"{sentence}: {error}") from None
    except ValueError:  # written in C: it has no signature
        return


def plain(value: T) -> T:
    """The value; a text of a class of its own, as an enum's member is, as plain text: formatted it
    would be the member's name."""
    if isinstance(value, str) and type(value) is not str:
        return str.__str__(value)  # type: ignore[return-value]  # a text is one of T
    return value


def require(condition: bool, sentence: str) -> None:  # noqa: FBT001 - an assertion with a sentence
    """Raise ConfigurationError with the sentence unless the condition holds."""
    if not condition:
        raise ConfigurationError(sentence)


_signature = functools.cache(inspect.signature)


@functools.cache
def _hints(declared: Any) -> Mapping[str, Any]:
    return typing.get_type_hints(declared)


@functools.cache
def _test(hint: Any) -> Callable[[Any], bool]:
    """A function that tells whether a value is of the type. It is made once: a job with options of
    its own needs a checked `Retry` each time that it is claimed."""
    kind, args = get_origin(hint) or hint, get_args(hint)
    if kind in _UNIONS:
        tests = [_test(one) for one in args]
        return lambda value: any(test(value) for test in tests)
    if kind is Literal:
        return lambda value: isinstance(value, str) and value in args
    if kind is Callable:
        return callable
    if kind in (int, float):
        numbers = (int,) if kind is int else (int, float)
        return lambda value: isinstance(value, numbers) and not isinstance(value, bool)
    if kind in (Any, object, type) or isinstance(kind, TypeVar):
        return lambda _value: True
    if kind in (Sequence, tuple):
        fits = _test(args[0])
        return lambda value: (
            isinstance(value, kind) and not isinstance(value, str | bytes) and all(map(fits, value))
        )
    return lambda value: isinstance(value, kind)


def _type_in_words(hint: Any) -> str:
    """The type in words: "a number or None"."""
    kind, args = get_origin(hint) or hint, get_args(hint)
    if kind in _UNIONS:
        return _alternatives([_type_in_words(one) for one in args])
    if kind is Literal:
        return _alternatives([repr(one) for one in args])
    name = _WORDS.get(kind) or f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"
    if kind in (Sequence, tuple):  # "a list of numbers"
        return f"{name} of {_type_in_words(args[0]).partition(' ')[2]}s"
    return name


def _alternatives(words: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
