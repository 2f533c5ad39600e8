"""A ComfyUI as its clients see it, by the wire formats of server.py and execution.py, quirks included.

One prompt at a time; events about a prompt go to the socket of its client_id alone, and only if that is open when they
happen; what is identical is not computed again, and without a client_id its outputs are then empty; the history is {}
until a prompt is done, and gone after a restart. `/sim/…` is the test's own door. Run: `comfy_simulator.py PORT`.
"""

import asyncio
import io
import json
import re
import struct
import sys
import time
import uuid
from typing import Any

import uvicorn
from comfy_nodes import Painter, nodes
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

FILES = {
    "checkpoints": ["sd_xl_base_1.0.safetensors", "other/dream shaper.safetensors"],
    "diffusion_models": ["wan2.2_ti2v_5B_fp16.safetensors"],
    "text_encoders": ["umt5_xxl_fp8_e4m3fn_scaled.safetensors"],
    "vae": ["wan2.2_vae.safetensors"],
}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class StoppedError(Exception):
    """The prompt was interrupted."""


class Simulator:
    """The engine's state. `control` holds what a test has changed."""

    def __init__(self) -> None:
        self.control: dict[str, Any] = {"step_seconds": 0.0}
        self.files = json.loads(json.dumps(FILES))
        self.seen: list[dict[str, Any]] = []
        self.sockets: dict[str, WebSocket] = {}
        self.pending: list[list[Any]] = []
        self.running: list[list[Any]] = []
        self.history: dict[str, Any] = {}
        self.cache: dict[str, Any] = {}
        self.stored: dict[tuple[str, str, str], bytes] = {}
        self.interrupted = False
        self.number = 0
        self.arrived = asyncio.Event()

    # --- what goes out

    async def send(self, client: str | None, kind: str, data: Any) -> None:
        if client in self.sockets:
            await self.sockets[client].send_json({"type": kind, "data": data})

    async def status(self) -> None:
        remaining = len(self.pending) + len(self.running)
        for client in list(self.sockets):
            await self.send(client, "status", {"status": {"exec_info": {"queue_remaining": remaining}}})

    async def preview(self, client: str | None, picture: Any) -> None:
        """BinaryEventTypes.PREVIEW_IMAGE: 1, then the format (1 JPEG), then the file, at most 512 pixels long."""
        if client in self.sockets:
            small = picture.copy()
            small.thumbnail((512, 512))
            target = io.BytesIO()
            small.save(target, "JPEG", quality=95)
            await self.sockets[client].send_bytes(struct.pack(">II", 1, 1) + target.getvalue())

    # --- what is done

    async def work(self) -> None:
        while True:
            while not self.pending:
                self.arrived.clear()
                await self.arrived.wait()
            item = self.pending.pop(0)
            self.running = [item]
            await self.status()
            await self.execute(item)
            self.running = []
            await self.status()

    async def execute(self, item: list[Any]) -> None:
        _, prompt_id, graph, extra, targets = item
        client = extra.get("client_id")
        self.interrupted = False
        messages: list[Any] = []
        outputs: dict[str, Any] = {}

        async def tell(kind: str, data: dict[str, Any]) -> None:
            data = {**data, "prompt_id": prompt_id, "timestamp": int(time.time() * 1000)}
            messages.append([kind, data])
            await self.send(client, kind, data)

        await tell("execution_start", {})
        inputs = {f"{at}/{name}": body for (name, at, kind), body in self.stored.items() if kind == "input"}
        painter = Painter(graph, inputs)
        cached = [name for name in graph if painter.key(name) in self.cache]
        await tell("execution_cached", {"nodes": cached})
        how = "success"
        try:
            if fail := self.control.pop("fail", None):
                raise RuntimeError(fail)
            for name in _order(graph, targets):
                await self.node(name, painter, item, outputs)
            await tell("execution_success", {})
        except StoppedError:
            how = "error"
            await tell("execution_interrupted", {"node_id": "3", "node_type": "KSampler", "executed": []})
        except Exception as error:  # noqa: BLE001 - told as execution_error, as the real one does
            how = "error"
            told = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
            failed = {"node_id": "3", "node_type": "KSampler", "executed": [], "traceback": [], "current_inputs": {}}
            failed |= {"exception_message": str(error), "exception_type": type(error).__name__, **told}
            await tell("execution_error", failed)
        self.history[prompt_id] = {
            "prompt": item,
            "outputs": outputs,
            "status": {"status_str": how, "completed": how == "success", "messages": messages},
            "meta": {},
        }
        await self.send(client, "executing", {"node": None, "prompt_id": prompt_id})

    async def node(self, name: str, painter: Painter, item: list[Any], outputs: dict[str, Any]) -> None:
        _, prompt_id, graph, extra, _ = item
        client = extra.get("client_id")
        key = painter.key(name)
        told = {"node": name, "display_node": name, "prompt_id": prompt_id}
        kind = graph[name]["class_type"]
        if key in self.cache and (kind != "KSampler" or not self.control.get("step_seconds")):
            if self.cache[key] and client is not None:
                outputs[name] = self.cache[key]
                await self.send(client, "executed", {**told, "output": self.cache[key]})
            return
        await self.send(client, "executing", told)
        if kind == "KSampler":
            await self.sample(name, painter, item)
        made = None
        if kind in ("SaveImage", "SaveVideo", "PreviewImage"):
            made = self.save(name, painter, graph[name], key)
            outputs[name] = made
            await self.send(client, "executed", {**told, "output": made})
        else:
            painter.run(name)
        self.cache[key] = made

    async def sample(self, name: str, painter: Painter, item: list[Any]) -> None:
        _, prompt_id, graph, extra, _ = item
        client, steps = extra.get("client_id"), graph[name]["inputs"]["steps"]
        for step in range(1, steps + 1):
            if self.interrupted:
                raise StoppedError
            await asyncio.sleep(self.control["step_seconds"])
            at = {"value": step, "max": steps, "prompt_id": prompt_id, "node": name}
            state = {"value": step, "max": steps, "state": "running", "node_id": name, "display_node_id": name}
            await self.send(client, "progress_state", {"prompt_id": prompt_id, "nodes": {name: state}})
            await self.send(client, "progress", at)
            if extra.get("preview_method") == "auto":
                await self.preview(client, painter.run(name)[0]["frames"][0])
        if self.interrupted:
            raise StoppedError

    def save(self, name: str, painter: Painter, node: dict[str, Any], key: str) -> dict[str, Any]:
        body, ending = painter.saved(name)
        folder, _, prefix = node["inputs"].get("filename_prefix", "ComfyUI_temp").rpartition("/")
        kind = "temp" if node["class_type"] == "PreviewImage" else "output"
        taken = sum(place[0].startswith(f"{prefix}_") and place[1] == folder for place in self.stored)
        filename = f"{prefix}_{taken + 1:05}_.{ending}"
        self.stored[filename, folder, kind] = b"no picture at all" if self.control.pop("bad_file", 0) else body
        told: dict[str, Any] = {"images": [{"filename": filename, "subfolder": folder, "type": kind}]}
        return told | ({"animated": [True]} if ending == "mp4" else {})

    # --- what comes in

    def problems(self, graph: Any) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        """`validate_prompt`: the error of the whole, and those of the nodes."""
        known = nodes(self.files)
        for name, node in graph.items():
            if node.get("class_type") not in known:
                text = f"Node '{node.get('class_type')}' not found. The custom node may not be installed."
                told = {"type": "missing_node_type", "message": text, "details": f"Node ID '#{name}'"}
                return {**told, "extra_info": {"node_id": name, "class_type": node.get("class_type")}}, {}
        if not any(known[node["class_type"]]["output_node"] for node in graph.values()):
            text = "Prompt has no outputs"
            return {"type": "prompt_no_outputs", "message": text, "details": "", "extra_info": {}}, {}
        errors = {}
        for name, node in graph.items():
            found = [
                error
                for field, told in known[node["class_type"]]["input"]["required"].items()
                if (error := self.objection(graph, node, field, told))
            ]
            if found:
                errors[name] = {"errors": found, "dependent_outputs": ["9"], "class_type": node["class_type"]}
        if not errors:
            return None, {}
        text = "Prompt outputs failed validation"
        return {"type": "prompt_outputs_failed_validation", "message": text, "details": "", "extra_info": {}}, errors

    def objection(self, graph: Any, node: Any, field: str, told: Any) -> dict[str, Any] | None:
        info = {"input_name": field, "input_config": told}
        if field not in node["inputs"]:
            text = "Required input is missing"
            return {"type": "required_input_missing", "message": text, "details": field, "extra_info": info}
        value = node["inputs"][field]
        if isinstance(value, list):
            if value[0] in graph:
                return None
            text = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
            return {"type": "bad_linked_input", "message": text, "details": field, "extra_info": info}
        choices = told[0] if isinstance(told[0], list) else None
        if told[0] == "COMBO" and told[1].get("remote"):
            choices = [f"{folder}/{name}" if folder else name for name, folder, _ in self.stored]
        if choices is not None and value not in choices:
            details = f"{field}: '{value}' not in {choices}"
            return {"type": "value_not_in_list", "message": "Value not in list", "details": details, "extra_info": info}
        most = told[1].get("max") if len(told) > 1 and isinstance(told[1], dict) else None
        if most is not None and isinstance(value, int | float) and value > most:
            text = f"Value {value} bigger than max of {most}"
            return {"type": "value_bigger_than_max", "message": text, "details": field, "extra_info": info}
        return None

    async def prompt(self, request: Request) -> Response:
        body = await request.json()
        prompt_id = body.get("prompt_id") or str(uuid.uuid4())
        if not UUID.fullmatch(prompt_id):
            error = {"type": "invalid_prompt_id", "message": "prompt_id must be a valid UUID", "details": ""}
            return JSONResponse({"error": error, "node_errors": {}}, 400)
        error, node_errors = self.problems(body["prompt"])
        if error:
            return JSONResponse({"error": error, "node_errors": node_errors}, 400)
        extra = {**body.get("extra_data", {}), "create_time": int(time.time() * 1000)}
        if "client_id" in body:
            extra["client_id"] = body["client_id"]
        graph = body["prompt"]
        known = nodes(self.files)
        targets = [name for name, node in graph.items() if known[node["class_type"]]["output_node"]]
        self.pending.append([self.number, prompt_id, graph, extra, targets])
        self.arrived.set()
        self.number += 1
        await self.status()
        return JSONResponse({"prompt_id": prompt_id, "number": self.number - 1, "node_errors": {}})

    def job(self, prompt_id: str) -> dict[str, Any] | None:
        for status, items in (("in_progress", self.running), ("pending", self.pending)):
            for item in items:
                if item[1] == prompt_id:
                    return {"id": prompt_id, "status": status, "create_time": item[3]["create_time"]}
        entry = self.history.get(prompt_id)
        if entry is None:
            return None
        kinds = dict(entry["status"]["messages"])
        status = "completed" if "execution_success" in kinds else "failed"
        status = "cancelled" if "execution_interrupted" in kinds else status
        told = {"id": prompt_id, "status": status, "outputs": entry["outputs"], "outputs_count": len(entry["outputs"])}
        return told | {"execution_error": kinds.get("execution_error")}

    def cancel(self, prompt_id: str) -> bool:
        if any(item[1] == prompt_id for item in self.running):
            self.interrupted = True
            return True
        before = len(self.pending)
        self.pending = [item for item in self.pending if item[1] != prompt_id]
        return len(self.pending) < before


def _order(graph: Any, targets: list[str]) -> list[str]:
    """Nodes before those that are linked to them."""
    order: list[str] = []

    def visit(name: str) -> None:
        for value in graph[name]["inputs"].values():
            if isinstance(value, list):
                visit(value[0])
        if name not in order:
            order.append(name)

    for target in targets:
        visit(target)
    return order


async def socket(websocket: WebSocket) -> None:
    sim: Simulator = websocket.app.state.sim
    client = websocket.query_params.get("clientId", "") or uuid.uuid4().hex
    if sim.control.get("no_websocket"):
        await websocket.close()
        return
    await websocket.accept()
    sim.sockets[client] = websocket
    sim.seen.append({"method": "WS", "path": "/ws", "client": client, "at": time.monotonic()})
    remaining = len(sim.pending) + len(sim.running)
    data = {"status": {"exec_info": {"queue_remaining": remaining}}, "sid": client}
    await websocket.send_json({"type": "status", "data": data})
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect:
        sim.sockets.pop(client, None)


def routes(sim: Simulator) -> list[Any]:
    """The API; every path also under /api, as with the real one."""

    def recorded(handler: Any) -> Any:
        async def handle(request: Request) -> Response:
            path = request.url.path
            one: dict[str, Any] = {"method": request.method, "path": path, "at": time.monotonic()}
            if request.headers.get("content-type") == "application/json":
                one["json"] = await request.json()
            sim.seen.append(one)
            if path in sim.control.get("garbage", ()):
                return PlainTextResponse("<html>what?</html>", media_type="text/html")
            return await handler(request)

        return handle

    async def get_prompt(_: Request) -> Response:
        remaining = len(sim.pending) + len(sim.running) + sim.control.get("others_wait", 0)
        return JSONResponse({"exec_info": {"queue_remaining": remaining}})

    async def queue(request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"queue_running": sim.running, "queue_pending": sim.pending})
        body = await request.json()
        sim.pending = [item for item in sim.pending if item[1] not in body.get("delete", ())]
        return Response(status_code=200)

    async def interrupt(request: Request) -> Response:
        body = await request.json()
        if any(item[1] == body.get("prompt_id") for item in sim.running):
            sim.interrupted = True
        return Response(status_code=200)

    async def history(request: Request) -> Response:
        if request.method == "POST":
            body = await request.json()
            for prompt_id in body.get("delete", ()):
                sim.history.pop(prompt_id, None)
            return Response(status_code=200)
        entry = sim.history.get(request.path_params["id"])
        return JSONResponse({} if entry is None else {request.path_params["id"]: entry})

    async def job(request: Request) -> Response:
        if sim.control.get("no_jobs_api"):
            return PlainTextResponse("404: Not Found", 404)
        found = sim.job(request.path_params["id"])
        return JSONResponse({"error": "Job not found"}, 404) if found is None else JSONResponse(found)

    async def cancel(request: Request) -> Response:
        if sim.control.get("no_jobs_api"):
            return PlainTextResponse("405: Method Not Allowed", 405)
        return JSONResponse({"cancelled": sim.cancel(request.path_params["id"])})

    async def upload(request: Request) -> Response:
        async with request.form() as form:
            file, folder = form["image"], str(form.get("subfolder", ""))
            sim.stored[file.filename, folder, "input"] = await file.read()
            return JSONResponse({"name": file.filename, "subfolder": folder, "type": "input"})

    async def view(request: Request) -> Response:
        asked = request.query_params
        body = sim.stored.get((asked["filename"], asked.get("subfolder", ""), asked.get("type", "output")))
        media_type = "video/mp4" if asked["filename"].endswith("mp4") else "image/png"
        return Response(status_code=404) if body is None else Response(body, media_type=media_type)

    async def free(_: Request) -> Response:
        return Response(status_code=200)

    async def models(request: Request) -> Response:
        return JSONResponse(sim.files.get(request.path_params["folder"], []))

    async def node(request: Request) -> Response:
        kind = request.path_params["kind"]
        return JSONResponse({name: told for name, told in nodes(sim.files).items() if name == kind})

    async def stats(_: Request) -> Response:
        return JSONResponse({"system": {"os": "posix", "comfyui_version": "0.38.1"}, "devices": []})

    async def control(request: Request) -> Response:
        body = await request.json()
        sim.files.update(body.pop("files", {}))
        sim.control.update(body)
        return JSONResponse({"uploads": len([1 for *_, kind in sim.stored if kind == "input"])})

    async def seen(_: Request) -> Response:
        return JSONResponse({"seen": sim.seen, "now": time.monotonic(), "history": list(sim.history)})

    api: list[tuple[str, Any, list[str]]] = [
        ("/prompt", get_prompt, ["GET"]),
        ("/prompt", sim.prompt, ["POST"]),
        ("/queue", queue, ["GET", "POST"]),
        ("/interrupt", interrupt, ["POST"]),
        ("/history", history, ["POST"]),
        ("/history/{id}", history, ["GET"]),
        ("/upload/image", upload, ["POST"]),
        ("/view", view, ["GET"]),
        ("/free", free, ["POST"]),
        ("/models/{folder}", models, ["GET"]),
        ("/object_info/{kind}", node, ["GET"]),
        ("/system_stats", stats, ["GET"]),
    ]
    own = [
        Route("/api/jobs/{id}", recorded(job), methods=["GET"]),
        Route("/api/jobs/{id}/cancel", recorded(cancel), methods=["POST"]),
        Route("/sim/control", control, methods=["POST"]),
        Route("/sim/seen", seen),
        WebSocketRoute("/ws", socket),
    ]
    return own + [
        Route(prefix + path, recorded(handler), methods=methods)
        for prefix in ("", "/api")
        for path, handler, methods in api
    ]


async def main(port: int) -> None:
    sim = Simulator()
    app = Starlette(routes=routes(sim))
    app.state.sim = sim
    config = uvicorn.Config(app, "127.0.0.1", port, log_level="error", ws="websockets-sansio", lifespan="off")
    async with asyncio.TaskGroup() as group:
        group.create_task(sim.work())
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
