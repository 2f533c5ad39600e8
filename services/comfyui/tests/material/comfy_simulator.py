"""A ComfyUI as its clients see it, by the wire formats of server.py and execution.py, quirks included.

One prompt at a time; events about a prompt go to the socket of its client_id alone, and only if that is open when they
happen; what is identical is not computed again, and without a client_id its outputs are then empty; the history is {}
until a prompt is done, and gone after a restart. `/sim/…` is the test's own door. Run: `comfy_simulator.py PORT`.
"""

import asyncio
import sys
import time
import uuid
from typing import Any

import uvicorn
from comfy_engine import Simulator
from comfy_nodes import nodes
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect


class Api:
    """The HTTP and the websocket side of a simulated engine."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim

    async def socket(self, websocket: WebSocket) -> None:
        client = websocket.query_params.get("clientId", "") or uuid.uuid4().hex
        if self.sim.control.get("no_websocket"):
            await websocket.close()
            return
        await websocket.accept()
        self.sim.sockets[client] = websocket
        self.sim.seen.append({"method": "WS", "path": "/ws", "client": client, "at": time.monotonic()})
        remaining = len(self.sim.pending) + len(self.sim.running)
        data = {"status": {"exec_info": {"queue_remaining": remaining}}, "sid": client}
        await websocket.send_json({"type": "status", "data": data})
        try:
            while True:
                await websocket.receive_text()
        except WebSocketDisconnect:
            self.sim.sockets.pop(client, None)

    def recorded(self, handler: Any) -> Any:
        async def handle(request: Request) -> Response:
            path = request.url.path
            one: dict[str, Any] = {"method": request.method, "path": path, "at": time.monotonic()}
            if request.headers.get("content-type") == "application/json":
                one["json"] = await request.json()
            self.sim.seen.append(one)
            if path in self.sim.control.get("garbage", ()):
                return PlainTextResponse("<html>what?</html>", media_type="text/html")
            return await handler(request)

        return handle

    async def get_prompt(self, _: Request) -> Response:
        remaining = len(self.sim.pending) + len(self.sim.running) + self.sim.control.get("others_wait", 0)
        return JSONResponse({"exec_info": {"queue_remaining": remaining}})

    async def queue(self, request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"queue_running": self.sim.running, "queue_pending": self.sim.pending})
        body = await request.json()
        self.sim.pending = [item for item in self.sim.pending if item[1] not in body.get("delete", ())]
        return Response(status_code=200)

    async def interrupt(self, request: Request) -> Response:
        body = await request.json()
        if any(item[1] == body.get("prompt_id") for item in self.sim.running):
            self.sim.interrupted = True
        return Response(status_code=200)

    async def history(self, request: Request) -> Response:
        if request.method == "POST":
            body = await request.json()
            for prompt_id in body.get("delete", ()):
                self.sim.history.pop(prompt_id, None)
            return Response(status_code=200)
        entry = self.sim.history.get(request.path_params["id"])
        return JSONResponse({} if entry is None else {request.path_params["id"]: entry})

    async def job(self, request: Request) -> Response:
        if self.sim.control.get("no_jobs_api"):
            return PlainTextResponse("404: Not Found", 404)
        found = self.sim.job(request.path_params["id"])
        return JSONResponse({"error": "Job not found"}, 404) if found is None else JSONResponse(found)

    async def cancel(self, request: Request) -> Response:
        if self.sim.control.get("no_jobs_api"):
            return PlainTextResponse("405: Method Not Allowed", 405)
        return JSONResponse({"cancelled": self.sim.cancel(request.path_params["id"])})

    async def upload(self, request: Request) -> Response:
        async with request.form() as form:
            file, folder = form["image"], str(form.get("subfolder", ""))
            self.sim.stored[file.filename, folder, "input"] = await file.read()
            return JSONResponse({"name": file.filename, "subfolder": folder, "type": "input"})

    async def view(self, request: Request) -> Response:
        asked = request.query_params
        body = self.sim.stored.get((asked["filename"], asked.get("subfolder", ""), asked.get("type", "output")))
        media_type = "video/mp4" if asked["filename"].endswith("mp4") else "image/png"
        return Response(status_code=404) if body is None else Response(body, media_type=media_type)

    async def free(self, _: Request) -> Response:
        return Response(status_code=200)

    async def models(self, request: Request) -> Response:
        return JSONResponse(self.sim.files.get(request.path_params["folder"], []))

    async def node(self, request: Request) -> Response:
        kind = request.path_params["kind"]
        return JSONResponse({name: told for name, told in nodes(self.sim.files).items() if name == kind})

    async def stats(self, _: Request) -> Response:
        return JSONResponse({"system": {"os": "posix", "comfyui_version": "0.38.1"}, "devices": []})

    async def control(self, request: Request) -> Response:
        body = await request.json()
        self.sim.files.update(body.pop("files", {}))
        self.sim.control.update(body)
        return JSONResponse({"uploads": len([1 for *_, kind in self.sim.stored if kind == "input"])})

    async def seen(self, _: Request) -> Response:
        return JSONResponse({"seen": self.sim.seen, "now": time.monotonic(), "history": list(self.sim.history)})

    async def prompt(self, request: Request) -> Response:
        told, status = await self.sim.prompt(await request.json())
        return JSONResponse(told, status)

    def routes(self) -> list[Any]:
        """Every path also under /api, as with the real one."""
        api: list[tuple[str, Any, list[str]]] = [
            ("/prompt", self.get_prompt, ["GET"]),
            ("/prompt", self.prompt, ["POST"]),
            ("/queue", self.queue, ["GET", "POST"]),
            ("/interrupt", self.interrupt, ["POST"]),
            ("/history", self.history, ["POST"]),
            ("/history/{id}", self.history, ["GET"]),
            ("/upload/image", self.upload, ["POST"]),
            ("/view", self.view, ["GET"]),
            ("/free", self.free, ["POST"]),
            ("/models/{folder}", self.models, ["GET"]),
            ("/object_info/{kind}", self.node, ["GET"]),
            ("/system_stats", self.stats, ["GET"]),
        ]
        own = [
            Route("/api/jobs/{id}", self.recorded(self.job), methods=["GET"]),
            Route("/api/jobs/{id}/cancel", self.recorded(self.cancel), methods=["POST"]),
            Route("/sim/control", self.control, methods=["POST"]),
            Route("/sim/seen", self.seen),
            WebSocketRoute("/ws", self.socket),
        ]
        return own + [
            Route(prefix + path, self.recorded(handler), methods=methods)
            for prefix in ("", "/api")
            for path, handler, methods in api
        ]


async def main(port: int) -> None:
    sim = Simulator()
    app = Starlette(routes=Api(sim).routes())
    config = uvicorn.Config(app, "127.0.0.1", port, log_level="error", ws="websockets-sansio", lifespan="off")
    async with asyncio.TaskGroup() as group:
        group.create_task(sim.work())
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
