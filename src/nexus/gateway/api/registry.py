"""/v1/registry: services announce themselves, renew by heartbeat, and take their leave."""

import hmac

import msgspec
from fastapi import APIRouter, Request, Response

from nexus.contract.errors import (
    INVALID_API_KEY,
    INVALID_REQUEST,
    NOT_FOUND,
    OVERLOADED,
    REQUEST_TOO_LARGE,
    ApiError,
)
from nexus.gateway.api.answers import json_answer
from nexus.gateway.api.parts import ApiParts
from nexus.gateway.registry.address import Address, AddressError, parse_address
from nexus.gateway.registry.sources.announce import AnnounceSource, TooManyAnnouncedError
from nexus.gateway.registry.told import KNEW, announcement, leave_taking

_LARGEST = 64 * 1024


class _Announcement(msgspec.Struct):
    base_url: str


def registry_routes(parts: ApiParts) -> APIRouter:
    """The routes with which services announce themselves; they are not there while no secret is set."""
    router = APIRouter()

    @router.post("/v1/registry")
    async def announce(request: Request) -> Response:
        source = _let_in(request, parts)
        address = await _address(request)
        try:
            source.beat(address)
        except TooManyAnnouncedError as error:
            raise ApiError(OVERLOADED, "Too many services have announced themselves.", retry_after=60) from error
        parts.registry.announced(address.url, source.name)
        await parts.pass_on(announcement(address))
        return json_answer(
            {
                "base_url": address.url,
                "heartbeat_seconds": parts.settings.discovery_interval,
                "expires_in_seconds": source.lifetime,
            }
        )

    @router.delete("/v1/registry")
    async def leave(request: Request) -> Response:
        source = _let_in(request, parts)
        address = await _address(request)
        known = source.leave(address.url)
        others = await parts.pass_on(leave_taking(address.url))
        if not (known or KNEW in others):
            raise ApiError(NOT_FOUND, f"{address.url} has not announced itself.", param="base_url")
        parts.registry.wake(source.name)
        return json_answer({"base_url": address.url, "deleted": True})

    return router


def _let_in(request: Request, parts: ApiParts) -> AnnounceSource:
    """The source, for who knows the secret. Raises ApiError."""
    secret = parts.settings.registration_secret
    if parts.announce is None or secret is None:
        raise ApiError(NOT_FOUND, "Services cannot announce themselves here: NEXUS_REGISTRATION_SECRET is not set.")
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    known = hmac.compare_digest(given.strip().encode(), secret.get_secret_value().encode())
    if scheme.lower() != "bearer" or not known:
        raise ApiError(INVALID_API_KEY, "The registration secret is missing or wrong.")
    return parts.announce


async def _address(request: Request) -> Address:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST:
            raise ApiError(REQUEST_TOO_LARGE, f"An announcement has at most {_LARGEST} bytes.")
    try:
        announcement = msgspec.json.decode(body, type=_Announcement)
        return parse_address(announcement.base_url)
    except AddressError as error:
        raise ApiError(INVALID_REQUEST, f"base_url: {error}.", param="base_url") from error
    except msgspec.ValidationError as error:
        raise ApiError(INVALID_REQUEST, f"base_url: {error}.", param="base_url") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(INVALID_REQUEST, 'The body is not JSON of the form {"base_url": "http://host:port"}.') from error
