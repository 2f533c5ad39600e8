"""The metrics of several workers as one text: each series gets the label `worker`, each family is described once.

The format is Prometheus' text format 0.0.4.
"""

from collections.abc import Mapping


def merged(texts: Mapping[int, bytes]) -> bytes:
    """All series of all texts, by worker number."""
    families: dict[str, tuple[list[str], list[str]]] = {}
    for number, text in sorted(texts.items()):
        family = families.setdefault("", ([], []))
        described = ""
        for line in text.decode().splitlines():
            if line.startswith("# "):
                name = line.split(" ", 3)[2]
                family = families.setdefault(name, ([], []))
                if described != name and not family[1] and not family[0]:
                    described = name
                if described == name:
                    family[0].append(line)
            elif line:
                family[1].append(_labelled(line, number))
    lines = [line for described, series in families.values() for line in (*described, *series)]
    return "".join(f"{line}\n" for line in lines).encode()


def _labelled(series: str, number: int) -> str:
    """The series with one more label. A label's value may hold any character; a name holds no brace."""
    name, brace, rest = series.partition("{")
    if brace and " " not in name:
        return f'{name}{{worker="{number}",{rest}'
    name, _, value = series.partition(" ")
    return f'{name}{{worker="{number}"}} {value}'
