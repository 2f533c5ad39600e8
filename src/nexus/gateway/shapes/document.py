"""nexus.yaml as a document: read so that no key is lost, and told of so that a mistake is found by its line.

What stands under `tokens` is never told of: somebody may have written a token where its digest belongs.
"""

import difflib
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml
from pydantic import BaseModel, ValidationError

Keys = Mapping[tuple[str, ...], type[BaseModel]]
"""Which shape has the keys at a path; `*` is any name or number."""

_UNTOLD: Final = "tokens"


class ConfigError(ValueError):
    """The file cannot be used; the message is one line that says which key and why."""


class _Loader(yaml.SafeLoader):
    """YAML that is refused where a key is written twice: silently, the last one would win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise ConfigError(f"{key.value}: it is given twice (line {key.start_mark.line + 1})")
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_document(text: str) -> Any:
    """The value that the text stands for. Raises ConfigError."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigError(f"it is not YAML: {where}{error.problem}") from error
    except ConfigError:
        raise
    except Exception as error:  # PyYAML lets through whatever a scalar that fits no type does to its constructors
        raise ConfigError(f"it is not YAML: {' '.join(str(error).split())}") from error


def told(error: ValidationError, text: str, keys: Keys) -> ConfigError:
    """The first mistake, as one line that names its key and its line in `text`."""
    first = error.errors(include_url=False)[0]
    path = tuple(str(part) for part in first["loc"] if part != "[key]")
    where = ".".join(path)
    if first["type"] == "extra_forbidden":
        message = f"there is no such key{_instead(path, keys)}"
    else:
        shown = "" if path[:1] == (_UNTOLD,) else f", not {reprlib.repr(first['input'])}"
        message = first["msg"].replace("Input should", "it should").removeprefix("Value error, ") + shown
    return mistake(where, message, text, path)


def mistake(where: str, message: str, text: str, path: Sequence[str]) -> ConfigError:
    """A mistake at a path: `where` names it, its line is looked up in `text`."""
    return ConfigError(f"{where}: {message} (line {line_of(text, path)})")


def _instead(path: tuple[str, ...], keys: Keys) -> str:
    """What may have been meant by the last part of a path."""
    above = path[:-1]
    shape = next(
        shape
        for pattern, shape in keys.items()
        if len(pattern) == len(above) and all(a in ("*", b) for a, b in zip(pattern, above, strict=True))
    )
    known = tuple(shape.model_fields)
    near = difflib.get_close_matches(path[-1], known, 1)
    return f"; did you mean {near[0]}?" if near else f" among {', '.join(known)}"


def line_of(text: str, path: Sequence[str]) -> int:
    """The line in which the key at a path stands, or the nearest one above it that there is. Lines count from 1."""
    node = yaml.compose(text, _Loader)
    line = 1
    for part in path:
        found = None
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == part), None)
        elif isinstance(node, yaml.SequenceNode) and part.isdecimal() and int(part) < len(node.value):
            found = (node.value[int(part)],) * 2
        if found is None:
            return line
        line, node = found[0].start_mark.line + 1, found[1]
    return line
