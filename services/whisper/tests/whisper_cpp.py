"""A simulator of whisper.cpp's server (examples/server), run as a process: its routes, forms, answers and errors.

It hears tones: each second of sound becomes the tokens of " at NNN hertz", so that what it was sent shows in what it
answers. True to the original: the port is bound once the model is loaded; one request at a time; `language` is `en`
unless it is named; segments are cut at 60 characters unless `max_len` says otherwise; tokens are the `words`; a line
end after each segment in `text`; a model that knows English only ignores language and translation; who leaves is seen
and the work is ended; `--old` answers errors in JSON, else the error handler of newer versions rewrites them as plain
text, 503 and 499 becoming 404.

Arguments: --port N; --pace X (seconds of work for each of sound); --english-only; --old; --control FOLDER, in which
a file `loading` makes it load a model, and a file `answer` is sent in place of every transcript.
"""

import argparse
import io
import json
import select
import socket
import sys
import threading
import time
import wave
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

SERVER = "whisper.cpp"
LANGUAGES = {"en": "english", "de": "german", "fr": "french", "zh": "chinese"}
NOT_A_NUMBER = "500 Internal Server Error\nstof"


class Connection(BaseHTTPRequestHandler):
    """One connection. Its server has `options`, and `mutex`, which is held while a request is worked on."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        if self.path == "/":
            self._send(200, b"<html><title>Whisper.cpp Server</title></html>", "text/html")
        elif self.path != "/health":
            self._fail(404, "")
        elif self.server.loading:
            self._fail(503, '{"status":"loading model"}')
        else:
            self._send(200, b'{"status":"ok"}', "application/json")

    def do_POST(self) -> None:
        form = self._form()
        if self.path != "/inference":
            self._fail(404, "")
            return
        with self.server.mutex:
            self._infer(form)

    def _infer(self, form: dict[str, bytes]) -> None:
        if "file" not in form:
            self._fail(400, '{"error":"no \'file\' field in the request"}')
            return
        try:
            fields = {name: body.decode() for name, body in form.items() if name != "file"}
            temperature, max_len = float(fields.get("temperature", "0")), int(fields.get("max_len", "0"))
        except ValueError:
            self._send(500, NOT_A_NUMBER.encode(), "text/plain")
            return
        try:
            with wave.open(io.BytesIO(form["file"])) as file:
                assert file.getsampwidth() == 2
                assert file.getframerate() == 16_000
                samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
        except (wave.Error, EOFError, AssertionError):
            self._fail(400, '{"error":"failed to read audio data"}')
            return
        if fields.get("vad") == "true" and not self.server.options.vad_model:
            self._fail(500, '{"error":"failed to process audio"}')
            return
        say(f"processing {len(samples) / 16_000:.1f} sec, fields {json.dumps(fields)}")
        if not self._work(len(samples) / 16_000):
            say("client disconnected, aborted processing")
            self._fail(499, '{"error":"client disconnected"}')
            return
        answer = self.server.options.control / "answer"
        if answer.exists():
            self._send(200, answer.read_bytes(), "application/json")
            return
        self._answer(fields, samples, temperature, max_len or 60)

    def _work(self, seconds: float) -> bool:
        """Whether the client is still there at the end of the work; it is looked for after every token."""
        until = time.monotonic() + seconds * self.server.options.pace
        while time.monotonic() < until:
            if select.select([self.connection], [], [], 0.02)[0] and not self.connection.recv(1, socket.MSG_PEEK):
                return False
        return True

    def _answer(self, fields: dict[str, str], samples: Any, temperature: float, max_len: int) -> None:
        language, task = fields.get("language", "en"), fields.get("translate", "false")
        if self.server.options.english_only:
            language, task = "en", "false"
        if language == "auto":
            language = "de" if loudest(samples) > 600 else "en"
        if language not in LANGUAGES:
            self._fail(500, '{"error":"failed to process audio"}')
            return
        segments = heard(samples, max_len, temperature)
        text = "".join(segment["text"] + "\n" for segment in segments)
        match fields.get("response_format", "json"):
            case "verbose_json":
                whole = {
                    "task": "translate" if task == "true" else "transcribe",
                    "language": LANGUAGES[language],
                    "duration": len(samples) / 16_000,
                    "text": text,
                    "segments": segments,
                }
                if fields.get("no_language_probabilities") != "true":
                    whole |= {"detected_language": LANGUAGES[language], "detected_language_probability": 0.9}
                self._send(200, json.dumps(whole).encode(), "application/json")
            case "text":
                self._send(200, text.encode(), "text/html; charset=utf-8")
            case _:
                self._send(200, json.dumps({"text": text}).encode(), "application/json")

    def _fail(self, status: int, error: str) -> None:
        if self.server.options.old and error:
            self._send(status, error.encode(), "application/json")
        elif status == 400:
            self._send(400, b"Invalid request", "text/plain")
        elif status == 500:
            self._send(500, error.encode(), "application/json")
        else:
            self._send(404, f"File Not Found ({self.path})".encode(), "text/plain")

    def _send(self, status: int, body: bytes, media_type: str) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def _form(self) -> dict[str, bytes]:
        body = self.rfile.read(int(self.headers["content-length"]))
        head = f"content-type: {self.headers['content-type']}\r\n\r\n".encode()
        parts = BytesParser(policy=HTTP).parsebytes(head + body)
        return {
            str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True)
            for part in parts.iter_parts()
        }

    def version_string(self) -> str:
        return SERVER

    def log_message(self, *_: Any) -> None:
        """The original logs no requests."""


def heard(samples: Any, max_len: int, temperature: float) -> list[dict[str, Any]]:
    """The segments: one for each five seconds, cut where it has `max_len` characters."""
    segments: list[list[tuple[str, float, float]]] = []
    for second in range(-(-len(samples) // 16_000)):
        sound = samples[second * 16_000 : (second + 1) * 16_000]
        if second % 5 == 0:
            segments.append([])
        if len(sound) > 1600 and np.abs(sound).max() > 0.01:
            tokens = [" at", f" {loudest(sound)}", " her", "tz", "."]
            for number, token in enumerate(tokens):
                if sum(len(text) for text, _, _ in segments[-1]) + len(token) > max_len:
                    segments.append([])
                segments[-1].append((token, second + number * 0.15, second + number * 0.15 + 0.1))
        else:
            segments[-1].append((" [BLANK_AUDIO]", second, second + 1))
    return [told(number, tokens, temperature) for number, tokens in enumerate(segments) if tokens]


def told(number: int, tokens: list[tuple[str, float, float]], temperature: float) -> dict[str, Any]:
    silent = all(text == " [BLANK_AUDIO]" for text, _, _ in tokens)
    spoken = tokens[:1] if silent else [token for token in tokens if token[0] != " [BLANK_AUDIO]"]
    return {
        "id": number,
        "text": "".join(text for text, _, _ in spoken),
        "start": tokens[0][1],
        "end": tokens[-1][2],
        "words": [{"word": text, "start": start, "end": end, "probability": 0.8} for text, start, end in spoken],
        "tokens": [1000 + index for index in range(len(spoken))],
        "temperature": temperature,
        "avg_logprob": None if silent else -0.25,
        "no_speech_prob": 0.9 if silent else 0.01,
    }


def loudest(samples: Any) -> int:
    """The loudest tone, in tens of hertz."""
    spectrum = np.abs(np.fft.rfft(samples[:16_000]))
    return int(round(np.argmax(spectrum) * 16_000 / min(len(samples), 16_000), -1))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    options: argparse.Namespace

    @property
    def loading(self) -> bool:
        return (self.options.control / "loading").exists()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pace", type=float, default=0.0)
    parser.add_argument("--english-only", action="store_true")
    parser.add_argument("--old", action="store_true")
    parser.add_argument("--vad-model", default="")
    parser.add_argument("--control", type=Path, required=True)
    options = parser.parse_args()
    with Server(("127.0.0.1", options.port), Connection) as server:
        server.options = options
        server.mutex = threading.Lock()  # type: ignore[attr-defined]
        say("whisper server listening")
        server.serve_forever()


if __name__ == "__main__":
    main()
