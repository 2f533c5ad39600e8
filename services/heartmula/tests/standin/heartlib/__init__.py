"""Stands in for heartlib 0.1.0, a git install with 12 GB of weights behind it: its signatures, its bar, its file.

It sings sine tones. What the lyrics say decides how it goes: `slow`, `stubborn`, `crash`, `memory`, `refuse`, `silent`,
`brief`, `chatty`. Like the real one it opens lyrics and tags that name a file, and prints a bar of tqdm's to stderr.
"""

import json
import os
import signal
import sys
import time

import numpy as np
import torch
import torchaudio

RATE = 48_000


class HeartMuLaGenPipeline:
    @classmethod
    def from_pretrained(
        cls, pretrained_path: str, device: object, dtype: object, version: str, lazy_load: bool = False
    ) -> "HeartMuLaGenPipeline":
        folder = os.path.join(pretrained_path, f"HeartMuLa-oss-{version}")
        if not os.path.exists(folder):
            raise FileNotFoundError(f"Expected to find checkpoint for HeartMuLa at {folder} but not found.")
        if os.path.exists(os.path.join(folder, "slow")):
            time.sleep(30)
        if os.path.exists(os.path.join(folder, "broken")):
            raise RuntimeError("Error(s) in loading state_dict for HeartMuLa")
        pipeline = cls()
        pipeline.told = {
            "device": {name: place.type for name, place in device.items()},  # type: ignore[attr-defined]
            "dtype": dtype,
            "lazy_load": lazy_load,
        }
        return pipeline

    def __call__(self, inputs: dict, **given: object) -> None:
        options = {"max_audio_length_ms": 120_000, "temperature": 1.0, "topk": 50, "cfg_scale": 1.5}
        options.update(given)
        tags, lyrics = _opened(inputs["tags"]).lower(), _opened(inputs["lyrics"]).lower()
        _note({"tags": tags, "lyrics": lyrics, "seed": torch.Generator.seed, **options, **self.told})
        self._fail(lyrics)
        try:
            seconds = self._frames(lyrics, options["max_audio_length_ms"] // 80) * 0.08
        except BaseException as interruption:  # nothing of the real one's, but it shows when it was broken off
            _note({"interruption": type(interruption).__name__, "at": time.time()})
            raise
        if "silent" in lyrics:
            return
        moments = np.arange(int(seconds * RATE)) / RATE
        pitch = 220 + torch.Generator.seed % 200
        sound = np.stack([np.sin(moments * 6.2832 * pitch), np.sin(moments * 6.2832 * 330)]) * 0.5
        torchaudio.save(options["save_path"], torch.Tensor(sound), RATE)

    def _fail(self, lyrics: str) -> None:
        if "chatty" in lyrics:
            print("a library prints to stdout")
        if "crash" in lyrics:
            print("Segmentation fault (core dumped)", file=sys.stderr, flush=True)
            os._exit(139)
        if "memory" in lyrics:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        if "refuse" in lyrics:
            raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
        if "stubborn" in lyrics:  # a long call into a library, which no signal reaches
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            time.sleep(60)

    def _frames(self, lyrics: str, most: int) -> int:
        began = time.monotonic()
        for done in range(most):
            _draw(done, most, time.monotonic() - began)
            if "slow" in lyrics:
                time.sleep(0.08)
            if "brief" in lyrics and done == 12:
                return done
        _draw(most, most, time.monotonic() - began)
        print(file=sys.stderr)
        return most


def _note(told: dict) -> None:
    if log := os.environ.get("HEARTLIB_LOG"):
        with open(log, "a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")


def _opened(text: str) -> str:
    if os.path.isfile(text):
        with open(text, encoding="utf-8") as file:
            return file.read()
    return text


def _draw(done: int, total: int, seconds: float) -> None:
    """As tqdm draws: a carriage return, then the bar."""
    part = done / total
    bar = "█" * int(10 * part)
    rate = done / seconds if seconds else 0
    line = f"\r{100 * part:3.0f}%|{bar:<10}| {done}/{total} [00:{int(seconds):02}<00:00, {rate:.2f}it/s]"
    sys.stderr.buffer.write(line.encode())
    sys.stderr.buffer.flush()
