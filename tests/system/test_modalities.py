"""Every modality from a real engine through the gateway: real input in, and what comes out is looked at."""

import base64
import io
import json
import re
import threading
import time
import wave
from typing import Any

import av
import httpx
import numpy as np
import openai
import psutil
import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.servers.whole_stack import Stack

SENTENCE = "The quick brown fox jumps over the lazy dog near the river bank."
WORDS = ("quick", "brown", "fox", "jumps", "lazy", "dog", "near")
SPEAK = {"model": "tts-1", "voice": "alloy", "input": "Hello."}
LINES = ("Nexus reads this page", "Invoice number 20417", "Total amount 315.80 euros")
pytestmark = [
    pytest.mark.models,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore:(The Sora API|deprecated):DeprecationWarning"),
]


@pytest.fixture(scope="module")
def stack(whole: Stack) -> Stack:
    return whole


@pytest.fixture
def client(stack: Stack) -> openai.OpenAI:
    return stack.client


@pytest.fixture(scope="module")
def speech(stack: Stack) -> bytes:
    """The sentence, spoken."""
    answer = stack.client.audio.speech.create(model="tts-1", voice="alloy", input=SENTENCE, response_format="wav")
    return answer.read()


def samples_of(sound: bytes) -> tuple[np.ndarray[Any, Any], int]:
    """All samples of any container as floats, channels by samples; and their rate."""
    with av.open(io.BytesIO(sound)) as container:
        rate = container.streams.audio[0].rate
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate)
        frames = [piece.to_ndarray() for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
    return np.concatenate(frames, axis=1)[0], rate


def loudness(samples: np.ndarray[Any, Any]) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


def picture_of(data: Any) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data.b64_json)))


def page(*lines: str) -> bytes:
    """A page with these lines, as a PNG."""
    image = Image.new("RGB", (900, 80 + 70 * len(lines)), "white")
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((40, 40 + 70 * number), line, fill="black", font=ImageFont.load_default(size=36))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def understood(text: str) -> bool:
    """Whether the sentence was heard. The voice draws its noise by lot: a word may be misheard once in a while."""
    return len(set(WORDS) - set(words_of(text))) <= 1


# --- speech


def test_what_is_spoken_is_understood_again(client: openai.OpenAI, speech: bytes) -> None:
    heard = client.audio.transcriptions.create(model="whisper-1", file=("speech.wav", speech))
    assert understood(heard.text), heard.text


@pytest.mark.parametrize("form", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
def test_speech_in_every_format_has_sound_in_it(client: openai.OpenAI, form: Any) -> None:
    spoken = client.audio.speech.create(model="tts-1", voice="nova", input=SENTENCE, response_format=form)
    if form == "pcm":
        samples, rate = np.frombuffer(spoken.read(), "<i2").astype(np.float32) / 32768, 24_000
    else:
        samples, rate = samples_of(spoken.read())
    assert 2.5 < len(samples) / rate < 6
    assert loudness(samples) > 0.01


def test_speech_begins_before_it_is_all_computed(stack: Stack) -> None:
    """The first bytes come while later pieces are still to be made: they arrive at more than one moment."""
    body = {"model": "tts-1", "voice": "alloy", "input": SENTENCE * 8, "response_format": "pcm"}
    arrived: list[float] = []
    began = time.monotonic()
    with stack.http.stream("POST", "/v1/audio/speech", json=body) as answer:
        for _ in answer.iter_raw():
            arrived.append(time.monotonic())
    assert len(arrived) > 3
    assert arrived[-1] - arrived[0] > 0.5 * (arrived[-1] - began)  # most of the work was still to be done


def test_speech_as_events(stack: Stack) -> None:
    answer = stack.http.post("/v1/audio/speech", json={**SPEAK, "response_format": "pcm", "stream_format": "sse"})
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line.startswith("data: ")]
    sound = b"".join(base64.b64decode(one["audio"]) for one in events if one["type"] == "speech.audio.delta")
    assert loudness(np.frombuffer(sound, "<i2").astype(np.float32) / 32768) > 0.01
    assert events[-1]["type"] == "speech.audio.done"
    assert events[-1]["usage"]["total_tokens"] > 0


def test_a_transcript_with_its_times(client: openai.OpenAI, speech: bytes) -> None:
    heard = client.audio.transcriptions.create(
        model="whisper-1",
        file=("speech.wav", speech),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert heard.segments
    assert heard.words
    starts = [word.start for word in heard.words]
    assert starts == sorted(starts)
    assert heard.words[-1].end <= heard.duration + 0.5
    subtitles = client.audio.transcriptions.create(model="whisper-1", file=("a.wav", speech), response_format="srt")
    assert re.match(r"1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\n", str(subtitles))


def test_a_transcript_as_it_comes(client: openai.OpenAI, speech: bytes) -> None:
    events = list(client.audio.transcriptions.create(model="whisper-1", file=("speech.wav", speech), stream=True))
    assert events[-1].type == "transcript.text.done"
    said = "".join(event.delta for event in events if event.type == "transcript.text.delta")
    assert said == events[-1].text
    assert understood(said), said


def test_a_translation(client: openai.OpenAI, speech: bytes) -> None:
    """English into English: the words have to come through."""
    heard = client.audio.translations.create(model="whisper-1", file=("speech.wav", speech))
    assert understood(heard.text), heard.text


# --- pictures, pages


def test_a_picture_has_its_size_and_goes_with_its_seed(client: openai.OpenAI) -> None:
    def paint(seed: int) -> Image.Image:
        answer = client.images.generate(prompt="snowy mountains", size="320x192", extra_body={"seed": seed})  # type: ignore[call-overload]
        return picture_of(answer.data[0])

    first, again, other = paint(7), paint(7), paint(8)
    assert first.size == (320, 192)
    assert np.array_equal(np.asarray(first), np.asarray(again))
    assert not np.array_equal(np.asarray(first), np.asarray(other))
    assert np.asarray(first).std() > 5  # it shows something


def test_a_picture_under_a_url(client: openai.OpenAI) -> None:
    answer = client.images.generate(prompt="a desert", size="256x256", response_format="url")
    assert answer.data
    assert answer.data[0].url
    assert Image.open(io.BytesIO(httpx.get(answer.data[0].url).content)).size == (256, 256)


def test_a_picture_that_comes_in_parts(client: openai.OpenAI) -> None:
    events = list(client.images.generate(prompt="hills", size="256x256", stream=True, partial_images=2))
    assert [event.type for event in events[:-1]] == ["image_generation.partial_image"] * (len(events) - 1)
    assert events[-1].type == "image_generation.completed"
    assert picture_of(events[-1]).size == (256, 256)


def test_an_edited_picture_and_a_variation(client: openai.OpenAI) -> None:
    base = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((256, 256)).save(base, "PNG")
    edited = client.images.edit(image=("a.png", base.getvalue()), prompt="as a mosaic", size="256x256")
    varied = client.images.create_variation(image=("a.png", base.getvalue()), size="256x256")
    for answer in (edited, varied):
        assert answer.data
        changed = picture_of(answer.data[0]).convert("RGB")
        assert changed.size == (256, 256)
        assert not np.array_equal(np.asarray(changed), np.asarray(Image.open(base).convert("RGB")))


def test_a_page_is_read(stack: Stack) -> None:
    url = f"data:image/png;base64,{base64.b64encode(page(*LINES)).decode()}"
    answer = stack.http.post("/v1/ocr", json={"document": {"type": "image_url", "image_url": url}})
    assert answer.status_code == 200, answer.text
    (read,) = answer.json()["pages"]
    for line in LINES:
        assert line in read["markdown"]
    assert read["dimensions"]["width"] == 900


def test_an_uploaded_document_is_read_page_by_page(stack: Stack) -> None:
    pages = [Image.open(io.BytesIO(page(f"This is page {word}"))) for word in ("one", "two")]
    document = io.BytesIO()
    pages[0].convert("RGB").save(document, "PDF", save_all=True, append_images=[pages[1].convert("RGB")])
    file = stack.client.files.create(file=("two.pdf", document.getvalue(), "application/pdf"), purpose="ocr")  # type: ignore[arg-type]
    answer = stack.http.post("/v1/ocr", json={"document": {"type": "file", "file_id": file.id}})
    assert answer.status_code == 200, answer.text
    for word, read in zip(("one", "two"), answer.json()["pages"], strict=True):
        assert f"page {word}" in read["markdown"]
    stack.client.files.delete(file.id)


# --- music, videos


def test_music_lasts_as_long_as_asked_and_sounds_throughout(stack: Stack) -> None:
    def play(seed: int) -> bytes:
        wish = {"prompt": "calm piano", "duration": 6, "seed": seed, "response_format": "wav"}
        answer = stack.http.post("/v1/music/generations", json=wish)
        assert answer.status_code == 200, answer.text
        return answer.content

    first, again, other = play(1), play(1), play(2)
    with wave.open(io.BytesIO(first)) as file:
        assert abs(file.getnframes() / file.getframerate() - 6) < 0.1
    samples, rate = samples_of(first)
    assert all(loudness(samples[second * rate : (second + 1) * rate]) > 0.003 for second in range(5))
    assert first == again
    assert first != other


def test_a_video_decodes_to_the_frames_that_were_asked_for(client: openai.OpenAI) -> None:
    video = client.videos.create_and_poll(prompt="clouds over mountains", seconds="4", size="320x240")  # type: ignore[arg-type]
    assert video.status == "completed", video.error
    with av.open(io.BytesIO(client.videos.download_content(video.id).read())) as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(frames) == 96
    assert frames[0].shape == (240, 320, 3)
    assert frames[0].std() > 5
    assert not np.array_equal(frames[0], frames[-1])
    for variant in ("thumbnail", "spritesheet"):
        Image.open(io.BytesIO(client.videos.download_content(video.id, variant=variant).read())).verify()  # type: ignore[arg-type]


# --- texts


def test_the_document_that_answers_comes_first(stack: Stack) -> None:
    documents = ["Bananas are yellow.", "Paris is the capital of France.", "The cat sleeps."]
    wish = {"model": "minilm-rerank", "query": "Which city is the capital of France?", "documents": documents}
    results = stack.http.post("/v1/rerank", json=wish).json()["results"]
    assert results[0]["index"] == 1
    assert results[0]["relevance_score"] > results[-1]["relevance_score"]


def test_insults_are_told_from_kind_words(client: openai.OpenAI) -> None:
    kind, rude = client.moderations.create(input=["What a lovely day.", "You are a stupid piece of shit."]).results
    assert (kind.flagged, rude.flagged) == (False, True)
    assert rude.categories.harassment


def test_related_texts_lie_near(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="minilm", input=["a cat", "a kitten", "tax law"])
    cat, kitten, law = (np.array(item.embedding) for item in answer.data)
    assert cat @ kitten > cat @ law + 0.2


# --- what cannot be done

NO_PNG = f"data:image/png;base64,{base64.b64encode(b'no picture').decode()}"


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        ("audio/speech", {**SPEAK, "voice": "nobody"}, 400, "voice"),
        ("audio/speech", {**SPEAK, "input": ""}, 400, "input"),
        ("audio/speech", {**SPEAK, "input": "x" * 5000}, 400, "input"),
        ("audio/speech", {**SPEAK, "response_format": "midi"}, 400, "response_format"),
        ("audio/speech", {**SPEAK, "speed": -1}, 400, "speed"),
        ("audio/speech", {**SPEAK, "model": "unheard-of"}, 404, "model"),
        ("images/generations", {"prompt": ""}, 400, "prompt"),
        ("images/generations", {"prompt": "x", "size": "9999999x1"}, 400, "size"),
        ("images/generations", {"prompt": "x", "size": "-1x-1"}, 400, "size"),
        ("images/generations", {"prompt": "x", "n": -1}, 400, "n"),
        ("images/generations", {"prompt": "x", "model": "unheard-of"}, 404, "model"),
        ("music/generations", {"prompt": "x", "duration": -5}, 400, "duration"),
        ("music/generations", {"prompt": "x", "duration": 1e9}, 400, "duration"),
        ("music/generations", {"prompt": ""}, 400, "prompt"),
        ("music/generations", {"prompt": "x", "response_format": "png"}, 400, "response_format"),
        ("ocr", {"document": {"type": "image_url", "image_url": NO_PNG}}, 400, "document.image_url"),
        ("ocr", {"document": {"type": "image_url", "image_url": "http://127.0.0.1/x.png"}}, 400, "document.image_url"),
        ("ocr", {}, 400, "document"),
        ("rerank", {"model": "minilm-rerank", "query": "", "documents": ["x"]}, 400, "query"),
        ("rerank", {"model": "minilm-rerank", "query": "x", "documents": []}, 400, "documents"),
        ("rerank", {"model": "minilm-rerank", "query": "x", "documents": ["x"], "top_n": -1}, 400, "top_n"),
        ("moderations", {}, 400, "input"),
        ("videos", {"prompt": "x", "size": "1x1"}, 400, "size"),
        ("videos", {"prompt": "x", "seconds": "-4"}, 400, "seconds"),
    ],
)
def test_bad_input_is_named(stack: Stack, path: str, body: dict[str, Any], status: int, param: str) -> None:
    answer = stack.http.post(f"/v1/{path}", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize(
    ("path", "files", "fields", "status", "param"),
    [
        ("audio/transcriptions", {"file": b""}, {"model": "whisper-1"}, 400, "file"),
        ("audio/transcriptions", {"file": b"no sound at all"}, {"model": "whisper-1"}, 400, "file"),
        ("audio/transcriptions", {"other": b"x"}, {"model": "whisper-1"}, 400, "file"),
        ("audio/transcriptions", {"file": b"x"}, {"model": "unheard-of"}, 404, "model"),
        ("audio/transcriptions", {"file": b"x"}, {}, 400, "model"),
        ("audio/translations", {"file": b"no sound"}, {"model": "whisper-1"}, 400, "file"),
        ("images/edits", {"image": b"no picture"}, {"prompt": "x"}, 400, "image"),
        ("images/variations", {"image": b"\x89PNG\r\n\x1a\n"}, {}, 400, "image"),
        ("ocr", {"file": b"%PDF-1.7 cut"}, {}, 400, "file"),
    ],
)
def test_bad_files_are_named(
    stack: Stack, path: str, files: dict[str, bytes], fields: dict[str, str], status: int, param: str
) -> None:
    answer = stack.http.post(f"/v1/{path}", data=fields, files=files)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["param"] == param


def test_a_cut_recording_is_refused(stack: Stack, speech: bytes) -> None:
    files = {"file": ("cut.wav", speech[: len(speech) // 2])}
    answer = stack.http.post("/v1/audio/transcriptions", data={"model": "whisper-1"}, files=files)
    assert answer.status_code in (200, 400)  # a streamed WAV does not say how long it is; a cut one may be whole
    wrong = stack.http.post("/v1/audio/transcriptions", json={"model": "whisper-1"})
    assert wrong.status_code == 415


def test_what_is_too_large_is_refused(stack: Stack) -> None:
    body = {"model": "minilm-rerank", "query": "x", "documents": ["x" * 20_000_000]}
    assert stack.http.post("/v1/rerank", json=body).status_code in (400, 413)


# --- slow work


def test_slow_work_goes_on_as_jobs_while_chat_streams(stack: Stack, speech: bytes) -> None:
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("music/generations", {"prompt": "epic drums", "duration": 10}),
        ("images/generations", {"prompt": "a volcano", "size": "512x512"}),
        ("audio/speech", {**SPEAK, "input": SENTENCE * 4}),
    ]
    jobs = [stack.begin(path, **body) for path, body in kinds * 3]
    heard = stack.http.post(
        "/v1/audio/transcriptions",
        data={"model": "whisper-1", "background": "true"},
        files={"file": ("speech.wav", speech)},
    )
    jobs.append(heard.json()["id"])
    said: list[str] = []

    def chat() -> None:
        chunks = stack.client.chat.completions.create(
            model="smollm2", messages=[{"role": "user", "content": "Hello!"}], max_tokens=40, stream=True
        )
        said.append("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices))

    threads = [threading.Thread(target=chat) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len([text for text in said if text]) == 2
    done = [stack.job(identity) for identity in jobs]
    assert {job["status"] for job in done} == {"completed"}, [job["error"] for job in done]
    results = [stack.http.get(job["result"]["url"]) for job in done]
    assert all(result.status_code == 200 and result.content for result in results)
    assert understood(results[-1].json()["text"])


def test_a_real_engine_is_killed_in_the_middle_and_the_job_is_done(stack: Stack) -> None:
    url = stack.http.get("/v1/services/music").json()["instances"][0]["url"]
    port = int(url.rpartition(":")[2])
    (engine,) = [child for child in stack.up.children() if port in _listening(child)]
    job = stack.begin("music/generations", prompt="long techno", duration=300, response_format="mp3")
    stack.up.until(lambda: stack.progress(job) > 0, "no progress is told", 60)
    engine.kill()
    done = stack.job(job, within=240)
    assert (done["status"], done["attempts"]) == ("completed", 2), done
    samples, rate = samples_of(stack.http.get(done["result"]["url"]).content)
    assert abs(len(samples) / rate - 300) < 1


def _listening(process: psutil.Process) -> set[int]:
    """The ports that a process listens on."""
    try:
        return {one.laddr.port for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN}
    except psutil.Error:
        return set()


def test_calling_real_work_off_frees_its_engine_within_a_second(stack: Stack) -> None:
    job = stack.begin("music/generations", prompt="endless", duration=300, response_format="mp3")
    stack.job(job, ("in_progress",))
    stack.up.until(lambda: stack.progress(job) > 0, "no progress is told", 60)
    assert stack.http.delete(f"/v1/jobs/{job}").json()["status"] == "cancelled"
    stack.up.until(lambda: _idle(stack), "the engine goes on", 1.5)


def _idle(stack: Stack) -> bool:
    service = stack.http.get("/v1/services/music").json()
    return all(instance["in_flight"] == 0 for instance in service["instances"])


def test_the_whole_stack_is_small(stack: Stack) -> None:
    """After all of the above: every model loaded that is kept, in far less than 8 GB."""
    family = [stack.up.process.pid, *(child.pid for child in stack.up.children())]
    unique = sum(psutil.Process(pid).memory_full_info().uss for pid in family)
    assert unique < 5 * 1024**3, unique
