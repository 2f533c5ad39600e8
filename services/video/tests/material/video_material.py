"""What the tests are made of: pictures, an answer's files, a small server that answers as the image service does."""

import base64
import io
import json
from http.server import BaseHTTPRequestHandler
from typing import Any

import av
import numpy as np
from PIL import Image

from nexus.sdk.asking import DELEGATION, GATEWAY


def picture(size: tuple[int, int], seed: int) -> Image.Image:
    """A colourful picture of its own for each seed."""
    colours = np.random.default_rng(seed).integers(40, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def data_url(body: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(body).decode()}"


def frames(video: bytes) -> tuple[list[np.ndarray[Any, Any]], float]:
    """Every frame of a video file, as a player sees it, and how many there are in a second."""
    with av.open(io.BytesIO(video)) as file:
        stream = file.streams.video[0]
        rate = float(stream.average_rate)
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(stream)], rate


def variants(answer: dict[str, Any]) -> dict[str, bytes]:
    return {one["variant"]: base64.b64decode(one["b64_json"]) for one in answer["data"]}


class Images(BaseHTTPRequestHandler):
    """Answers the images operation in its shape: a picture of the asked size that only the seed decides."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server: Any = self.server
        server.asked.append({"path": self.path, "token": self.headers["authorization"], **asked})
        status, answer = server.refusal or (200, _drawn(asked))
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Tests say what went wrong themselves."""


def _drawn(asked: dict[str, Any]) -> dict[str, Any]:
    width, height = (int(side) for side in asked["size"].split("x"))
    body = encoded(picture((width, height), asked["seed"]))
    return {"created": 1, "data": [{"b64_json": base64.b64encode(body).decode()}]}


class Gateway:
    """The server's address, what it was asked, and what it is to refuse with."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.headers = {GATEWAY: f"http://127.0.0.1:{server.server_port}", DELEGATION: "a-delegation"}

    @property
    def asked(self) -> list[dict[str, Any]]:
        return list(self._server.asked)

    def answer(self, status: int, body: dict[str, Any]) -> None:
        self._server.refusal = (status, body)
