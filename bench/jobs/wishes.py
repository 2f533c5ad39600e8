"""What the ten jobs are: two each of music, pictures, pages, a long recording and videos; large enough to go on."""

import base64
import io
import wave
from typing import Final

import httpx
from PIL import Image, ImageDraw, ImageFont

from bench.jobs.work import Wish

KINDS: Final = ("music", "images", "ocr", "transcription", "video")
_SENTENCE: Final = "The ferryman says that the crossing will be closed tomorrow, and the baker says that it will not."
_RECORDING_SECONDS: Final = 240
_PAGES: Final = 12


def embedded_wishes(http: httpx.Client) -> list[Wish]:
    """All ten, in the order in which they are asked for; the recording is spoken by the stack itself."""
    return 2 * [*kinds(recording(http, _RECORDING_SECONDS), document(_PAGES))]


def warming_wishes(http: httpx.Client) -> list[Wish]:
    """One small job of each kind: what is loaded by a first call is loaded by these."""
    return list(kinds(recording(http, 4), document(1), short=True))


def kinds(recorded: bytes, pages: bytes, *, short: bool = False) -> tuple[Wish, ...]:
    """One wish of each of KINDS."""
    side = "256x256" if short else "1536x1024"
    url = f"data:application/pdf;base64,{base64.b64encode(pages).decode()}"
    return (
        Wish(
            "music",
            "/v1/music/generations",
            {"prompt": "epic drums", "duration": 3 if short else 300, "response_format": "mp3"},
        ),
        Wish("images", "/v1/images/generations", {"prompt": "a volcano", "size": side, "n": 1 if short else 4}),
        Wish("ocr", "/v1/ocr", {"document": {"type": "document_url", "document_url": url}}),
        Wish(
            "transcription",
            "/v1/audio/transcriptions",
            form={"model": "whisper-1"},
            files={"file": ("long.wav", recorded)},
        ),
        Wish(
            "video",
            "/v1/videos",
            {
                "prompt": "clouds over mountains",
                "seconds": "4" if short else "12",
                "size": "320x240" if short else "1280x720",
            },
        ),
    )


def recording(http: httpx.Client, seconds: int) -> bytes:
    """A WAV file of that length, of one spoken sentence again and again. Raises httpx's errors."""
    body = {"model": "tts-1", "voice": "alloy", "input": _SENTENCE, "response_format": "pcm"}
    answer = http.post("/v1/audio/speech", json=body)
    answer.raise_for_status()
    rate = 24_000  # of OpenAI's pcm: 16 bit, mono
    wanted = seconds * rate * 2
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((answer.content * (wanted // len(answer.content) + 1))[:wanted])
    return out.getvalue()


def document(pages: int) -> bytes:
    """A PDF of scanned pages full of text."""
    drawn = [_page(number) for number in range(pages)]
    out = io.BytesIO()
    drawn[0].save(out, "PDF", resolution=150, save_all=True, append_images=drawn[1:])
    return out.getvalue()


def _page(number: int) -> Image.Image:
    page = Image.new("L", (1240, 1754), "white")  # A4 at 150 dots an inch
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=24)
    for line in range(40):
        draw.text((80, 80 + 40 * line), f"{number + 1}.{line + 1} {_SENTENCE[:75]}", fill="black", font=font)
    return page
