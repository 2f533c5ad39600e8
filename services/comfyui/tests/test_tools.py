"""Workflows as tools: what agents are told of them, that a call by that schema is taken, and that they come and go."""

import base64
import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from nexus_comfyui.library import OWN, read_workflow
from nexus_comfyui.recipes import Recipe
from nexus_comfyui.tools import tool

OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({}))
GRAPH = (OWN / "sdxl-text.json").read_text()


def recipe(folder: Path, mapping: str = "") -> Recipe:
    (folder / "portrait.json").write_text(GRAPH)
    (folder / "portrait.toml").write_text(f'{mapping}\n[inputs]\nprompt = "6.text"\nsteps = "3.steps"')
    return Recipe((read_workflow(folder / "portrait.json"),))


def test_the_schema_is_that_of_the_whole_body(tmp_path: Path) -> None:
    made = tool("portrait", recipe(tmp_path))
    assert (made.name, made.path) == ("comfyui_portrait", "/v1/comfyui/run")
    Draft202012Validator.check_schema(made.input_schema)
    takes = Draft202012Validator(made.input_schema).is_valid
    assert takes({"model": "portrait", "inputs": {"prompt": "a house", "steps": 3}})
    assert not takes({"model": "other", "inputs": {"prompt": "a house"}})
    assert not takes({"model": "portrait"})
    assert not takes({"inputs": {"prompt": "a house"}})
    assert not takes({"model": "portrait", "inputs": {"prompt": "a house", "steps": "three"}})
    assert not takes({"model": "portrait", "inputs": {"steps": 3}})


def test_it_is_told_by_title_and_description(tmp_path: Path) -> None:
    words = 'title = "Portrait"\ndescription = "A portrait in oil"'
    assert tool("portrait", recipe(tmp_path, words)).description == "Portrait: A portrait in oil"
    assert tool("portrait", recipe(tmp_path)).description == "Run the ComfyUI workflow 'portrait'"


@pytest.mark.parametrize(
    ("model", "name"),
    [("wan2.2-ti2v-5b", "comfyui_wan2_2-ti2v-5b"), ("Öl:1", "comfyui__l_1"), ("x" * 99, f"comfyui_{'x' * 56}")],
)
def test_names_are_those_that_functions_can_have(tmp_path: Path, model: str, name: str) -> None:
    assert tool(model, recipe(tmp_path)).name == name


def get(url: str) -> Any:
    with OPEN.open(url, timeout=5) as answer:
        return json.load(answer)


def tools(served: str) -> dict[str, Any]:
    return {one["name"]: one for one in get(f"{served}/v1/metadata")["tools"]}


def wait_until(holds: Any, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def test_a_workflow_put_into_the_folder_is_a_tool_until_it_is_taken_out(
    served: str, comfy: Any, workflows: Path
) -> None:
    before = set(tools(served))
    assert before == {"comfyui_paint", "comfyui_run", "comfyui_wan2_2-ti2v-5b"}
    recipe(workflows, 'title = "Portrait"')
    (workflows / "run.json").write_text(GRAPH)
    (workflows / "broken.json").write_text("{}")
    wait_until(lambda: set(tools(served)) == {*before, "comfyui_portrait"})
    portrait = tools(served)["comfyui_portrait"]
    properties = portrait["input_schema"]["properties"]
    assert properties["model"] == {"const": "portrait"}
    assert properties["inputs"]["required"] == ["prompt"]
    assert get(f"{served}/readyz")["checks"]["tool comfyui_run"] == (
        "the model run brings it, and the service has it already"
    )
    body = json.dumps({"model": "portrait", "inputs": {"prompt": "a house", "steps": 2}}).encode()
    request = urllib.request.Request(f"{served}{portrait['path']}", body, {"content-type": "application/json"})
    with OPEN.open(request, timeout=30) as answer:
        saved = json.load(answer)["outputs"]
    assert base64.b64decode(saved[0]["b64_json"]).startswith(b"\x89PNG")
    assert comfy.prompts()[-1]["prompt"]["3"]["inputs"]["steps"] == 2
    for file in workflows.iterdir():
        file.unlink()
    wait_until(lambda: set(tools(served)) == before)
    assert "tool comfyui_run" not in get(f"{served}/readyz")["checks"]
