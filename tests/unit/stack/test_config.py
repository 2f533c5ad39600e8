"""The stack file: what it may say, and the one line that refuses what it may not."""

from pathlib import Path

import pytest

from nexus.stack.config import ServiceOverride, StackError, find_stack, read_stack


def service(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "service.toml").write_text("")
    return folder.resolve()


def stack_file(folder: Path, text: str = '[stack]\nservices = ["services/*"]\n') -> Path:
    file = folder / "stack.toml"
    file.write_text(text)
    return file


def test_folders_are_those_with_a_manifest(tmp_path: Path) -> None:
    beta, alpha = service(tmp_path / "services" / "beta"), service(tmp_path / "services" / "alpha")
    (tmp_path / "services" / "notes").mkdir()
    assert read_stack(stack_file(tmp_path)).folders() == (alpha, beta)


def test_folders_are_looked_up_at_each_call(tmp_path: Path) -> None:
    stack = read_stack(stack_file(tmp_path))
    assert stack.folders() == ()
    late = service(tmp_path / "services" / "late")
    assert stack.folders() == (late,)


def test_overrides_are_text_for_the_environment(tmp_path: Path) -> None:
    text = "[service.alpha]\nport = 9001\nreplicas = 2\nenv = { THREADS = 2, FAST = true, NAME = 'x' }\n"
    stack = read_stack(stack_file(tmp_path, text))
    override = stack.override("alpha")
    assert (override.port, override.replicas) == (9001, 2)
    assert dict(override.env) == {"THREADS": "2", "FAST": "true", "NAME": "x"}
    assert stack.override("other") == ServiceOverride()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[stack", "Expected ']'"),
        ("[stack]\nservice = 1\n", "stack.service: Extra inputs are not permitted"),
        ("[service.a]\nport = 0\n", "service.a.port: Input should be greater than or equal to 1"),
        ("[service.a]\nenv = { 'no good' = 1 }\n", "service.a.env.no good"),
        ('[stack]\nservices = ["/etc/*"]\n', "stack.services: '/etc/*' must be a pattern relative"),
        ('[service.a]\nextras = ["../b"]\n', "service.a.extras.0"),
        ('[service.a]\nextras = "b"\n', "service.a.extras"),
        ("roots = []\n", "roots: Extra inputs are not permitted"),
        ("[gateway]\nenv = { A = [1] }\n", "gateway.env.A: Input should be a valid string"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(StackError) as caught:
        read_stack(stack_file(tmp_path, text))
    assert complaint in str(caught.value)
    assert str(tmp_path / "stack.toml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_own_stack_file_goes_first(tmp_path: Path) -> None:
    here, checkout = tmp_path / "here", tmp_path / "checkout"
    mine, theirs = service(here / "services" / "mine"), service(checkout / "services" / "theirs")
    stack_file(checkout)
    assert find_stack(here, checkout).folders() == (mine, theirs)
    stack_file(here)
    assert find_stack(here, checkout).folders() == (mine,)


def test_an_own_service_hides_the_bundled_one_of_its_name(tmp_path: Path) -> None:
    here, checkout = tmp_path / "here", tmp_path / "checkout"
    mine = service(here / "services" / "same")
    service(checkout / "services" / "same")
    stack_file(checkout)
    assert find_stack(here, checkout).folders() == (mine,)


def test_no_stack_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"no stack\.toml in "):
        find_stack(tmp_path, tmp_path / "nowhere")


def test_services_of_a_profile_wait_until_they_are_asked_for(tmp_path: Path) -> None:
    always, apart = service(tmp_path / "services" / "always"), service(tmp_path / "services" / "apart")
    (apart / "service.toml").write_text('[deploy]\nprofile = "big"\n')
    plain = '[stack]\nservices = ["services/*"]\n'
    assert read_stack(stack_file(tmp_path, plain)).folders() == (always,)
    assert read_stack(stack_file(tmp_path, plain)).every_folder() == (always, apart)
    assert read_stack(stack_file(tmp_path, plain + 'profiles = ["big"]\n')).folders() == (always, apart)
    assert read_stack(stack_file(tmp_path, plain + "[service.apart]\n")).folders() == (always, apart)


@pytest.mark.parametrize("text", ["[deploy", "deploy = 1\n", "[deploy]\nprofile = 3\n", "[deploy]\n"])
def test_a_manifest_that_names_no_profile_is_for_every_stack(tmp_path: Path, text: str) -> None:
    folder = service(tmp_path / "services" / "one")
    (folder / "service.toml").write_text(text)
    assert read_stack(stack_file(tmp_path)).folders() == (folder,)
