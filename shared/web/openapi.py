"""The OpenAPI 3.1 document, made of the route table and the very models that requests and answers
pass through."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from .answers import ProblemAnswer
from .entry import Entry, Models
from .problems import MEDIA_TYPE

_REF = "#/components/schemas/{model}"
_PARAMETER = re.compile(r"\{(\w+)\}")


def document(routes: Sequence[Entry]) -> dict[str, Any]:
    """The whole document, aliases left out: they answer as what they stand for."""
    names, schemas = _schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    for entry in routes:
        paths.setdefault(entry.path, {})[entry.method.lower()] = _operation(entry, names)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tidegate",
            "version": "1",
            "description": "Background jobs for functions. Delivery is at least once. "
            "Errors are RFC 9457 problems with stable types.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(routes: Sequence[Entry]) -> tuple[dict[type[BaseModel], str], dict[str, Any]]:
    """(model -> its name, name -> schema). Answers as they are written, requests as read."""
    taken = dict.fromkeys(model for entry in routes for model in entry.takes)
    told = dict.fromkeys(m for e in routes for models in e.answers.values() for m in models)
    told[ProblemAnswer] = None
    refs, definitions = models_json_schema(
        [*((model, "validation") for model in taken), *((m, "serialization") for m in told)],
        ref_template=_REF,
    )
    names = {
        model: ref["$ref"].rpartition("/")[2]
        for (model, _mode), ref in refs.items()
        if issubclass(model, BaseModel)
    }
    return names, definitions["$defs"]


def _operation(entry: Entry, names: Mapping[type[BaseModel], str]) -> dict[str, Any]:
    summary = " ".join((entry.handler.__doc__ or "").split())
    operation: dict[str, Any] = {
        "operationId": f"{entry.method.lower()}_{'_'.join(re.findall(r'[a-z0-9]+', entry.path))}",
        "summary": summary.partition(".")[0],
        "description": f"{summary} Needs: {entry.need}.",
        "parameters": _parameters(entry),
        "responses": {
            **{
                str(status): _content("application/json", models, names)
                for status, models in entry.answers.items()
            },
            "default": _content(MEDIA_TYPE, (ProblemAnswer,), names),
        },
        "security": [] if entry.need == "public" else [{"token": []}],
    }
    if entry.takes:
        body = _content("application/json", entry.takes, names)["content"]
        operation["requestBody"] = {"required": True, "content": body}
    return operation


def _parameters(entry: Entry) -> list[dict[str, Any]]:
    text = {"type": "string"}
    return [
        *(
            {"name": name, "in": "path", "required": True, "schema": text}
            for name in _PARAMETER.findall(entry.path)
        ),
        *(
            {"name": name, "in": place, "description": told, "schema": text}
            for place, named in (("query", entry.query), ("header", entry.headers))
            for name, told in named.items()
        ),
    ]


def _content(
    media_type: str, models: Models, names: Mapping[type[BaseModel], str]
) -> dict[str, Any]:
    refs = [{"$ref": _REF.format(model=names[model])} for model in models]
    schema = refs[0] if len(refs) == 1 else {"anyOf": refs}
    told = " ".join((models[0].__doc__ or "").split())
    return {"description": told, "content": {media_type: {"schema": schema}}}
