"""The form of an uploaded file: what it says, and what of it is refused by which name."""

import errno
from typing import Any

import httpx
import pytest
from fastapi import Request

from nexus.contract.errors import ApiError
from nexus.gateway.api.uploads import uploaded


def request_of(fields: dict[str, str], files: dict[str, Any] | None = None, **headers: str) -> Request:
    """A request as Starlette has it, its body written by a real client."""
    made = httpx.Request("POST", "http://gateway/v1/files", data=fields, files=files)
    body, sent = made.read(), {**made.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [(name.lower().encode(), value.encode()) for name, value in sent.items()]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "method": "POST", "path": "/v1/files", "headers": lines}, receive)


FILE = {"file": ("a.txt", b"hello", "text/plain")}
GOOD = {"purpose": "user_data"}


async def test_a_form_is_read_and_its_file_is_open_inside_the_block() -> None:
    kept = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
    async with uploaded(request_of({**GOOD, **kept}, FILE), 5) as upload:
        assert (upload.purpose, upload.seconds, upload.file.filename) == ("user_data", 3600, "a.txt")
        assert await upload.file.read() == b"hello"


async def test_a_file_is_kept_for_ever_where_nothing_is_said() -> None:
    async with uploaded(request_of(GOOD, FILE), 5) as upload:
        assert upload.seconds is None


@pytest.mark.parametrize(
    ("fields", "files", "status", "param"),
    [
        (GOOD, {"other": FILE["file"]}, 400, "file"),
        ({"purpose": "user_data", "file": "text"}, {"x": FILE["file"]}, 400, "file"),
        (GOOD, {"file": ("a.txt", b"hello!", "text/plain")}, 413, "file"),
        ({}, FILE, 400, "purpose"),
        ({"purpose": "fun"}, FILE, 400, "purpose"),
        ({**GOOD, "expires_after[seconds]": "3600"}, FILE, 400, "expires_after[anchor]"),
        ({**GOOD, "expires_after[anchor]": "created_at"}, FILE, 400, "expires_after[seconds]"),
        *(
            (
                {**GOOD, "expires_after[anchor]": "created_at", "expires_after[seconds]": seconds},
                FILE,
                400,
                "expires_after[seconds]",
            )
            for seconds in ("3599", "2592001", "-1", "1e4", "٣٦٠٠")
        ),
    ],
)
async def test_what_is_wrong_is_refused_by_its_name(fields: Any, files: Any, status: int, param: str) -> None:
    with pytest.raises(ApiError) as caught:
        async with uploaded(request_of(fields, files), 5):
            pytest.fail("it was taken")
    assert (caught.value.status, caught.value.param) == (status, param)


async def test_another_body_than_a_form_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        async with uploaded(request_of(GOOD, FILE, content_type="application/json"), 5):
            pytest.fail("it was taken")
    assert caught.value.status == 415


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, ApiError), (errno.EDQUOT, ApiError), (errno.EIO, OSError)])
async def test_a_disk_that_is_full_is_told_and_other_faults_are_not_taken_for_it(number: int, kind: Any) -> None:
    with pytest.raises(kind) as caught:
        async with uploaded(request_of(GOOD, FILE), 5):
            raise OSError(number, "no")
    assert getattr(caught.value, "status", None) == (507 if kind is ApiError else None)
