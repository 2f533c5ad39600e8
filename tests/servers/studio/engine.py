"""An engine whose pictures are one pixel, whose videos are the picture it was given, and whose OCR reads plain text."""

import base64
import hashlib
import struct
import time
import zlib
from typing import Any

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.wire.videos import VideosRequest
from nexus.sdk.engine import Call, Engine, Form


def png(word: str) -> bytes:
    """A PNG of one pixel, its colour that of a word."""

    def block(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixel = b"\0" + hashlib.sha256(word.encode()).digest()[:3]
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + block(b"IHDR", header) + block(b"IDAT", zlib.compress(pixel)) + block(b"IEND", b"")


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Studio(Engine):
    def images_generations(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        pictures = [{"b64_json": encoded(png(f"{request['prompt']} {n}"))} for n in range(request.get("n", 1))]
        return {"created": int(time.time()), "data": pictures}

    def ocr(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        document = request["document"]
        url = document.get("image_url") or document.get("document_url") or ""
        if not url.startswith("data:"):
            raise ApiError(INVALID_REQUEST, "a data URL is wanted", param="document")
        text = base64.b64decode(url.partition(",")[2]).decode()
        return {"kind": document["type"], "pages": [{"index": 0, "markdown": text}]}

    def videos(self, request: Form | VideosRequest, call: Call) -> dict[str, Any]:
        """The film is the picture in the form, or what the video was that is remixed, or a picture that it asks for."""
        if isinstance(request, Form) and "input_reference" in request.files:
            film = request.files["input_reference"].body
        elif isinstance(request, VideosRequest) and request.remix_video:
            film = b"remixed " + base64.b64decode(request.remix_video.partition(",")[2])
        else:
            prompt = request.fields["prompt"] if isinstance(request, Form) else request.prompt
            answer = call.ask("images.generations", {"prompt": prompt, "response_format": "b64_json"})
            film = base64.b64decode(answer["data"][0]["b64_json"])
        variants = {"thumbnail": ("image/png", png("small")), "video": ("video/mp4", film)}
        data = [
            {"variant": name, "media_type": media_type, "b64_json": encoded(body)}
            for name, (media_type, body) in variants.items()
        ]
        return {"created": int(time.time()), "data": data}
