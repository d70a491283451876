"""The OpenAPI 3.1 document, made of the table of operations and the models that validate requests
and shape responses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from .operation import Models, Operation
from .problems import MEDIA_TYPE
from .responses import ProblemResponse

_REF = "#/components/schemas/{model}"
_PARAMETER = re.compile(r"\{(\w+)\}")


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The whole document."""
    names, schemas = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(
            operation, names
        )
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


def _schemas(operations: Sequence[Operation]) -> tuple[dict[type[BaseModel], str], dict[str, Any]]:
    """(model -> its name, name -> schema)."""
    requests = dict.fromkeys(model for operation in operations for model in operation.takes)
    responses = dict.fromkeys(
        m for operation in operations for models in operation.responses.values() for m in models
    )
    responses[ProblemResponse] = None
    refs, definitions = models_json_schema(
        [
            *((model, "validation") for model in requests),
            *((m, "serialization") for m in responses),
        ],
        ref_template=_REF,
    )
    names = {
        model: ref["$ref"].rpartition("/")[2]
        for (model, _mode), ref in refs.items()
        if issubclass(model, BaseModel)
    }
    return names, definitions["$defs"]


def _operation(operation: Operation, names: Mapping[type[BaseModel], str]) -> dict[str, Any]:
    summary = _sentences(operation.handler) or operation.name
    words = re.findall(r"[a-z0-9]+", operation.path)
    described: dict[str, Any] = {
        "operationId": "_".join([operation.method.lower(), *words]),
        "summary": summary.partition(".")[0],
        "description": f"{summary} Needs: {_access_in_words(operation)}.",
        "parameters": _parameters(operation),
        "responses": {
            **_answers(operation, names),
            **{str(status): _problem(status, names) for status in _problem_statuses(operation)},
        },
        "security": [] if operation.access == "public" else [{"token": [operation.access]}],
    }
    if operation.takes:
        body = _content("application/json", operation.takes, names)["content"]
        described["requestBody"] = {"required": True, "content": body}
    return described


def _access_in_words(operation: Operation) -> str:
    """What its caller needs, in words."""
    if operation.access == "public":
        return "nothing"
    own = ", or enqueue for the jobs that the same token has enqueued" if operation.own else ""
    scoped = "" if operation.by_job else ", and a token that is not limited to types or keys"
    return f"the right {operation.access}{own}{scoped}"


def _answers(operation: Operation, names: Mapping[type[BaseModel], str]) -> dict[str, Any]:
    answers = {
        str(status): _content("application/json", models, names)
        for status, models in operation.responses.items()
    }
    if operation.text:
        answer = answers.setdefault("200", {"description": "A text.", "content": {}})
        answer["content"][operation.text] = {"schema": {"type": "string"}}
    return answers


def _problem_statuses(operation: Operation) -> list[int]:
    """Every status of a problem that the operation may answer."""
    statuses = {500, 503, *operation.problems}
    if operation.access != "public":
        statuses |= {401, 403, 429}
    if operation.takes:
        statuses |= {400, 408, 413, 415}
    if operation.takes or operation.query:
        statuses |= {404, 422}
    if _PARAMETER.search(operation.path):
        statuses |= {404}
    return sorted(statuses)


def _problem(status: int, names: Mapping[type[BaseModel], str]) -> dict[str, Any]:
    content = _content(MEDIA_TYPE, (ProblemResponse,), names)
    return {**content, "description": HTTPStatus(status).phrase}


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    text = {"type": "string"}
    return [
        *(
            {"name": name, "in": "path", "required": True, "schema": text}
            for name in _PARAMETER.findall(operation.path)
        ),
        *(
            {"name": name, "in": place, "description": description, "schema": text}
            for place, named in (("query", operation.query), ("header", operation.headers))
            for name, description in named.items()
        ),
    ]


def _content(
    media_type: str, models: Models, names: Mapping[type[BaseModel], str]
) -> dict[str, Any]:
    refs = [{"$ref": _REF.format(model=names[model])} for model in models]
    schema = refs[0] if len(refs) == 1 else {"anyOf": refs}
    description = _sentences(models[0]) or models[0].__name__
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _sentences(described: object) -> str:
    """Its docstring, which is written for readers of the API too. Empty under `python -OO`, which
    drops those: names take its place."""
    return " ".join((described.__doc__ or "").split())
