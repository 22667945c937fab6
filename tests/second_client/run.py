"""Two people write to each other through a server that is killed, over sockets that are cut in mid-frame, on clients
that crash; then the server is restored from a backup. run.py BINARY [SEED]; the seed decides the faults, not the
time that anything takes.

At the end each message is there once, in the same order for both, in the order in which its author wrote it; nothing
waits; and the unread numbers are those that REST tells. After the restore the same holds of what the backup kept.
"""

import asyncio
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import vectors
from client import Account, Client, ask
from websocket import WebSocket

MESSAGES, DEADLINE = 100, 15.0


class Server:
    """A real server on a data folder, always at the same address."""

    def __init__(self, binary: str, folder: pathlib.Path) -> None:
        self.binary, self.folder, self.listen = binary, folder, "127.0.0.1:0"
        self.start()

    def start(self) -> None:
        command = [self.binary, "serve", "--listen", self.listen, "--data", str(self.folder / "data")]
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        for line in self.process.stdout:
            if line.startswith("listening on "):
                self.url = line.split()[2]
                self.listen = self.url.removeprefix("http://")
                return
        raise RuntimeError("the server did not start: " + (self.folder / "log").read_text()[-2000:])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def copy(self, source: str, target: str) -> None:
        """As docs/storage.md says of backups: all but EPOCH and LOCK."""
        shutil.rmtree(self.folder / target, ignore_errors=True)
        shutil.copytree(self.folder / source, self.folder / target, ignore=shutil.ignore_patterns("EPOCH", "LOCK"))


class Cut(WebSocket):
    """A socket that ends after so many bytes in both directions, wherever in a frame that is."""

    left: float

    def write(self, data: bytes) -> None:
        super().write(data[: max(0, int(min(self.left, len(data))))])
        self.spend(len(data))

    async def read(self, count: int) -> bytes:
        data = await super().read(count)
        self.spend(count)
        return data

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            self.writer.transport.abort()


class Person:
    """An account with one client, which may crash and come back with what its file holds."""

    def __init__(self, name: str, server: Server, chance: random.Random) -> None:
        self.name, self.server, self.chance = name, server, chance
        self.account = Account.register(server.url, name, "a long password")
        self.written: list[str] = []
        self.steady, self.cuts = False, 0
        self.task: asyncio.Task[str] | None = None

    async def open_socket(self, url: str) -> WebSocket:
        socket = await Cut.open(url)
        socket.left = float("inf") if self.steady else self.chance.randrange(200, 3000)
        self.cuts += not self.steady
        return socket

    async def begin(self) -> None:
        """Starts the client, after a crash if it runs."""
        if self.task:
            self.task.cancel()
            await asyncio.wait({self.task})
            self.client.db.close()
        path = str(self.server.folder / f"{self.name}.db")
        fast = {"longest_wait": 0.2, "first_page": 10_000}
        self.client = Client(self.server.url, path, self.account.token, self.open_socket, **fast)
        self.task = asyncio.create_task(self.client.run())

    def write(self, chat: int) -> None:
        self.written.append(f"{self.name} {len(self.written)}")
        self.client.send(chat, self.written[-1])

    async def chatter(self, chat: int) -> None:
        """Writes, reads what is there, and crashes now and then."""
        for count in range(MESSAGES):
            await asyncio.sleep(self.chance.uniform(0, 0.08))
            self.write(chat)
            if self.chance.random() < 0.2 and (line := self.client.timeline(chat)):
                self.client.read(chat, line[-1]["sequence"])
            if count % 60 == 40:
                await self.begin()

    def texts(self, chat: int) -> list[str]:
        return [entry["body"].decode() for entry in self.client.timeline(chat)]

    def server_chat(self, chat: int) -> dict[str, Any]:
        return ask(self.server.url, f"/chats/{chat}", access=self.account.access)


async def eventually(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < deadline, f"not in {DEADLINE:.0f} s: {what}"
        await asyncio.sleep(0.05)


async def settled(chat: int, people: list[Person], texts: set[str]) -> None:
    """Waits until both hold these texts and nothing waits, then looks at every promise."""
    for person in people:
        await eventually(f"{person.name} has everything", lambda: texts <= set(person.texts(chat)))
        await eventually(f"nothing of {person.name} waits", lambda: not person.client.outbox())
    ana, ben = (person.texts(chat) for person in people)
    assert ana == ben, "both have the same order"
    assert len(ana) == len(set(ana)), "each message is there once"
    for person in people:
        sent = [text for text in ana if text in person.written]
        assert sent == [text for text in person.written if text in set(sent)], f"in the order {person.name} wrote"


async def refused(chat: int, ana: Person, ben: Person) -> None:
    """A floor beyond the head is refused and mended; what stands behind it keeps its place."""
    ana.written += ["too high", "behind it"]
    row = "INSERT INTO outbox (conversation, cmid, floor, kind, body) VALUES (?, ?, ?, 1, ?)"
    with ana.client.turn():
        ana.client.do(row, chat, 1, 1_000_000, b"too high")
        ana.client.do(row, chat, 2, 1, b"behind it")
        ana.client.pump()
    await settled(chat, [ana, ben], {"too high", "behind it"})


async def unread(chat: int, ana: Person, ben: Person) -> None:
    """Three messages of Ana of which Ben reads one, and the server is killed before that is safe."""
    for _ in range(3):
        ana.write(chat)
    await settled(chat, [ana, ben], set(ana.written[-3:]))
    ben.client.read(chat, ben.client.timeline(chat)[-3]["sequence"])
    ben.server.kill()
    ben.server.start()
    for person, count in (ana, 0), (ben, 2):
        assert person.client.unread(chat) == count, f"what is unread for {person.name}"
        await eventually("REST agrees", lambda: person.server_chat(chat)["unread"] == count)


async def play(binary: str, folder: pathlib.Path, chance: random.Random) -> str:
    server = Server(binary, folder)
    try:
        ana, ben = people = [Person(name, server, chance) for name in ("ana", "ben")]
        chat = ask(server.url, "/chats", {"kind": "direct", "user": ben.account.user}, ana.account.access)["chat"]
        for person in people:
            await person.begin()
        talk = asyncio.gather(*(person.chatter(chat) for person in people))
        for backup in True, False:
            await asyncio.sleep(chance.uniform(1, 2.5))
            server.kill()
            if backup:
                server.copy("data", "backup")
            await asyncio.sleep(chance.uniform(0, 0.5))
            server.start()
        await talk
        for person in people:
            person.steady = True
        await settled(chat, people, {text for person in people for text in person.written})
        await refused(chat, ana, ben)
        await unread(chat, ana, ben)

        told = ana.texts(chat)
        server.kill()
        server.copy("backup", "data")
        for person in people:
            person.write(chat)
        server.start()
        await eventually("the loss is seen", lambda: all(len(p.texts(chat)) < len(told) for p in people))
        await settled(chat, people, {person.written[-1] for person in people})
        kept = [text for text in ana.texts(chat) if text in told]
        assert kept and kept == told[: len(kept)], "a beginning of the old log"
        await unread(chat, ana, ben)
        for person in people:
            assert not person.task.done(), f"{person.name} has stopped: {person.task.result()}"
        cuts = ana.cuts + ben.cuts
        return f"{len(told)} messages over {cuts} connections that were cut, each once; a backup kept {len(kept)}"
    finally:
        server.kill()


def main() -> None:
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    print(vectors.check(), flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        try:
            told = asyncio.run(play(sys.argv[1], pathlib.Path(folder), random.Random(seed)))
        except BaseException:
            print(f"seed {seed}; last lines of the server's log:", file=sys.stderr)
            print((pathlib.Path(folder) / "log").read_text()[-3000:], file=sys.stderr)
            raise
    print(f"{told}; {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
