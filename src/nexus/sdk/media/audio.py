"""Sound as bytes: signed 16-bit samples written in the formats that speech and music are asked for. PyAV's one seam.

A streamed WAV says that its length is unknown (0xFFFFFFFF in both places, which players accept), and a streamed FLAC
or MP3 says nothing of it; `encode_whole` writes files that know their length.
"""

import io
import struct
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Final, Protocol, cast

import av
import av.filter
import numpy as np
from av.audio.stream import AudioStream

MEDIA_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "wav": "audio/wav",
        "pcm": "audio/pcm",
        "mp3": "audio/mpeg",
        "opus": "audio/ogg",
        "flac": "audio/flac",
        "aac": "audio/aac",
    }
)

_SAMPLE_BYTES: Final = 2
_BLOCKS_A_SECOND: Final = 20
_LEAST_TEMPO: Final = 0.5
_MOST_TEMPO: Final = 100
_UNKNOWN: Final = 0xFFFFFFFF
_WAV_HEADER_BYTES: Final = 44


@dataclass(frozen=True, slots=True)
class _Coding:
    """How one format is made: the codec, its container, and for one channel the bits a second (0: it has no say)."""

    codec: str
    container: str
    bit_rate: int = 0
    rates: tuple[int, ...] = ()
    streamed_options: Mapping[str, str] = field(default_factory=dict)


_OPUS_RATES: Final = (8000, 12000, 16000, 24000, 48000)
_MP3_RATES: Final = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_AAC_RATES: Final = (*_MP3_RATES, 64000, 88200, 96000)

# A streamed MP3 leaves out the frame that counts the others: it could only be written at the end. Ogg gathers a second
# of packets in a page unless told otherwise (microseconds), and what waits in a page cannot be sent.
_CODINGS: Final[Mapping[str, _Coding]] = MappingProxyType(
    {
        "mp3": _Coding("libmp3lame", "mp3", 96_000, _MP3_RATES, streamed_options={"write_xing": "0"}),
        "opus": _Coding("libopus", "ogg", 48_000, _OPUS_RATES, streamed_options={"page_duration": "100000"}),
        "flac": _Coding("flac", "flac"),
        "aac": _Coding("aac", "adts", 96_000, _AAC_RATES),
    }
)


class _Output(Protocol):
    def feed(self, pcm: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


class AudioEncoder:
    """Encodes sound as it is made: each call gives the bytes that can be sent now, which may be none.

    `rate` is in samples a second, and each sample is a signed 16-bit little-endian number, the channels of a moment
    (one or two) side by side. A rate that the codec does not know is resampled to the next one that it does.
    """

    def __init__(self, format: str, rate: int, channels: int = 1) -> None:
        """Raises ValueError for a format not in `MEDIA_TYPES`, a rate below 1, or channels other than one or two."""
        _check(format, rate, channels)
        self._moment = _SAMPLE_BYTES * channels
        self._rest = b""
        self._output: _Output = _Plain(format, rate, channels)
        if format in _CODINGS:
            self._output = _Coded(_CODINGS[format], rate, channels)

    def feed(self, pcm: bytes) -> bytes:
        """Take any number of bytes; the part of a sample at their end waits for the next ones."""
        whole = self._rest + pcm
        length = len(whole) - len(whole) % self._moment
        self._rest = whole[length:]
        return self._output.feed(whole[:length]) if length else b""

    def finish(self) -> bytes:
        """The last bytes. The encoder takes nothing more; the part of a sample that was left over is dropped."""
        return self._output.finish()


class Resampler:
    """Brings sound from one rate to another, piece by piece, without a seam between the pieces.

    Rates are in samples a second; the samples are as `AudioEncoder` takes them, whole ones each time.
    """

    def __init__(self, rate: int, wanted: int, channels: int = 1) -> None:
        """Raises ValueError for a rate below 1 and channels other than one or two."""
        _check("pcm", min(rate, wanted), channels)
        self._source = _Source(rate, channels)
        self._resampler = av.AudioResampler("s16", self._source.layout, wanted)

    def feed(self, pcm: bytes) -> bytes:
        """What can be given so far; a few milliseconds stay behind, for the filter needs what follows."""
        return _samples(self._resampler.resample(self._source.frame(pcm))) if pcm else b""

    def finish(self) -> bytes:
        """What had stayed behind. The resampler takes nothing more."""
        return _samples(self._resampler.resample(None)) if self._source.samples else b""


class Tempo:
    """Makes sound quicker or slower without changing its pitch; `rate` in samples a second, `factor` from 0.5 to 100.

    It is fed whole samples as `AudioEncoder` takes them, and gives about 1/`factor` times as many.
    """

    def __init__(self, rate: int, factor: float, channels: int = 1) -> None:
        """Raises ValueError for a factor out of its bounds, a rate below 1 and channels other than one or two."""
        _check("pcm", rate, channels)
        if not _LEAST_TEMPO <= factor <= _MOST_TEMPO:
            raise ValueError(f"a tempo is from {_LEAST_TEMPO} to {_MOST_TEMPO}, not {factor}")
        self._source = _Source(rate, channels)
        self._block = _SAMPLE_BYTES * channels * max(1, rate // _BLOCKS_A_SECOND)
        self._graph = av.filter.Graph()
        entry = self._graph.add_abuffer(
            sample_rate=rate, format="s16", layout=self._source.layout, time_base=Fraction(1, rate)
        )
        self._graph.link_nodes(
            entry, self._graph.add("atempo", str(factor)), self._graph.add("abuffersink")
        ).configure()

    def feed(self, pcm: bytes) -> bytes:
        """What can be given so far; about a tenth of a second stays behind."""
        out = []
        for start in range(0, len(pcm), self._block):  # the filter holds back the last frame it was given
            self._graph.push(self._source.frame(pcm[start : start + self._block]))
            out.append(self._ready())
        return b"".join(out)

    def finish(self) -> bytes:
        """What had stayed behind. The tempo takes nothing more."""
        if not self._source.samples:
            return b""
        self._graph.push(None)
        return self._ready()

    def _ready(self) -> bytes:
        frames: list[av.AudioFrame] = []
        with suppress(BlockingIOError, EOFError):  # it has no more: for now, or for good
            while True:
                frames.append(cast(av.AudioFrame, self._graph.pull()))
        return _samples(frames)


def encode_whole(format: str, rate: int, channels: int, pcm: bytes) -> bytes:
    """The whole sound as one file whose header knows its length, where the format has such a header.

    Raises ValueError as `AudioEncoder` does.
    """
    _check(format, rate, channels)
    pcm = pcm[: len(pcm) - len(pcm) % (_SAMPLE_BYTES * channels)]
    if format == "wav":
        return _wav_header(rate, channels, len(pcm)) + pcm
    if format == "pcm":
        return pcm
    file = io.BytesIO()
    track = _Track(_CODINGS[format], rate, channels, file, {})
    if pcm:
        track.write(pcm)
    track.close()
    return file.getvalue()


class _Plain:
    """Samples as they are, for WAV behind a header of unknown length."""

    def __init__(self, format: str, rate: int, channels: int) -> None:
        self._header = _wav_header(rate, channels, None) if format == "wav" else b""

    def feed(self, pcm: bytes) -> bytes:
        header, self._header = self._header, b""
        return header + pcm

    def finish(self) -> bytes:
        return self.feed(b"")


class _Coded:
    """Samples through a codec into a container that is written forwards only."""

    def __init__(self, coding: _Coding, rate: int, channels: int) -> None:
        self._sink = _Sink()
        self._track = _Track(coding, rate, channels, self._sink, coding.streamed_options)

    def feed(self, pcm: bytes) -> bytes:
        self._track.write(pcm)
        return self._sink.take()

    def finish(self) -> bytes:
        self._track.close()
        return self._sink.take()


class _Sink:
    """A file that can only be written (PyAV looks for `seek`), and emptied at any time."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


class _Source:
    """Samples as PyAV's frames, which know their place in time."""

    def __init__(self, rate: int, channels: int) -> None:
        self.layout = "stereo" if channels == 2 else "mono"
        self.samples = 0
        self._rate = rate

    def frame(self, pcm: bytes) -> av.AudioFrame:
        """The next frame; `pcm` must not be empty."""
        frame = av.AudioFrame.from_ndarray(np.frombuffer(pcm, "<i2").reshape(1, -1), "s16", self.layout)
        frame.sample_rate = self._rate
        frame.time_base = Fraction(1, self._rate)
        frame.pts = self.samples
        self.samples += frame.samples
        return frame


class _Track:
    """One sound in one container; PyAV resamples to what the codec takes and cuts frames of its length."""

    def __init__(
        self, coding: _Coding, rate: int, channels: int, file: io.BytesIO | _Sink, options: Mapping[str, str]
    ) -> None:
        self._source = _Source(rate, channels)
        forwards = {"flush_packets": "1", **options}
        self._container = av.open(file, "w", format=coding.container, container_options=forwards)
        stream = self._container.add_stream(coding.codec, rate=_codec_rate(coding, rate), layout=self._source.layout)
        self._stream = cast(AudioStream, stream)
        if coding.bit_rate:
            self._stream.bit_rate = coding.bit_rate * channels

    def write(self, pcm: bytes) -> None:
        self._container.mux(self._stream.encode(self._source.frame(pcm)))

    def close(self) -> None:
        self._container.start_encoding()
        if self._source.samples:  # a codec that was never given a frame cannot be flushed
            self._container.mux(self._stream.encode(None))
        self._container.close()


def _samples(frames: Iterable[av.AudioFrame]) -> bytes:
    return b"".join(frame.to_ndarray().astype("<i2").tobytes() for frame in frames)


def _codec_rate(coding: _Coding, rate: int) -> int:
    """The rate itself where the codec takes it, else the next higher one, at most the highest."""
    if not coding.rates:
        return rate
    return next((known for known in coding.rates if known >= rate), coding.rates[-1])


def _wav_header(rate: int, channels: int, length: int | None) -> bytes:
    """The 44 bytes before the samples (RIFF WAVE, format 1); `length` is that of the samples, None if unknown."""
    riff = _UNKNOWN if length is None else _WAV_HEADER_BYTES - 8 + length
    data = _UNKNOWN if length is None else length
    moment = _SAMPLE_BYTES * channels
    layout = struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * moment, moment, 8 * _SAMPLE_BYTES)
    return b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt " + layout + b"data" + struct.pack("<I", data)


def _check(format: str, rate: int, channels: int) -> None:
    if format not in MEDIA_TYPES:
        raise ValueError(f"{format!r} is none of the formats {', '.join(MEDIA_TYPES)}")
    if rate < 1:
        raise ValueError(f"a rate of {rate} samples a second is not one")
    if channels not in (1, 2):
        raise ValueError(f"sound has one or two channels here, not {channels}")
