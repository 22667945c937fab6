#!/usr/bin/env python3
"""Writes the golden vectors from readable definitions.

This is a second, independent encoder: it shares no code with the server, so that agreement between
the two means something. Run it after a change of the protocol; `tests/golden` checks its output.
"""

import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))

CONVERSATION = 0x1122334455667
USER = 0xA0B0C0D0E0F1
CMID = 0x102030405060
DEVICE = 0x0F0E0D0C0B0A
EPOCH = 0x1A2B3C4D5E6F
MEDIA = 0x0102030405060
TS = 1790000000000
MAX = 2**53 - 1


# --- Fields ---------------------------------------------------------------------------------------

def v(n):
    """A varint in its shortest form."""
    if n < 1 << 6:
        return n.to_bytes(1, "big")
    if n < 1 << 14:
        return (n | 1 << 14).to_bytes(2, "big")
    if n < 1 << 30:
        return (n | 2 << 30).to_bytes(4, "big")
    return (n | 3 << 62).to_bytes(8, "big")


def vs(*numbers):
    return b"".join(v(n) for n in numbers)


def ts(ms):
    return ms.to_bytes(6, "big")


def b(data):
    """Bytes, or a str, with their length."""
    data = data.encode() if isinstance(data, str) else data
    return v(len(data)) + data


def tlv(tag, value):
    value = v(value) if isinstance(value, int) else value
    value = value.encode() if isinstance(value, str) else value
    return v(tag) + b(value)


def frame(kind, body):
    return bytes([kind]) + b(body)


# --- Frames: bytes and what they mean, side by side -----------------------------------------------

def hello(token="t0k", minor=0, capabilities=3, client=None, ping=None, epoch=None):
    body = vs(minor, capabilities) + b(token)
    said = {"frame": "HELLO", "minor": minor, "capabilities": capabilities, "token": token}
    for tag, name, value in ((1, "client", client), (3, "ping_seconds", ping), (5, "epoch", epoch)):
        if value is not None:
            body += tlv(tag, value)
            said[name] = value
    return frame(0x01, body), said


def welcome():
    body = vs(0, 3, USER, DEVICE, EPOCH) + ts(TS) + vs(25, 65536, 32768, 64)
    return frame(0x02, body), {
        "frame": "WELCOME", "minor": 0, "capabilities": 3, "user": USER, "device": DEVICE,
        "epoch": EPOCH, "now": TS, "ping_seconds": 25, "message_bytes_max": 65536,
        "body_bytes_max": 32768, "sends_max": 64,
    }


def error(rid, code, flags, retry_ms, text):
    body = vs(rid, code) + bytes([flags]) + v(retry_ms) + b(text)
    return frame(0x03, body), {
        "frame": "ERROR", "rid": rid, "code": code, "flags": flags, "retry_ms": retry_ms,
        "text": text,
    }


def ping(nonce, kind=0x04):
    return frame(kind, v(nonce)), {"frame": {4: "PING", 5: "PONG"}[kind], "nonce": nonce}


def goaway(reason, spread_ms, grace_ms):
    return frame(0x06, vs(reason, spread_ms, grace_ms)), {
        "frame": "GOAWAY", "reason": reason, "spread_ms": spread_ms, "grace_ms": grace_ms,
    }


def tags_of(tags):
    return [[tag, (v(x) if isinstance(x, int) else x).hex()] for tag, x in tags]


def send(kind, body, tags=(), content=None, rid=7, conversation=CONVERSATION, cmid=CMID, floor=42):
    body = body.encode() if isinstance(body, str) else body
    data = vs(rid, conversation, cmid, floor, kind) + b(body)
    data += b"".join(tlv(tag, value) for tag, value in tags)
    return frame(0x10, data), {
        "frame": "SEND", "rid": rid, "conversation": conversation, "cmid": cmid, "floor": floor,
        "kind": kind, "body": body.hex(), "tags": tags_of(tags), "content": content,
    }


def sent(duplicate=0):
    return frame(0x11, vs(7, 42, 40) + ts(TS) + bytes([duplicate])), {
        "frame": "SENT", "rid": 7, "sequence": 42, "ord": 40, "sent_at": TS,
        "duplicate": duplicate == 1,
    }


def entry_body(kind, body, tags=(), cmid=None, sender=USER, sequence=42, order=40):
    body = body.encode() if isinstance(body, str) else body
    data = vs(CONVERSATION, sequence, order, sender) + ts(TS) + v(kind) + b(body)
    if cmid is not None:
        data += tlv(1, cmid)
    return data + b"".join(tlv(tag, value) for tag, value in tags)


def entry(kind, body, tags=(), content=None, cmid=None, sender=USER, sequence=42, order=40):
    data = entry_body(kind, body, tags, cmid, sender, sequence, order)
    body = body.encode() if isinstance(body, str) else body
    return frame(0x12, data), {
        "frame": "ENTRY", "conversation": CONVERSATION, "sequence": sequence, "ord": order,
        "sender": sender, "sent_at": TS, "kind": kind, "body": body.hex(), "cmid": cmid,
        "tags": tags_of(tags), "content": content,
    }


def ack(*items):
    return frame(0x13, v(len(items)) + b"".join(vs(*item) for item in items)), {
        "frame": "ACK", "items": [list(item) for item in items],
    }


def read(sequence):
    return frame(0x14, vs(CONVERSATION, sequence)), {
        "frame": "READ", "conversation": CONVERSATION, "read": sequence,
    }


def cursor(delivered, read_to, read_ord):
    return frame(0x15, vs(CONVERSATION, USER, delivered, read_to, read_ord)), {
        "frame": "CURSOR", "conversation": CONVERSATION, "user": USER, "delivered": delivered,
        "read": read_to, "read_ord": read_ord,
    }


def sync(rid, limit, token):
    return frame(0x16, vs(rid, limit) + b(token)), {
        "frame": "SYNC", "rid": rid, "limit": limit, "token": token.hex(),
    }


def record(kind, last, cursors, tags=(), **said):
    """`last` is (sequence, ord), `cursors` is (read, read_ord, delivered)."""
    body = vs(CONVERSATION, kind, *last) + ts(TS) + vs(*cursors)
    body += b"".join(tlv(tag, value) for tag, value in tags)
    record = {
        "conversation": CONVERSATION, "kind": kind, "last_sequence": last[0], "last_ord": last[1],
        "last_at": TS, "read": cursors[0], "read_ord": cursors[1], "delivered": cursors[2],
        "muted": False, "left": False, "first_visible": 1,
    }
    return body, {**record, **said}


def synced(rid, flags, token, records):
    body = v(rid) + bytes([flags]) + b(token) + v(len(records))
    body += b"".join(b(data) for data, _ in records)
    return frame(0x17, body), {
        "frame": "SYNCED", "rid": rid, "flags": flags, "token": token.hex(),
        "records": [said for _, said in records],
    }


def fetch(rid, first, last, conversation=CONVERSATION):
    return frame(0x18, vs(rid, conversation, first, last)), {
        "frame": "FETCH", "rid": rid, "conversation": conversation, "from": first, "to": last,
    }


def fetched(rid, to, following):
    return frame(0x19, vs(rid, CONVERSATION, to, following)), {
        "frame": "FETCHED", "rid": rid, "conversation": CONVERSATION, "to": to, "next": following,
    }


def resync(reason):
    return frame(0x1B, v(reason)), {"frame": "RESYNC", "reason": reason}


def resume():
    return frame(0x1C, b""), {"frame": "RESUME"}


def ephemeral(user, kind, body=b""):
    return frame(0x80, vs(CONVERSATION, user, kind) + b(body)), {
        "frame": "EPHEMERAL", "conversation": CONVERSATION, "user": user, "kind": kind,
        "body": body.hex(),
    }


def presence(state):
    return frame(0x81, vs(USER, state) + ts(TS)), {
        "frame": "PRESENCE", "user": USER, "state": state, "last_seen": TS,
    }


def watch(*users):
    return frame(0x82, v(len(users)) + vs(*users)), {"frame": "WATCH", "users": list(users)}


# --- Vectors --------------------------------------------------------------------------------------

def ok(name, side, *parts, canonical=True):
    """A message of one or more frames. Not canonical: what is skipped is not written again."""
    vector = {
        "name": name, "from": side, "hex": b"".join(p[0] for p in parts).hex(), "verdict": "ok",
        "frames": [p[1] for p in parts if p[1] is not None],
    }
    return vector if canonical else {**vector, "canonical": False}


def closes(name, side, code, data, before=()):
    """A message that ends the connection; the frames before the bad one stand."""
    return {
        "name": name, "from": side, "hex": (b"".join(p[0] for p in before) + data).hex(),
        "verdict": {"code": code, "closes": True}, "frames": [p[1] for p in before],
    }


def refused(name, code, data, rid=7):
    """A message whose request alone is refused."""
    return {
        "name": name, "from": "client", "hex": data.hex(), "verdict": {"code": code, "rid": rid},
        "frames": [],
    }


def message(text, **more):
    return {"text": text, "attachments": [], "reply_to": None, "mentions": [], **more}


def skipped(data):
    return data, None


ATTACHMENT = (
    vs(MEDIA, 4096) + b("image/jpeg") + b("cat.jpg") + vs(640, 480, 0) + b(b"\xca\xfe")
)
ATTACHMENT_SAID = {
    "media": MEDIA, "size": 4096, "type": "image/jpeg", "name": "cat.jpg", "width": 640,
    "height": 480, "duration_ms": 0, "preview": "cafe",
}


def client_frames():
    return [
        ok("hello", "client", hello()),
        ok("hello with everything", "client",
           hello(client="chasqui-js/1", ping=240, epoch=EPOCH, capabilities=7)),
        ok("hello with an empty token", "client", hello(token="")),
        ok("ping", "client", ping(7)),
        ok("ping with the largest nonce", "client", ping(MAX)),
        ok("pong", "client", ping(7, 0x05)),
        ok("send", "client", send(1, "hi", content=message("hi"))),
        ok("ack of one", "client", ack((CONVERSATION, 42))),
        ok("ack of none", "client", ack()),
        ok("ack of two", "client", ack((CONVERSATION, 42), (CONVERSATION + 1, 63))),
        ok("read", "client", read(42)),
        ok("sync of everything", "client", sync(1, 0, b"")),
        ok("sync from a token", "client", sync(2, 50, b"\x01\x02\x03")),
        ok("fetch to the head", "client", fetch(3, 1, 0)),
        ok("fetch a range", "client", fetch(4, 64, 16384)),
        ok("resume", "client", resume()),
        ok("typing", "client", ephemeral(0, 1)),
        ok("stopped, with a body", "client", ephemeral(0, 2, b"\xff")),
        ok("an ephemeral kind of tomorrow", "client", ephemeral(0, 9)),
        ok("watch nobody", "client", watch()),
        ok("watch two", "client", watch(USER, USER + 1)),
        ok("watch as many as allowed", "client", watch(*range(1, 257))),
        ok("the largest rid", "client", fetch(MAX, 1, 0)),
        ok("hello, sync and a send in one message", "client", hello(epoch=EPOCH), sync(1, 0, b""),
           send(1, "hi", content=message("hi"))),
        ok("an unknown frame from 80 on is skipped", "client", ping(1),
           skipped(bytes.fromhex("bf01aa")), ping(2), canonical=False),
        ok("a reserved frame from e0 on is skipped", "client",
           skipped(frame(0xE0, b"\x00" * 64)), ping(2), canonical=False),
        ok("an unknown odd tag is skipped", "client",
           (frame(0x04, v(7) + tlv(8193, b"xyz")), ping(7)[1]), canonical=False),
        ok("an unknown odd tag in hello is skipped", "client",
           (frame(0x01, vs(0, 3) + b("t0k") + tlv(1, "c") + tlv(16383, b"")),
            hello(client="c")[1]), canonical=False),
        ok("bytes after a tagged varint are ignored", "client",
           (frame(0x01, vs(0, 3) + b("t0k") + tlv(3, v(25) + b"\xff")), hello(ping=25)[1]),
           canonical=False),
    ]


def server_frames():
    group = record(2, (42, 40), (41, 39, 42), [(1, b"Trip"), (9, 3), (11, 5)],
                   title="Trip", member_count=3, first_visible=5)
    last = entry_body(1, "hi")
    direct = record(
        1, (42, 40), (42, 40, 42), [(3, USER), (5, last), (9, 2), (15, 41), (17, 42)],
        peer=USER, member_count=2, peer_read=41, peer_delivered=42,
        last_entry={**entry(1, "hi", content=message("hi"))[1]})
    left = record(2, (42, 40), (0, 0, 0), [(7, b"\x01"), (13, b"\x01")], muted=True, left=True)
    return [
        ok("welcome", "server", welcome()),
        ok("error of a request", "server",
           error(7, 10, 3, 1000, "sending is on hold until RESUME")),
        ok("error of the connection", "server", error(0, 13, 1, 0, "the token has expired")),
        ok("error with a code of tomorrow", "server", error(7, 99, 4, 0, "")),
        ok("ping", "server", ping(7)),
        ok("pong", "server", ping(7, 0x05)),
        ok("goaway", "server", goaway(1, 60000, 90000)),
        ok("sent", "server", sent()),
        ok("sent, a duplicate", "server", sent(1)),
        ok("entry", "server", entry(1, "hi", content=message("hi"))),
        ok("entry to the sender's devices", "server",
           entry(1, "hi", content=message("hi"), cmid=CMID)),
        ok("entry of the server", "server", entry(3, "", [(2, 41)], {"target": 41}, sender=0)),
        ok("cursor", "server", cursor(42, 41, 39)),
        ok("cursor, only delivered", "server", cursor(42, 0, 0)),
        ok("synced, empty", "server", synced(1, 0, b"\x01\x02", [])),
        ok("synced, a page", "server", synced(1, 3, b"\x01\x02", [direct, group, left])),
        ok("fetched, complete", "server", fetched(3, 42, 0)),
        ok("fetched, to be continued", "server", fetched(3, 42, 30)),
        ok("resync", "server", resync(1)),
        ok("typing", "server", ephemeral(USER, 1)),
        ok("online", "server", presence(1)),
        ok("offline", "server", presence(0)),
        ok("bytes after the fields of a record's tag are ignored", "server",
           (frame(0x17, v(1) + b"\x00" + b(b"") + v(1)
                  + b(record(2, (1, 1), (0, 0, 0))[0] + tlv(9, v(3) + b"\xff"))),
            synced(1, 0, b"", [record(2, (1, 1), (0, 0, 0), member_count=3)])[1]),
           canonical=False),
    ]


def contents():
    photo = [(3, b(ATTACHMENT)), (5, 41), (7, vs(USER, USER + 1))]
    photo_said = message("look", attachments=[ATTACHMENT_SAID], reply_to=41,
                         mentions=[USER, USER + 1])
    longer = [(3, b(ATTACHMENT + b"\xff\xff"))]
    said = [
        ("message, empty", 1, "", [], message("")),
        ("message in another script", 1, "\u00f1and\u00fa \U0001f99c", [],
         message("\u00f1and\u00fa \U0001f99c")),
        ("message with everything", 1, "look", photo, photo_said),
        ("message with two attachments", 1, "", [(3, b(ATTACHMENT) * 2)],
         message("", attachments=[ATTACHMENT_SAID] * 2)),
        ("message, bytes after the fields of an item are ignored", 1, "", longer,
         message("", attachments=[ATTACHMENT_SAID])),
        ("message, an unknown odd tag is kept apart", 1, "hi", [(8193, b"xyz")], message("hi")),
        ("edit", 2, "ho", [(2, 41)], {"target": 41, "text": "ho"}),
        ("unsend", 3, "", [(2, 41)], {"target": 41}),
        ("reaction", 4, "\u2764", [(2, 41)], {"target": 41, "emoji": "\u2764"}),
        ("reaction taken back", 4, "", [(2, 41)], {"target": 41, "emoji": ""}),
        ("pin", 5, b"\x01", [(2, 41)], {"target": 41, "pinned": True}),
        ("unpin", 5, b"\x00", [(2, 41)], {"target": 41, "pinned": False}),
        ("opaque, counting", 16, b"\xff\x00", [(64, b"\x01"), (65, b"")],
         {"attributes": [[64, "01"], [65, ""]]}),
        ("opaque, not counting", 17, b"", [], {"attributes": []}),
        ("opaque, the largest kind", MAX, b"", [], {"attributes": []}),
    ]
    vectors = []
    for name, kind, body, tags, content in said:
        vectors.append(ok(name, "client", send(kind, body, tags, content)))
        vectors.append(ok(name, "server", entry(kind, body, tags, content)))
    only_served = [
        ("message, edited", 1, "hi", [(9, 43)], {**message("hi"), "edited": 43}),
        ("message, erased", 1, "", [(11, 1)], {**message(""), "erased": 1}),
        ("members added", 6, "", [(2, vs(USER, USER + 1)), (4, 1), (5, 1)],
         {"users": [USER, USER + 1], "change": 1, "role": 1}),
        ("member left", 6, "", [(2, v(USER)), (4, 2)], {"users": [USER], "change": 2}),
        ("settings", 7, "", [(3, b"Trip"), (5, MEDIA)], {"title": "Trip", "picture": MEDIA}),
        ("contact accepted", 8, "", [(2, USER), (4, 3)], {"user": USER, "state": 3}),
        ("device added", 9, "", [(2, DEVICE), (4, 1), (5, b"phone")],
         {"device": DEVICE, "change": 1, "name": "phone"}),
        ("device revoked", 9, "", [(2, DEVICE), (4, 2), (5, b"")],
         {"device": DEVICE, "change": 2, "name": ""}),
    ]
    for name, kind, body, tags, content in only_served:
        vectors.append(ok(name, "server", entry(kind, body, tags, content)))
    placeholders = [
        ("a kind of tomorrow is a placeholder", 10, b"\x01", []),
        ("kind 0 is a placeholder", 0, b"", []),
        ("an unknown even tag makes a placeholder", 1, "hi", [(12, b"\x01")]),
        ("a change of tomorrow is a placeholder", 6, "", [(2, v(USER)), (4, 9)]),
    ]
    for name, kind, body, tags in placeholders:
        vectors.append(ok(name, "server", entry(kind, body, tags, None)))
    return vectors


def rejects():
    malformed, unsupported = "malformed", "unsupported"
    good = ping(1)
    send_head = vs(7, CONVERSATION, CMID, 42, 1)
    vectors = [
        closes("an empty message", "client", malformed, b""),
        closes("a type without a length", "client", malformed, b"\x04"),
        closes("half a frame after a whole one", "client", malformed, b"\x04\x02\x40", [good]),
        closes("a length past the end", "client", malformed, bytes.fromhex("040207")),
        closes("an empty body where a field is due", "client", malformed, frame(0x04, b"")),
        closes("type 00", "client", malformed, bytes.fromhex("0000"), [good]),
        closes("type ff", "client", malformed, bytes.fromhex("ff00"), [good]),
        closes("an unknown type below 80", "client", unsupported, bytes.fromhex("3f01aa"), [good]),
        closes("the reserved type 1a", "client", unsupported, bytes.fromhex("1a00")),
        closes("a frame of the server", "client", unsupported, sent()[0], [good]),
        closes("a frame of the server from 80 on", "client", unsupported, presence(1)[0]),
        closes("a frame of a client", "server", unsupported, read(42)[0]),
        closes("a length that is not shortest", "client", malformed, bytes.fromhex("04400107")),
        closes("a varint that is not shortest, 2 bytes", "client", malformed,
               bytes.fromhex("04024007")),
        closes("a varint that is not shortest, 4 bytes", "client", malformed,
               frame(0x04, bytes.fromhex("80003fff"))),
        closes("a varint that is not shortest, 8 bytes", "client", malformed,
               frame(0x04, bytes.fromhex("c00000003fffffff"))),
        closes("a varint of 2^53", "client", malformed,
               frame(0x04, bytes.fromhex("c020000000000000"))),
        closes("the largest 8-byte varint", "client", malformed, frame(0x04, b"\xff" * 8)),
        closes("bytes after the fields are tagged values", "client", malformed,
               frame(0x04, v(7) + b"\x01")),
        closes("a repeated tag", "client", malformed,
               frame(0x04, v(7) + tlv(8193, b"") + tlv(8193, b""))),
        closes("a descending tag", "client", malformed,
               frame(0x04, v(7) + tlv(8195, b"") + tlv(8193, b""))),
        closes("an unknown even tag without a request", "client", unsupported,
               frame(0x04, v(7) + tlv(8192, b""))),
        closes("an unknown even tag in hello", "client", unsupported,
               frame(0x01, vs(0, 3) + b("t0k") + tlv(2, b""))),
        closes("a token that is not UTF-8", "client", malformed,
               frame(0x01, vs(0, 3) + b(b"\xff"))),
        closes("a client name that is not UTF-8", "client", malformed,
               frame(0x01, vs(0, 3) + b("t0k") + tlv(1, b"\xc3"))),
        closes("a tagged varint without bytes", "client", malformed,
               frame(0x01, vs(0, 3) + b("t0k") + tlv(3, b""))),
        closes("rid 0 in a send", "client", malformed, send(1, "hi", rid=0)[0]),
        closes("rid 0 in a sync", "client", malformed, sync(0, 0, b"")[0]),
        closes("rid 0 in a fetch", "client", malformed, fetch(0, 1, 0)[0]),
        closes("conversation 0 in an ack", "client", malformed, ack((0, 1))[0]),
        closes("conversation 0 in a read", "client", malformed, frame(0x14, vs(0, 1))),
        closes("an ack with fewer items than counted", "client", malformed,
               frame(0x13, v(2) + vs(CONVERSATION, 1))),
        closes("an ack that counts to 2^53-1", "client", malformed, frame(0x13, v(MAX))),
        closes("user 0 in a watch", "client", malformed, watch(0)[0]),
        closes("more users to watch than allowed", "client", malformed, watch(*range(1, 258))[0]),
        closes("a repeated tag in a send", "client", malformed,
               send(1, "hi", [(3, b(ATTACHMENT)), (3, b(ATTACHMENT))])[0]),
        closes("an attachment cut short", "client", malformed,
               send(1, "hi", [(3, b(ATTACHMENT[:-1]))])[0]),
        closes("an attachment whose name is not UTF-8", "client", malformed,
               send(1, "hi", [(3, b(vs(MEDIA, 1) + b("a/b") + b(b"\xff") + vs(0, 0, 0) + b("")))])[0]),
        closes("mentions that end within a user", "client", malformed,
               send(1, "hi", [(7, v(USER)[:-1])])[0]),
        closes("a target without bytes", "client", malformed, send(2, "ho", [(2, b"")])[0]),
        closes("a body past the end", "client", malformed, frame(0x10, send_head + v(3) + b"hi")),
        closes("an entry of conversation 0", "server", malformed,
               frame(0x12, vs(0, 1, 1, USER) + ts(TS) + v(1) + b("hi"))),
        closes("an error whose text is not UTF-8", "server", malformed,
               frame(0x03, vs(7, 6) + b"\x02" + v(0) + b(b"\xff"))),
        closes("a record cut short", "server", malformed,
               frame(0x17, v(1) + b"\x00" + b(b"") + v(1) + b(vs(CONVERSATION, 1)))),
        refused("conversation 0 in a send", "invalid", send(1, "hi", conversation=0)[0]),
        refused("cmid 0 in a send", "invalid", send(1, "hi", cmid=0)[0]),
        refused("floor 0 in a send", "invalid", send(1, "hi", floor=0)[0]),
        refused("conversation 0 in a fetch", "invalid", fetch(7, 1, 0, conversation=0)[0]),
        refused("an unknown even tag in a send", unsupported, send(1, "hi", [(12, b"")])[0]),
        refused("an unknown even tag in an edit", unsupported,
                send(2, "ho", [(2, 41), (4, b"")])[0]),
        refused("an unknown even tag in a sync", unsupported,
                frame(0x16, vs(7, 0) + b(b"") + tlv(2, b""))),
        refused("an unknown even tag in a fetch", unsupported,
                frame(0x18, vs(7, CONVERSATION, 1, 0) + tlv(2, b""))),
        refused("a text that is not UTF-8", "invalid", send(1, b"\xc3\x28")[0]),
        refused("an emoji that is not UTF-8", "invalid", send(4, b"\xff", [(2, 41)])[0]),
        refused("a cmid tag in a send", "invalid", send(1, "hi", [(1, CMID)])[0]),
        refused("an edited tag in a send", "invalid", send(1, "hi", [(9, 41)])[0]),
        refused("an erased tag in a send", "invalid", send(1, "hi", [(11, 1)])[0]),
        refused("a cmid tag in an opaque send", "invalid", send(16, b"", [(1, CMID)])[0]),
        refused("an even tag below 64 in an opaque send", unsupported, send(16, b"", [(2, 1)])[0]),
        refused("an edit without a target", "invalid", send(2, "ho")[0]),
        refused("an edit of sequence 0", "invalid", send(2, "ho", [(2, 0)])[0]),
        refused("a pin that is neither", "invalid", send(5, b"\x02", [(2, 41)])[0]),
        refused("an unsend with a body", "invalid", send(3, "x", [(2, 41)])[0]),
        refused("a reply to sequence 0", "invalid", send(1, "hi", [(5, 0)])[0]),
        refused("a mention of user 0", "invalid", send(1, "hi", [(7, v(0))])[0]),
        refused("an attachment without media", "invalid",
                send(1, "hi", [(3, b(v(0) + ATTACHMENT[8:]))])[0]),
        refused("more attachments than allowed", "too-large",
                send(1, "", [(3, b(ATTACHMENT) * 33)])[0]),
        refused("more mentions than allowed", "too-large",
                send(1, "", [(7, vs(*range(1, 258)))])[0]),
        refused("a body above the limit", "too-large", send(1, b"x" * 32769)[0]),
    ]
    for kind in (6, 7, 8, 9):
        vectors.append(refused(f"kind {kind} in a send", "invalid", send(kind, "")[0]))
    for kind in (0, 10, 15):
        vectors.append(refused(f"kind {kind} in a send", unsupported, send(kind, "")[0]))
    return vectors


def varints():
    numbers = (0, 63, 64, 16383, 16384, 2**30 - 1, 2**30, MAX)
    return [ok(f"varint {n}", "client", ping(n)) for n in numbers]


# --- Conversations between a client and a server --------------------------------------------------

def says(*parts):
    return {"client": b"".join(p[0] for p in parts).hex()}


def hears(part, **fields):
    """What the server sends, as far as the fields go."""
    return {"server": {"frame": part, **fields}}


def answered(rid, sequence):
    """The server's core stored the entry of a SEND."""
    return {"stored": {"rid": rid, "sequence": sequence}}


def not_now(rid, code="overloaded", unknown=False):
    """The server's core refused a request for now."""
    return {"refused": {"rid": rid, "code": code, "unknown": unknown}}


CODES = {"malformed": 1, "overloaded": 10, "unavailable": 11, "outcome-unknown": 12, "expired": 13}


def error_of(rid, code, flags):
    return hears("ERROR", rid=rid, code=CODES[code], flags=flags)


def broken(code="malformed"):
    return [error_of(0, code, 0), {"close": 4501}]


def s(rid):
    return send(1, "hi", rid=rid, cmid=rid)


def sessions():
    greeting = [says(hello(epoch=EPOCH)), {"granted": EPOCH},
                hears("WELCOME", epoch=EPOCH, capabilities=3, ping_seconds=25)]
    retry, unknown = 3, 5
    return [
        {"name": name, "steps": steps} for name, steps in [
            ("the first frame is HELLO", [says(ping(1)), *broken()]),
            ("a second HELLO", [*greeting, says(ping(1), hello(epoch=EPOCH)),
                                hears("PONG", nonce=1), *broken()]),
            ("a frame that is skipped may come before HELLO",
             [says(skipped(frame(0xE7, b"\x00")), hello(epoch=EPOCH)), {"granted": EPOCH},
              hears("WELCOME")]),
            ("ping intervals are granted within limits",
             [says(hello(epoch=EPOCH, ping=9999)), {"granted": EPOCH},
              hears("WELCOME", ping_seconds=240)]),
            ("only what is asked for and known is granted",
             [says(hello(epoch=EPOCH, capabilities=2**52 + 1)), {"granted": EPOCH},
              hears("WELCOME", capabilities=1)]),
            ("live in one round trip",
             [says(hello(epoch=EPOCH), s(2)), {"granted": EPOCH}, hears("WELCOME"),
              answered(2, 42), hears("SENT", rid=2, sequence=42)]),
            ("without an epoch the connection starts held",
             [says(hello(), s(2)), {"granted": EPOCH}, hears("WELCOME"),
              error_of(2, "overloaded", retry), says(resume(), s(3)), answered(3, 42),
              hears("SENT", rid=3, sequence=42)]),
            ("with another epoch the connection starts held",
             [says(hello(epoch=EPOCH + 1), s(2)), {"granted": EPOCH}, hears("WELCOME"),
              error_of(2, "overloaded", retry)]),
            ("an open rid is not used again",
             [*greeting, says(s(1)), says(fetch(1, 1, 0)), *broken()]),
            ("an answered rid is free", [*greeting, says(s(1)), answered(1, 1),
                                         hears("SENT", rid=1), says(s(1)), answered(1, 2),
                                         hears("SENT", rid=1)]),
            ("one SEND too many",
             [*greeting, says(*[s(n) for n in range(1, 66)]), error_of(65, "overloaded", retry),
              answered(1, 1), hears("SENT", rid=1), says(s(66)),
              error_of(66, "overloaded", retry)]),
            ("one FETCH too many",
             [*greeting, says(*[fetch(n, 1, 0) for n in range(1, 6)]),
              error_of(5, "overloaded", retry), says(s(6)), answered(6, 1),
              hears("SENT", rid=6)]),
            ("a refusal for now holds until RESUME",
             [*greeting, says(s(1), s(2)), not_now(1), error_of(1, "overloaded", retry),
              not_now(2), error_of(2, "overloaded", retry), says(s(3)),
              error_of(3, "overloaded", retry), says(resume(), s(1)), answered(1, 1),
              hears("SENT", rid=1)]),
            ("an unknown outcome holds too",
             [*greeting, says(s(1)), not_now(1, "outcome-unknown", unknown=True),
              error_of(1, "outcome-unknown", unknown), says(s(2)),
              error_of(2, "overloaded", retry)]),
            ("a bad frame leaves those before it",
             [*greeting, says(s(1), skipped(bytes.fromhex("0400"))), *broken()]),
            ("pings are answered", [*greeting, says(ping(7)), hears("PONG", nonce=7)]),
        ]
    ]


FORMAT = (
    "Each vector is one WebSocket message in hex, and who sends it. verdict ok: it decodes to"
    " `frames`, and these encode to the same bytes unless canonical is false. Otherwise `frames`"
    " come first and stand; then an ERROR with `code` answers request `rid`, or answers rid 0 and"
    " the connection closes with 4501. Bytes are hex, ids and sequences numbers; `content` is null"
    " for a placeholder. A reader also cuts every ok vector of one frame at every length: each such"
    " message is malformed and closes."
)


SESSION_FORMAT = (
    "Each vector is a connection, step by step, under the default limits. client: the message that"
    " comes in. granted: the token is accepted, and this is the store's epoch. stored, refused: what"
    " the server's core says of a request. server: a frame that goes out, as far as its fields are"
    " given. close: how the connection ends. Nothing else goes out."
)


def write(name, about, vectors, form=FORMAT):
    path = os.path.join(HERE, name)
    with open(path, "w", encoding="ascii") as out:
        out.write('{\n"about": ' + json.dumps(f"{about} {form}") + ',\n"vectors": [\n')
        out.write(",\n".join(json.dumps(vector) for vector in vectors))
        out.write("\n]\n}\n")


write("varints.json", "Both edges of every length of a varint, in PING.", varints())
write("client_frames.json", "Every frame of a client.", client_frames())
write("server_frames.json", "Every frame of the server.", server_frames())
write("contents.json", "Every entry kind, sent and served.", contents())
write("rejects.json", "Everything that is refused.", rejects())
write("sessions.json", "The rules between frames.", sessions(), SESSION_FORMAT)
