"""Workflows filled with values; what is no workflow."""

import json
from typing import Any

import pytest
from nexus_comfyui.library import VIDEO_WORKFLOW, own_workflow
from nexus_comfyui.mapping import Mapping
from nexus_comfyui.workflow import WorkflowError, link, made, read_graph


def test_values_fill_their_fields_and_the_rest_stays() -> None:
    workflow = own_workflow("sdxl-text")
    graph = workflow.filled({"prompt": "a house", "seed": 5, "width": 1001, "checkpoint": "x.safetensors"}, "tag")
    assert graph["6"]["inputs"]["text"] == "a house"
    assert graph["3"]["inputs"]["seed"] == 5
    assert (graph["5"]["inputs"]["width"], graph["5"]["inputs"]["height"]) == (1008, 1024)
    assert graph["3"]["inputs"]["sampler_name"] == "dpmpp_2m"
    assert workflow.graph["6"]["inputs"]["text"] == ""


def test_what_is_saved_has_a_name_of_its_own_each_time() -> None:
    workflow = own_workflow("sdxl-text")
    names = {workflow.filled({}, tag)["9"]["inputs"]["filename_prefix"] for tag in ("a", "b")}
    assert names == {"nexus/a", "nexus/b"}


def test_a_picture_that_is_not_given_takes_its_node_and_the_links_to_it_along() -> None:
    workflow = own_workflow(VIDEO_WORKFLOW)
    without = workflow.filled({"frames": 96}, "tag")
    assert "56" not in without
    assert "start_image" not in without["55"]["inputs"]
    assert without["55"]["inputs"]["length"] == 97
    given = workflow.filled({"image": "nexus/a.png"}, "tag")
    assert given["56"]["inputs"]["image"] == "nexus/a.png"
    assert given["55"]["inputs"]["start_image"] == ["56", 0]


def test_a_mask_in_the_alpha_fills_no_field() -> None:
    graph = own_workflow("sdxl-inpaint").filled({"image": "a.png", "mask": "alpha"}, "tag")
    assert graph["10"]["inputs"] == {"image": "a.png"}


@pytest.mark.parametrize(
    ("value", "node"), [(["4", 1], "4"), ("4", None), (["4", "5"], None), ([4, 1], None), (3, None)]
)
def test_links(value: Any, node: str | None) -> None:
    assert link(value) == node


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "JSON"),
        ("[]", "no workflow"),
        ("{}", "no workflow"),
        ('{"nodes": [], "links": []}', "Export"),
        ('{"1": {"inputs": {}}}', "class_type"),
        ('{"1": {"class_type": "A"}}', "inputs"),
    ],
)
def test_what_is_no_graph(text: str, reason: str) -> None:
    with pytest.raises(WorkflowError, match=reason):
        read_graph(text)


def test_a_graph_may_be_wrapped_as_the_api_takes_it() -> None:
    graph = {"1": {"class_type": "A", "inputs": {}}}
    assert read_graph(json.dumps({"prompt": graph})) == graph


@pytest.mark.parametrize(
    "table",
    [{"inputs": {"prompt": "99.text"}}, {"inputs": {"prompt": "6.words"}}, {"outputs": ["99"]}, {"thumbnail": "99"}],
)
def test_a_mapping_that_does_not_fit(table: dict[str, Any]) -> None:
    with pytest.raises(WorkflowError, match=r"there is no node|has no"):
        made("x", own_workflow("sdxl-text").graph, Mapping.model_validate(table))
