"""Which models there are, from what the engine and the operator's folder have."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from nexus_comfyui.library import OWN, Shelf, read_workflow
from nexus_comfyui.offers import Bench, bench, objections, offers

from nexus.contract.errors import ApiError
from nexus.sdk.engine import Model

sys.path.insert(0, str(Path(__file__).parent / "material"))
from comfy_nodes import nodes

NOTHING = Shelf()
FILES = {
    "checkpoints": ["sd_xl_base_1.0.safetensors", "sub/a b.ckpt"],
    "diffusion_models": ["wan2.2_ti2v_5B_fp16.safetensors"],
    "text_encoders": ["umt5_xxl_fp8_e4m3fn_scaled.safetensors"],
    "vae": ["wan2.2_vae.safetensors"],
}


@pytest.fixture(scope="module")
def own() -> Bench:
    return bench()


def found(own: Bench, shelf: Shelf = NOTHING, wanted: Any = (), **files: Any) -> dict[str, Any]:
    known = FILES | files
    made = offers(own, shelf, known["checkpoints"], nodes(known), wanted)
    return {one.model.id: (one, recipe) for one, recipe in made}


def test_checkpoints_by_their_files_names(own: Bench) -> None:
    told = found(own)
    assert set(told) == {"sd_xl_base_1.0", "sub-a-b", "wan2.2-ti2v-5b"}
    assert told["sd_xl_base_1.0"][0].model.aliases == ("sd_xl_base_1.0.safetensors",)
    assert told["sub-a-b"][1].values == {"checkpoint": "sub/a b.ckpt"}


def test_the_video_workflow_is_there_when_all_its_files_are(own: Bench) -> None:
    assert "wan2.2-ti2v-5b" not in found(own, vae=[])
    assert "no vae_name 'wan2.2_vae.safetensors'" in next(objections(own.video, nodes(FILES | {"vae": []})))


def test_entries_name_and_settle_a_checkpoint(own: Bench) -> None:
    options = {"checkpoint": "sd_xl_base_1.0.safetensors", "steps": 4, "size": "512x512"}
    large = {"checkpoint": "sub/a b.ckpt", "size": "9x9"}
    others = [Model("gone", options={"checkpoint": "x"}), Model("bad"), Model("large", options=large)]
    told = found(own, wanted=[Model("sdxl", options=options), *others])
    assert "sd_xl_base_1.0" not in told
    assert told["sdxl"][1].values == {"steps": 4, "width": 512, "height": 512, "checkpoint": options["checkpoint"]}
    assert [told[name][0].state for name in ("sdxl", "gone", "bad", "large")] == ["ready", *["failed"] * 3]


def test_workflows_of_the_folder(own: Bench, tmp_path: Path) -> None:
    graph = json.loads((OWN / "sdxl-text.json").read_text())
    (tmp_path / "fine.json").write_text(json.dumps(graph))
    graph["4"]["inputs"]["ckpt_name"] = "missing.safetensors"
    (tmp_path / "no file.json").write_text(json.dumps(graph))
    graph["4"]["class_type"] = "Fancy"
    (tmp_path / "no-node.json").write_text(json.dumps(graph))
    workflows = tuple(read_workflow(file) for file in sorted(tmp_path.glob("*.json")))
    told = found(own, Shelf(workflows, {"broken": "broken.json: is no JSON"}))
    assert told["fine"][0].state == "ready"
    assert told["no-file"][0].reason == "CheckpointLoaderSimple has no ckpt_name 'missing.safetensors'"
    assert told["no-node"][0].reason == "the engine has no node Fancy"
    assert (told["broken"][0].state, told["broken"][1]) == ("failed", None)


def test_the_workflow_is_chosen_by_the_pictures(own: Bench) -> None:
    recipe = found(own)["sd_xl_base_1.0"][1]
    assert recipe.workflow("images.generations", 0, masked=False).name == "sdxl-text"
    assert recipe.workflow("images.edits", 1, masked=False).name == "sdxl-image"
    assert recipe.workflow("images.edits", 1, masked=True).name == "sdxl-inpaint"
    for operation, images, masked, param in (
        ("images.edits", 2, False, "image"),
        ("images.edits", 0, False, "image"),
        ("images.variations", 1, True, "mask"),
    ):
        with pytest.raises(ApiError) as caught:
            recipe.workflow(operation, images, masked=masked)
        assert caught.value.param == param


def test_a_request_goes_before_the_models_own_values_but_for_its_checkpoint(own: Bench) -> None:
    options = {"checkpoint": "sd_xl_base_1.0.safetensors", "steps": 4}
    recipe = found(own, wanted=[Model("sdxl", options=options)])["sdxl"][1]
    workflow = recipe.workflow("images.generations", 0, masked=False)
    settled = recipe.settled(workflow, {"steps": 9, "checkpoint": "other", "prompt": None})
    assert settled == {"steps": 9, "checkpoint": "sd_xl_base_1.0.safetensors"}
    assert "checkpoint" not in recipe.json_schema()["properties"]
    with pytest.raises(ApiError) as caught:
        recipe.settled(workflow, {"strength": 0.5})
    assert caught.value.param == "strength"
