"""The table of engines, and entries that cannot be painted by: each refused in one clear line."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nexus_images.painters import PAINTERS, make_painter
from pydantic import ValidationError

from nexus.sdk.engine import Model


def test_the_table() -> None:
    assert list(PAINTERS) == ["terrain", "diffusers"]


@pytest.mark.parametrize("options", [{}, {"engine": "dall-e"}, {"engine": 5}])
def test_an_unknown_engine_is_named_with_those_there_are(options: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError, match="there are terrain, diffusers"):
        make_painter(Model(id="x", options=options), 1)


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed here")
def test_diffusers_without_torch_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"needs the package \w+.*requirements-diffusers\.txt") as caught:
        make_painter(Model(id="x", path=tmp_path, options={"engine": "diffusers"}), 1)
    assert "\n" not in str(caught.value)
    assert 'extras = ["diffusers"]' in str(caught.value)


def test_terrain_entries_that_cannot_be(model: Model, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="gives no file"):
        make_painter(replace(model, path=None), 1)
    with pytest.raises(FileNotFoundError, match="no network"):
        make_painter(replace(model, path=tmp_path / "none.onnx"), 1)
    with pytest.raises(FileNotFoundError, match="unheard_of"):
        make_painter(replace(model, options={**model.options, "styles_package": "unheard_of"}), 1)
    with pytest.raises(ValidationError, match="stylez"):
        make_painter(replace(model, options={**model.options, "stylez": "x"}), 1)
