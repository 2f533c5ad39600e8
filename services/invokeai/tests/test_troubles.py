"""What becomes of a call when its caller leaves, or the engine dies, is full, forgets, or talks nonsense."""

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import openai
import pytest

OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({}))
QUEUE = "/api/v1/queue/default"


@pytest.fixture
def client(served: str, invoke: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served}/v1", api_key="none", max_retries=0, timeout=60) as client:
        yield client


def paint(client: openai.OpenAI, steps: int = 3, **more: Any) -> Any:
    size: Any = "64x64"
    return client.images.generate(
        prompt="x", size=size, extra_body={"steps": steps, **more.pop("extra_body", {})}, **more
    )


def ready(url: str) -> tuple[int, str]:
    try:
        with OPEN.open(f"{url}/readyz", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def wait_until(holds: Any, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def leave_in_the_middle(served: str, path: str, body: dict[str, Any], invoke: Any, *, once: Any) -> float:
    """Send a request, hang up when `once()` holds; the time of that, on the simulator's clock."""
    place = urllib.parse.urlsplit(served)
    text = json.dumps(body).encode()
    with socket.create_connection((place.hostname, place.port)) as connection:
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        connection.sendall(f"{head}content-length: {len(text)}\r\n\r\n".encode() + text)
        wait_until(once)
    return invoke.told()["now"]


@pytest.mark.parametrize("stream", [False, True])
def test_leaving_cancels_the_item_at_the_engine_within_a_second(served: str, invoke: Any, stream: bool) -> None:
    invoke.control(step_seconds=0.2)
    before, cancels = len(invoke.graphs()), len(invoke.seen(QUEUE, "PUT"))
    body = {"prompt": "x", "size": "64x64", "steps": 300, "stream": stream, "partial_images": 1}
    once = lambda: len(invoke.graphs()) > before  # noqa: E731
    left = leave_in_the_middle(served, "/v1/images/generations", body, invoke, once=once)
    cancel = invoke.wait_for(QUEUE, cancels + 1, "PUT")
    number = max(int(name) for name in invoke.told()["items"])
    assert cancel["path"] == f"{QUEUE}/i/{number}/cancel"
    assert cancel["at"] - left < 1
    assert invoke.told()["items"][str(number)] == "canceled"


def test_leaving_an_installation_stops_it(served: str, invoke: Any) -> None:
    invoke.control(slow_install=True)
    before, stops = len(invoke.seen("/api/v2/models/install")), len(invoke.seen("/api/v2/models/install", "DELETE"))
    once = lambda: len(invoke.seen("/api/v2/models/install")) > before  # noqa: E731
    left = leave_in_the_middle(served, "/v1/models/big/model/pull", {}, invoke, once=once)
    stop = invoke.wait_for("/api/v2/models/install/", stops + 1, "DELETE")
    assert stop["at"] - left < 1


def test_without_a_socket_the_item_is_asked_after(client: openai.OpenAI, invoke: Any) -> None:
    invoke.control(no_socket=True)
    assert paint(client).data[0].b64_json


def test_a_socket_that_breaks_off(client: openai.OpenAI, invoke: Any) -> None:
    cancels = len(invoke.seen(QUEUE, "PUT"))
    invoke.control(hang_up=1, step_seconds=0.1)
    assert paint(client, steps=5).data[0].b64_json
    assert len(invoke.seen(QUEUE, "PUT")) == cancels


def test_an_engine_with_several_users(client: openai.OpenAI, served: str, invoke: Any) -> None:
    invoke.control(token="only-one")
    assert paint(client).data[0].b64_json
    assert invoke.seen("/ws/socket.io", "SOCKET")[-1]["auth"] == {"token": "only-one"}
    invoke.control(token="another")
    wait_until(lambda: ready(served)[0] == 503)
    assert "NEXUS_INVOKEAI_TOKEN" in ready(served)[1]
    assert "only-one" not in ready(served)[1]
    invoke.control(token=None)
    wait_until(lambda: ready(served)[0] == 200)


def test_sessions_that_are_told_late_or_never(client: openai.OpenAI, invoke: Any) -> None:
    invoke.control(late=3)
    assert paint(client).data[0].b64_json
    invoke.control(late=1000)
    with pytest.raises(openai.InternalServerError, match="tells no picture") as caught:
        paint(client)
    assert caught.value.status_code == 502


def at_work(client: openai.OpenAI, invoke: Any) -> tuple[threading.Thread, list[openai.APIStatusError]]:
    """A long picture in a thread, once it is at the engine; what it is refused by."""
    invoke.control(step_seconds=0.2)
    caught: list[openai.APIStatusError] = []

    def work() -> None:
        try:
            paint(client, steps=300)
        except openai.APIStatusError as error:
            caught.append(error)

    before = len(invoke.graphs())
    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: len(invoke.graphs()) > before and "in_progress" in invoke.told()["items"].values())
    return thread, caught


def test_an_engine_that_dies_and_comes_back(client: openai.OpenAI, served: str, invoke: Any) -> None:
    thread, caught = at_work(client, invoke)
    invoke.kill()
    thread.join(10)
    assert (caught[0].status_code, caught[0].code) == (503, "no_ready_service")
    wait_until(lambda: ready(served)[0] == 503)
    assert "cannot be reached" in ready(served)[1]
    with pytest.raises(openai.InternalServerError) as refused:
        paint(client)
    assert (refused.value.status_code, refused.value.code) == (503, "no_ready_service")
    invoke.start()
    wait_until(lambda: ready(served)[0] == 200)
    assert paint(client).data[0].b64_json


def test_a_quick_restart_cancels_what_ran(client: openai.OpenAI, invoke: Any) -> None:
    thread, caught = at_work(client, invoke)
    invoke.kill()
    invoke.start()
    thread.join(15)
    assert caught[0].status_code == 503


def test_a_full_queue(client: openai.OpenAI, invoke: Any) -> None:
    invoke.control(full=True)
    with pytest.raises(openai.InternalServerError) as caught:
        paint(client)
    assert (caught.value.status_code, caught.value.code) == (503, "overloaded")
    assert caught.value.response.headers["retry-after"] == "5"
    invoke.control(full=False)
    assert paint(client).data


def test_a_model_that_goes_and_comes(client: openai.OpenAI, invoke: Any) -> None:
    invoke.control(models=["SDXL Turbo"])
    wait_until(lambda: "SDXL-base" not in [model.id for model in client.models.list()])
    with pytest.raises(openai.NotFoundError) as caught:
        paint(client, model="SDXL-base")
    assert caught.value.code == "model_not_found"
    assert paint(client).data
    invoke.control(models=["SDXL base", "SDXL Turbo"])
    wait_until(lambda: "SDXL-base" in [model.id for model in client.models.list()])


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ({"fail": {"error_type": "OutOfMemoryError", "error_message": "CUDA out of memory."}}, "overloaded"),
        ({"fail": {"error_type": "ValueError", "error_message": "shapes differ"}}, "upstream_error"),
        ({"bad_file": 1}, "upstream_error"),
        ({"broken": True}, "upstream_error"),
        ({"garbage": [f"{QUEUE}/enqueue_batch"]}, "upstream_error"),
    ],
)
def test_what_fails_at_the_engine_is_told(client: openai.OpenAI, invoke: Any, what: Any, code: str) -> None:
    invoke.control(**what)
    with pytest.raises(openai.InternalServerError) as caught:
        paint(client)
    assert caught.value.code == code
    invoke.control(garbage=[], broken=False)
    assert paint(client).data


def test_what_the_engine_does_not_take_is_the_callers(client: openai.OpenAI, invoke: Any) -> None:
    nodes = len(invoke.graphs())
    with pytest.raises(openai.BadRequestError) as caught:
        paint(client, extra_body={"guidance_scale": 1000})
    assert caught.value.param == "guidance_scale"
    assert len(invoke.graphs()) == nodes


def test_nonsense_from_the_engine_takes_the_service_out(served: str, invoke: Any) -> None:
    invoke.control(garbage=["/api/v2/models/"])
    wait_until(lambda: ready(served)[0] == 503)
    invoke.control(garbage=[])
    wait_until(lambda: ready(served)[0] == 200)


def test_a_failure_in_a_stream_that_has_begun(client: openai.OpenAI, invoke: Any) -> None:
    invoke.control(step_seconds=0.05)
    events = []
    with pytest.raises(openai.APIError, match="gave the picture up"):  # noqa: PT012 - read until it fails
        for event in paint(client, steps=60, stream=True, partial_images=3):
            events.append(event.type)
            number = max(int(name) for name in invoke.told()["items"])
            request = urllib.request.Request(f"{invoke.url}{QUEUE}/i/{number}/cancel", b"", method="PUT")
            OPEN.open(request, timeout=5).close()
    assert events == ["image_generation.partial_image"]


def test_unloading_empties_the_engines_cache(client: openai.OpenAI, invoke: Any) -> None:
    client.post("/models/SDXL-base/unload", cast_to=object)
    assert invoke.seen("/api/v2/models/empty_model_cache")
    assert paint(client, model="SDXL-base").data


def test_the_checks_pass(served: str, invoke: Any) -> None:
    command = [sys.executable, "-m", "nexus.cli.main", "service", "check", served]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
