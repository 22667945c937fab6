"""The client's side of RFC 6455, as far as `chasqui.v1` uses it: binary messages, no extensions."""

import asyncio
import base64
import hashlib
import os
from typing import Self
from urllib.parse import urlsplit

BINARY, CLOSE, PING, PONG = 0x2, 0x8, 0x9, 0xA
# The server's largest messages are pages of 64 KiB and an entry; what is far above is not from one.
MESSAGE_BYTES_MAX = 1 << 20


class Closed(Exception):
    """The connection has ended; `code` is 1006 where no close frame told."""

    def __init__(self, code: int = 1006) -> None:
        super().__init__(code)
        self.code = code


class WebSocket:
    """An open connection. One task may receive, any may send."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, url: str, protocol: str = "chasqui.v1") -> Self:
        """Connects to `http://host:port` and upgrades `/ws`."""
        place, key = urlsplit(url), base64.b64encode(os.urandom(16)).decode()
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(
            f"GET /ws HTTP/1.1\r\nHost: {place.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {protocol}\r\n\r\n".encode()
        )
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except BaseException:
            writer.transport.abort()
            raise
        digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
        if not head.startswith("HTTP/1.1 101") or base64.b64encode(digest).decode() not in head:
            writer.transport.abort()
            raise OSError(f"no upgrade: {head.splitlines()[0]}")
        return cls(reader, writer)

    def send(self, payload: bytes, opcode: int = BINARY) -> None:
        """Writes one message; returns before it has left."""
        length = len(payload)
        if length < 126:
            size = bytes([0x80 | length])
        elif length < 1 << 16:
            size = bytes([0x80 | 126]) + length.to_bytes(2)
        else:
            size = bytes([0x80 | 127]) + length.to_bytes(8)
        mask = os.urandom(4)
        stream = (mask * (length // 4 + 1))[:length]
        masked = (int.from_bytes(payload) ^ int.from_bytes(stream)).to_bytes(length)
        self.write(bytes([0x80 | opcode]) + size + mask + masked)

    async def receive(self) -> bytes:
        """The next message; raises Closed at the end. Pings are answered on the way."""
        message = b""
        try:
            while True:
                first, second = await self.read(2)
                length = second & 0x7F
                if length > 125:
                    length = int.from_bytes(await self.read(2 if length == 126 else 8))
                if len(message) + length > MESSAGE_BYTES_MAX:
                    raise Closed(1009)
                payload = await self.read(length)
                opcode = first & 0x0F
                if opcode == CLOSE:
                    raise Closed(int.from_bytes(payload[:2]) if payload else 1005)
                if opcode == PING:
                    self.send(payload, PONG)
                elif opcode <= BINARY:
                    message += payload
                    if first & 0x80:
                        return message
        except (asyncio.IncompleteReadError, OSError):
            raise Closed() from None

    def close(self) -> None:
        """Says goodbye and leaves without waiting for an answer."""
        if not self.writer.is_closing():
            self.send((1000).to_bytes(2), CLOSE)
            self.writer.close()

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def read(self, count: int) -> bytes:
        return await self.reader.readexactly(count)
