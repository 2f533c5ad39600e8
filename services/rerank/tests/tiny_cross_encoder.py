"""A real ONNX cross-encoder, small enough to write by hand: its logit grows with the words that both texts share.

The file is protobuf, written field by field (onnx.proto3 of the ONNX project gives the numbers), so that no package is
needed for it.
"""

import struct
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

INT64, FLOAT = 7, 1
OPSET, IR_VERSION = 13, 8
WORDS = (
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "the", "cat", "sat", "mat", "dog", "runs", "red", "blue", "fish",
    "swims", "far",
)  # fmt: skip
BIAS = -2.5  # the separator is in both texts: one shared word more


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes((*out, number))


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def block(field: int, value: bytes | str) -> bytes:
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def node(kind: str, inputs: list[str], output: str, attributes: bytes = b"") -> bytes:
    names = b"".join(block(1, name) for name in inputs)
    return block(1, names + block(2, output) + block(4, kind) + attributes)


def integer_attribute(name: str, value: int) -> bytes:
    return block(5, block(1, name) + number(3, value) + number(20, 2))


def constant(name: str, kind: int, raw: bytes, dimensions: tuple[int, ...]) -> bytes:
    sizes = b"".join(number(1, size) for size in dimensions)
    return block(5, sizes + number(2, kind) + block(8, name) + block(9, raw))


def value(field: int, name: str, kind: int, dimensions: tuple[int | str, ...]) -> bytes:
    sizes = (number(1, size) if isinstance(size, int) else block(2, size) for size in dimensions)
    shape = b"".join(block(1, size) for size in sizes)
    return block(field, block(1, name) + block(2, block(1, number(1, kind) + block(2, shape))))


def network(outputs: int = 1) -> bytes:
    """For each of the first text's words, the second text's that equal it, counted; plus the bias."""
    graph = b"".join(
        (
            node("Unsqueeze", ["input_ids", "last"], "rows"),
            node("Unsqueeze", ["input_ids", "middle"], "columns"),
            node("Equal", ["rows", "columns"], "equal"),
            node("Cast", ["equal"], "same", integer_attribute("to", FLOAT)),
            node("Cast", ["token_type_ids"], "second", integer_attribute("to", FLOAT)),
            node("Sub", ["one", "second"], "first"),
            node("Unsqueeze", ["first", "last"], "from_first"),
            node("Unsqueeze", ["second", "middle"], "to_second"),
            node("Mul", ["from_first", "to_second"], "between"),
            node("Mul", ["same", "between"], "shared"),
            node("ReduceSum", ["shared", "both"], "count", integer_attribute("keepdims", 0)),
            node("Unsqueeze", ["count", "middle"], "column"),
            node("Add", ["column", "bias"], "logits"),
            block(2, "shared words"),
            constant("last", INT64, struct.pack("<q", 2), (1,)),
            constant("middle", INT64, struct.pack("<q", 1), (1,)),
            constant("both", INT64, struct.pack("<2q", 1, 2), (2,)),
            constant("one", FLOAT, struct.pack("<f", 1), (1,)),
            constant("bias", FLOAT, struct.pack("<f", BIAS) * outputs, (outputs,)),
            value(11, "input_ids", INT64, ("batch", "length")),
            value(11, "token_type_ids", INT64, ("batch", "length")),
            value(12, "logits", FLOAT, ("batch", outputs)),
        )
    )
    return number(1, IR_VERSION) + block(7, graph) + block(8, block(1, "") + number(2, OPSET))


def tokenizer() -> Tokenizer:
    made = Tokenizer(WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    made.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return made


def write_folder(folder: Path, outputs: int = 1) -> None:
    (folder / "model.onnx").write_bytes(network(outputs))
    tokenizer().save(str(folder / "tokenizer.json"))
