"""What the README's container commands bring up answers every operation through the one published port."""

import base64
import io
import json
import re
import wave
from collections.abc import Iterator

import httpx
import openai
import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.containers.compose import Project, ready_instances, until

SENTENCE = "The quick brown fox jumps over the lazy dog near the river bank."


@pytest.fixture(scope="module")
def client(stack: Project) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key=stack.token(), timeout=300) as client:
        yield client


def test_the_readmes_commands_chat(quick_start: tuple[Project, str]) -> None:
    answer = json.loads(quick_start[1].strip().splitlines()[-1])
    assert answer["choices"][0]["message"]["content"]
    assert answer["usage"]["completion_tokens"] > 0


def test_the_copy_that_the_readme_adds_is_found_and_gets_its_share(stack: Project, http: httpx.Client) -> None:
    until(lambda: len(ready_instances(http, "llm")) == 2, "two copies")
    wanted = ready_instances(http, "llm")
    body = {"model": "smollm2", "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]}
    answered = {http.post("/v1/chat/completions", json=body).headers["x-nexus-instance"] for _ in range(12)}
    assert answered == wanted


def test_embeddings(client: openai.OpenAI) -> None:
    assert len(client.embeddings.create(model="minilm", input="hello").data[0].embedding) == 384


def test_what_is_spoken_is_understood_again(client: openai.OpenAI) -> None:
    speech = client.audio.speech.create(model="tts-1", voice="alloy", input=SENTENCE, response_format="wav").read()
    heard = client.audio.transcriptions.create(model="whisper-1", file=("speech.wav", speech)).text
    assert len({"quick", "brown", "fox", "lazy", "dog"} & set(re.findall(r"[a-z]+", heard.lower()))) >= 4, heard


def test_a_page_is_read(http: httpx.Client) -> None:
    image = Image.new("RGB", (700, 140), "white")
    ImageDraw.Draw(image).text((30, 40), "Invoice number 20417", fill="black", font=ImageFont.load_default(size=40))
    page = io.BytesIO()
    image.save(page, "PNG")
    url = "data:image/png;base64," + base64.b64encode(page.getvalue()).decode()
    answer = http.post("/v1/ocr", json={"document": {"type": "image_url", "image_url": url}})
    assert "20417" in answer.json()["pages"][0]["markdown"], answer.text


def test_a_picture_has_the_size_that_was_asked_for(client: openai.OpenAI) -> None:
    made = client.images.generate(prompt="snowy mountains", size="256x256", response_format="b64_json").data
    assert made
    assert Image.open(io.BytesIO(base64.b64decode(made[0].b64_json or ""))).size == (256, 256)


def test_slow_work_is_done_as_a_job_and_a_service_may_ask_another(http: httpx.Client) -> None:
    music = http.post("/v1/music/generations", json={"prompt": "calm piano", "duration": 3, "background": True}).json()
    video = http.post("/v1/videos", json={"prompt": "clouds", "seconds": "1", "size": "256x256"}).json()
    for path in (f"/v1/jobs/{music['id']}", f"/v1/videos/{video['id']}"):

        def ended(path: str = path) -> dict[str, str] | None:
            job: dict[str, str] = http.get(path).json()
            return job if job["status"] in ("completed", "failed") else None

        assert until(ended, f"{path} has not ended", 180)["status"] == "completed", http.get(path).text
    assert http.get(f"/v1/videos/{video['id']}/content").content[4:8] == b"ftyp"


def test_rerank_and_moderation(http: httpx.Client, client: openai.OpenAI) -> None:
    documents = ["Paris is the capital of France.", "Bananas are yellow."]
    ranked = http.post(
        "/v1/rerank", json={"model": "minilm-rerank", "query": "capital of France", "documents": documents}
    ).json()
    assert ranked["results"][0]["index"] == 0
    assert client.moderations.create(input="I will kill you").results[0].flagged


def test_without_the_token_nothing_is_answered(stack: Project) -> None:
    for path in ("/v1/models", "/v1/services", "/metrics"):
        assert httpx.get(f"{stack.url}{path}").status_code == 401
    assert httpx.get(f"{stack.url}/health").json() == {"status": "ok"}


def test_speech_is_a_whole_recording(client: openai.OpenAI) -> None:
    speech = client.audio.speech.create(model="tts-1", voice="alloy", input="Hello.", response_format="wav").read()
    with wave.open(io.BytesIO(speech)) as sound:
        assert sound.getframerate() > 8000
