"""`/v1/music/generations`: words about a piece of music in, its sound out as bytes."""

from typing import Annotated, Literal

from pydantic import Field

from nexus.contract.wire.base import ModelName, Number, Wire

MusicFormat = Literal["wav", "mp3", "flac", "opus", "aac", "pcm"]
Tag = Annotated[str, Field(max_length=256)]
Tempo = Annotated[Number, Field(ge=30, le=300)]


class MusicRequest(Wire):
    """A request for one piece. `tags` is a list, or one text with commas; `lyrics` may have section marks such as
    `[Verse]` and `[Chorus]`, each on a line of its own. At least one of `prompt`, `tags` and `lyrics` says something.

    `duration` is in seconds; engines whose models end by themselves take it as the longest. `tempo` and `bpm` are the
    same thing, beats a minute. `temperature`, `top_k` and `cfg_scale` are for engines that sample. `stream` asks for
    the bytes as they are made.
    """

    model: ModelName | None = None
    prompt: Annotated[str, Field(max_length=8192, examples=["a calm piano waltz"])] | None = None
    tags: Annotated[str, Field(max_length=8192)] | Annotated[tuple[Tag, ...], Field(max_length=64)] | None = None
    lyrics: Annotated[str, Field(max_length=32768)] | None = None
    duration: Annotated[Number, Field(ge=1, le=300)] = 30.0
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None
    response_format: MusicFormat = "wav"
    tempo: Tempo | None = None
    bpm: Tempo | None = None
    key: Annotated[str, Field(max_length=32)] | None = None
    stream: bool = False
    temperature: Annotated[Number, Field(gt=0, le=2)] | None = None
    top_k: Annotated[int, Field(ge=1, le=8192)] | None = None
    cfg_scale: Annotated[Number, Field(ge=0, le=30)] | None = None

    @property
    def tag_list(self) -> tuple[str, ...]:
        """The tags one by one, blank ones left out."""
        given = self.tags.split(",") if isinstance(self.tags, str) else self.tags or ()
        return tuple(tag.strip() for tag in given if tag.strip())

    @property
    def says_nothing(self) -> bool:
        """Whether prompt, tags and lyrics are all missing or blank."""
        return not (self.tag_list or (self.prompt or "").strip() or (self.lyrics or "").strip())
