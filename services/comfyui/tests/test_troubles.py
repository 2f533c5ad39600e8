"""What becomes of a call when its caller leaves, or the engine dies, is full, forgets, or talks nonsense."""

import base64
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
from pathlib import Path
from typing import Any

import openai
import pytest

FOLDER = Path(__file__).parents[1]
OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture
def client(served: str, comfy: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served}/v1", api_key="none", max_retries=0, timeout=60) as client:
        yield client


def paint(client: openai.OpenAI, steps: int = 3, **more: Any) -> Any:
    extra = {"steps": steps, "seed": time.time_ns(), **more.pop("extra_body", {})}
    size: Any = "64x64"
    return client.images.generate(prompt="x", size=size, extra_body=extra, **more)


def ready(url: str) -> tuple[int, Any]:
    try:
        with OPEN.open(f"{url}/readyz", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def wait_until(holds: Any, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def leave_in_the_middle(served: str, body: dict[str, Any], comfy: Any, *, once: Any) -> float:
    """Send a request, hang up when `once()` holds; the time of that, on the simulator's clock."""
    place = urllib.parse.urlsplit(served)
    text = json.dumps(body).encode()
    with socket.create_connection((place.hostname, place.port)) as connection:
        head = "POST /v1/images/generations HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        connection.sendall(f"{head}content-length: {len(text)}\r\n\r\n".encode() + text)
        wait_until(once)
    return comfy.told()["now"]


@pytest.mark.parametrize("stream", [False, True])
def test_leaving_cancels_the_prompt_at_the_engine_within_a_second(served: str, comfy: Any, stream: bool) -> None:
    comfy.control(step_seconds=0.2)
    before, cancels = len(comfy.prompts()), len(comfy.seen("/api/jobs/"))
    body = {"prompt": "x", "size": "64x64", "steps": 300, "stream": stream, "partial_images": 1}
    left = leave_in_the_middle(served, body, comfy, once=lambda: len(comfy.prompts()) > before)
    cancel = comfy.wait_for("/api/jobs/", cancels + 1)
    assert cancel["path"] == f"/api/jobs/{comfy.prompts()[-1]['prompt_id']}/cancel"
    assert cancel["at"] - left < 1
    wait_until(lambda: queued(comfy) == (0, 0))


def queued(comfy: Any) -> tuple[int, int]:
    with OPEN.open(f"{comfy.url}/queue", timeout=5) as answer:
        told = json.load(answer)
    return len(told["queue_running"]), len(told["queue_pending"])


def test_only_the_left_prompt_is_cancelled(client: openai.OpenAI, served: str, comfy: Any) -> None:
    comfy.control(step_seconds=0.1)
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(paint(client, steps=15)))
    before = len(comfy.prompts())
    thread.start()
    wait_until(lambda: queued(comfy)[0] == 1)
    body = {"prompt": "x", "size": "64x64", "steps": 300}
    leave_in_the_middle(served, body, comfy, once=lambda: len(comfy.prompts()) > before + 1)
    wait_until(lambda: queued(comfy)[1] == 0, 1)
    thread.join()
    assert answers[0].data[0].b64_json


def test_an_engine_without_the_jobs_api(client: openai.OpenAI, served: str, comfy: Any) -> None:
    comfy.control(no_jobs_api=True)
    assert paint(client).data[0].b64_json
    comfy.control(step_seconds=0.2)
    before, interrupts = len(comfy.prompts()), len(comfy.seen("/interrupt"))
    body = {"prompt": "x", "size": "64x64", "steps": 300}
    left = leave_in_the_middle(served, body, comfy, once=lambda: len(comfy.prompts()) > before)
    interrupt = comfy.wait_for("/interrupt", interrupts + 1)
    assert interrupt["json"] == {"prompt_id": comfy.prompts()[-1]["prompt_id"]}
    assert interrupt["at"] - left < 1
    wait_until(lambda: queued(comfy) == (0, 0))


def test_without_a_websocket_the_prompt_is_asked_after(client: openai.OpenAI, comfy: Any) -> None:
    comfy.control(no_websocket=True)
    assert paint(client).data[0].b64_json
    comfy.control(no_jobs_api=True)
    assert paint(client).data[0].b64_json


def test_a_websocket_that_breaks_off(client: openai.OpenAI, comfy: Any) -> None:
    comfy.control(hang_up=1, step_seconds=0.1)
    assert paint(client, steps=5).data[0].b64_json
    assert not comfy.seen(f"/api/jobs/{comfy.prompts()[-1]['prompt_id']}/cancel")


def test_what_is_done_is_taken_out_of_the_history(client: openai.OpenAI, comfy: Any) -> None:
    paint(client)
    assert comfy.prompts()[-1]["prompt_id"] not in comfy.told()["history"]


def test_an_engine_that_dies_and_comes_back(client: openai.OpenAI, served: str, comfy: Any) -> None:
    comfy.control(step_seconds=0.2)
    caught: list[openai.APIStatusError] = []

    def work() -> None:
        try:
            paint(client, steps=300)
        except openai.APIStatusError as error:
            caught.append(error)

    before = len(comfy.prompts())
    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: len(comfy.prompts()) > before)
    comfy.kill()
    thread.join(10)
    assert not thread.is_alive()
    assert (caught[0].status_code, caught[0].code) == (503, "no_ready_service")
    wait_until(lambda: ready(served)[0] == 503)
    assert "cannot be reached" in json.dumps(ready(served)[1])
    with pytest.raises(openai.InternalServerError) as refused:
        paint(client)
    assert (refused.value.status_code, refused.value.code) == (503, "no_ready_service")
    comfy.start()
    wait_until(lambda: ready(served)[0] == 200)
    assert paint(client).data[0].b64_json


def test_a_restart_so_quick_that_only_the_prompt_is_lost(client: openai.OpenAI, comfy: Any) -> None:
    comfy.control(step_seconds=0.2)
    before = len(comfy.prompts())
    caught: list[openai.APIStatusError] = []

    def work() -> None:
        try:
            paint(client, steps=300)
        except openai.APIStatusError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: len(comfy.prompts()) > before)
    comfy.kill()
    comfy.start()
    thread.join(15)
    assert caught[0].status_code == 503


def test_a_full_queue(client: openai.OpenAI, comfy: Any) -> None:
    comfy.control(others_wait=32)
    with pytest.raises(openai.InternalServerError) as caught:
        paint(client)
    assert (caught.value.status_code, caught.value.code) == (503, "overloaded")
    assert caught.value.response.headers["retry-after"] == "5"
    comfy.control(others_wait=31)
    assert paint(client).data


def test_a_model_that_goes_and_comes(client: openai.OpenAI, comfy: Any) -> None:
    comfy.control(files={"checkpoints": ["other/dream shaper.safetensors"]})
    with pytest.raises(openai.NotFoundError) as caught:
        paint(client, model="sd_xl_base_1.0")  # before the next look, the engine itself refuses it
    assert caught.value.code == "model_not_found"
    wait_until(lambda: "sd_xl_base_1.0" not in [model.id for model in client.models.list()])
    with pytest.raises(openai.NotFoundError):
        paint(client, model="sd_xl_base_1.0")
    assert paint(client, model="other-dream-shaper").data
    assert comfy.prompts()[-1]["prompt"]["4"]["inputs"]["ckpt_name"] == "other/dream shaper.safetensors"
    comfy.control(files={"checkpoints": ["sd_xl_base_1.0.safetensors", "other/dream shaper.safetensors"]})
    wait_until(lambda: "sd_xl_base_1.0" in [model.id for model in client.models.list()])


@pytest.mark.parametrize(
    ("what", "code"),
    [
        (
            {"fail": {"exception_message": "CUDA out of memory.", "exception_type": "torch.OutOfMemoryError"}},
            "overloaded",
        ),
        ({"fail": {"exception_message": "shapes differ", "exception_type": "RuntimeError"}}, "upstream_error"),
        ({"bad_file": 1}, "upstream_error"),
        ({"garbage": ["/prompt"]}, "upstream_error"),
    ],
)
def test_what_fails_at_the_engine_is_told(client: openai.OpenAI, comfy: Any, what: Any, code: str) -> None:
    comfy.control(**what)
    with pytest.raises(openai.InternalServerError) as caught:
        paint(client)
    assert caught.value.code == code
    comfy.control(garbage=[])
    assert paint(client).data


def test_nonsense_from_the_engine_takes_the_service_out(served: str, comfy: Any) -> None:
    comfy.control(garbage=["/models/checkpoints"])
    wait_until(lambda: ready(served)[0] == 503)
    comfy.control(garbage=[])
    wait_until(lambda: ready(served)[0] == 200)


def test_a_failure_in_a_stream_that_has_begun(client: openai.OpenAI, comfy: Any) -> None:
    comfy.control(step_seconds=0.05)
    events = []
    with pytest.raises(openai.APIError, match="interrupted"):  # noqa: PT012 - the stream is read until it fails
        for event in paint(client, steps=60, stream=True, partial_images=3):
            events.append(event.type)
            body = json.dumps({"prompt_id": comfy.prompts()[-1]["prompt_id"]}).encode()
            request = urllib.request.Request(f"{comfy.url}/interrupt", body, {"content-type": "application/json"})
            OPEN.open(request, timeout=5).close()
    assert events == ["image_generation.partial_image"]


def test_unloading_frees_the_engine(client: openai.OpenAI, comfy: Any) -> None:
    client.post("/models/sd_xl_base_1.0/unload", cast_to=object)
    assert comfy.seen("/free")[-1]["json"] == {"unload_models": True, "free_memory": True}
    assert paint(client, model="sd_xl_base_1.0").data


def test_a_workflow_put_into_the_folder_is_a_model(client: openai.OpenAI, comfy: Any, workflows: Path) -> None:
    graph = json.loads((FOLDER / "nexus_comfyui" / "workflows" / "sdxl-text.json").read_text())
    graph["3"]["inputs"]["steps"] = 2
    (workflows / "by-itself.json").write_text(json.dumps(graph))
    (workflows / "told.json").write_text(json.dumps(graph))
    detail = 'fields = "3.steps"\ntype = "integer"\nmaximum = 9\n'
    (workflows / "told.toml").write_text(f'[inputs]\nprompt = "6.text"\n[inputs.detail]\n{detail}')
    (workflows / "broken.json").write_text('{"nodes": []}')
    graph["4"] = {"class_type": "FancyLoader", "inputs": {}}
    (workflows / "lacking.json").write_text(json.dumps(graph))

    def models() -> dict[str, Any]:
        return {model.id: model.model_dump() for model in client.models.list()}

    wait_until(lambda: {"by-itself", "told", "broken", "lacking"} <= set(models()))
    assert models()["by-itself"]["operations"] == ["images.generations", "comfyui.run"]
    assert (models()["broken"]["state"], models()["lacking"]["state"]) == ("failed", "failed")
    assert paint(client, model="by-itself").data
    schema = client.models.retrieve("told").model_dump()["input_schema"]
    assert schema["properties"]["detail"] == {"type": "integer", "maximum": 9}

    def run(**inputs: Any) -> Any:
        return client.post("/comfyui/run", body={"model": "told", "inputs": inputs}, cast_to=object)

    answer = run(prompt="a house", detail=1)
    assert base64.b64decode(answer["outputs"][0]["b64_json"]).startswith(b"\x89PNG")
    assert comfy.prompts()[-1]["prompt"]["3"]["inputs"]["steps"] == 1
    for inputs, param in (({"prompt": "x", "detail": 10}, "inputs.detail"), ({"prompt": "x", "size": 1}, "inputs")):
        with pytest.raises(openai.BadRequestError) as caught:
            run(**inputs)
        assert caught.value.param == param
    for file in workflows.iterdir():
        file.unlink()
    wait_until(lambda: "told" not in models())


def test_the_checks_pass(served: str, comfy: Any) -> None:
    command = [sys.executable, "-m", "nexus.cli.main", "service", "check", served]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
