"""The simulated engine itself: its queue, its cache, its history, what it validates and whom it tells what."""

import asyncio
import io
import json
import re
import struct
import time
import uuid
from typing import Any

from comfy_nodes import Painter, nodes
from starlette.websockets import WebSocket

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
        if self.control.pop("hang_up", 0) and client in self.sockets:
            await self.sockets.pop(client).close()
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

    async def prompt(self, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """`POST /prompt`: the answer and its status."""
        prompt_id = body.get("prompt_id") or str(uuid.uuid4())
        if not UUID.fullmatch(prompt_id):
            error = {"type": "invalid_prompt_id", "message": "prompt_id must be a valid UUID", "details": ""}
            return {"error": error, "node_errors": {}}, 400
        error, node_errors = self.problems(body["prompt"])
        if error:
            return {"error": error, "node_errors": node_errors}, 400
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
        return {"prompt_id": prompt_id, "number": self.number - 1, "node_errors": {}}, 200

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
