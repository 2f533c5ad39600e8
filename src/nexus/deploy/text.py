"""Values as YAML text that reads well and compares well: the one seam between rendering and PyYAML."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import yaml

_COMMAND: Final = "nexus deploy"
_READ_OTHERWISE: Final = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?0[obx][0-9a-fA-F_]+|[yYnN]"
)
"""Strings that PyYAML (YAML 1.1) leaves bare and that readers of YAML 1.2, or older ones in Go, take for a number or
a truth value: `1e3`, `0o17`, `y`."""


def dump(value: Any, command: str = _COMMAND) -> str:
    """One document: blocks, keys in the order given, no aliases, strings of several lines as they are.

    The first line says that it is rendered, and by which command. Equal values give equal text.
    """
    return _header(command) + _document(value)


def dump_all(values: Sequence[Any], command: str = _COMMAND) -> str:
    """Several documents in one text, in the order given."""
    return _header(command) + "---\n".join(_document(value) for value in values)


def _header(command: str) -> str:
    return f"# Rendered by `{command}`: change the site file or the manifests and render again, not this.\n"


def _document(value: Any) -> str:
    return yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=float("inf")
    )


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else '"' if _READ_OTHERWISE.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _mapping(dumper: yaml.SafeDumper, values: Mapping[Any, Any]) -> yaml.MappingNode:
    return dumper.represent_dict(dict(values))


_Dumper.add_representer(str, _string)
_Dumper.add_representer(tuple, yaml.SafeDumper.represent_list)
_Dumper.add_representer(MappingProxyType, _mapping)
