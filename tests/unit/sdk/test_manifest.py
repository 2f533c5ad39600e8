"""`service.toml` is read into a frozen value, refused with one clear line, and promises a valid card."""

from pathlib import Path

import pytest

from nexus.contract.card import read_card
from nexus.sdk.manifest import provisional_card, read_manifest
from nexus.sdk.models import read_entries
from nexus.sdk.problems import ManifestError

CHAT = """
[service]
name = "llm"
version = "1.2.3"
description = "Chat"
engine = "engine:ChatEngine"
operations = ["chat.completions"]

[[endpoints]]
operation = "llm.tokenize"
path = "/v1/llm/tokenize"
summary = "Count tokens"

[backend]
name = "llama.cpp"
vendor = "ggml"

[capabilities]
max_concurrency = 4
max_queue = 8
modalities = {input = ["text"], output = ["text"]}

[resources]
cpu = 2
gpu = {required = false, vram_mb = 0}

[limits]
max_request_bytes = 1000
timeout_seconds = 30

[[config]]
env = "NEXUS_LLM_THREADS"
type = "int"
default = 2
minimum = 1

[[config]]
env = "NEXUS_LLM_TOKEN"
secret = true
default = "hidden"

[[tools]]
name = "tokenize"
description = "Count tokens"
operation = "llm.tokenize"

[ui]
title = "Chat"
[[ui.options]]
key = "temperature"
type = "number"
default = 0.7
"""


def write(folder: Path, text: str) -> Path:
    (folder / "service.toml").write_text(text, encoding="utf-8")
    return folder


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(ManifestError) as caught:
        read_manifest(write(folder, text))
    assert "\n" not in str(caught.value)
    assert "service.toml" in str(caught.value)
    return str(caught.value)


def test_whole_manifest_is_read(tmp_path: Path) -> None:
    manifest = read_manifest(write(tmp_path, CHAT))
    assert manifest.folder == tmp_path.resolve()
    assert manifest.operations == ("chat.completions", "llm.tokenize")
    assert manifest.capabilities.max_concurrency == 4
    assert manifest.limits.timeout_seconds == 30


def test_provisional_card_is_a_valid_card_whose_models_load(tmp_path: Path) -> None:
    manifest = read_manifest(write(tmp_path, CHAT))
    models = tmp_path / "models"
    models.mkdir()
    (models / "small.toml").write_text('id = "small"\naliases = ["s"]\ncontext_length = 4096\n')
    (models / "other.toml").write_text('id = "other"\noperations = ["embeddings"]\n')
    card = provisional_card(manifest, read_entries([models]), "llm-1")
    again = read_card(card.model_dump_json().encode())
    assert again.model_dump() == card.model_dump()
    assert [(model.id, model.state, model.operations) for model in card.models] == [
        ("small", "loading", ("chat.completions", "llm.tokenize"))
    ]
    assert [(endpoint.operation, endpoint.path, endpoint.streaming) for endpoint in card.endpoints] == [
        ("chat.completions", "/v1/chat/completions", "sse"),
        ("llm.tokenize", "/v1/llm/tokenize", None),
    ]
    assert card.capabilities.domains == ("llm", "tool")
    assert card.capabilities.streaming is True
    assert card.tools[0].path == "/v1/llm/tokenize"
    assert card.instance == "llm-1"


def test_what_it_asks_of_the_gateway_is_on_the_card(tmp_path: Path) -> None:
    text = CHAT.replace(
        'operations = ["chat.completions"]', 'operations = ["chat.completions"]\nuses = ["images.generations"]'
    )
    card = provisional_card(read_manifest(write(tmp_path, text)), ())
    assert card.capabilities.uses == ("images.generations",)


def test_secret_defaults_stay_off_the_card(tmp_path: Path) -> None:
    card = provisional_card(read_manifest(write(tmp_path, CHAT)), ())
    assert "hidden" not in card.model_dump_json()


def test_streaming_can_be_denied(tmp_path: Path) -> None:
    text = CHAT.replace("max_queue = 8", "max_queue = 8\nstreaming = false")
    card = provisional_card(read_manifest(write(tmp_path, text)), ())
    assert card.capabilities.streaming is False
    assert card.endpoints[0].streaming is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "llm"', 'name = "l l m"', "service.name"),
        ('engine = "engine:ChatEngine"', 'engine = "engine"', "service.engine"),
        ('operations = ["chat.completions"]', 'operations = ["chat.complete"]', "chat.complete"),
        (
            'operations = ["chat.completions"]',
            'operations = ["chat.completions"]\nuses = ["images"]',
            "'images' is not a standard operation",
        ),
        (
            'operations = ["chat.completions"]',
            'operations = ["chat.completions"]\nuses = ["audio.transcriptions"]',
            "takes a form",
        ),
        ("[limits]", "[process]\nnice = 20\n[limits]", "process.nice"),
        ("[limits]", "[process]\nnice = -1\n[limits]", "process.nice"),
        ("max_concurrency = 4", "max_concurrency = 0", "capabilities.max_concurrency"),
        ("max_concurrency = 4", "max_concurency = 4", "capabilities.max_concurency"),
        ("timeout_seconds = 30", 'timeout_seconds = "long"', "limits.timeout_seconds"),
        ("default = 2", 'default = "two"', "NEXUS_LLM_THREADS"),
        ('type = "int"', 'type = "enum"', "NEXUS_LLM_THREADS"),
        ("NEXUS_LLM_TOKEN", "NEXUS_LLM_TOKEN_FILE", "NEXUS_LLM_TOKEN_FILE"),
        ("NEXUS_LLM_TOKEN", "NEXUS_LLM_THREADS", "twice"),
        ('path = "/v1/llm/tokenize"', 'path = "/v1/models"', "endpoints.0.path"),
        ('path = "/v1/llm/tokenize"', 'path = "/v1/calls/x"', "endpoints.0.path"),
        ('path = "/v1/llm/tokenize"', 'path = "/v1/{x}"', "plain path"),
        ('path = "/v1/llm/tokenize"', 'path = "/v1/chat/completions"', "twice"),
        ('operation = "llm.tokenize"\npath', 'operation = "LLM"\npath', "endpoints.0.operation"),
        ('description = "Count tokens"\noperation = "llm.tokenize"', 'operation = "llm.gone"', "llm.gone"),
        ("[backend]", "[backends]", "backends"),
        ("[service]", "folder = 1\n[service]", "folder"),
        ("[service]", "[service", "TOML"),
    ],
)
def test_wrong_manifests_are_refused_with_one_line_that_names_the_key(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    assert old in CHAT
    assert words in complaint(tmp_path, CHAT.replace(old, new, 1))


def test_a_service_without_operations_is_refused(tmp_path: Path) -> None:
    assert "what the service does" in complaint(tmp_path, '[service]\nname = "x"\nengine = "engine:X"\n')


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="cannot be read"):
        read_manifest(tmp_path / "gone")
