"""What a model is: one workflow or several, of which the request's pictures choose, and values that are its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus_comfyui.workflow import Workflow


@dataclass(frozen=True, slots=True)
class Recipe:
    """`values` are inputs that the model settles, such as its checkpoint's file; a request's own go before them, but
    for `checkpoint`."""

    workflows: tuple[Workflow, ...]
    values: Mapping[str, Any] = field(default_factory=dict)

    def workflow(self, operation: str, images: int, *, masked: bool) -> Workflow:
        """The workflow for an operation (any, where that is empty), so many pictures and a mask. Raises ApiError."""
        offered = [one for one in self.workflows if not operation or operation in one.mapping.operations]
        fitting = [one for one in offered if _takes(one, images)]
        if not fitting:
            most = max((len(one.mapping.images) for one in offered), default=0)
            message = f"image: this model takes {most} picture(s), not {images}" if images else "image: is missing"
            raise ApiError(INVALID_REQUEST, message, param="image")
        for one in fitting:
            if ("mask" in one.mapping.inputs) == masked:
                return one
        if masked:
            raise ApiError(INVALID_REQUEST, "mask: this model takes no mask", param="mask")
        raise ApiError(INVALID_REQUEST, "mask: this model needs one, which tells what may change", param="mask")

    def settled(self, workflow: Workflow, given: Mapping[str, Any]) -> dict[str, Any]:
        """The values to fill in. Raises ApiError (400) for one that the workflow has no input for."""
        known = workflow.mapping.inputs
        for name, value in given.items():
            if value is not None and name not in known:
                raise ApiError(INVALID_REQUEST, f"{name}: this model does not take it", param=name)
        own = {name: value for name, value in self.values.items() if name in known}
        values = own | {name: value for name, value in given.items() if value is not None}
        return values | ({"checkpoint": own["checkpoint"]} if "checkpoint" in own else {})

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of the inputs, of several workflows the first that needs no picture."""
        first = next((one for one in self.workflows if not one.mapping.images), self.workflows[0])
        schema = first.mapping.json_schema()
        if "checkpoint" in self.values:
            schema["properties"].pop("checkpoint", None)
        return schema


def _takes(workflow: Workflow, images: int) -> bool:
    inputs = workflow.mapping.inputs
    least = sum(inputs[name].required for name in workflow.mapping.images)
    return least <= images <= len(workflow.mapping.images)
