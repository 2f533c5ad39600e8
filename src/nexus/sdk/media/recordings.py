"""Recordings of any common container as samples, and how long and whole they are: PyAV's seam for what is read.

A recording is read twice: once to its end to know its length and that it is whole, and again piece by piece while it is
listened to, so that hours of it never stand in memory as samples.
"""

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray

from nexus.contract.errors import INVALID_REQUEST, ApiError

RATE: Final = 16_000
Samples = NDArray[np.float32]
Check = Callable[[], None]

# Only formats that hold their sound themselves: playlists and the like make FFmpeg open further files and addresses.
_FORMATS: Final = "wav,w64,aiff,au,caf,mp3,ogg,flac,aac,mov,matroska,amr,asf,avi,mpegts,mpeg,flv"
_OPTIONS: Final = {"format_whitelist": _FORMATS, "protocol_whitelist": "none"}
_TOLERANCE: Final = 0.5
_UNKNOWN_SIZES: Final = range(0x7FFF0000, 0x1_0000_0000)
_HEAD_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Recording:
    """An uploaded recording, known to hold `seconds` of sound."""

    body: bytes
    seconds: float


def measured(body: bytes, longest: float, check: Check) -> Recording:
    """The recording in `body`, of at most `longest` seconds. `check` is called often, and may raise to end the work.

    Raises ApiError (400, the form's `file`) for what has no sound, is broken off or too long.
    """
    seconds = 0.0
    declared = 0.0
    try:
        with _opened(body) as container:
            declared = _declared_seconds(container, body)
            for frame in _frames(container, check):
                seconds += frame.samples / frame.sample_rate
                if seconds > longest:
                    raise _refused(f"the recording is longer than {longest:g} seconds")
    except (av.FFmpegError, ValueError) as error:
        raise _refused("this is not a recording in a known format, or it is broken") from error
    if not seconds:
        raise _refused("there is no sound in the file")
    if _breaks_off(body) or seconds + _TOLERANCE + 0.02 * declared < declared:
        raise _refused(f"the recording is truncated: it breaks off after {seconds:.1f} seconds")
    return Recording(body, seconds)


def pieces(recording: Recording, check: Check, rate: int = RATE) -> Iterator[Samples]:
    """The recording's sound: mono, at `rate` samples a second, from -1 to 1, in pieces of any size."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    with _opened(recording.body) as container:
        for frame in _frames(container, check):
            frame.pts = None  # gaps in the times are not for the resampler to fill
            yield from _plain(resampler.resample(frame))
        yield from _plain(resampler.resample(None))


def _plain(frames: list[av.AudioFrame]) -> Iterator[Samples]:
    for frame in frames:
        yield frame.to_ndarray()[0].astype(np.float32) / 32768


def _opened(body: bytes) -> Any:
    return av.open(io.BytesIO(body), metadata_errors="ignore", options=_OPTIONS)


def _frames(container: Any, check: Check) -> Iterator[av.AudioFrame]:
    """The sound of the container's best audio stream. Packets that cannot be decoded are left out, as players do."""
    stream = container.streams.best("audio")
    if stream is None:
        raise _refused("the file has no audio stream")
    for packet in container.demux(stream):
        check()
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            continue
        yield from frames


def _declared_seconds(container: Any, body: bytes) -> float:
    """How long the file says that it is, where what it says can be relied on, else 0."""
    stream = container.streams.best("audio")
    if stream is None:
        return 0.0
    format_name = container.format.name
    if format_name == "mp3" and not _counts_its_frames(body):
        return 0.0  # a guess from the bit rate of its first frame
    if format_name in ("mp3", "flac") or "mp4" in format_name:
        return float(stream.duration * stream.time_base) if stream.duration else 0.0
    if "matroska" in format_name and len(container.streams) == 1:
        return container.duration / av.time_base if container.duration else 0.0
    return 0.0


def _counts_its_frames(body: bytes) -> bool:
    """Whether an MP3 begins with the frame that says how many there are (Xing's, or LAME's `Info`)."""
    head = body[:_HEAD_BYTES]
    return b"Xing\0\0\0" in head or b"Info\0\0\0" in head


def _breaks_off(body: bytes) -> bool:
    """Whether a WAV has fewer bytes than its head says. Streamed ones say 0 or all ones, in 31 or 32 bits."""
    if len(body) < 12 or body[:4] != b"RIFF":
        return False
    (size,) = struct.unpack("<I", body[4:8])
    return size not in _UNKNOWN_SIZES and size + 8 > len(body) + 1


def _refused(reason: str) -> ApiError:
    return ApiError(INVALID_REQUEST, f"file: {reason}", param="file")
