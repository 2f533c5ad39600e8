"""Files and artifacts through a whole gateway, with the official client and from outside."""

import io
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
from openai import OpenAI

from tests.servers.bucket import KEY, SECRET, bucket
from tests.servers.gateway import TOKEN, Gateway
from tests.servers.raw import RawClient, wait_until
from tests.system.conftest import StartGateway

MB = 1024 * 1024
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=TOKEN, max_retries=0) as client:
        yield client


def kept(gateway: Gateway) -> list[Path]:
    """The files in the gateway's storage."""
    return [path for path in (gateway.folder / ".nexus" / "files").rglob("*") if path.is_file()]


def test_the_official_client_uploads_lists_reads_and_deletes(client: OpenAI, gateway: Gateway) -> None:
    lines = b"".join(json.dumps({"custom_id": str(number)}).encode() + b"\n" for number in range(1000))
    made = client.files.create(
        file=("requests.jsonl", lines),
        purpose="batch",
        expires_after={"anchor": "created_at", "seconds": 7200},
    )
    assert (made.object, made.bytes, made.filename, made.purpose) == ("file", len(lines), "requests.jsonl", "batch")
    assert made.status == "processed"
    assert made.expires_at == made.created_at + 7200
    assert client.files.retrieve(made.id) == made
    other = client.files.create(file=Path(__file__), purpose="user_data")
    assert [file.id for file in client.files.list()] == [other.id, made.id]
    assert [file.id for file in client.files.list(purpose="batch")] == [made.id]
    assert [file.id for file in client.files.list(limit=1, order="asc")] == [made.id, other.id]  # it turns the pages
    assert client.files.content(made.id).read() == lines
    assert client.files.content(other.id).read() == Path(__file__).read_bytes()
    for file in (made, other):
        assert client.files.delete(file.id).deleted
        with pytest.raises(openai.NotFoundError):
            client.files.retrieve(file.id)
    assert kept(gateway) == []


def test_bad_requests_are_the_clients_own_errors(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.files.create(file=b"x", purpose="fun")  # type: ignore[arg-type]
    assert caught.value.param == "purpose"
    with pytest.raises(openai.NotFoundError):
        client.files.content("file-nowhere")


def test_a_large_file_goes_through_and_not_into_memory(client: OpenAI, gateway: Gateway) -> None:
    """More than another request may have, up and down, whole and in part."""
    size = 80 * MB
    block = os.urandom(MB)
    made = client.files.create(file=("small.bin", block), purpose="user_data")
    before = gateway.rss_bytes()
    highest = before
    large = client.files.create(file=("large.bin", io.BytesIO(block * 80)), purpose="user_data")
    highest = max(highest, gateway.rss_bytes())
    assert large.bytes == size
    got = 0
    with client.files.with_streaming_response.content(large.id) as answer:
        for piece in answer.iter_bytes(MB):
            at = got % MB
            assert piece == (block + block)[at : at + len(piece)]
            got += len(piece)
            highest = max(highest, gateway.rss_bytes())
    assert got == size
    assert highest - before < 40 * MB
    url = f"{gateway.url}/v1/files/{large.id}/content"
    answer = httpx.get(url, headers={**AUTHORIZED, "range": f"bytes={size - 10}-"}, trust_env=False)
    assert (answer.status_code, answer.content) == (206, block[-10:])
    client.files.delete(large.id)
    client.files.delete(made.id)


def test_a_client_that_leaves_while_it_reads_or_writes_costs_nothing(client: OpenAI, gateway: Gateway) -> None:
    made = client.files.create(file=("a.bin", bytes(30 * MB)), purpose="user_data")
    head = f"GET /v1/files/{made.id}/content HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
    for _ in range(3):
        with RawClient(gateway.port) as raw:
            raw.send(head.encode())
            assert raw.read_head()[0] == 200
    with RawClient(gateway.port) as raw:
        form = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n' + bytes(MB)
        head = f"POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: {9 * MB}\r\n"
        head += "x-request-id: left\r\n"
        raw.send(head.encode() + b"content-type: multipart/form-data; boundary=x\r\n\r\n" + form)
    assert gateway.request_line("left")["status"] == 499
    assert client.files.content(made.id).read() == bytes(30 * MB)
    assert [file.id for file in client.files.list()] == [made.id]
    client.files.delete(made.id)
    wait_until(lambda: kept(gateway) == [])


def test_what_is_too_large_is_refused_before_it_is_sent(start_gateway: StartGateway) -> None:
    gateway = start_gateway(env={"NEXUS_MAX_FILE_BYTES": str(MB), "NEXUS_MAX_REQUEST_BYTES": str(MB)})
    with RawClient(gateway.port) as raw:
        raw.send(
            f"POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n"
            f"content-type: multipart/form-data; boundary=x\r\ncontent-length: {100 * MB}\r\n\r\n".encode()
        )
        answer = raw.answer()
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")


def test_files_survive_the_death_of_the_gateway(start_gateway: StartGateway) -> None:
    gateway = start_gateway()
    form = {"files": {"file": ("a.txt", b"hello")}, "data": {"purpose": "user_data"}}
    made = httpx.post(f"{gateway.url}/v1/files", headers=AUTHORIZED, trust_env=False, **form).json()
    gateway.process.send_signal(signal.SIGKILL)
    gateway.process.wait(5)
    gateway.__enter__()
    assert gateway.get(f"/v1/files/{made['id']}").json() == made
    assert gateway.get(f"/v1/files/{made['id']}/content").body == b"hello"


def test_files_are_kept_in_a_bucket(start_gateway: StartGateway) -> None:
    with bucket() as s3:
        gateway = start_gateway(
            env={
                "NEXUS_FILES_URL": f"s3://{s3.name}/files",
                "NEXUS_S3_ENDPOINT": s3.endpoint,
                "NEXUS_S3_ACCESS_KEY_ID": KEY,
                "NEXUS_S3_SECRET_ACCESS_KEY": SECRET,
            }
        )
        body = os.urandom(12 * MB)
        with OpenAI(base_url=f"{gateway.url}/v1", api_key=TOKEN, max_retries=0) as client:
            made = client.files.create(file=("a.bin", body), purpose="user_data")
            assert s3.names() == [f"files/files/{made.id}"]
            assert client.files.content(made.id).read() == body
            client.files.delete(made.id)
        assert s3.names() == []
        assert SECRET not in gateway.stdout.read_text()


def test_a_gateway_without_storage_chats_on(start_gateway: StartGateway, upstream, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    gateway = start_gateway(upstream, env={"NEXUS_DATABASE_URL": f"sqlite:///{tmp_path}/file/nexus.db"})
    gateway.wait_for_storage()
    assert gateway.chat().status == 200
    answer = gateway.get("/v1/files")
    assert (answer.status, answer.error["code"]) == (503, "storage_unavailable")
    (tmp_path / "file").unlink()
    wait_until(lambda: gateway.get("/v1/files").status == 200, 15)
    failures = [line for line in gateway.log_lines() if line["event"] == "storage_failed"]
    assert failures
    assert all("\n" not in line["reason"] for line in failures)
