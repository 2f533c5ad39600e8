"""What the SDK makes is sound: the scaffold's output, untouched, and a service with models that streams."""

from pathlib import Path

import pytest

from nexus.sdk.conformance.launch import launched
from nexus.sdk.conformance.run import Result, run_checks
from nexus.sdk.scaffold.new import new_service


def not_passed(results: list[Result]) -> dict[str, str]:
    return {result.check.name: f"{result.status}: {result.reason}" for result in results if result.status != "pass"}


def test_a_new_service_untouched(tmp_path: Path) -> None:
    with launched(new_service("word-tools", tmp_path)) as url:
        assert not_passed(run_checks(url)) == {"unknown-model": "skip: it has no models"}


def test_a_service_with_models_that_streams(sound) -> None:
    with sound() as url:
        assert not_passed(run_checks(url)) == {}


HEAVY = """
[service]
name = "heavy"
engine = "engine:Heavy"
operations = ["images.generations", "images.variations", "videos"]
uses = ["embeddings"]
[[endpoints]]
operation = "heavy.render"
path = "/v1/heavy/render"
job = true
[[endpoints]]
operation = "heavy.form"
path = "/v1/heavy/form"
[[endpoints]]
operation = "heavy.ask"
path = "/v1/heavy/ask"
[[endpoints]]
operation = "heavy.quick"
path = "/v1/heavy/quick"
"""
HEAVY_ENGINE = """
import time
from pathlib import Path
from pydantic import BaseModel
from nexus.sdk.engine import Call, Engine, Form

class Prompt(BaseModel):
    prompt: str = "a house"
    stream: bool = False

class Heavy(Engine):
    def load(self, model):
        Path(__file__).with_name("loaded").touch()

    def images_generations(self, request: Prompt, call: Call):
        while not call.cancelled:
            time.sleep(0.01)
        return {}

    def images_variations(self, request: Form, call: Call):
        return {"size": len(request.files["image"].body)}

    def videos(self, request: Prompt, call: Call):
        Path(__file__).with_name("worked").touch()
        return {}

    def heavy_render(self, request: Prompt, call: Call):
        return self.videos(request, call)

    def heavy_form(self, request: Form, call: Call):
        return {"size": len(request.files["file"].body)}

    def heavy_ask(self, request: Prompt, call: Call):
        return call.ask("embeddings", {"input": request.prompt})

    def heavy_quick(self, request: Prompt, call: Call):
        return {"prompt": request.prompt}
"""


def test_a_service_of_heavy_work_is_checked_without_doing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexus.sdk.conformance.target.SLOW_SECONDS", 0.5)
    (tmp_path / "service.toml").write_text(HEAVY)
    (tmp_path / "engine.py").write_text(HEAVY_ENGINE)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.toml").write_text('id = "a"\n[load]\non_demand = true\n')
    with launched(tmp_path) as url:
        reasons = not_passed(run_checks(url))
    slow = "/v1/images/generations: no answer within 0.5 s, which its work may take"
    assert reasons.pop("tools-sound") == "skip: it offers no tools"
    assert reasons.keys() == {"samples-succeed", "streams-end", "leavers-free-their-places"}
    assert reasons["streams-end"] == reasons["leavers-free-their-places"] == f"skip: {slow}"
    assert reasons["samples-succeed"].removeprefix("skip: ").split("; ") == [
        slow,
        "/v1/images/variations: it takes a form, and no form is made here",
        "/v1/videos: it is for jobs, which may take long",
        "/v1/heavy/render: it is for jobs, which may take long",
        "/v1/heavy/form: it takes a form, and no form is made here",
        "/v1/heavy/ask: it asks the gateway for embeddings, and there is none here",
    ]
    assert (tmp_path / "loaded").exists()
    assert not (tmp_path / "worked").exists()
