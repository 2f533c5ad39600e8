"""A TOML file becomes a table or one line that names it."""

from pathlib import Path

import pytest

from nexus.sdk.problems import ManifestError
from nexus.sdk.tables import read_table


def test_a_table_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[source]\npath = "ä"\n', encoding="utf-8")
    assert read_table(tmp_path / "a.toml") == {"source": {"path": "ä"}}


@pytest.mark.parametrize(
    ("content", "reason"), [(b"id = ", "is not TOML"), (b"\xff", "is not TOML"), (None, "cannot be read")]
)
def test_what_is_none_is_one_line(tmp_path: Path, content: bytes | None, reason: str) -> None:
    file = tmp_path / "a.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ManifestError) as caught:
        read_table(file)
    assert str(caught.value).startswith(f"{file}: {reason}")
    assert "\n" not in str(caught.value)
