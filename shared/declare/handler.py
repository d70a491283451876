"""A handler's shape: its payload model, its context parameter, whether it must be awaited."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple, get_args, get_type_hints

from pydantic import BaseModel

from ..errors import ConfigurationError
from ..jobs.context import JobContext

Handler = Callable[..., Any]
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Shape(NamedTuple):
    """How to call a handler. `context`: how it takes the JobContext: not at all (None), as its
    second argument ("") or as the keyword argument of this name."""

    model: type[BaseModel]
    context: str | None
    is_async: bool

    def call(self, handler: Handler, payload: Any, context: JobContext | None) -> Any:
        """Call the handler. What is awaitable must be awaited by the caller."""
        if self.context is None:
            return handler(payload)
        return (
            handler(payload, **{self.context: context})
            if self.context
            else handler(payload, context)
        )


def shape_of(handler: Handler) -> Shape:
    """The shape of a function, a method, a partial or a callable object.

    Raises ConfigurationError, with a sentence about what to change.
    """
    name = name_of(handler)
    function = _function(handler)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigurationError(f"handler {name!r} is a generator: return a value, don't yield")
    try:
        parameters = list(inspect.signature(handler).parameters.values())
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"handler {name!r} can't be called: {error}") from None
    if not parameters or parameters[0].kind not in _POSITIONAL:
        raise ConfigurationError(f"handler {name!r}: its first parameter takes the payload")
    hints = _hints(_innermost(handler), parameters[0].name, name)
    return Shape(
        model=_model(hints.get(parameters[0].name), name),
        context=_context(parameters[1:], hints, name),
        is_async=inspect.iscoroutinefunction(function),
    )


def name_of(handler: Handler) -> str:
    """A name for messages."""
    function = _function(handler)
    return str(getattr(function, "__qualname__", None) or type(handler).__name__)


def package_of(handler: Handler) -> str:
    """The top-level package of the function that a user wrote."""
    return module_of(handler).partition(".")[0]


def module_of(handler: Handler) -> str:
    """The module of the function that a user wrote."""
    return str(getattr(_innermost(handler), "__module__", ""))


def takes_two(function: Callable[..., Any]) -> bool:
    """True if it can be called with two arguments."""
    try:
        inspect.signature(function).bind(None, None)
    except (TypeError, ValueError):
        return False
    return True


def _function(handler: Handler) -> Any:
    """The function behind partials, decorators and callable objects."""
    while True:
        if isinstance(handler, functools.partial):
            handler = handler.func
        elif inspect.isfunction(handler) or inspect.ismethod(handler):
            return handler
        elif isinstance(handler, type) or not callable(handler):
            raise ConfigurationError(f"handler {handler!r:.80}: it is no function")
        else:
            handler = type(handler).__call__
            if not inspect.isfunction(handler):
                return handler


def _innermost(handler: Handler) -> Any:
    """The function whose parameters `inspect.signature` shows: decorators keep it as
    `__wrapped__`."""
    while True:
        function = handler if hasattr(handler, "__wrapped__") else _function(handler)
        if not hasattr(function, "__wrapped__"):
            return function
        handler = function.__wrapped__


def _hints(function: Any, payload: str, name: str) -> dict[str, Any]:
    """The types of its parameters. Those of parameters with defaults, and of what it returns, may
    be names that only type checkers know; the payload's and the context's may not."""
    scope, hints = getattr(function, "__globals__", {}), dict[str, Any]()
    for parameter, note in getattr(function, "__annotations__", {}).items():
        if parameter == "return":
            continue
        try:
            hints |= get_type_hints(SimpleNamespace(__annotations__={parameter: note}), scope)
        except Exception as error:  # noqa: BLE001 - an annotation may be any expression
            if parameter == payload:
                problem = f"{_sentence(name)} ({error}; define the model at module level)"
                raise ConfigurationError(problem) from None
            if JobContext.__name__ in str(note):
                problem = f"handler {name!r}: its parameter {parameter!r} can't be read: {error}"
                raise ConfigurationError(problem) from None
    return hints


def _model(hint: Any, name: str) -> type[BaseModel]:
    if not (isinstance(hint, type) and issubclass(hint, BaseModel)):
        raise ConfigurationError(_sentence(name))
    return hint


def _context(rest: list[inspect.Parameter], hints: dict[str, Any], name: str) -> str | None:
    """The one parameter beside the payload that takes the context: the annotated one, else the
    first that has no default. Other parameters need defaults."""
    annotated = [p for p in rest if _is_context(hints.get(p.name)) and p.kind not in _VARIADIC]
    needed = [p for p in rest if p.default is p.empty and p.kind not in _VARIADIC]
    taking = (annotated or needed)[:1]
    if [p.name for p in needed if p not in taking]:
        raise ConfigurationError(
            f"handler {name!r}: it takes the payload and, if wanted, the JobContext; give its "
            "other parameters defaults"
        )
    if not taking:
        return None
    if taking[0] is rest[0] and taking[0].kind in _POSITIONAL:
        return ""
    if taking[0].kind is inspect.Parameter.POSITIONAL_ONLY:
        raise ConfigurationError(f"handler {name!r}: make the JobContext its second parameter")
    return taking[0].name


def _is_context(hint: Any) -> bool:
    """True for `JobContext`, also as `JobContext | None` or under `Annotated`."""
    return hint is JobContext or any(_is_context(part) for part in get_args(hint))


_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _sentence(name: str) -> str:
    return (
        f"handler {name!r}: annotate its first parameter with a pydantic model, "
        "e.g. payload: CsvImport"
    )
