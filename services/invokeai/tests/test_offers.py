"""Which models there are, and the settings that they bring."""

from typing import Any

from nexus_invokeai.offers import offers

from nexus.sdk.engine import Model


def record(key: str, name: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "hash": f"h{key}", "name": name, "base": "sdxl", "type": "main", **more}


def test_models_by_their_names_with_their_own_settings() -> None:
    settings = {"steps": 4, "cfg_scale": 1.5, "scheduler": "lcm", "width": 512, "height": 768, "vae": None}
    told = offers([record("k1", "Juggernaut XL v9"), record("k2", "Turbo", default_settings=settings)], ())
    assert [one.model.id for one, _ in told] == ["Juggernaut-XL-v9", "Turbo"]
    assert told[0][0].model.aliases == ("k1",)
    plain, turbo = (palette for _, palette in told)
    assert plain is not None
    assert turbo is not None
    assert (plain.size, plain.steps) == ((1024, 1024), 30)
    assert (turbo.size, turbo.steps, turbo.guidance_scale, turbo.scheduler) == ((512, 768), 4, 1.5, "lcm")
    assert turbo.identifier == {"key": "k2", "hash": "hk2", "name": "Turbo", "base": "sdxl", "type": "main"}


def test_settings_that_are_none_are_left() -> None:
    settings = {"steps": "many", "cfg_scale": 0, "scheduler": "magic", "width": 500, "height": 512}
    ((_, palette),) = offers([record("k", "n", default_settings=settings)], ())
    assert palette is not None
    assert (palette.steps, palette.guidance_scale, palette.scheduler) == (30, 7.0, "dpmpp_2m_k")
    assert palette.size == (1024, 1024)
    for nonsense in ("fast", [4], {"steps": float("inf"), "width": float("inf"), "height": 512, "scheduler": ["lcm"]}):
        ((_, palette),) = offers([record("k", "n", default_settings=nonsense)], ())
        assert palette is not None
        assert (palette.steps, palette.size, palette.scheduler) == (30, (1024, 1024), "dpmpp_2m_k")


def test_two_of_one_name_are_told_apart() -> None:
    told = offers([record("1111111111", "a b"), record("2222222222", "a/b")], ())
    assert [one.model.id for one, _ in told] == ["a-b", "a-b-22222222"]


def test_entries_name_and_settle_a_model() -> None:
    entries = [
        Model("sdxl", options={"model": "Turbo", "steps": 2, "size": "256x256"}),
        Model("gone", options={"model": "none"}),
        Model("large", options={"model": "Turbo", "size": "9x9"}),
    ]
    told = offers([record("k2", "Turbo")], entries)
    assert [(one.model.id, one.state) for one, _ in told] == [
        ("sdxl", "ready"),
        ("gone", "failed"),
        ("large", "failed"),
    ]
    palette = told[0][1]
    assert palette is not None
    assert (palette.steps, palette.size, palette.key) == (2, (256, 256), "k2")
