"""The mapping of a workflow that brings none, held against those that the service's own workflows have."""

from typing import Any

import pytest
from nexus_comfyui.deduction import deduced
from nexus_comfyui.library import CHECKPOINT_WORKFLOWS, own_workflow

NODE = dict[str, Any]


def node(kind: str, **inputs: Any) -> NODE:
    return {"class_type": kind, "inputs": inputs}


@pytest.mark.parametrize("name", CHECKPOINT_WORKFLOWS)
def test_the_services_own_are_told_as_they_were_written(name: str) -> None:
    workflow = own_workflow(name)
    told = deduced(workflow.graph)
    for title, one in told.inputs.items():
        assert one.fields == workflow.mapping.inputs[title].fields, title
    written = set(workflow.mapping.inputs) - {"sampler", "scheduler", "checkpoint"}
    assert set(told.inputs) - {"strength"} == written - {"strength"}


def test_texts_are_told_apart_through_what_stands_between() -> None:
    graph = {
        "1": node("CLIPTextEncode", text="bad", clip=["9", 1]),
        "2": node("CLIPTextEncode", text="good", clip=["9", 1]),
        "3": node("ControlNetApplyAdvanced", positive=["2", 0], negative=["1", 0], image=["8", 0]),
        "4": node("KSampler", positive=["3", 0], negative=["3", 1], seed=1, steps=2, cfg=7.0),
    }
    told = deduced(graph).inputs
    assert told["prompt"].fields == ("2.text",)
    assert told["negative_prompt"].fields == ("1.text",)


def test_the_only_text_is_the_prompt() -> None:
    graph = {"1": node("TextEncodeAce", text="x"), "2": node("SamplerCustom", noise_seed=3, cfg=1.0)}
    told = deduced(graph).inputs
    assert told["prompt"].fields == ("1.text",)
    assert told["seed"].fields == ("2.noise_seed",)


def test_links_round_in_a_circle_end() -> None:
    graph = {"1": node("A", positive=["2", 0]), "2": node("B", positive=["1", 0])}
    assert deduced(graph).inputs == {}


def test_pictures_in_their_order_and_masks() -> None:
    graph = {
        "1": node("LoadImage", image="a.png"),
        "2": node("LoadImage", image="b.png"),
        "3": node("LoadImageMask", image="c.png", channel="red"),
        "4": node("SaveImage", images=["1", 0], filename_prefix="x"),
        "5": node("CLIPTextEncode", text="x"),
    }
    told = deduced(graph)
    assert told.images == ("image", "image_2")
    assert told.inputs["mask"].fields == ("3.image",)
    assert told.operations == ("images.edits",)


def test_lengths_of_the_families_of_video_models() -> None:
    frames = {}
    for kind in ("EmptyLTXVLatentVideo", "Wan22ImageToVideoLatent"):
        graph = {"1": node(kind, width=64, height=64, length=97), "2": node("CreateVideo", fps=24.0)}
        graph |= {"3": node("SaveVideo", video=["2", 0]), "4": node("CLIPTextEncode", text="x")}
        assert deduced(graph).operations == ("videos",)
        frames[kind] = deduced(graph).inputs["frames"].rounded(90)
    assert frames == {"EmptyLTXVLatentVideo": 97, "Wan22ImageToVideoLatent": 93}


def test_what_makes_neither_pictures_nor_videos_is_only_run() -> None:
    graph = {"1": node("CLIPTextEncode", text="x"), "2": node("SaveAudioAdvanced", audio=["1", 0])}
    assert deduced(graph).operations == ()
