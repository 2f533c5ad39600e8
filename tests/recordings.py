"""Sound written into the containers that recordings come in, for the tests of whatever reads recordings."""

import io
from types import MappingProxyType
from typing import Any

import av
import numpy as np

# container, codec, samples a second; "mp4" and "mkv" are given pictures beside the sound
CONTAINERS = MappingProxyType(
    {
        "wav": ("wav", "pcm_s16le", 22050),
        "mp3": ("mp3", "libmp3lame", 22050),
        "ogg": ("ogg", "libopus", 48000),
        "flac": ("flac", "flac", 44100),
        "m4a": ("ipod", "aac", 44100),
        "aac": ("adts", "aac", 44100),
        "webm": ("webm", "libopus", 48000),
        "mp4": ("mp4", "aac", 44100),
        "mkv": ("matroska", "aac", 44100),
        "aiff": ("aiff", "pcm_s16be", 8000),
    }
)


def encoded(samples: Any, rate: int, kind: str) -> bytes:
    """Sound (16-bit, mono, by its rate) in a container of CONTAINERS."""
    container_name, codec, stream_rate = CONTAINERS[kind]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container_name) as container:
        stream = container.add_stream(codec, rate=stream_rate, layout="mono")
        pictures = container.add_stream("mpeg4", rate=4, width=64, height=64) if kind in ("mp4", "mkv") else None
        if pictures is not None:
            for _ in range(int(len(samples) / rate * 4)):
                container.mux(pictures.encode(av.VideoFrame(64, 64, "yuv420p")))
            container.mux(pictures.encode())
        frame = av.AudioFrame.from_ndarray(samples.astype(np.int16)[None], "s16", "mono")
        frame.rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def tone(seconds: float, rate: int = 48000) -> Any:
    """A note of 440 Hz at half of the full scale, as 16-bit samples."""
    return (np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate) * 16000).astype(np.int16)
