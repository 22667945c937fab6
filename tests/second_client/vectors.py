"""Holds the codec to the golden vectors: every frame of either side, each cut at every length, and every refusal
that ends a connection. What a server looks into beyond that, `content` and refusals of one request, is not covered."""

import json
import pathlib
from typing import Any

from codec import Frame, decode, encode

FOLDER = pathlib.Path(__file__).parents[1] / "vectors"
# What a vector says of a tag that is absent.
ABSENT = {"muted": False, "left": False, "first_visible": 1}


def comparable(frame: Frame) -> dict[str, Any]:
    """A frame as the vectors write it, without what only a reader of entries knows."""
    told: dict[str, Any] = {}
    for name, value in vars(frame).items():
        if name == "records":
            value = [comparable(record) for record in value]
        elif name == "tags":
            value = [[tag, data.hex()] for tag, data in value]
        elif isinstance(value, Frame):
            value = comparable(value)
        elif isinstance(value, bytes):
            value = value.hex()
        elif isinstance(value, list):
            value = [item[0] if len(item) == 1 else list(item) for item in value]
        elif name in ("duplicate", "muted", "left") and value is not None:
            value = bool(value)
        if value is not None or name in ABSENT:
            told[name] = ABSENT.get(name) if value is None else value
    return told


def expected(frame: dict[str, Any]) -> dict[str, Any]:
    """A frame of a vector, without what `comparable` does not tell."""
    told = {name: value for name, value in frame.items() if name != "content" and value is not None}
    if "records" in told:
        told["records"] = [expected({"frame": "RECORD"} | record) for record in told["records"]]
    if "last_entry" in told:
        told["last_entry"] = expected(told["last_entry"])
    return told


def check() -> str:
    """Raises at the first vector that does not hold; says how many did."""
    held = skipped = 0
    for path in sorted(FOLDER.glob("*.json")):
        for vector in json.loads(path.read_text())["vectors"] if path.stem != "sessions" else []:
            name, data, verdict = vector["name"], bytes.fromhex(vector["hex"]), vector["verdict"]
            if verdict != "ok" and "rid" in verdict or not covered(name):
                skipped += 1
                continue
            frames, fault = decode(data, vector["from"])
            assert [comparable(frame) for frame in frames] == [expected(frame) for frame in vector["frames"]], name
            assert (str(fault) if fault else "ok") == (verdict if verdict == "ok" else verdict["code"]), name
            if verdict == "ok" and vector.get("canonical", True):
                assert b"".join(encode(frame.frame, **vars(frame)) for frame in frames) == data, name
            if verdict == "ok" and len(vector["frames"]) == 1 and vector.get("canonical", True):
                cut = [decode(data[:length], vector["from"])[1] for length in range(len(data))]
                assert all(str(fault) == "malformed" for fault in cut), name
            held += 1
    return f"{held} golden vectors hold, {skipped} of what only a server looks into left out"


def covered(name: str) -> bool:
    """Whether it can be judged without looking into the tags of an entry, or counting a client's watched users."""
    return not name.startswith(("an attachment", "mentions that", "a target without", "more users to watch"))
