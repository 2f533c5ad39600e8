"""Videos as files: the one place that uses PyAV. Frames into an MP4 file, and the frames of a file that was sent."""

import io
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus_video.film import Frame

_BT709: Final = 1  # the number of BT.709 in ITU-T H.273, for primaries, transfer and matrix alike
# x264's macroblock tree makes one of several files of the same frames, by chance: it is left out.
_CODING: Final = {"preset": "veryfast", "crf": "21", "threads": "1", "x264-params": "mbtree=0"}
_LARGEST_SIDE: Final = 4096
_PARAM: Final = "remix_video"


class Mp4Writer:
    """Writes frames as H.264 in an MP4 file whose index comes first, so that a player can begin before it has all.

    The file lies in a temporary folder until it is read: moving the index needs it to be read again. One thread,
    and the same frames give the same bytes. A context manager.
    """

    def __init__(self, size: tuple[int, int], fps: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="nexus-video-")
        self._path = Path(self._folder.name) / "video.mp4"
        self._file = av.open(str(self._path), "w", format="mp4", options={"movflags": "+faststart"})
        self._stream = self._file.add_stream("libx264", rate=fps, options=_CODING)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.thread_count = 1
        context.gop_size = 2 * fps
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = ColorRange.MPEG
        self._tick = Fraction(1, fps)
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._folder.cleanup()

    def add(self, frame: Frame) -> None:
        """Encode the next frame."""
        picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        picture.pts = self._count
        picture.time_base = self._tick
        self._count += 1
        self._file.mux(self._stream.encode(picture))

    def file(self) -> bytes:
        """The whole file; no frame can be added afterwards."""
        self._file.mux(self._stream.encode(None))
        self._file.close()
        return self._path.read_bytes()


def played(body: bytes, fps: int, count: int, check: Callable[[], None]) -> Iterator[Frame]:
    """`count` frames of an MP4, MOV, WebM or Matroska file, as it looks at each `1 / fps` of a second.

    Where the file is shorter, its last frame stands still. `check` is called for each frame that is decoded, and may
    raise. Raises ApiError (400) for what cannot be played.
    """
    given = 0
    frame: Frame | None = None
    for time, following in _decoded(body, check):
        while frame is not None and given < count and Fraction(given, fps) < time:
            yield frame
            given += 1
        if given == count:
            return
        frame = following
    if frame is None:
        raise _refusal("holds no picture")
    for _ in range(given, count):
        yield frame


def _decoded(body: bytes, check: Callable[[], None]) -> Iterator[tuple[Fraction, Frame]]:
    """The frames of the file's first video stream, each with the seconds from the first one's time to its own."""
    try:
        with av.open(io.BytesIO(body), format=_container(body)) as file:
            if not file.streams.video:
                raise _refusal("holds no picture")
            stream = file.streams.video[0]
            if max(stream.width, stream.height) > _LARGEST_SIDE:
                raise _refusal(f"is larger than {_LARGEST_SIDE} pixels")
            stream.codec_context.thread_count = 1
            start: Fraction | None = None
            for frame in file.decode(stream):
                check()
                if max(frame.width, frame.height) > _LARGEST_SIDE:  # a stream may change its size on the way
                    raise _refusal(f"is larger than {_LARGEST_SIDE} pixels")
                time = Fraction(frame.pts or 0) * (frame.time_base or 0)
                start = time if start is None else start
                yield time - start, frame.to_ndarray(format="rgb24")
    except (FFmpegError, ValueError) as error:
        raise _refusal("cannot be decoded") from error


def _container(body: bytes) -> str:
    """FFmpeg's name of the container, by the file's first bytes. FFmpeg is not left to guess: among the formats that it
    knows are playlists, which name other files and addresses to read."""
    if body[4:8] == b"ftyp":
        return "mp4"
    if body.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    raise _refusal("is not an MP4, MOV, WebM or Matroska file")


def _refusal(reason: str) -> ApiError:
    return ApiError(INVALID_REQUEST, f"{_PARAM}: the video {reason}", param=_PARAM)
