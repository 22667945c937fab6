"""Frames of `chasqui.v1` as bytes and back, read off `protocol.toml`.

A frame is a `Frame` with its name in `frame` and one attribute for each field and named tag; a tag that is absent
is None. Tags that depend on the kind of an entry stay as they came, (tag, bytes) in `tags`: what they mean is not
looked at.
"""

import pathlib
import re
import tomllib
from collections.abc import Iterable
from types import SimpleNamespace as Frame
from typing import Any, NamedTuple

PROTOCOL = tomllib.loads((pathlib.Path(__file__).parents[2] / "protocol.toml").read_text())
# The server answers a request whose ids are 0; any other frame breaks the grammar.
ANSWERED = ("SEND", "FETCH")


class Fault(Exception):
    """Bytes that the other side must not send; the text is the name of the error."""


class Shape(NamedTuple):
    """What a body is made of: its fixed fields, its named tags, whether it has tags by the kind of an entry."""

    name: str
    fields: list[tuple[str, str]]
    tags: dict[int, tuple[str, str]]
    by_kind: bool


def shape(name: str, table: dict[str, Any]) -> Shape:
    fields = [tuple(field.split(" ", 1)) for field in table["fields"]]
    tags = {tag["tag"]: (tag["name"], tag["type"]) for tag in table.get("tags", [])}
    return Shape(name, fields, tags, "tags_of" in table)


SHAPES = {table["name"]: shape(table["name"], table) for table in PROTOCOL["frame"]}
SHAPES["RECORD"] = shape("RECORD", PROTOCOL["record"])
TYPES = {table["type"]: table for table in PROTOCOL["frame"]}
NUMBERS = {table["name"]: table["type"] for table in PROTOCOL["frame"]}


class Reader:
    """Takes values from the front of some bytes."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, count: int) -> bytes:
        if count > self.left():
            raise Fault("malformed")
        self.at += count
        return self.data[self.at - count : self.at]

    def varint(self) -> int:
        first = self.take(1)
        data = first + self.take((1 << (first[0] >> 6)) - 1)
        value = int.from_bytes(data) & ((1 << (8 * len(data) - 2)) - 1)
        if value >= 1 << 53 or varint(value) != data:
            raise Fault("malformed")
        return value

    def value(self, kind: str) -> Any:
        """A fixed field of this type."""
        if kind == "varint":
            return self.varint()
        if kind == "id":
            number = self.varint()
            if number == 0:
                raise Fault("malformed")
            return number
        if kind in ("u8", "bool", "ts"):
            return int.from_bytes(self.take(6 if kind == "ts" else 1))
        if kind in ("bytes", "str"):
            return plain(kind, self.take(self.varint()))
        if kind == "list<record bytes>":
            return [body("RECORD", Reader(self.take(self.varint()))) for _ in range(self.varint())]
        items = [item.split() for item in kind.removeprefix("list<").removesuffix(">").split(", ")]
        count = self.varint()
        if count > self.left():
            raise Fault("malformed")
        return [tuple(self.value(item) for _, item in items) for _ in range(count)]


def varint(value: int) -> bytes:
    for power, size in enumerate((1, 2, 4, 8)):
        if value < 1 << (8 * size - 2):
            return (value | power << (8 * size - 2)).to_bytes(size)
    raise ValueError(value)


def plain(kind: str, data: bytes) -> str | bytes:
    try:
        return data.decode() if kind == "str" else data
    except UnicodeDecodeError:
        raise Fault("malformed") from None


def body(name: str, reader: Reader) -> Frame:
    """The fields of a frame or a record, and then its tagged values up to the end of the reader."""
    _, fields, tags, by_kind = SHAPES[name]
    frame = Frame(frame=name, **{tag: None for tag, _ in tags.values()}, **({"tags": []} if by_kind else {}))
    for field, kind in fields:
        lenient = kind == "id" and field != "rid" and name in ANSWERED
        setattr(frame, field, reader.value("varint" if lenient else kind))
    last = 0
    while reader.left():
        tag, data = reader.varint(), reader.take(reader.varint())
        if tag <= last:
            raise Fault("malformed")
        last = tag
        if tag in tags:
            field, kind = tags[tag]
            if kind in ("str", "bytes"):
                setattr(frame, field, plain(kind, data))
            else:
                inner = Reader(data)
                setattr(frame, field, body("ENTRY", inner) if kind == "ENTRY body" else inner.value(kind))
        elif by_kind:
            frame.tags.append((tag, data))
        elif tag % 2 == 0:
            raise Fault("unsupported")
    return frame


def decode(message: bytes, sender: str = "server") -> tuple[list[Frame], Fault | None]:
    """The frames of a message from that side; with a fault, those before it."""
    frames: list[Frame] = []
    reader = Reader(message)
    try:
        if not message:
            raise Fault("malformed")
        while reader.left():
            number, data = reader.take(1)[0], reader.take(reader.varint())
            table = TYPES.get(number)
            if number in (0x00, 0xFF):
                raise Fault("malformed")
            if table and table["from"] in (sender, "both"):
                frames.append(body(table["name"], Reader(data)))
            elif table or number < 0x80:
                raise Fault("unsupported")
    except Fault as fault:
        return frames, fault
    return frames, None


def written(kind: str, value: Any) -> bytes:
    """A fixed field of this type as bytes."""
    if kind in ("varint", "id"):
        return varint(value)
    if kind in ("u8", "bool", "ts"):
        return int(value).to_bytes(6 if kind == "ts" else 1)
    if kind in ("bytes", "str"):
        data = value.encode() if kind == "str" else value
        return varint(len(data)) + data
    if kind == "list<record bytes>":
        return varint(len(value)) + b"".join(written("bytes", packed("RECORD", record)) for record in value)
    items = re.findall(r"\w+ (\w+)", kind)
    return varint(len(value)) + b"".join(written(item, part) for parts in value for item, part in zip(items, parts))


def packed(name: str, frame: Frame) -> bytes:
    """The body of a frame or a record."""
    _, fields, tags, by_kind = SHAPES[name]
    tagged: Iterable[tuple[int, bytes]] = list(frame.tags) if by_kind else []
    for tag, (field, kind) in tags.items():
        value = getattr(frame, field, None)
        if value is not None:
            raw = packed("ENTRY", value) if kind == "ENTRY body" else written(kind, value)
            tagged.append((tag, value.encode() if kind == "str" else raw))
    fixed = b"".join(written(kind, getattr(frame, field)) for field, kind in fields)
    return fixed + b"".join(varint(tag) + written("bytes", data) for tag, data in sorted(tagged))


def encode(name: str, **fields: Any) -> bytes:
    """A frame as bytes."""
    data = packed(name, Frame(**({"tags": []} | fields)))
    return bytes([NUMBERS[name]]) + varint(len(data)) + data
