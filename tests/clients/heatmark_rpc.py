"""A client of a node's gRPC services with nothing but Python's standard library and PyNaCl: HTTP/2 as RFC 9113 says, TLS 1.3 with
an Ed25519 certificate on both sides as proto/README.md, "Clients", says.

The gRPC library for Python that is on PyPI brings a TLS library that offers no Ed25519, so that its handshake with a node fails.
"""

import re
import socket
import ssl
import struct
import tempfile
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple
from urllib.parse import unquote

import nacl.bindings as sodium

from heatmark_headers import pack, unpack
from heatmark_messages import Message, Schema

# --- TLS -----------------------------------------------------------------------------------------

ED25519 = bytes.fromhex("300506032b6570")


def der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + content


def key_info(public: bytes) -> bytes:
    """SubjectPublicKeyInfo of an Ed25519 key (RFC 8410)."""
    return der(0x30, ED25519, der(0x03, b"\0", public))


def certificate(seed: bytes) -> bytes:
    """A self-signed certificate around a key; nothing in it but the key is believed."""
    public, secret = sodium.crypto_sign_seed_keypair(seed)
    name = der(0x30, der(0x31, der(0x30, bytes.fromhex("0603550403"), der(0x0C, b"member.heatmark.invalid"))))
    dates = der(0x30, der(0x18, b"20200101000000Z"), der(0x18, b"40960101000000Z"))
    version = der(0xA0, der(0x02, b"\2"))
    body = der(0x30, version, der(0x02, b"\1"), ED25519, name, dates, name, key_info(public))
    signature = sodium.crypto_sign(body, secret)[:64]
    return der(0x30, body, ED25519, der(0x03, b"\0", signature))


def elements(content: bytes) -> Iterator[Tuple[int, bytes, bytes]]:
    """Tag, content and whole of the DER elements in a row."""
    at = 0
    while at < len(content):
        if len(content) < at + 2:
            raise ValueError("a certificate that is cut off")
        start, tag, length, at = at, content[at], content[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(content[at : at + size], "big"), at + size
        if at + length > len(content):
            raise ValueError("a certificate that is cut off")
        at += length
        yield tag, content[at - length : at], content[start:at]


def key_of(certificate_der: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a certificate, in its place and nowhere else (RFC 5280, section 4.1)."""
    [(_, whole, _)] = elements(certificate_der)
    _, body, _ = next(elements(whole))
    # Version, serial number, algorithm, issuer, validity, subject, and then the key.
    return list(elements(body))[6][2]


def write_identity(seed: bytes, directory: Path) -> Tuple[Path, Path]:
    """Files of a key's certificate and of the key, as Python's TLS reads them; nobody else may read the key's."""
    chain, key = directory / "own.pem", directory / "own.key"
    chain.write_text(ssl.DER_cert_to_PEM_cert(certificate(seed)))
    secret = ssl.DER_cert_to_PEM_cert(bytes.fromhex("302e020100300506032b657004220420") + seed)
    key.touch(mode=0o600)
    key.write_text(secret.replace("CERTIFICATE", "PRIVATE KEY"))
    return chain, key


class WrongServer(Exception):
    """The server does not hold the key that it is known by."""


def connect(address: str, server_key: bytes, seed: bytes) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # Self-signed: who it is, its key says, which is compared below. That it holds it, TLS proves.
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2"])
    with tempfile.TemporaryDirectory(prefix="heatmark-client-") as directory:
        context.load_cert_chain(*write_identity(seed, Path(directory)))
    host, port = address.rsplit(":", 1)
    stream = socket.create_connection((host, int(port)), timeout=120)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    secured = context.wrap_socket(stream, server_hostname="node.heatmark.invalid")
    if key_of(secured.getpeercert(binary_form=True) or b"") != key_info(server_key):
        secured.close()
        raise WrongServer(address)
    return secured


# --- HTTP/2 and gRPC -----------------------------------------------------------------------------

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
WINDOW = 65_535


class Refused(Exception):
    """What the node said no with."""

    def __init__(self, status: int, message: str, headers: Dict[str, str]) -> None:
        super().__init__(f"grpc-status {status}: {message}")
        self.status = status
        self.code = headers.get("heatmark-code", "")


class Answer:
    """The stream of one request: its messages as they come."""

    def __init__(self, channel: "Channel", stream: int, kind: str) -> None:
        self._channel, self._stream, self._kind = channel, stream, kind
        self._data = b""
        self._headers: Dict[str, str] = {}
        self.ended = False

    def __iter__(self) -> Iterator[Message]:
        while True:
            while len(self._data) >= 5:
                length = int.from_bytes(self._data[1:5], "big")
                if len(self._data) < 5 + length:
                    break
                message, self._data = self._data[5 : 5 + length], self._data[5 + length :]
                yield self._channel.schema.decode(self._kind, message)
            if self.ended:
                break
            self.take(*self._channel.next_frame(self._stream))
        status = self._headers.get("grpc-status", "no status")
        if status != "0":
            message = unquote(self._headers.get("grpc-message", status))
            raise Refused(int(status) if status.isdigit() else -1, message, self._headers)

    def take(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == DATA:
            self._data += payload
        elif kind == HEADERS:
            self._headers.update(self._channel.unpack(payload))
        elif kind == RST_STREAM:
            raise ConnectionError(f"the node reset the request: {int.from_bytes(payload, 'big')}")
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            self.ended = True


class Channel:
    """A connection to a node, for one request after another."""

    def __init__(self, schema: Schema, address: str, server_key: bytes, seed: bytes) -> None:
        self.schema = schema
        self._socket = connect(address, server_key, seed)
        self._buffer, self._next, self._send, self._initial = b"", 1, WINDOW, WINDOW
        self._streams: Dict[int, int] = {}
        self._table: List[Tuple[str, str]] = []
        self._room = 4_096
        self._write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, b""))

    def __enter__(self) -> "Channel":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def call(self, path: str, *requests: Message) -> Answer:
        """Sends a request, or a stream of them."""
        request, response = self.schema.methods[path]
        stream, self._next = self._next, self._next + 2
        self._streams = {stream: self._initial}
        headers = [(":method", "POST"), (":scheme", "https"), (":path", path), (":authority", "node")]
        headers += [("content-type", "application/grpc"), ("te", "trailers")]
        self._write(frame(HEADERS, END_HEADERS, stream, pack(headers)))
        answer = Answer(self, stream, response)
        for message in requests:
            encoded = self.schema.encode(request, message)
            self._send_data(answer, stream, b"\0" + struct.pack(">I", len(encoded)) + encoded)
        self._write(frame(DATA, END_STREAM, stream, b""))
        return answer

    def ask(self, path: str, *requests: Message) -> Message:
        """The one answer to a request."""
        answers = list(self.call(path, *requests))
        if len(answers) != 1:
            raise ConnectionError(f"{len(answers)} answers to one request")
        return answers[0]

    def _send_data(self, answer: Answer, stream: int, data: bytes) -> None:
        while data and not answer.ended:
            room = min(self._send, self._streams[stream], 16_384)
            if room <= 0:
                # The node has to make room first; it may also say no meanwhile.
                answer.take(*self.next_frame(stream, windows=True))
                continue
            part, data = data[:room], data[room:]
            self._send -= len(part)
            self._streams[stream] -= len(part)
            self._write(frame(DATA, 0, stream, part))

    def next_frame(self, stream: int, windows: bool = False) -> Tuple[int, int, bytes]:
        """The next frame of a stream; what concerns the connection is seen to."""
        while True:
            kind, flags, of, payload = self._read_frame()
            if kind == SETTINGS and not flags & ACK:
                for at in range(0, len(payload), 6):
                    name, value = struct.unpack(">HI", payload[at : at + 6])
                    if name == 4:
                        for open_stream in self._streams:
                            self._streams[open_stream] += value - self._initial
                        self._initial = value
                self._write(frame(SETTINGS, ACK, 0, b""))
            elif kind == PING and not flags & ACK:
                self._write(frame(PING, ACK, 0, payload))
            elif kind == GOAWAY:
                raise ConnectionError(f"the node ends the connection: {payload[8:]!r}")
            elif kind == WINDOW_UPDATE:
                more = int.from_bytes(payload, "big")
                if of == 0:
                    self._send += more
                elif of in self._streams:
                    self._streams[of] += more
            elif kind == HEADERS and of != stream:
                # The table of header fields is the connection's.
                self.unpack(payload)
            elif of == stream and kind in (DATA, HEADERS, RST_STREAM):
                if kind == DATA and payload:
                    room = struct.pack(">I", len(payload))
                    self._write(frame(WINDOW_UPDATE, 0, 0, room) + frame(WINDOW_UPDATE, 0, stream, room))
                return kind, flags, payload
            if windows and kind in (SETTINGS, WINDOW_UPDATE):
                return kind, flags, payload

    def _read_frame(self) -> Tuple[int, int, int, bytes]:
        head = self._read(9)
        length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        stream, payload = int.from_bytes(head[5:], "big") & 0x7FFF_FFFF, self._read(length)
        if kind in (DATA, HEADERS):
            padded = payload[0] if flags & 8 else 0
            start = (1 if flags & 8 else 0) + (5 if kind == HEADERS and flags & 0x20 else 0)
            payload = payload[start : len(payload) - padded]
        while kind == HEADERS and not flags & END_HEADERS:
            head = self._read(9)
            if head[3] != CONTINUATION:
                raise ConnectionError("header fields that do not end")
            flags |= head[4] & END_HEADERS
            payload += self._read(int.from_bytes(head[:3], "big"))
        return kind, flags, stream, payload

    def _read(self, length: int) -> bytes:
        while len(self._buffer) < length:
            more = self._socket.recv(65_536)
            if not more:
                raise ConnectionError("the node closed the connection")
            self._buffer += more
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        return taken

    def _write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def unpack(self, block: bytes) -> Dict[str, str]:
        return dict(unpack(block, self._table, self._room))


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def seed_of(key_file: Path) -> Optional[bytes]:
    """The secret of an unsealed key file, in hex there."""
    found = re.search(r'^secret\s*=\s*"([0-9a-f]{64})"', key_file.read_text(encoding="utf-8"), re.MULTILINE)
    return bytes.fromhex(found.group(1)) if found else None
