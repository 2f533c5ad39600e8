"""The real models hear what is said: words, times, languages, silence, and a caller who leaves."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from nexus.contract.errors import ApiError
from nexus.contract.wire.transcriptions import Transcription, VerboseTranscription
from nexus.sdk.engine import Call, Content, Model

Ask = Callable[..., Any]
Speech = Callable[[str], bytes]

MUSEUM = {"quick", "brown", "fox", "jumps", "over", "lazy", "dog", "welcome", "museum", "train", "boston"}
HARBOUR = {
    "history",
    "winter",
    "three",
    "ships",
    "village",
    "water",
    "railway",
    "coast",
    "orchestra",
    "music",
    "summer",
}
SUBRIP = re.compile(r"(\d+)\n(\d\d):(\d\d):(\d\d),(\d{3}) --> (\d\d):(\d\d):(\d\d),(\d{3})\n(.+)")


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


@pytest.mark.parametrize("kind", ["wav", "mp3", "ogg", "flac", "m4a", "aac", "webm", "mp4", "mkv"])
def test_the_words_are_heard_in_every_container(ask: Ask, recoded: Callable[[str, str], bytes], kind: str) -> None:
    answer = ask(recoded("museum", kind))
    assert words(answer["text"]) >= MUSEUM
    assert answer["usage"]["seconds"] == pytest.approx(6.93, abs=0.2)


@pytest.mark.parametrize("model", ["base", "tiny-en"])
def test_a_recording_of_several_windows(ask: Ask, speech: Speech, models: dict[str, Model], model: str) -> None:
    call = Call("test", models[model], {})
    answer = ask(speech("harbour"), model, response_format="verbose_json", call=call)
    assert words(answer["text"]) >= HARBOUR
    assert len({segment["seek"] for segment in answer["segments"]}) > 1
    assert [segment["id"] for segment in answer["segments"]] == list(range(len(answer["segments"])))
    for before, after in pairwise(answer["segments"]):
        assert before["start"] < before["end"] <= after["start"]
    assert answer["segments"][-1]["end"] <= answer["duration"] == pytest.approx(21.18, abs=0.02)
    assert call.progress.fraction == pytest.approx(1)
    assert call.progress.message == "21 of 21 seconds"


def test_the_answers_are_openais(ask: Ask, speech: Speech, conforms: Callable[[str, Any], None]) -> None:
    plain = ask(speech("museum"))
    conforms("CreateTranscriptionResponseJson", plain)
    Transcription.model_validate(plain)
    verbose = ask(speech("museum"), response_format="verbose_json", timestamp_granularities=("segment", "word"))
    conforms("CreateTranscriptionResponseVerboseJson", verbose)
    VerboseTranscription.model_validate(verbose, strict=False)
    assert (verbose["task"], verbose["language"]) == ("transcribe", "english")
    assert verbose["text"] == "".join(segment["text"] for segment in verbose["segments"]).strip()


def test_words_go_forward_in_time(ask: Ask, speech: Speech) -> None:
    answer = ask(speech("harbour"), response_format="verbose_json", timestamp_granularities=("word",))
    heard = answer["words"]
    assert "segments" not in answer
    assert " ".join(word["word"] for word in heard).split() == answer["text"].split()
    assert heard[0]["start"] < 1
    assert all(word["start"] <= word["end"] for word in heard)
    assert all(before["end"] <= after["start"] for before, after in pairwise(heard))
    assert 20 < heard[-1]["end"] <= answer["duration"]


def test_captions_can_be_read(ask: Ask, speech: Speech) -> None:
    srt = text(ask(speech("harbour"), response_format="srt"))
    vtt = text(ask(speech("harbour"), response_format="vtt"))
    captions = [SUBRIP.fullmatch(block.strip()) for block in srt.split("\n\n")]
    assert all(captions)
    assert [caption[1] for caption in captions if caption] == [str(number + 1) for number in range(len(captions))]
    assert words(" ".join(caption[10] for caption in captions if caption)) >= HARBOUR
    assert vtt.startswith("WEBVTT\n\n")
    assert vtt.count(" --> ") == len(captions)


def test_plain_text(ask: Ask, speech: Speech) -> None:
    answer = text(ask(speech("museum"), response_format="text"))
    assert answer == ask(speech("museum"))["text"] + "\n"


def text(answer: Any) -> str:
    assert isinstance(answer, Content)
    assert answer.media_type == "text/plain; charset=utf-8"
    return answer.body.decode()


def test_deltas_make_the_text(ask: Ask, speech: Speech, conforms: Callable[[str, Any], None]) -> None:
    *deltas, done = ask(speech("harbour"), stream="true")
    assert len(deltas) > 2
    for event in deltas:
        conforms("TranscriptTextDeltaEvent", event)
    assert done["type"] == "transcript.text.done"
    assert "".join(event["delta"] for event in deltas) == done["text"] == ask(speech("harbour"))["text"]


def test_a_stream_begins_before_the_recording_is_heard_to_its_end(
    ask: Ask, speech: Speech, models: dict[str, Model]
) -> None:
    call = Call("test", models["tiny-en"], {})
    stream = ask(speech("harbour"), stream="true", call=call)
    assert next(stream)["delta"]
    assert 0 < call.progress.fraction < 0.6
    stream.close()


@pytest.mark.parametrize("model", ["base", "tiny-en"])
@pytest.mark.parametrize("level", [0, 30])
def test_silence_says_nothing(ask: Ask, encode: Callable[..., bytes], model: str, level: int) -> None:
    quiet = np.random.default_rng(3).integers(-level, level + 1, 16000 * 5)
    answer = ask(encode(quiet, 16000, "flac"), model, response_format="verbose_json")
    assert (answer["text"], answer["segments"], answer["language"]) == ("", [], "unknown")
    (done,) = ask(encode(quiet, 16000, "flac"), model, stream="true")
    assert (done["type"], done["text"]) == ("transcript.text.done", "")


def test_another_language_is_found_out_and_translated(ask: Ask, speech: Speech) -> None:
    heard = ask(speech("berlin"), "base", response_format="verbose_json")
    assert heard["language"] == "german"
    assert words(heard["text"]) >= {"guten", "morgen", "zug", "berlin"}
    assert words(ask(speech("berlin"), "base", language="de")["text"]) >= {"guten", "morgen", "zug", "berlin"}


def test_a_translation_is_english(ask: Ask, speech: Speech, conforms: Callable[[str, Any], None]) -> None:
    answer = ask(speech("berlin"), "base", "translations", response_format="verbose_json")
    conforms("CreateTranslationResponseVerboseJson", answer)
    assert (answer["task"], answer["language"]) == ("translate", "english")
    assert words(answer["text"]) >= {"good", "morning", "train", "berlin"}
    assert not words(answer["text"]) & {"guten", "zug", "wohne"}


def test_a_prompt_guides_the_spelling(ask: Ask, speech: Speech) -> None:
    assert "harbor " in ask(speech("harbour"))["text"]
    prompt = "The harbour, the colour, the neighbour and the theatre in the town centre."
    assert "harbour " in ask(speech("harbour"), prompt=prompt)["text"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"language": "xx"}, "language"),
        ({"language": "english"}, "language"),
        ({"language": "de"}, "language"),
        ({"temperature": "-1"}, "temperature"),
        ({"temperature": "2"}, "temperature"),
        ({"response_format": "docx"}, "response_format"),
        ({"response_format": "diarized_json"}, "response_format"),
        ({"timestamp_granularities": ("word",)}, "timestamp_granularities"),
        ({"stream": "true", "response_format": "vtt"}, "stream"),
    ],
)
def test_bad_fields_are_refused_by_name(ask: Ask, speech: Speech, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        ask(speech("museum"), **fields)
    assert (caught.value.status, caught.value.param) == (400, param)


@pytest.mark.parametrize("task", ["transcriptions", "translations"])
@pytest.mark.parametrize("body", [None, b"", b"not a recording"])
def test_bad_files_are_refused_by_name(ask: Ask, task: str, body: bytes | None) -> None:
    with pytest.raises(ApiError) as caught:
        ask(body, "base", task)
    assert (caught.value.status, caught.value.param) == (400, "file")


def test_a_bad_file_is_refused_before_a_stream_begins(ask: Ask) -> None:
    with pytest.raises(ApiError, match="not a recording"):
        ask(b"not a recording", stream="true")


def test_the_longest_recording(ask: Ask, encode: Callable[..., bytes]) -> None:
    with pytest.raises(ApiError, match="longer than 300 seconds"):
        ask(encode(np.zeros(301 * 8000), 8000, "flac"))


def test_a_model_of_english_alone_does_not_translate(ask: Ask, speech: Speech) -> None:
    with pytest.raises(ApiError) as caught:
        ask(speech("museum"), "tiny-en", "translations")
    assert (caught.value.status, caught.value.param) == (400, "model")


class Leaving:
    """A network whose caller leaves while it takes its first step."""

    def __init__(self, network: Any, call: Call) -> None:
        self._network = network
        self._call = call
        self.steps: list[str] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._network, name)
        return found if name not in ("encode", "generate", "align") else lambda *args, **kw: self._step(name, args, kw)

    def _step(self, name: str, args: Any, kw: Any) -> Any:
        self.steps.append(name)
        self._call.cancel()
        return getattr(self._network, name)(*args, **kw)


@pytest.mark.parametrize("stream", ["true", "false"])
def test_no_step_is_begun_once_the_caller_has_left(
    engine: Any, ask: Ask, speech: Speech, models: dict[str, Model], monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    call = Call("test", models["base"], {})
    whisper = engine._models["whisper-base"].whisper._model
    network = Leaving(whisper.model, call)
    monkeypatch.setattr(whisper, "model", network)
    with pytest.raises(ApiError, match="cancelled"):
        list(ask(speech("harbour"), "base", stream=stream, call=call))
    assert network.steps == ["encode"]


def test_an_unloaded_model_is_not_ready(engine: Any, ask: Ask, speech: Speech, models: dict[str, Model]) -> None:
    engine.unload(Model(id="other"))
    with pytest.raises(ApiError) as caught:
        ask(speech("museum"), call=Call("test", Model(id="other"), {}))
    assert caught.value.status == 503


def test_a_folder_without_a_tokenizer_is_not_looked_for_elsewhere(engine: Any, tmp_path: Any) -> None:
    (tmp_path / "model.bin").write_bytes(b"x")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"no tokenizer\.json"):
        engine.load(Model(id="other", path=tmp_path))
    with pytest.raises(RuntimeError, match="gives no folder"):
        engine.load(Model(id="other"))
