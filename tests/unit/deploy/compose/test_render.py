"""The Compose file: what every container may not do, who reaches whom, and that it says the same twice."""

from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml

from nexus.deploy.compose.render import render, render_gpu
from nexus.deploy.plan import Plan, make_plan
from nexus.deploy.site import Site, SiteError
from nexus.gateway.settings import load_settings
from nexus.policies.networks import within
from nexus.sdk.manifest import read_manifest
from tests.unit.deploy.test_plan import ENGINE, PLAIN, manifest

ROOT = Path(__file__).parents[4]


def stack(tmp_path: Path, **site: Any) -> Plan:
    given = [manifest(tmp_path / "words", PLAIN), manifest(tmp_path / "big", PLAIN + ENGINE)]
    return make_plan(Site.model_validate(site), given, "1.2.3")


def parsed(plan: Plan) -> dict[str, Any]:
    file: dict[str, Any] = yaml.safe_load(render(plan))
    return file


def test_nothing_of_ours_has_rights_or_a_writable_root(tmp_path: Path) -> None:
    parts = parsed(stack(tmp_path))["services"]
    for name in ("keys", "gateway", "postgres", "valkey", "words", "big", "prometheus"):
        part = parts[name]
        assert part["read_only"] is True
        assert part["cap_drop"] == ["ALL"]
        assert "cap_add" not in part
        assert part["security_opt"] == ["no-new-privileges:true"]
        assert not str(part["user"]).startswith("0")
        assert part["mem_limit"].endswith("m")


def test_only_the_gateway_publishes_a_port(tmp_path: Path) -> None:
    parts = parsed(stack(tmp_path))["services"]
    assert [name for name, part in parts.items() if "ports" in part and "profiles" not in part] == ["gateway"]
    assert parts["gateway"]["ports"] == ["${NEXUS_BIND:-127.0.0.1}:${NEXUS_PORT:-8800}:8800"]


def test_services_share_an_alias_on_a_network_without_a_way_out(tmp_path: Path) -> None:
    file = parsed(stack(tmp_path))
    assert file["networks"]["big-engine"]["internal"] is True
    assert file["networks"]["outside"]["driver_opts"] == {"com.docker.network.bridge.enable_icc": "false"}
    assert file["services"]["words"]["networks"] == {"services": {"aliases": ["nexus-service"]}}
    assert file["networks"]["services"]["internal"] is True
    assert "services" not in file["services"]["postgres"]["networks"]
    assert "stores" not in file["services"]["words"]["networks"]


def test_memory_and_weight_are_the_manifests(tmp_path: Path) -> None:
    part = parsed(stack(tmp_path))["services"]["words"]
    assert (part["mem_limit"], part["cpu_shares"]) == ("700m", 2048)


def test_an_engine_is_reached_by_its_service_alone(tmp_path: Path) -> None:
    parts = parsed(stack(tmp_path))["services"]
    assert parts["big-engine"]["networks"] == ["big-engine", "outside"]
    assert list(parts["big"]["networks"]) == ["services", "big-engine"]
    assert [name for name, part in parts.items() if "big-engine" in part.get("networks", ())] == ["big", "big-engine"]
    assert parts["big"]["environment"]["WORDS_URL"] == "http://big-engine:11434"
    assert parts["big"]["profiles"] == parts["big-engine"]["profiles"] == ["big"]


def test_the_models_folder_is_the_one_that_all_services_share(tmp_path: Path) -> None:
    volumes = parsed(stack(tmp_path))["services"]["big"]["volumes"]
    assert volumes == ["${NEXUS_MODELS:-models}:/models:ro", "models-cache:/var/cache/nexus", "big-voices:/voices"]


def test_no_value_of_a_secret_is_in_the_file(tmp_path: Path) -> None:
    parts = parsed(stack(tmp_path))["services"]
    for part in parts.values():
        for name, value in part.get("environment", {}).items():
            if any(word in name for word in ("KEY", "PASSWORD", "DATABASE_URL", "REDIS_URL")):
                assert name.endswith("_FILE")
                assert value.startswith("/run/")


def test_every_volume_that_is_mounted_is_declared(tmp_path: Path) -> None:
    file = parsed(stack(tmp_path))
    assert {"models", "models-cache", "postgres", "files", "gateway-keys", "big-engine-models"} <= set(file["volumes"])


def test_the_site_says_how_many_and_on_which_gpu(tmp_path: Path) -> None:
    plan = stack(
        tmp_path,
        gateway={"public_url": "https://ai.example", "env": {"NEXUS_MAX_FILE_BYTES": "1"}},
        service={"words": {"replicas": 3, "gpu": "nvidia"}, "far": {"url": "http://10.0.0.9:8000"}},
    )
    parts = parsed(plan)["services"]
    assert parts["words"]["scale"] == 3
    assert parts["words"]["deploy"]["resources"]["reservations"]["devices"][0]["driver"] == "nvidia"
    environment = parts["gateway"]["environment"]
    assert environment["NEXUS_SERVICES"] == "http://10.0.0.9:8000"
    assert (environment["NEXUS_PUBLIC_URL"], environment["NEXUS_MAX_FILE_BYTES"]) == ("https://ai.example", "1")


def test_stores_elsewhere_are_files_and_run_no_container(tmp_path: Path) -> None:
    file = parsed(
        stack(tmp_path, postgres={"external_secret": "./database.txt"}, valkey={"external_secret": "/etc/redis.txt"})
    )
    gateway = file["services"]["gateway"]
    assert not {"postgres", "valkey"} & file["services"].keys()
    assert file["secrets"] == {"database_url": {"file": "./database.txt"}, "redis_url": {"file": "/etc/redis.txt"}}
    assert gateway["secrets"] == ["database_url", "redis_url"]
    assert gateway["environment"]["NEXUS_DATABASE_URL_FILE"] == "/run/secrets/database_url"
    assert gateway["environment"]["NEXUS_REDIS_URL_FILE"] == "/run/secrets/redis_url"
    assert list(gateway["depends_on"]) == ["keys"]


def test_several_gateways_are_refused_as_there_is_one_port(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r"gateway\.replicas: a Compose stack has one"):
        render(stack(tmp_path, gateway={"replicas": 2}))


@pytest.mark.parametrize(("wanted", "grace"), [({}, "20s"), ({"NEXUS_DRAIN_SECONDS": "90.5"}, "101s")])
def test_a_container_is_not_killed_before_its_drain_is_over(tmp_path: Path, wanted: dict[str, str], grace: str) -> None:
    parts = parsed(stack(tmp_path, service={"words": {"env": wanted}}))["services"]
    assert parts["words"]["stop_grace_period"] == grace


def test_dollar_signs_of_a_site_are_what_the_container_sees(tmp_path: Path) -> None:
    site = {"gateway": {"env": {"A": "${HOME}"}}, "service": {"words": {"env": {"B": "a$b$$"}}}}
    parts = parsed(stack(tmp_path, **site))["services"]
    assert parts["gateway"]["environment"]["A"] == "$${HOME}"
    assert parts["words"]["environment"]["B"] == "a$$b$$$$"


def test_the_front_for_tls_opens_without_the_gateways_own_port(tmp_path: Path) -> None:
    parts = parsed(stack(tmp_path))["services"]
    assert parts["tls"]["ports"] == ["${NEXUS_TLS_BIND:-127.0.0.1}:${NEXUS_TLS_PORT:-443}:443"]
    assert "NEXUS_TLS_BIND" not in str(parts["gateway"])


def test_metrics_are_collected_with_the_token_and_no_other_key(tmp_path: Path) -> None:
    part = parsed(stack(tmp_path))["services"]["prometheus"]
    (keys,) = [mount for mount in part["volumes"] if "-keys" in mount]
    assert keys == "prometheus-keys:/run/nexus/prometheus:ro"
    assert keys.split(":")[1] + "/api_key" in (ROOT / "deploy/observability/prometheus.yml").read_text(encoding="utf-8")


def test_groups_of_the_host_are_numbers_as_images_do_not_know_their_names(tmp_path: Path) -> None:
    rocm = yaml.safe_load(render_gpu(stack(tmp_path), "rocm"))["services"]
    assert rocm["big-engine"]["group_add"] == ["${NEXUS_VIDEO_GID:-44}", "${NEXUS_RENDER_GID:-109}"]


def test_what_a_service_of_ones_own_extends_is_what_every_service_has(tmp_path: Path) -> None:
    base = yaml.safe_load((ROOT / "deploy" / "service.yml").read_text(encoding="utf-8"))["services"]["service"]
    ours = parsed(stack(tmp_path))["services"]["words"]
    own = {"image", "build", "mem_limit", "cpu_shares", "environment", "volumes"}
    assert {key: value for key, value in base.items() if key != "mem_limit"} == {
        key: value for key, value in ours.items() if key not in own
    }
    assert base["mem_limit"] == "512m"


def test_the_example_of_a_service_of_ones_own_is_six_lines(tmp_path: Path) -> None:
    text = (ROOT / "compose.override.example.yml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) <= 6
    assert yaml.safe_load(text)["services"]["word-tools"]["extends"] == {
        "file": "deploy/service.yml",
        "service": "service",
    }


def test_an_override_gives_gpus_to_what_can_use_them(tmp_path: Path) -> None:
    rocm = yaml.safe_load(render_gpu(stack(tmp_path), "rocm"))["services"]
    assert list(rocm) == ["big-engine"]
    assert (rocm["big-engine"]["image"], "/dev/kfd:/dev/kfd" in rocm["big-engine"]["devices"]) == (
        "some/engine:1-rocm",
        True,
    )


def test_rendering_says_the_same_twice_whatever_the_order(tmp_path: Path) -> None:
    one, other = manifest(tmp_path / "one"), manifest(tmp_path / "other")
    assert render(make_plan(Site(), [one, other], "1")) == render(make_plan(Site(), [other, one], "1"))


def test_the_gateway_lets_the_collector_of_its_own_stack_read_the_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its address is one of the container engine's; without this, /metrics would be closed to all but the gateway."""
    told = parsed(stack(tmp_path))["services"]["gateway"]["environment"]["NEXUS_METRICS_ALLOW"]
    monkeypatch.setenv("NEXUS_METRICS_ALLOW", told)
    networks = load_settings().metrics_allow
    for address in ("172.18.0.5", "192.168.96.2", "10.89.0.7"):
        assert within(ip_address(address), networks)
    assert not within(ip_address("203.0.113.9"), networks)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("docker-compose.yml", None), ("compose.gpu-nvidia.yml", "nvidia"), ("compose.gpu-rocm.yml", "rocm")],
)
def test_the_files_in_the_repository_are_rendered(name: str, kind: Any) -> None:
    """For the services that they name: one that is added changes no file outside its folder."""
    found = (ROOT / name).read_text(encoding="utf-8")
    named = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    manifests = [read_manifest(path.parent) for path in sorted((ROOT / "services").glob("*/service.toml"))]
    plan = make_plan(Site(), [one for one in manifests if one.folder.name in named], _version_in(found))
    assert found == (render_gpu(plan, kind) if kind else render(plan))


def _version_in(text: str) -> str:
    file = yaml.safe_load(text)
    return str(file["services"].get("gateway", {}).get("image", "nexus/gateway:0").rpartition(":")[2])
