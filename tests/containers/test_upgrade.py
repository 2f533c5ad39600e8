"""From the image before the newest migration of the database to the one of today: nothing that was kept is lost."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.containers.compose import ROOT, Project, docker, until
from tests.containers.conftest import build, free_port

MIGRATIONS = "src/nexus/store/migrations/versions"
PREVIOUS = "nexus/gateway:previous"
OVERRIDE = f"services:\n  gateway:\n    image: {PREVIOUS}\n"


def git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The gateway's image as it was before the newest migration came; its revision of the database."""
    folder = tmp_path_factory.mktemp("previous")
    newest = sorted(path.name for path in (ROOT / MIGRATIONS).glob("r*.py"))[-1]
    commit = git("log", "--diff-filter=A", "--format=%H", "--", f"{MIGRATIONS}/{newest}").splitlines()[-1] + "^"
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    build(folder, "gateway", PREVIOUS)
    return sorted(path.name for path in (folder / MIGRATIONS).glob("r*.py"))[-1][1:5]


@pytest.fixture
def old(previous: str, tmp_path: Path) -> Iterator[Project]:
    """A stack whose gateway is the previous one."""
    override = tmp_path / "previous.yml"
    override.write_text(OVERRIDE)
    project = Project("nexus-upgrade", free_port(), (override,))
    project.down()
    try:
        project.compose("up", "--detach", "--wait", "gateway", "music")
        yield project
    finally:
        project.down()


def revision(project: Project) -> str:
    asked = "SELECT version_num FROM alembic_version"
    return project.compose("exec", "-T", "postgres", "psql", "-U", "nexus", "-tAc", asked).strip()


def ask_for_music(http: httpx.Client) -> str | None:
    answer = http.post("/v1/music/generations", json={"prompt": "calm piano", "duration": 2, "background": True})
    return answer.json()["id"] if answer.status_code == 202 else None


def is_done(http: httpx.Client, job: str) -> bool:
    return bool(http.get(f"/v1/jobs/{job}").json().get("status") == "completed")


def test_jobs_files_and_the_token_outlive_an_upgrade(old: Project, previous: str) -> None:
    with old.client() as http:
        job = until(lambda: ask_for_music(http), "the music service is known")
        until(lambda: is_done(http, job), "the job is done")
        result = http.get(f"/v1/jobs/{job}/result").content
        file = http.post("/v1/files", data={"purpose": "user_data"}, files={"file": ("a.txt", b"kept")}).json()["id"]
        assert revision(old) == previous
        now = Project(old.name, old.port)
        now.compose("up", "--detach", "--wait", "--no-deps", "gateway")
        (gateway,) = now.containers("gateway")
        assert gateway["Config"]["Image"] != PREVIOUS
        assert int(revision(now)) > int(previous)
        assert http.get(f"/v1/jobs/{job}/result").content == result
        assert http.get(f"/v1/files/{file}/content").content == b"kept"
        again = until(lambda: ask_for_music(http), "the new gateway knows the service")
        until(lambda: is_done(http, again), "a job of the new gateway is done")


def test_an_older_gateway_does_not_touch_a_newer_database(old: Project, previous: str) -> None:
    Project(old.name, old.port).compose("up", "--detach", "--wait", "--no-deps", "gateway")
    old.compose("up", "--detach", "--no-deps", "gateway")
    until(lambda: "does not fit this version" in old.compose("logs", "gateway"), "it says why it does not start")
    assert int(revision(old)) > int(previous)
    assert docker("image", "inspect", PREVIOUS)
