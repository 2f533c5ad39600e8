"""An InvokeAI 6 as its clients see it: its queue, images and models over HTTP, its events over socket.io.

One item at a time. Quirks included: `enqueue_batch` answers 200 where its OpenAPI says 201, a bad graph is 422 and
anything else 500 `{"detail"}`; a full queue enqueues nothing and says so; a session is told late, or as null; what ran
when the process died is `canceled` after the restart, as the queue is kept on disk (here a file). `/sim/…` is the
test's own door. Run: `invoke_simulator.py PORT FILE`.
"""

import asyncio
import base64
import hashlib
import io
import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import socketio
from aiohttp import web
from aiohttp.web import Request, Response
from PIL import Image

MODELS = [
    {"key": "6f1b0a1c-aaaa", "hash": "blake3:11", "name": "SDXL base", "base": "sdxl", "type": "main"}
    | {"format": "diffusers", "path": "sdxl/main/base", "default_settings": None},
    {"key": "77e1f2ab-bbbb", "hash": "blake3:22", "name": "SDXL Turbo", "base": "sdxl", "type": "main"}
    | {"format": "checkpoint", "path": "sdxl/main/turbo.safetensors"}
    | {"default_settings": {"steps": 4, "cfg_scale": 1.0, "scheduler": "lcm", "width": 512, "height": 512}},
]
REQUIRED = {
    "sdxl_model_loader": ("model",),
    "sdxl_compel_prompt": ("prompt", "style"),
    "noise": ("seed", "width", "height"),
    "denoise_latents": ("steps", "cfg_scale", "scheduler"),
    "l2i": (),
    "i2l": ("image",),
    "create_denoise_mask": ("mask",),
}
LINKED = {
    "denoise_latents": ("unet", "positive_conditioning", "negative_conditioning", "noise"),
    "l2i": ("latents", "vae"),
    "i2l": ("vae",),
    "create_denoise_mask": ("vae",),
    "sdxl_compel_prompt": ("clip", "clip2"),
}
INTERMEDIATE = "is_intermediate"


class CanceledError(Exception):
    """The running item was cancelled."""


class Simulator:
    """The engine's state. `control` holds what a test has changed."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.control: dict[str, Any] = {"step_seconds": 0.0}
        self.models = json.loads(json.dumps(MODELS))
        self.seen: list[dict[str, Any]] = []
        self.items: dict[int, dict[str, Any]] = {}
        self.images: dict[str, bytes] = {}
        self.installs: dict[int, dict[str, Any]] = {}
        self.sio = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins="*")
        self.sio.on("connect", self.connected)
        self.sio.on("subscribe_queue", self.subscribed)
        self.sockets: list[str] = []
        self.arrived = asyncio.Event()
        if file.exists():
            self.items = {int(name): item for name, item in json.loads(file.read_text()).items()}
            for item in self.items.values():
                if item["status"] == "in_progress":
                    item["status"] = "canceled"

    def kept(self) -> None:
        self.file.write_text(json.dumps(self.items))

    async def connected(self, sid: str, environ: Any, auth: Any) -> bool:
        self.seen.append({"method": "SOCKET", "path": "/ws/socket.io", "at": time.monotonic(), "auth": auth})
        wanted = self.control.get("token")
        return not self.control.get("no_socket") and (wanted is None or (auth or {}).get("token") == wanted)

    async def subscribed(self, sid: str, data: Any) -> None:
        await self.sio.enter_room(sid, data["queue_id"])
        self.sockets.append(sid)

    async def tell(self, event: str, item: dict[str, Any], **more: Any) -> None:
        told = {name: item[name] for name in ("item_id", "batch_id", "session_id", "queue_id", "origin", "destination")}
        await self.sio.emit(event, {"timestamp": int(time.time()), "user_id": "system", **told, **more}, "default")

    async def change(self, item: dict[str, Any], status: str, **errors: Any) -> None:
        item["status"] = status
        item.update(errors)
        self.kept()
        told = {name: item.get(name) for name in ("status", "error_type", "error_message", "error_traceback")}
        await self.tell("queue_item_status_changed", item, **told, batch_status={}, queue_status={})

    async def work(self) -> None:
        while True:
            waiting = [item for item in self.items.values() if item["status"] == "pending"]
            if not waiting:
                self.arrived.clear()
                await self.arrived.wait()
                continue
            item = waiting[0]
            await self.change(item, "in_progress")
            if self.control.pop("hang_up", 0):
                await self.sio.disconnect(self.sockets[-1])
            try:
                if fail := self.control.pop("fail", None):
                    raise RuntimeError(fail)
                await self.execute(item)
            except CanceledError:
                continue  # told where it was cancelled
            except RuntimeError as error:
                told = error.args[0]
                node = {"invocation_source_id": "denoise", "error_traceback": "Traceback …", **told}
                await self.tell("invocation_error", item, **node)
                await self.change(item, "failed", **told, error_traceback="Traceback …")

    async def execute(self, item: dict[str, Any]) -> None:
        nodes = item["session"]["graph"]["nodes"]
        prepared = {name: str(uuid.uuid4()) for name in nodes}
        for name, node in nodes.items():
            about = {"invocation": {**node, "id": prepared[name]}, "invocation_source_id": name}
            await self.tell("invocation_started", item, **about)
            if node["type"] == "denoise_latents":
                await self.denoise(item, about, node["steps"])
            await self.tell("invocation_complete", item, **about, result={"type": "any_output"})
        image = f"{uuid.uuid4()}.png"
        self.images[image] = b"no picture" if self.control.pop("bad_file", 0) else png(self.drawn(nodes))
        item["session"]["results"] = {prepared["l2i"]: {"type": "image_output", "image": {"image_name": image}}}
        item["session"]["source_prepared_mapping"] = {name: [value] for name, value in prepared.items()}
        item["late"] = self.control.get("late", 0)
        await self.change(item, "completed")

    async def denoise(self, item: dict[str, Any], about: dict[str, Any], steps: int) -> None:
        nodes = item["session"]["graph"]["nodes"]
        for step in range(1, steps + 1):
            await asyncio.sleep(self.control["step_seconds"])
            if item["status"] == "canceled":
                raise CanceledError
            small = self.drawn(nodes).resize((32, 24))
            url = f"data:image/jpeg;base64,{base64.b64encode(png(small, 'JPEG')).decode()}"
            progress = {"message": "Denoising", "percentage": step / steps}
            image = {"width": 32, "height": 24, "dataURL": url}
            await self.tell("invocation_progress", item, **about, **progress, image=image)
        if item["status"] == "canceled":
            raise CanceledError

    def drawn(self, nodes: dict[str, Any]) -> Image.Image:
        """A picture that depends on all that a real one's would."""
        told = {name: node for name, node in nodes.items() if name not in ("i2l", "mask")}
        colour = tuple(hashlib.sha256(json.dumps(told, sort_keys=True).encode()).digest()[:3])
        size = nodes["noise"]["width"], nodes["noise"]["height"]
        new = Image.new("RGB", size, colour)
        if "i2l" not in nodes:
            return new
        base = Image.open(io.BytesIO(self.images[nodes["i2l"]["image"]["image_name"]])).convert("RGB")
        mixed = Image.blend(base, new, 1 - nodes["denoise"]["denoising_start"])
        if "mask" not in nodes:
            return mixed
        mask = Image.open(io.BytesIO(self.images[nodes["mask"]["mask"]["image_name"]])).convert("L")
        return Image.composite(base, mixed, mask)  # black is what changes

    def objection(self, graph: dict[str, Any]) -> list[dict[str, Any]]:
        """What FastAPI says of a graph that is none."""
        linked = {(edge["destination"]["node_id"], edge["destination"]["field"]) for edge in graph["edges"]}
        for name, node in graph["nodes"].items():
            place = ["body", "batch", "graph", "nodes", name, node["type"]]
            if node["type"] not in REQUIRED or node.get("id") != name:
                return [{"type": "union_tag_invalid", "loc": place[:5], "msg": "no such invocation"}]
            for field in REQUIRED[node["type"]]:
                if field not in node:
                    return [{"type": "missing", "loc": [*place, field], "msg": "Field required"}]
            for field in LINKED.get(node["type"], ()):
                if (name, field) not in linked:
                    return [{"type": "missing", "loc": [*place, field], "msg": "Field required"}]
            if node.get("seed", 0) >= 2**32:
                return [{"type": "less_than", "loc": [*place, "seed"], "msg": "Input should be less than 4294967296"}]
            if any(node.get(side, 8) % 8 for side in ("width", "height")):
                return [{"type": "multiple_of", "loc": [*place, "width"], "msg": "Input should be a multiple of 8"}]
            if node.get("cfg_scale", 1) > 200:
                return [{"type": "less_than", "loc": [*place, "cfg_scale"], "msg": "Input should be less than 200"}]
        return []


def png(picture: Image.Image, file_format: str = "PNG") -> bytes:
    target = io.BytesIO()
    picture.save(target, file_format)
    return target.getvalue()


class Api:
    """The HTTP side of a simulator."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim

    def recorded(self, handler: Any) -> Any:
        async def handle(request: Request) -> Response:
            one: dict[str, Any] = {"method": request.method, "path": request.path, "at": time.monotonic()}
            one["query"] = dict(request.query)
            if request.content_type == "application/json":
                one["json"] = await request.json()
            self.sim.seen.append(one)
            control = self.sim.control
            token = control.get("token")
            if token is not None and request.headers.get("authorization") != f"Bearer {token}":
                return web.json_response({"detail": "Missing authentication credentials"}, status=401)
            if request.path in control.get("garbage", ()):
                return Response(text="<html>what?</html>", content_type="text/html")
            return await handler(request)

        return handle

    async def version(self, _: Request) -> Response:
        return web.json_response({"version": "6.14.2"})

    async def models(self, request: Request) -> Response:
        asked = request.query
        found = [one for one in self.sim.models if one["base"] == asked["base_models"] and one["type"] == "main"]
        return web.json_response({"models": found})

    async def model(self, request: Request) -> Response:
        found = [one for one in self.sim.models if one["key"] == request.match_info["key"]]
        if not found:
            return web.json_response({"detail": "model not found"}, status=404)
        if request.method == "DELETE":
            self.sim.models.remove(found[0])
            return Response(status=204)
        return web.json_response(found[0])

    async def free(self, _: Request) -> Response:
        return web.json_response(None)

    async def install(self, request: Request) -> Response:
        source = request.query["source"]
        if source == "there/already":
            return web.json_response({"detail": "model already installed"}, status=409)
        if source == "no/model":
            return web.json_response({"detail": "no model could be found there"}, status=415)
        job = {"id": len(self.sim.installs), "status": "waiting", "source": {"repo_id": source, "type": "hf"}}
        job |= {"bytes": 0, "total_bytes": 0, "error": None, "error_reason": None, "config_out": None}
        self.sim.installs[job["id"]] = job
        return web.json_response(job, status=201)

    async def job(self, request: Request) -> Response:
        job = self.sim.installs[int(request.match_info["id"])]
        if request.method == "DELETE":
            job["status"] = "cancelled"
            return web.json_response(None)
        bad = job["source"]["repo_id"] == "half/way"
        steps = {"waiting": "downloading", "downloading": "error" if bad else "running", "running": "completed"}
        if not self.sim.control.get("slow_install"):
            job["status"] = steps.get(job["status"], job["status"])
        if job["status"] == "downloading":
            job |= {"bytes": 10, "total_bytes": 100}
        if job["status"] == "error":
            job |= {"error_reason": "OSError", "error": "No space left on device"}
        if job["status"] == "completed":
            job |= {"bytes": 100, "total_bytes": 100}
            name = job["source"]["repo_id"].rpartition("/")[2]
            record = {**MODELS[0], "key": f"new-{name}", "name": name}
            self.sim.models = [one for one in self.sim.models if one["key"] != record["key"]] + [record]
        return web.json_response(job)

    async def enqueue(self, request: Request) -> Response:
        batch = (await request.json())["batch"]
        if self.sim.control.get("broken"):
            return web.json_response({"detail": "Unexpected error while enqueuing batch: locked"}, status=500)
        if objection := self.sim.objection(batch["graph"]):
            return web.json_response({"detail": objection}, status=422)
        key = batch["graph"]["nodes"]["ml"]["model"]["key"]
        told = {"queue_id": "default", "requested": 1, "priority": 0, "batch": {**batch, "batch_id": str(uuid.uuid4())}}
        if self.sim.control.get("full"):
            return web.json_response({**told, "enqueued": 0, "item_ids": []})
        number = max(self.sim.items, default=0) + 1
        item: dict[str, Any] = {"item_id": number, "batch_id": told["batch"]["batch_id"], "queue_id": "default"}
        item |= {"session_id": str(uuid.uuid4()), "origin": batch["origin"], "destination": batch["destination"]}
        session = {"graph": batch["graph"], "results": {}, "source_prepared_mapping": {}, "errors": {}}
        item |= {"status": "pending", "session": session, "error_type": None, "error_message": None}
        self.sim.items[number] = item
        if all(one["key"] != key for one in self.sim.models):
            told_error = {"error_type": "UnknownModelException", "error_message": f"No model with key {key}"}
            self.sim.control["fail"] = told_error
        self.sim.kept()
        self.sim.arrived.set()
        return web.json_response({**told, "enqueued": 1, "item_ids": [number]})

    async def item(self, request: Request) -> Response:
        item = self.sim.items.get(int(request.match_info["id"]))
        if item is None:
            return web.json_response({"detail": f"Queue item with id {request.match_info['id']} not found"}, status=404)
        if request.method == "DELETE":
            del self.sim.items[item["item_id"]]
            self.sim.kept()
            return web.json_response(None)
        if item.get("late"):
            item["late"] -= 1
            return web.json_response({**item, "session": None})
        return web.json_response(item)

    async def cancel(self, request: Request) -> Response:
        item = self.sim.items[int(request.match_info["id"])]
        if item["status"] in ("pending", "in_progress"):
            await self.sim.change(item, "canceled")
        return web.json_response(item)

    async def upload(self, request: Request) -> Response:
        body = (await request.post())["file"].file.read()
        try:
            Image.open(io.BytesIO(body)).load()
        except OSError:
            return web.json_response({"detail": "Failed to read image"}, status=415)
        name = f"{uuid.uuid4()}.png"
        self.sim.images[name] = body
        return web.json_response({"image_name": name, "image_category": request.query["image_category"]}, status=201)

    async def image(self, request: Request) -> Response:
        body = self.sim.images.get(request.match_info["name"])
        if body is None:
            return web.json_response({"detail": "Image not found"}, status=404)
        if request.method == "DELETE":
            del self.sim.images[request.match_info["name"]]
            return web.json_response({"deleted_images": [request.match_info["name"]], "affected_boards": []})
        return Response(body=body, content_type="image/png")

    async def control(self, request: Request) -> Response:
        body = await request.json()
        if (names := body.pop("models", None)) is not None:
            self.sim.models = [one for one in MODELS if one["name"] in names]
        self.sim.control.update(body)
        return web.json_response({})

    async def told(self, _: Request) -> Response:
        statuses = {number: item["status"] for number, item in self.sim.items.items()}
        told = {"seen": self.sim.seen, "now": time.monotonic(), "items": statuses, "images": list(self.sim.images)}
        return web.json_response(told)

    def app(self) -> web.Application:
        table: list[tuple[str, Any, list[str]]] = [
            ("/api/v1/app/version", self.version, ["GET"]),
            ("/api/v2/models/", self.models, ["GET"]),
            ("/api/v2/models/i/{key}", self.model, ["GET", "DELETE"]),
            ("/api/v2/models/empty_model_cache", self.free, ["POST"]),
            ("/api/v2/models/install", self.install, ["POST"]),
            ("/api/v2/models/install/{id}", self.job, ["GET", "DELETE"]),
            ("/api/v1/queue/default/enqueue_batch", self.enqueue, ["POST"]),
            ("/api/v1/queue/default/i/{id}", self.item, ["GET", "DELETE"]),
            ("/api/v1/queue/default/i/{id}/cancel", self.cancel, ["PUT"]),
            ("/api/v1/images/upload", self.upload, ["POST"]),
            ("/api/v1/images/i/{name}/full", self.image, ["GET"]),
            ("/api/v1/images/i/{name}", self.image, ["DELETE"]),
        ]
        app = web.Application(client_max_size=64 * 1024 * 1024)
        for path, handler, methods in table:
            for method in methods:
                app.router.add_route(method, path, self.recorded(handler))
        app.router.add_post("/sim/control", self.control)
        app.router.add_get("/sim/told", self.told)
        return app


async def main(port: int, file: Path) -> None:
    sim = Simulator(file)
    app = Api(sim).app()
    sim.sio.attach(app, "/ws/socket.io")
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await sim.work()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
