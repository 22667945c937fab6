"""A client of chasqui in one file, beside its codec and its socket: a second opinion on `docs/client-spec.md`.

It keeps everything in one SQLite file and does what happens in one turn, a transaction: what a turn has to say
leaves once it is stored. Letters and numbers in brackets are the rules of that page. It has no tabs, no user
interface, and looks into no entry.
"""

import asyncio
import json
import random
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from codec import Frame, decode, encode
from websocket import Closed, WebSocket

CURSORS, RETRY, UNKNOWN, MORE, EVERYTHING, FLOOR_OUT_OF_RANGE = 2, 1, 4, 1, 2, 15
FETCHES_MAX, GRACE, ANSWER_MAX = 3, 10.0, 30.0
SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS me (one INTEGER PRIMARY KEY, user INTEGER, epoch INTEGER, token BLOB DEFAULT x'');
CREATE TABLE IF NOT EXISTS chat (conversation INTEGER PRIMARY KEY, start INTEGER, have INTEGER DEFAULT 0,
  head INTEGER DEFAULT 0, last_ord INTEGER DEFAULT 0, read INTEGER DEFAULT 0, read_ord INTEGER DEFAULT 0,
  peer_read INTEGER DEFAULT 0, left INTEGER DEFAULT 0, told INTEGER DEFAULT 1, moved_at REAL DEFAULT 0);
CREATE TABLE IF NOT EXISTS entry (conversation INTEGER, sequence INTEGER, ord INTEGER, sender INTEGER, cmid INTEGER,
  kind INTEGER, body BLOB, PRIMARY KEY (conversation, sequence));
CREATE TABLE IF NOT EXISTS outbox (place INTEGER PRIMARY KEY AUTOINCREMENT, conversation INTEGER, cmid INTEGER,
  floor INTEGER, kind INTEGER, body BLOB, failed INTEGER DEFAULT 0);
INSERT OR IGNORE INTO me (one) VALUES (1);
"""


class Stop(Exception):
    """There is no use in coming back; the text says why."""


class Account:
    """A sign-in over REST."""

    def __init__(self, url: str, signed_in: dict[str, Any]) -> None:
        self.url, self.user = url, signed_in["user"]
        self.access, self.refresh = signed_in["access_token"], signed_in["refresh_token"]

    @classmethod
    def register(cls, url: str, username: str, password: str) -> "Account":
        return cls(url, ask(url, "/register", {"username": username, "password": password}))

    async def token(self, why: str) -> str:
        """An access token [C1]: the one at hand, unless the server has refused it."""
        if why != "initial":
            try:
                answer = await asyncio.to_thread(ask, self.url, "/token/refresh", {"refresh_token": self.refresh})
            except urllib.error.HTTPError as refusal:
                raise Stop("signed out") if refusal.code == 401 else refusal
            self.access, self.refresh = answer["access_token"], answer["refresh_token"]
        return self.access


def ask(url: str, path: str, body: dict[str, Any] | None = None, access: str = "") -> dict[str, Any]:
    """One REST request: a GET, or the POST of a body."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {access}"} if access else {})
    data = json.dumps(body).encode() if body is not None else None
    with urllib.request.urlopen(urllib.request.Request(url + path, data, headers), timeout=10) as answer:
        return json.load(answer)


class Request(NamedTuple):
    """What waits for its final answer; `about` is a row of the outbox, or (conversation, from, repairs) of a FETCH."""

    name: str
    about: Any
    sent_at: float


class Client:
    """One device of one user. `run` keeps it connected; the other public methods work with and without."""

    def __init__(
        self,
        url: str,
        path: str,
        token: Callable[[str], Awaitable[str]],
        open_socket: Callable[[str], Awaitable[WebSocket]] = WebSocket.open,
        longest_wait: float = 60.0,
        first_page: int = 50,
    ) -> None:
        self.url, self.token, self.open_socket = url, token, open_socket
        self.longest_wait, self.first_page = longest_wait, first_page
        self.db = sqlite3.connect(path)
        self.db.row_factory = sqlite3.Row
        self.db.executescript(SCHEMA)
        self.socket: WebSocket | None = None
        self.come_back_at = self.online_at = 0.0
        self.out: list[bytes] = []

    # What an application does.

    def send(self, conversation: int, text: str) -> int:
        """Puts a message into the outbox [O1] and returns its cmid."""
        cmid = random.SystemRandom().randrange(1, 1 << 53)
        with self.turn():
            chat = self.chat(conversation)
            row = (conversation, cmid, 1 + (chat["head"] if chat else 0), 1, text.encode())
            self.do("INSERT INTO outbox (conversation, cmid, floor, kind, body) VALUES (?, ?, ?, ?, ?)", *row)
            self.pump()
        return cmid

    def read(self, conversation: int, sequence: int) -> None:
        """Says that the user has read up to there [P10]."""
        with self.turn():
            self.move(conversation, read=sequence)
            self.tell("READ", conversation, conversation=conversation, read=sequence)

    def timeline(self, conversation: int) -> list[sqlite3.Row]:
        """What is held without a hole [V1]."""
        held = "sequence BETWEEN chat.start AND chat.have"
        return self.all(f"SELECT entry.* FROM entry JOIN chat USING (conversation) WHERE conversation = ? AND {held}"
                        " ORDER BY sequence", conversation)  # fmt: skip

    def unread(self, conversation: int) -> int:
        """The last ord less the ord that was read [P11]: the one told, or that of an entry that is held."""
        chat = self.chat(conversation)
        query = "SELECT max(ord) FROM entry WHERE conversation = ? AND sequence <= ?"
        held = self.all(query, conversation, chat["read"])[0][0]
        return chat["last_ord"] - max(chat["read_ord"], held or 0)

    def outbox(self) -> list[sqlite3.Row]:
        return self.all("SELECT * FROM outbox ORDER BY place")

    # The connection.

    async def run(self) -> str:
        """Connects again and again; returns why it is over, if it is for good."""
        self.why, attempts = "initial", 0
        while True:
            code, self.online_at, self.come_back_at = 1006, 0.0, 0.0
            try:
                # Not wait_for: that of Python 3.11 may lose a cancellation.
                async with asyncio.timeout(ANSWER_MAX):
                    access = await self.token(self.why)
                async with asyncio.timeout(ANSWER_MAX):
                    socket = await self.open_socket(self.url)
                await self.live(socket, access)
            except Stop as stop:
                return str(stop)  # [C2, C13]
            except Closed as end:
                code = end.code
            except (OSError, EOFError):
                pass
            if code >= 4500 and (code != 4500 or self.why == "rejected"):
                return f"closed with {code}"  # [C9]
            self.why = {4005: "expired", 4500: "rejected"}.get(code, self.why)
            attempts = 0 if self.online_at and now() - self.online_at >= 60 else attempts
            wait = random.uniform(0, min(self.longest_wait, 0.5 * 2 ** min(attempts, 7)))  # [C7]
            attempts += 1
            await asyncio.sleep(max(0, self.come_back_at - now()) if self.come_back_at else wait)  # [C8]

    async def live(self, socket: WebSocket, access: str) -> None:
        """One connection, from HELLO until Closed."""
        self.socket, self.opened_at = socket, now()
        self.heard_at = self.said_at = now()
        self.rid, self.open = 0, dict[int, Request]()
        self.interval, self.sends_max = 25, 0
        self.held = self.stale = self.syncing = self.again = False
        self.resume_at, self.repairs, self.fetching = 0.0, set[int](), list[tuple[int, int, bool]]()
        with self.turn():  # [C3]
            epoch = self.me()["epoch"]
            self.write("HELLO", minor=0, capabilities=CURSORS, token=access, client="second/1", epoch=epoch)
            self.sync()
        reading = asyncio.create_task(socket.receive())
        try:
            while True:
                await asyncio.wait({reading}, timeout=0.1)
                if reading.done():
                    self.hear(reading.result())
                    reading = asyncio.create_task(socket.receive())
                self.watch()
        finally:
            self.socket = None
            reading.cancel()
            socket.close()

    def hear(self, message: bytes) -> None:
        """One turn for one message; what stands before a fault is kept [C12]."""
        frames, fault = decode(message)
        self.heard_at = now()
        with self.turn():
            for frame in frames:
                if handle := getattr(self, f"on_{frame.frame.lower()}", None):
                    handle(frame)
        if fault:
            raise Closed(1002)

    def watch(self) -> None:
        """PING in silence [C5], and giving up [C4, C6]."""
        silent, oldest = now() - self.heard_at, min((r.sent_at for r in self.open.values()), default=now())
        late = not self.online_at and now() - self.opened_at > ANSWER_MAX
        if late or silent > 1.5 * self.interval + GRACE or now() - oldest > ANSWER_MAX:
            raise Closed
        if self.online_at and now() - max(self.pinged_at, min(self.said_at, self.heard_at)) >= self.interval:
            self.pinged_at = now()
            with self.turn():
                self.write("PING", nonce=0)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A transaction; what it wrote leaves after the commit [P9, O2]."""
        with self.db:
            yield
        out, self.out = self.out, []
        if self.socket and out:
            # HELLO and its SYNC are one message; later frames stay below message_bytes_max one by one.
            for message in out if self.online_at else [b"".join(out)]:
                self.socket.send(message)
            self.said_at = now()

    def write(self, name: str, **fields: Any) -> None:
        if self.socket and (self.online_at or name in ("HELLO", "SYNC")):
            self.out.append(encode(name, **fields))

    def request(self, name: str, about: Any, **fields: Any) -> None:
        self.rid += 1
        self.open[self.rid] = Request(name, about, now())
        self.write(name, rid=self.rid, **fields)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Does it in a turn of its own, unless the connection has ended by then."""
        socket = self.socket

        def due() -> None:
            if self.socket and self.socket is socket:
                with self.turn():
                    action()

        asyncio.get_running_loop().call_later(seconds, due)

    def on_welcome(self, frame: Frame) -> None:
        me = self.me()
        if me["user"] not in (None, frame.user):
            raise Stop("the token is of another user")
        self.do("UPDATE me SET user = ?", frame.user)
        self.online_at, self.pinged_at, self.why = now(), now(), "initial"
        self.interval, self.sends_max, self.epoch = frame.ping_seconds, frame.sends_max, frame.epoch
        if frame.epoch != me["epoch"]:
            self.forget()
        self.repeat()
        for chat in self.all("SELECT * FROM chat WHERE have < head AND start"):
            self.fetch(chat["conversation"])  # [P5]
        self.pump()

    def on_ping(self, frame: Frame) -> None:
        self.write("PONG", nonce=frame.nonce)

    def on_goaway(self, frame: Frame) -> None:
        self.come_back_at = now() + random.uniform(0, frame.spread_ms / 1000)
        self.after(self.come_back_at - now(), self.socket.close)

    def on_error(self, frame: Frame) -> None:
        if not frame.rid:
            return  # The close follows, and its code decides.
        request, wait = self.open.pop(frame.rid), frame.retry_ms / 1000
        if request.name == "SYNC":
            self.after(max(1, wait), self.sync_anew)  # [P12]
        elif request.name == "FETCH":
            if frame.flags & RETRY:
                self.after(max(1, wait), lambda: self.fetch(*request.about))
            elif request.about[2]:  # [O7]
                self.do("UPDATE outbox SET failed = 1 WHERE conversation = ?", request.about[0])
                self.repairs.discard(request.about[0])
        elif frame.flags & (RETRY | UNKNOWN):  # [O5]
            self.held, self.resume_at = True, max(self.resume_at, now() + wait)
            if frame.code == FLOOR_OUT_OF_RANGE:
                self.repairs.add(request.about["conversation"])
                self.sync()
        else:  # [O6]
            self.do("UPDATE outbox SET failed = 1 WHERE place = ?", request.about["place"])
        self.pump()

    # The outbox.

    def pump(self) -> None:
        """Lets SENDs leave, in order, as far as the gate is open."""
        if not self.socket or not self.online_at or self.stale or self.repairs:
            return
        sent = {request.about["place"] for request in self.open.values() if request.name == "SEND"}
        if self.held:
            wait = self.resume_at - now()
            if sent or wait > 0:
                return None if sent else self.after(wait, self.pump)
            self.write("RESUME")
            self.held = False
        for row in self.all("SELECT * FROM outbox WHERE NOT failed ORDER BY place"):
            if row["place"] not in sent and len(sent) < self.sends_max:
                sent.add(row["place"])
                fields = {name: row[name] for name in ("conversation", "cmid", "floor", "kind", "body")}
                self.request("SEND", row, **fields)  # [O3]

    def on_sent(self, frame: Frame) -> None:
        """The entry itself [O4]."""
        row = self.open.pop(frame.rid).about
        fields = {name: row[name] for name in ("conversation", "cmid", "kind", "body")}
        self.on_entry(Frame(sequence=frame.sequence, ord=frame.ord, sender=self.me()["user"], **fields))
        self.pump()

    # The replica.

    def on_entry(self, frame: Frame) -> None:
        c, own = frame.conversation, frame.sender == self.me()["user"]
        if own and frame.cmid:
            self.do("DELETE FROM outbox WHERE conversation = ? AND cmid = ?", c, frame.cmid)
        chat = self.chat(c)
        if not chat or not chat["start"] or chat["left"]:
            self.sync()  # [P6]
        if not chat or not chat["start"]:
            return
        row = (c, frame.sequence, frame.ord, frame.sender, frame.cmid, frame.kind, frame.body)
        self.do("INSERT OR IGNORE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)", *row)  # [P3, P13]
        self.move(c, head=frame.sequence, last_ord=frame.ord, **{"read" if own else "peer_read": frame.sequence})
        self.follow(c)

    def follow(self, c: int, have: int = 0) -> None:
        """Moves `have` to there, and over what is held beyond; ACKs it; has a hole fetched."""
        chat = self.chat(c)
        have = max(have, chat["have"])
        while self.all("SELECT 1 FROM entry WHERE conversation = ? AND sequence = ?", c, have + 1):
            have += 1
        if have > chat["have"]:
            self.move(c, have=have)
            self.tell("ACK", c, items=[(c, have)])
        if have < chat["head"]:
            self.after(random.uniform(0.5, 1), lambda: self.fetch(c))

    def fetch(self, c: int, start: int = 0, repairs: bool = False) -> None:
        """Asks for what is above `have`, or from `start` on; in its turn [P12]."""
        waiting = [*self.fetching, *(r.about for r in self.open.values() if r.name == "FETCH")]
        chat = self.chat(c)
        if start or (chat["have"] < chat["head"] and not any(about[0] == c for about in waiting)):
            self.fetching.append((c, start or chat["have"] + 1, repairs))
        while self.fetching and sum(request.name == "FETCH" for request in self.open.values()) < FETCHES_MAX:
            about = self.fetching.pop(0)
            self.request("FETCH", about, conversation=about[0], **{"from": about[1], "to": 0})

    def on_fetched(self, frame: Frame) -> None:
        c, start, repairs = self.open.pop(frame.rid).about
        self.move(c, head=frame.to)
        reaches = start <= self.chat(c)["have"] + 1
        self.follow(c, (frame.next - 1 if frame.next else frame.to) if reaches else 0)  # [P4]
        if repairs and not frame.next:  # [O7]
            self.do("UPDATE outbox SET floor = ? WHERE conversation = ?", frame.to + 1, c)
            self.repairs.discard(c)
            self.pump()
        self.fetch(c, frame.next, repairs and frame.next > 0)

    def sync(self, token: bytes | None = None) -> None:
        """Asks what has changed, or with a token for the next page."""
        if token is None:
            if self.syncing:
                self.again = True
                return
            self.syncing, self.again, self.everything, self.listed = True, False, 0, dict[int, int]()
            self.known = {chat["conversation"]: chat["head"] for chat in self.all("SELECT * FROM chat")}
            token = self.me()["token"]
        self.request("SYNC", None, limit=0, token=token)

    def sync_anew(self) -> None:
        self.syncing = False
        self.sync()

    def on_resync(self, _: Frame) -> None:
        self.sync()

    def on_synced(self, frame: Frame) -> None:
        del self.open[frame.rid]
        if any(record.last_sequence < self.known.get(record.conversation, 0) for record in frame.records):
            self.forget()
            return self.sync_anew()
        for record in frame.records:
            self.on_record(record)
        self.everything |= frame.flags & EVERYTHING
        if frame.flags & MORE:
            return self.sync(frame.token)
        self.syncing = False
        self.do("UPDATE me SET token = ?", frame.token)  # [P1, P6]
        if self.everything:  # [P7]
            for chat in self.all("SELECT conversation FROM chat"):
                if chat[0] not in self.listed:
                    self.do("UPDATE chat SET left = 1 WHERE conversation = ?", chat[0])
        if self.stale:
            self.settle_epoch()
        for c in self.repairs:
            floors = self.all("SELECT min(floor) FROM outbox WHERE conversation = ?", c)
            self.fetch(c, floors[0][0] or 1, True)
        if self.again:
            self.sync()
        self.pump()

    def on_record(self, record: Frame) -> None:
        c = record.conversation
        self.listed[c] = record.last_sequence
        self.do("INSERT OR IGNORE INTO chat (conversation) VALUES (?)", c)
        chat = self.chat(c)
        if chat["start"] is None:  # [P2]
            start = max(record.first_visible or 1, record.last_sequence - self.first_page + 1)
            self.do("UPDATE chat SET start = ?, have = ? WHERE conversation = ?", start, start - 1, c)
        behind = record.read < chat["read"] or record.delivered < chat["have"]
        if not behind and time.time() - chat["moved_at"] >= 10:
            self.do("UPDATE chat SET told = 1 WHERE conversation = ?", c)
        positions = {"last_ord": record.last_ord, "read": record.read, "peer_read": record.peer_read or 0}
        self.move(c, head=record.last_sequence, read_ord=record.read_ord, **positions)
        self.do("UPDATE chat SET left = ? WHERE conversation = ?", record.left or 0, c)
        if behind:
            self.repeat(c)
        self.fetch(c)

    def on_cursor(self, frame: Frame) -> None:
        if self.chat(frame.conversation):
            if frame.user == self.me()["user"]:
                self.move(frame.conversation, read=frame.read, read_ord=frame.read_ord)
            else:
                self.move(frame.conversation, peer_read=frame.read)

    def repeat(self, only: int | None = None) -> None:
        """READ and ACK of what a crash may have undone [P10]."""
        for chat in self.all("SELECT * FROM chat WHERE conversation = ? OR (? IS NULL AND NOT told)", only, only):
            self.write("ACK", items=[(chat["conversation"], chat["have"])])
            self.write("READ", conversation=chat["conversation"], read=chat["read"])

    def forget(self) -> None:
        """The server is another, or older: all goes but the outbox and one's own read cursors [P8]."""
        self.stale, self.known = True, {}
        self.do("DELETE FROM entry")
        self.do("UPDATE me SET token = x''")
        self.do("UPDATE chat SET start = NULL, have = 0, head = 0, last_ord = 0, read_ord = 0, peer_read = 0, told = 0")

    def settle_epoch(self) -> None:
        """At the end of the SYNC after that: cursors and floors lie in what the server has now [P8, O8, O9]."""
        for row in self.outbox():
            floor = min(row["floor"], 1 + self.listed.get(row["conversation"], 0))
            self.do("UPDATE outbox SET floor = ? WHERE place = ?", floor, row["place"])
        for c, head in self.listed.items():
            self.do("UPDATE chat SET read = min(read, ?) WHERE conversation = ?", head, c)
        self.do("UPDATE me SET epoch = ?", self.epoch)
        self.stale, self.held = False, True
        self.repeat()

    # The store.

    def me(self) -> sqlite3.Row:
        return self.all("SELECT * FROM me")[0]

    def chat(self, conversation: int) -> sqlite3.Row | None:
        return next(iter(self.all("SELECT * FROM chat WHERE conversation = ?", conversation)), None)

    def move(self, conversation: int, **positions: int) -> None:
        """Raises positions; none of them ever goes back."""
        self.do("UPDATE chat SET " + ", ".join(f"{name} = max({name}, ?)" for name in positions)
                + " WHERE conversation = ?", *positions.values(), conversation)  # fmt: skip

    def tell(self, name: str, conversation: int, /, **fields: Any) -> None:
        """An ACK or READ, to be repeated until a SYNC shows that it will stay [P10]."""
        self.do("UPDATE chat SET told = 0, moved_at = ? WHERE conversation = ?", time.time(), conversation)
        self.write(name, **fields)

    def all(self, query: str, *values: Any) -> list[sqlite3.Row]:
        return self.db.execute(query, values).fetchall()

    def do(self, query: str, *values: Any) -> None:
        self.db.execute(query, values)


def now() -> float:
    return time.monotonic()
