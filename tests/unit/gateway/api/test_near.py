from nexus.gateway.api.near import did_you_mean


def test_close_names_are_asked_about() -> None:
    assert did_you_mean("Qwen2.5-0.5", ["qwen2.5-0.5b", "pocket-tts"]) == " Did you mean 'qwen2.5-0.5b'?"
    assert did_you_mean("QWEN", ["Qwen"]) == " Did you mean 'Qwen'?"
    assert did_you_mean("zzz", ["qwen2.5-0.5b"]) == ""
    assert did_you_mean("x" * 100_000, ["qwen"]) == ""
