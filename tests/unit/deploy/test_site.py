"""The site file, and the one line that refuses what it may not say."""

from pathlib import Path

import pytest

from nexus.deploy.site import Site, SiteError, read_site


def written(folder: Path, text: str) -> Path:
    file = folder / "site.toml"
    file.write_text(text)
    return file


def test_an_empty_file_is_one_machine(tmp_path: Path) -> None:
    assert read_site(written(tmp_path, "")) == Site()


def test_which_where_how_many_and_which_gpu(tmp_path: Path) -> None:
    text = '[service.llm]\nreplicas = 2\ngpu = "nvidia"\nnode = { "kubernetes.io/hostname" = "box-1" }\n'
    part = read_site(written(tmp_path, text)).part("llm")
    assert (part.replicas, part.gpu, part.node) == (2, "nvidia", {"kubernetes.io/hostname": "box-1"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[site", "TOML|Expected"),
        ("[sites]\n", "sites: Extra inputs are not permitted"),
        ('[site]\nname = "No Good"\n', "site.name"),
        ("[gateway]\nreplicas = 0\n", "gateway.replicas"),
        ('[gateway]\nport = "x"\n', "gateway.port"),
        ('[service.a]\ngpu = "abacus"\n', "service.a.gpu"),
        ('[service.a]\nurl = "ftp://x"\n', "service.a.url"),
        ("[service.a]\ncpu = inf\n", "service.a.cpu"),
        ('[postgres]\nimage = ""\n', "postgres.image"),
        ("[service.a]\nenv = { lower = '1' }\n", "service.a.env.lower"),
        ('[service."../a"]\n', r"service\.\.\./a"),
        ('[cluster]\nmesh = "other"\n', "cluster.mesh"),
        ('[postgres]\ndisk = "lots"\n', "postgres.disk"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SiteError, match=words) as caught:
        read_site(written(tmp_path, text))
    assert str(caught.value).startswith(str(tmp_path / "site.toml"))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="No such file"):
        read_site(tmp_path / "site.toml")
