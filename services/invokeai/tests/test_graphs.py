"""The graphs: what stands in them, and that every edge has two ends."""

from dataclasses import replace

import pytest
from nexus_invokeai.graphs import SCHEDULERS, Drawing, graph, weights

MODEL = {"key": "k", "hash": "h", "name": "n", "base": "sdxl", "type": "main"}
WORDS = Drawing(MODEL, "a house", 1024, 768, seed=2**32 + 5, steps=30, cfg_scale=7.0, scheduler="euler")
PICTURE = replace(WORDS, image="a.png", strength=0.3)
PART = replace(PICTURE, mask="m.png", strength=1.0)


@pytest.mark.parametrize("drawing", [WORDS, PICTURE, PART])
def test_every_edge_joins_two_nodes(drawing: Drawing) -> None:
    built = graph(drawing)
    ends = {edge[side]["node_id"] for edge in built["edges"] for side in ("source", "destination")}
    assert ends == set(built["nodes"])
    assert all(node["id"] == name for name, node in built["nodes"].items())
    taken = [(edge["destination"]["node_id"], edge["destination"]["field"]) for edge in built["edges"]]
    assert len(taken) == len(set(taken))


def test_words() -> None:
    nodes = graph(WORDS)["nodes"]
    assert nodes["noise"] == {"id": "noise", "type": "noise", "seed": 5, "width": 1024, "height": 768, "use_cpu": True}
    assert nodes["pos"]["style"] == "a house"
    assert (nodes["pos"]["original_width"], nodes["pos"]["target_height"]) == (1024, 768)
    assert (nodes["denoise"]["denoising_start"], nodes["denoise"]["denoising_end"]) == (0, 1)
    assert nodes["l2i"] == {"id": "l2i", "type": "l2i", "is_intermediate": False, "use_cache": False}


def test_a_picture_is_gone_from_as_far_as_the_strength_says() -> None:
    nodes = graph(PICTURE)["nodes"]
    assert nodes["i2l"]["image"] == {"image_name": "a.png"}
    assert nodes["denoise"]["denoising_start"] == 0.7


def test_a_part_of_a_picture() -> None:
    built = graph(PART)
    assert built["nodes"]["mask"]["mask"] == {"image_name": "m.png"}
    assert built["nodes"]["denoise"]["denoising_start"] == 0
    source = {"node_id": "mask", "field": "denoise_mask"}
    assert {"source": source, "destination": {"node_id": "denoise", "field": "denoise_mask"}} in built["edges"]


def test_the_sampler_is_most_of_the_work() -> None:
    told = weights(graph(PART))
    assert told["denoise"] > sum(weight for name, weight in told.items() if name != "denoise")


def test_schedulers_are_told_once_each() -> None:
    assert len(set(SCHEDULERS)) == len(SCHEDULERS) == 31
