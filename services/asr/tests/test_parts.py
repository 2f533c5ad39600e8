"""The parts without a model: forms, files and the options of an entry."""

from typing import Any

import pytest
from nexus_asr.options import read_options
from pydantic import ValidationError

from nexus.contract.errors import ApiError
from nexus.contract.wire.transcriptions import TranscriptionRequest
from nexus.sdk.engine import Form, Upload


def test_a_form_is_read() -> None:
    form = Form({"language": "", "temperature": "0.5", "timestamp_granularities": "word"}, {}, {})
    with pytest.raises(ApiError) as caught:
        form.validated(TranscriptionRequest)
    assert (caught.value.status, caught.value.param) == (400, "timestamp_granularities")
    form = Form({**form.fields, "response_format": "verbose_json"}, {"unheard_of": ("x",)}, {})
    request = form.validated(TranscriptionRequest)
    assert (request.language, request.temperature, request.timestamp_granularities) == (None, 0.5, ("word",))


@pytest.mark.parametrize("files", [{}, {"file": Upload("a.wav", "audio/wav", b"")}])
def test_a_recording_has_to_be_there(files: dict[str, Upload]) -> None:
    with pytest.raises(ApiError) as caught:
        Form({"file": "a.wav"}, {}, files).file("file")
    assert (caught.value.status, caught.value.param) == (400, "file")


@pytest.mark.parametrize("options", [{"window_seconds": 31}, {"beam_size": 0}, {"device": "tpu"}, {"beams": 5}])
def test_bad_options_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(options))):
        read_options(options)
