"""What is to run, for Compose and for a cluster alike."""

from pathlib import Path
from typing import Any

import pytest

from nexus.deploy.plan import Gpu, Volume, make_plan
from nexus.deploy.site import Site, SiteError
from nexus.sdk.manifest import ServiceManifest, read_manifest

PLAIN = """
[service]
name = "words"
engine = "engine:Words"
operations = ["embeddings"]
[resources]
cpu = 2
memory_mb = 700
"""
ENGINE = """
[deploy]
profile = "big"
[deploy.engine]
image = "some/engine:1"
images = { rocm = "some/engine:1-rocm" }
port = 11434
url_env = "WORDS_URL"
memory_mb = 4096
volumes = { models = "/root/.models" }
[deploy.volumes]
models = "/models"
voices = "/voices"
[[config]]
env = "WORDS_URL"
[[config]]
env = "WORDS_KEY"
secret = true
"""


def manifest(folder: Path, text: str = PLAIN) -> ServiceManifest:
    folder.mkdir(parents=True)
    (folder / "service.toml").write_text(text)
    return read_manifest(folder)


def site(**values: Any) -> Site:
    return Site.model_validate(values)


def test_a_service_is_what_its_manifest_says(tmp_path: Path) -> None:
    plan = make_plan(site(), [manifest(tmp_path / "b"), manifest(tmp_path / "a")], "1.2.3")
    assert [unit.folder for unit in plan.units] == ["a", "b"]
    unit = plan.units[0]
    assert (unit.cpu, unit.memory_mb, unit.shares, unit.replicas) == (2, 700, 2048, 1)
    assert (unit.image, plan.gateway_image) == ("nexus/a:1.2.3", "nexus/gateway:1.2.3")


def test_scaling_is_told_how_many_calls_a_copy_answers(tmp_path: Path) -> None:
    text = PLAIN + "[capabilities]\nmax_concurrency = 4\n"
    assert make_plan(site(), [manifest(tmp_path / "a", text)], "1").units[0].concurrency == 4


def test_a_gateway_that_grows_does_not_shrink(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r"gateway\.max_replicas"):
        make_plan(site(gateway={"replicas": 3, "max_replicas": 2}), [], "1")


def test_the_site_has_the_last_word(tmp_path: Path) -> None:
    service = {"a": {"replicas": 3, "cpu": 4, "memory_mb": 900, "gpu": "nvidia", "gpus": 2, "env": {"X": "1"}}}
    wanted = site(site={"images": "registry.example/n", "version": "9"}, service=service)
    unit = make_plan(wanted, [manifest(tmp_path / "a")], "1").units[0]
    assert (unit.image, unit.replicas, unit.memory_mb, unit.shares) == ("registry.example/n/a:9", 3, 900, 4096)
    assert (unit.gpu, unit.env) == (Gpu("nvidia", 2), {"X": "1"})


def test_what_is_left_out_or_runs_elsewhere_is_no_unit(tmp_path: Path) -> None:
    service = {"a": {"replicas": 0}, "b": {"url": "http://10.0.0.5:8000"}, "far": {"url": "http://10.0.0.6:8000"}}
    plan = make_plan(site(service=service), [manifest(tmp_path / "a"), manifest(tmp_path / "b")], "1")
    assert (plan.units, plan.elsewhere) == ((), ("http://10.0.0.5:8000", "http://10.0.0.6:8000"))


def test_an_engine_has_a_container_of_its_own_and_the_gpu(tmp_path: Path) -> None:
    given = [manifest(tmp_path / "w", PLAIN + ENGINE)]
    unit = make_plan(site(service={"w": {"gpu": "rocm"}}), given, "1").units[0]
    engine = unit.engine
    assert engine is not None
    assert (engine.name, engine.image, engine.gpu) == ("w-engine", "some/engine:1-rocm", Gpu("rocm", 1))
    assert engine.volumes == (Volume("w-engine-models", "/root/.models"),)
    assert (unit.gpu, unit.env, unit.secrets) == (None, {"WORDS_URL": "http://w-engine:11434"}, ("WORDS_KEY",))
    assert unit.volumes == (Volume("w-models", "/models", read_only=True), Volume("w-voices", "/voices"))


def test_heavy_services_weigh_little_where_processors_are_scarce(tmp_path: Path) -> None:
    unit = make_plan(site(), [manifest(tmp_path / "a", PLAIN + "[process]\nnice = 19\n")], "1").units[0]
    assert unit.shares == 30


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ({"b": {"replicas": 1}}, "service.b: there is no such service; there are: a"),
        ({"a": {"gpus": 2}}, "service.a.gpus"),
        ({"a": {"replicas": 3, "max_replicas": 2}}, "service.a.max_replicas"),
        ({"a": {"env": {"WORDS_KEY": "x"}}}, "service.a.env.WORDS_KEY: it is secret"),
        ({"a": {"env": {"NEXUS_REGISTRATION_SECRET": "x"}}}, "service.a.env.NEXUS_REGISTRATION_SECRET: it is secret"),
    ],
)
def test_a_site_that_does_not_fit_is_refused(tmp_path: Path, service: dict[str, Any], words: str) -> None:
    with pytest.raises(SiteError, match=words):
        make_plan(site(service=service), [manifest(tmp_path / "a", PLAIN + ENGINE)], "1")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"gateway": {"env": {"NEXUS_API_KEY": "x"}}}, r"gateway\.env\.NEXUS_API_KEY: it is secret"),
        ({"site": {"profiles": ["bog"]}}, r"site\.profiles: no service has the profile bog; there are: big"),
    ],
)
def test_a_secret_or_a_profile_that_is_not_there_is_refused(tmp_path: Path, values: dict[str, Any], words: str) -> None:
    with pytest.raises(SiteError, match=words):
        make_plan(site(**values), [manifest(tmp_path / "a", PLAIN + ENGINE)], "1")


def test_a_weight_is_not_more_than_an_engine_takes(tmp_path: Path) -> None:
    wanted = site(service={"a": {"cpu": 1000}})
    assert make_plan(wanted, [manifest(tmp_path / "a")], "1").units[0].shares == 262144


@pytest.mark.parametrize("name", ["gateway", "postgres", "a-engine"])
def test_a_name_that_the_stack_has_already_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SiteError, match=f"service.{name}"):
        make_plan(site(), [manifest(tmp_path / "a", PLAIN + ENGINE), manifest(tmp_path / name)], "1")
