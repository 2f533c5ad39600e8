"""/v1/admin/audit: who changed what, and when; for the administrator."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from nexus.gateway.api.answers import json_answer, page_of
from nexus.gateway.api.middleware import administrator
from nexus.gateway.api.parts import ApiParts
from nexus.gateway.api.shown import AuditPage
from nexus.store.rows import AuditEntry

_LAST: Final = 2**63 - 1


def audit_routes(parts: ApiParts) -> APIRouter:
    """The newest entries first; `after` is the id of the last one of the page before."""
    router = APIRouter()

    @router.get("/v1/admin/audit", responses={200: {"model": AuditPage}})
    async def list_audit(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        after: Annotated[int | None, Query(ge=1, le=_LAST)] = None,
        actor: str | None = None,
        action: str | None = None,
        subject: str | None = None,
    ) -> Response:
        administrator(request)
        opened = await parts.store.opened()
        entries, more = await opened.audit.page(limit=limit, before=after, actor=actor, action=action, subject=subject)
        return json_answer(page_of([_shown(entry) for entry in entries], more))

    return router


def _shown(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": str(entry.seq),
        "object": "audit.entry",
        "created_at": int(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "details": entry.details,
    }
