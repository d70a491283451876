"""GET /api/v1/audit: who did what."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field
from starlette.responses import Response

from ..access.audit import Audit
from ..access.describe import describe_row
from .body import json_response
from .call import Call, page_size
from .responses import ResponseModel


class AuditRowResponse(ResponseModel):
    """One row. An action has two, with the same `action`: `began`, and its end."""

    action: str
    at: datetime | None
    who: str = Field(description="environment:<role>, token:<id>, or cli:<user>@<machine>.")
    verb: str
    object: str = Field(
        description="The parameters of the path and the body, each value and the whole cut off."
    )
    result: str = Field(
        description="began; done, or done: and how many; or failed: and the class of the error."
    )


class AuditResponse(ResponseModel):
    """A page of the audit, newest first. There is more while `next` is not null."""

    rows: list[AuditRowResponse]
    next: str | None


async def index(call: Call) -> Response:
    """What operators did, newest first: the last 10,000 rows."""
    parameters = call.query("cursor", "limit")
    audit = Audit(call.deployment.store.access)
    page = await audit.page(parameters.get("cursor"), page_size(parameters))
    rows = [AuditRowResponse(**describe_row(row)) for row in page.rows]
    return json_response(AuditResponse(rows=rows, next=page.next))
