"""A workflow as a tool: agents are told of it by its title, its description and the schema of its inputs."""

import re
from typing import Final

from nexus.sdk.engine import Tool
from nexus_comfyui.recipes import Recipe

PATH: Final = "/v1/comfyui/run"
_LONGEST_NAME: Final = 64  # of a function, at OpenAI and in most models' training


def tool(model: str, recipe: Recipe) -> Tool:
    """The tool that runs the workflow of the model of that id."""
    mapping = recipe.workflows[0].mapping
    title = mapping.title or model
    schema = {
        "type": "object",
        "required": ["model", "inputs"],
        "properties": {"model": {"const": model}, "inputs": recipe.json_schema()},
    }
    description = f"{title}: {mapping.description}" if mapping.description else f"Run the ComfyUI workflow {title!r}"
    return Tool(name=_name(model), description=description, input_schema=schema, path=PATH)


def _name(model: str) -> str:
    return f"comfyui_{re.sub(r'[^A-Za-z0-9_-]+', '_', model)}"[:_LONGEST_NAME]
