"""The environment is read once; a value that cannot be used is one line that names the variable, never a secret."""

from pathlib import Path

import pytest

from nexus.sdk.environment import child_environment, read_settings, read_variable
from nexus.sdk.manifest import ConfigEntry, ServiceManifest
from nexus.sdk.problems import SettingError


def manifest(*config: ConfigEntry) -> ServiceManifest:
    service = {"name": "llm", "engine": "engine:E", "operations": ["chat.completions"]}
    return ServiceManifest.model_validate({"folder": Path("/"), "service": service, "config": config})


def test_defaults() -> None:
    settings = read_settings(manifest(), {})
    assert (settings.host, settings.port, settings.drain_seconds) == ("127.0.0.1", 8000, 10.0)
    assert settings.instance.startswith("llm-")
    assert len(settings.instance) == len("llm-") + 4
    assert (settings.models_dir, settings.gateway_url, settings.lifeline_fd) == (None, None, None)
    assert settings.models_cache == Path(".nexus/models")


def test_everything_given() -> None:
    settings = read_settings(
        manifest(ConfigEntry(env="NEXUS_LLM_THREADS", type="int", default=2), ConfigEntry(env="NEXUS_LLM_X")),
        {
            "NEXUS_SERVICE_HOST": "0.0.0.0",
            "NEXUS_SERVICE_PORT": "0",
            "NEXUS_SERVICE_INSTANCE": "a",
            "NEXUS_REGION": "eu",
            "NEXUS_MODELS_DIR": "/m",
            "NEXUS_GATEWAY_URL": "http://gateway:8800/",
            "NEXUS_REGISTRATION_SECRET": "hush",
            "NEXUS_LIFELINE_FD": "7",
            "NEXUS_LLM_THREADS": "4",
        },
    )
    assert (settings.host, settings.port, settings.instance, settings.region) == ("0.0.0.0", 0, "a", "eu")
    assert settings.gateway_url == "http://gateway:8800"
    assert settings.lifeline_fd == 7
    assert settings.config == {"NEXUS_LLM_THREADS": 4, "NEXUS_LLM_X": None}
    assert "hush" not in repr(settings)


def test_a_value_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush\n")
    given = {"NEXUS_REGISTRATION_SECRET_FILE": str(tmp_path / "secret")}
    assert read_settings(manifest(), given).registration_secret == "hush"
    with pytest.raises(SettingError, match="one of the two"):
        read_settings(manifest(), {**given, "NEXUS_REGISTRATION_SECRET": "x"})
    with pytest.raises(SettingError, match="NEXUS_SERVICE_PORT_FILE"):
        read_settings(manifest(), {"NEXUS_SERVICE_PORT_FILE": str(tmp_path / "gone")})


@pytest.mark.parametrize(
    ("entry", "text", "words"),
    [
        (ConfigEntry(env="A", type="int"), "1.5", "A: '1.5' is not a whole number"),
        (ConfigEntry(env="A", type="float"), "nan", "A: 'nan' is not a finite number"),
        (ConfigEntry(env="A", type="float"), "x", "A: 'x' is not a number"),
        (ConfigEntry(env="A", type="bool"), "maybe", "A: 'maybe' is neither true nor false"),
        (ConfigEntry(env="A", type="enum", values=("a", "b")), "c", "A: 'c' is not one of a, b"),
        (ConfigEntry(env="A", type="int", minimum=1), "0", "A: '0' is below 1"),
        (ConfigEntry(env="A", type="int", maximum=9), "10", "A: '10' is above 9"),
        (ConfigEntry(env="A", type="int", secret=True), "hush", "A: the value given is not a whole number"),
    ],
)
def test_wrong_values_are_told_in_one_line(entry: ConfigEntry, text: str, words: str) -> None:
    with pytest.raises(SettingError) as caught:
        read_variable(entry, {"A": text})
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("entry", "text", "value"),
    [
        (ConfigEntry(env="A", type="int"), " 5 ", 5),
        (ConfigEntry(env="A", type="float"), "2", 2.0),
        (ConfigEntry(env="A", type="bool"), "Yes", True),
        (ConfigEntry(env="A", type="bool"), "off", False),
        (ConfigEntry(env="A", type="enum", values=("a", "b")), "b", "b"),
        (ConfigEntry(env="A", default="x"), "", "x"),
    ],
)
def test_values_are_read_in_their_type(entry: ConfigEntry, text: str, value: object) -> None:
    assert read_variable(entry, {"A": text}) == value


def test_a_gateway_url_is_one() -> None:
    with pytest.raises(SettingError, match="NEXUS_GATEWAY_URL"):
        read_settings(manifest(), {"NEXUS_GATEWAY_URL": "gateway:8800"})


def test_a_childs_environment_is_this_ones_with_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXUS_TEST_A", "1")
    assert child_environment({"NEXUS_TEST_B": "2"}).items() >= {("NEXUS_TEST_A", "1"), ("NEXUS_TEST_B", "2")}
