"""Tests of the client's parts against the examples of the RFCs, the .proto files, and a TLS server of Python's own.

    python3 -m unittest discover -s tests/clients
"""

import socket
import ssl
import sys
import tempfile
import threading
import unittest
from pathlib import Path

import nacl.bindings as sodium

sys.path.insert(0, str(Path(__file__).parent))
import heatmark_headers as headers  # noqa: E402
import heatmark_rpc as rpc  # noqa: E402
from heatmark_messages import Schema, varint  # noqa: E402

PROTO = Path(__file__).resolve().parents[2] / "proto" / "heatmark" / "desk" / "v1" / "escrow.proto"
SEED, OTHER = b"\1" * 32, b"\2" * 32


class Messages(unittest.TestCase):
    def setUp(self) -> None:
        self.schema = Schema.of_file(PROTO)

    def test_every_method_has_its_messages(self) -> None:
        self.assertIn("/heatmark.desk.v1.EscrowService/Deposit", self.schema.methods)
        for request, response in self.schema.methods.values():
            self.assertIn(request, self.schema.messages)
            self.assertIn(response, self.schema.messages)
        known = {"bytes", "string", "uint32", "uint64", "bool", *self.schema.enums, *self.schema.messages}
        for message in self.schema.messages.values():
            self.assertLessEqual({field.kind for field in message.values()}, known)

    def test_what_is_encoded_is_decoded(self) -> None:
        start = {"record_id": b"r" * 32, "agents": [b"a", b"b"], "threshold": 300,
                 "sections": [{"name": "ä", "fields": ["x/*", "y"]}], "policy": ""}
        data = self.schema.encode("DepositRequest", {"start": start})
        decoded = self.schema.decode("DepositRequest", data)
        self.assertEqual(decoded["start"], start)
        self.assertIsNone(decoded["document"])
        view = self.schema.decode("DealView", self.schema.encode("DealView", {"opened": True, "part": 3}))
        self.assertEqual((view["opened"], view["part"], view["ruling"]), (True, 3, None))

    def test_what_is_cut_off_or_unknown_is_refused(self) -> None:
        data = self.schema.encode("OpenDealResponse", {"deal": b"d" * 32})
        for end in range(1, len(data)):
            with self.assertRaises(ValueError):
                self.schema.decode("OpenDealResponse", data[:end])
        with self.assertRaises(ValueError):
            self.schema.encode("OpenDealResponse", {"dael": b""})
        with self.assertRaises(ValueError):
            self.schema.decode("OpenDealResponse", varint(9 << 3 | 5) + b"\0" * 4)


class Headers(unittest.TestCase):
    def test_the_examples_of_the_rfc(self) -> None:
        # RFC 7541, appendix C.6: three responses on one connection, with coded texts and a table of 256 bytes.
        table = []
        first = "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3"
        fields = headers.unpack(bytes.fromhex(first), table, 256)
        date = "Mon, 21 Oct 2013 20:13:21 GMT"
        self.assertEqual(fields, [(":status", "302"), ("cache-control", "private"), ("date", date),
                                  ("location", "https://www.example.com")])
        fields = headers.unpack(bytes.fromhex("4883640effc1c0bf"), table, 256)
        self.assertEqual(fields[0], (":status", "307"))
        self.assertEqual(fields[3], ("location", "https://www.example.com"))
        self.assertEqual(len(table), 4)

    def test_what_is_packed_is_unpacked(self) -> None:
        fields = [(":path", "/" + "x" * 300), ("te", "trailers")]
        self.assertEqual(headers.unpack(headers.pack(fields), [], 4_096), fields)

    def test_a_text_that_is_cut_off_is_refused(self) -> None:
        self.assertEqual(headers.unhuffman(bytes.fromhex("f1e3c2e5f23a6ba0ab90f4ff")), b"www.example.com")
        for data in ("f1e3c2e5f23a6ba0ab90f400", "ffffffff"):
            with self.assertRaises(ValueError):
                headers.unhuffman(bytes.fromhex(data))


class Tls(unittest.TestCase):
    def test_the_key_is_read_in_its_place(self) -> None:
        own = rpc.certificate(SEED)
        public = sodium.crypto_sign_seed_keypair(SEED)[0]
        self.assertEqual(rpc.key_of(own), rpc.key_info(public))
        with self.assertRaises((ValueError, IndexError, StopIteration)):
            rpc.key_of(own[:60])

    def serve(self, seed: bytes) -> int:
        """A server that shows a key, for one connection; its port."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        with tempfile.TemporaryDirectory() as directory:
            context.load_cert_chain(*rpc.write_identity(seed, Path(directory)))
        listener = socket.create_server(("127.0.0.1", 0))

        def accept() -> None:
            stream, _ = listener.accept()
            try:
                context.wrap_socket(stream, server_side=True).close()
            except OSError:
                # The client may hang up on a server that it does not want.
                pass
            listener.close()

        threading.Thread(target=accept, daemon=True).start()
        return listener.getsockname()[1]

    def test_a_server_with_another_key_is_refused(self) -> None:
        wanted = sodium.crypto_sign_seed_keypair(OTHER)[0]
        rpc.connect(f"127.0.0.1:{self.serve(OTHER)}", wanted, SEED).close()
        with self.assertRaises(rpc.WrongServer):
            rpc.connect(f"127.0.0.1:{self.serve(SEED)}", wanted, SEED)


if __name__ == "__main__":
    unittest.main()
