"""The list of models."""

import pytest
from pydantic import ValidationError

from nexus.contract.wire.models import ModelList, ModelObject


def test_a_list_is_read_and_written() -> None:
    body = '{"object":"list","data":[{"id":"m","object":"model","created":5,"owned_by":"llm"}]}'
    read = ModelList.model_validate_json(body)
    assert read.data == (ModelObject(id="m", created=5, owned_by="llm"),)
    assert read.model_dump_json() == body


def test_a_model_needs_an_id() -> None:
    with pytest.raises(ValidationError):
        ModelObject.model_validate_json("{}")
