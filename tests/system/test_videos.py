"""Videos through the official client, and what the gateway does itself for pictures, files and services that ask."""

import base64
import io
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest

from tests.servers.gateway import TOKEN, Gateway
from tests.servers.openai_document import DOCUMENT, WHY_NOT, complaints, load_document
from tests.servers.raw import wait_until
from tests.servers.sdk_service import SdkService
from tests.servers.studio.engine import png

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")  # the shape lives on without it
STUDIO = Path(__file__).parents[1] / "servers" / "studio"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("studio")
    with SdkService(STUDIO, folder) as studio, Gateway(folder, [studio.url]) as gateway:
        gateway.wait_for_state(studio.url, "ready")
        yield gateway


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=TOKEN, max_retries=0) as client:
        yield client


def made(client: openai.OpenAI, prompt: str = "the moon") -> str:
    video = client.videos.create_and_poll(prompt=prompt, seconds="4", size="1280x720")
    assert video.status == "completed", video
    return video.id


def test_a_video_from_its_making_to_its_end(client: openai.OpenAI) -> None:
    video = client.videos.create(prompt="the moon", seconds="8", size="1280x720")
    assert (video.object, video.status, video.prompt) == ("video", "queued", "the moon")
    assert (video.seconds, video.size, video.error, video.remixed_from_video_id) == ("8", "1280x720", None, None)
    done = client.videos.poll(video.id)
    assert (done.status, done.progress, done.id) == ("completed", 100, video.id)
    assert done.completed_at is not None
    assert done.expires_at is not None
    assert done.created_at <= done.completed_at < done.expires_at
    content = client.videos.download_content(video.id)
    assert (content.response.headers["content-type"], content.read()) == ("video/mp4", png("the moon 0"))
    assert client.videos.download_content(video.id, variant="thumbnail").read() == png("small")
    with pytest.raises(openai.NotFoundError) as caught:
        client.videos.download_content(video.id, variant="spritesheet")
    assert caught.value.param == "variant"
    assert client.videos.delete(video.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve(video.id)


@pytest.mark.skipif(not DOCUMENT.is_file(), reason=WHY_NOT)
def test_it_is_told_as_the_published_document_says(client: openai.OpenAI, gateway: Gateway) -> None:
    document = load_document()
    asked = gateway.post("/v1/videos", {"prompt": "the moon", "size": "1280x720"}).json()
    client.videos.poll(asked["id"])
    done = gateway.get(f"/v1/videos/{asked['id']}").json()
    failed = gateway.post("/v1/videos", {"prompt": "the moon"}).json()
    gateway.post(f"/v1/jobs/{failed['id']}/cancel", {})
    told = gateway.get(f"/v1/videos/{failed['id']}").json()
    for video in (asked, done, told):
        assert complaints(document, "VideoResource", video) == []
    assert complaints(document, "VideoListResource", gateway.get("/v1/videos").json()) == []
    deleted = gateway.get(f"/v1/videos/{done['id']}", method="DELETE").json()
    assert complaints(document, "DeletedVideoResource", deleted) == []
    file = client.files.create(file=("a.txt", b"x"), purpose="user_data")
    assert complaints(document, "OpenAIFile", gateway.get(f"/v1/files/{file.id}").json()) == []
    assert complaints(document, "ListFilesResponse", gateway.get("/v1/files").json()) == []


def test_a_video_is_a_job_too(client: openai.OpenAI, gateway: Gateway) -> None:
    identity = made(client)
    job = gateway.get(f"/v1/jobs/{identity}").json()
    assert (job["operation"], job["status"], job["service"]) == ("videos", "completed", "studio")
    assert gateway.get(f"/v1/jobs/{identity}/result").body == png("the moon 0")


def test_a_range_of_a_video(client: openai.OpenAI, gateway: Gateway) -> None:
    identity = made(client)
    answer = gateway.get(f"/v1/videos/{identity}/content", headers={"range": "bytes=1-3"})
    assert (answer.status, answer.body) == (206, b"PNG")


def test_a_remix_is_made_of_its_source(client: openai.OpenAI) -> None:
    source = made(client)
    remix = client.videos.remix(source, prompt="the sun")
    assert (remix.prompt, remix.remixed_from_video_id, remix.size) == ("the sun", source, "1280x720")
    client.videos.poll(remix.id)
    assert client.videos.download_content(remix.id).read() == b"remixed " + png("the moon 0")


def test_a_picture_to_begin_with(client: openai.OpenAI, gateway: Gateway) -> None:
    reference = ("first.png", io.BytesIO(png("first")), "image/png")
    video = client.videos.create_and_poll(prompt="go on", input_reference=reference, seconds="4")
    assert client.videos.download_content(video.id).read() == png("first")
    remix = client.videos.remix(video.id, prompt="otherwise")  # the request that it came from was a form
    assert client.videos.poll(remix.id).status == "completed"
    assert (remix.prompt, remix.seconds) == ("otherwise", "4")


def test_numbers_of_a_form_are_numbers_in_its_remix_too(client: openai.OpenAI) -> None:
    reference = ("first.png", io.BytesIO(png("first")), "image/png")
    numbers = {"seed": 5, "fps": 12, "width": 64, "height": 128, "num_frames": 30}
    video = client.videos.create(prompt="go on", input_reference=reference, extra_body=numbers)
    assert (video.seconds, video.size) == ("2.5", "64x128")
    assert client.videos.poll(video.id).status == "completed"
    remix = client.videos.remix(video.id, prompt="otherwise")
    assert (remix.seconds, remix.size) == ("2.5", "64x128")
    assert client.videos.poll(remix.id).status == "completed"
    assert client.videos.download_content(remix.id).read() == b"remixed " + png("first")
    with pytest.raises(openai.BadRequestError) as caught:
        client.videos.create(prompt="go on", input_reference=reference, extra_body={"fps": "many"})
    assert caught.value.param == "fps"


def test_videos_are_listed_newest_first(client: openai.OpenAI) -> None:
    ids = [made(client) for _ in range(3)]
    assert [video.id for video in client.videos.list(limit=3)][:3] == list(reversed(ids))
    page = client.videos.list(limit=1, after=ids[2], order="desc")
    assert (page.data[0].id, page.has_more) == (ids[1], True)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "prompt"),
        ({"prompt": "  "}, "prompt"),
        ({"prompt": "x" * 40_000}, "prompt"),
        ({"prompt": "x", "seconds": "-4"}, "seconds"),
        ({"prompt": "x", "seconds": "soon"}, "seconds"),
        ({"prompt": "x", "size": "huge"}, "size"),
        ({"prompt": "x", "size": "1x1"}, "size"),
        ({"prompt": "x", "fps": 0}, "fps"),
        ({"prompt": "x", "num_frames": -1}, "num_frames"),
        ({"prompt": "x", "model": ""}, "model"),
        ({"prompt": "x", "model": "unheard-of"}, "model"),
    ],
)
def test_what_cannot_be_made_is_refused_at_once(gateway: Gateway, fields: dict[str, object], param: str) -> None:
    answer = gateway.post("/v1/videos", fields)
    assert answer.status == (404 if fields.get("model") else 400), answer
    assert answer.error["param"] == param


def test_what_is_no_request_is_refused_too(gateway: Gateway) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    url = f"{gateway.url}/v1/videos"
    assert httpx.post(url, content=b"{", headers=headers).status_code == 400
    assert httpx.post(url, content=b"[]", headers=headers).status_code == 400
    assert httpx.post(url, content=b"x", headers={**headers, "content-type": "text/plain"}).status_code == 415
    assert httpx.post(url, data={"prompt": "x", "fps": "many"}, files={"a": b""}, headers=headers).status_code == 400
    assert httpx.post(url, json={"prompt": "x"}).status_code == 401
    assert gateway.get("/v1/videos/video_0").status == gateway.get("/v1/videos/job_0/content").status == 404
    assert gateway.post("/v1/videos/video_0/remix", {"prompt": "x"}).status == 404


def test_a_running_video_cannot_be_remixed_or_fetched_but_deleted(client: openai.OpenAI) -> None:
    video = client.videos.create(prompt="the moon", model="studio")
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve("video_unknown")
    client.videos.poll(video.id)
    assert client.videos.delete(video.id).deleted


def test_pictures_get_urls_that_need_no_key_where_urls_are_asked_for(client: openai.OpenAI, gateway: Gateway) -> None:
    answer = client.images.generate(prompt="blue", n=2, response_format="url")
    assert answer.data is not None
    for number, picture in enumerate(answer.data):
        assert picture.b64_json is None
        assert picture.url is not None
        assert picture.url.startswith(f"{gateway.url}/v1/artifacts/")
        fetched = httpx.get(picture.url)
        assert (fetched.headers["content-type"], fetched.content) == ("image/png", png(f"blue {number}"))
    plain = client.images.generate(prompt="blue", response_format="b64_json")
    assert plain.data is not None
    assert base64.b64decode(plain.data[0].b64_json or "") == png("blue 0")


def test_a_jobs_pictures_get_urls_too(gateway: Gateway) -> None:
    wish = {"prompt": "red", "response_format": "url", "background": True}
    job = gateway.post("/v1/images/generations", wish).json()
    wait_until(lambda: gateway.get(f"/v1/jobs/{job['id']}").json()["status"] == "completed")
    (picture,) = gateway.get(f"/v1/jobs/{job['id']}/result").json()["data"]
    assert picture["url"].startswith("http://nexus.test/v1/artifacts/")  # by the Host header of who asked for the job
    assert gateway.get(picture["url"].removeprefix("http://nexus.test"), token=None).body == png("red 0")


def test_a_jobs_pictures_go_with_it(gateway: Gateway) -> None:
    wish = {"prompt": "green", "response_format": "url"}
    waiting = gateway.post("/v1/images/generations", wish, headers={"prefer": "respond-async, wait=10"})
    plain = gateway.post("/v1/images/generations", wish)
    of_job, of_call = (answer.json()["data"][0]["url"].removeprefix("http://nexus.test") for answer in (waiting, plain))
    assert gateway.get(of_job, token=None).status == 200
    assert gateway.get(f"/v1/jobs/{waiting.header('x-nexus-job')}", method="DELETE").json()["deleted"]
    answer = gateway.get(of_job, token=None)
    assert (answer.status, answer.error["code"]) == (404, "not_found")
    assert gateway.get(of_call, token=None).body == png("green 0")  # nobody's but the call's: for its own day


@pytest.mark.parametrize(
    ("name", "media_type", "kind"), [("a.pdf", "application/pdf", "document_url"), ("a.png", "image/png", "image_url")]
)
def test_an_uploaded_file_stands_in_the_place_of_its_id(
    client: openai.OpenAI, gateway: Gateway, name: str, media_type: str, kind: str
) -> None:
    file = client.files.create(file=(name, b"what it says", media_type), purpose="user_data")
    answer = gateway.post("/v1/ocr", {"document": {"type": "file", "file_id": file.id}})
    assert answer.json() == {"kind": kind, "pages": [{"index": 0, "markdown": "what it says"}]}
    later = gateway.post("/v1/ocr", {"document": {"type": "file", "file_id": file.id}, "background": True}).json()
    wait_until(lambda: gateway.get(f"/v1/jobs/{later['id']}").json()["status"] == "completed")
    assert gateway.get(f"/v1/jobs/{later['id']}/result").json()["kind"] == kind


def test_a_file_that_is_not_there_is_named(gateway: Gateway) -> None:
    answer = gateway.post("/v1/ocr", {"document": {"type": "file", "file_id": "file-none"}})
    assert (answer.status, answer.error["param"]) == (404, "file_id")


def test_a_clients_word_for_the_gateway_reaches_no_service(gateway: Gateway) -> None:
    """Whoever could say where the gateway is could have a service send its loan elsewhere."""
    began = time.time()
    headers = {"x-nexus-gateway": "http://127.0.0.1:9", "x-nexus-delegation": "stolen"}
    job = gateway.post("/v1/videos", {"prompt": "the moon"}, headers=headers).json()
    wait_until(lambda: gateway.get(f"/v1/videos/{job['id']}").json()["status"] == "completed")
    assert gateway.get(f"/v1/jobs/{job['id']}").json()["created_at"] >= int(began)
