"""Tests of the disclosure verifier: Ristretto255 by its published vectors, disclosures by the golden file.

    python3 -m unittest discover -s tests/verifier
"""

import contextlib
import hashlib
import hmac
import io
import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import heatmark_agreement as ha  # noqa: E402
import heatmark_disclosure as hd  # noqa: E402
import heatmark_verify as hv  # noqa: E402

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "disclosures.json"


class Ristretto(unittest.TestCase):
    def test_multiples_of_the_base_point(self):
        """RFC 9496, appendix A.1."""
        for n, expected in enumerate([
            "00" * 32,
            "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
            "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
            "94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259",
        ]):
            self.assertEqual(hd.encode_point(hd.times(n, hd.VALUE_BASE)).hex(), expected)

    def test_refuses_bad_encodings(self):
        """RFC 9496, appendix A.2: not canonical, negative, no square, negative product, y of zero."""
        for bad in [
            "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
            "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ]:
            with self.assertRaises(hv.Refused, msg=bad):
                hd.decode_point(bytes.fromhex(bad))

    def test_points_decode_to_themselves(self):
        for n in range(1, 9):
            encoded = hd.commit(n - 5, n * 7919)
            self.assertEqual(hd.encode_point(hd.decode_point(encoded)), encoded)

    def test_commitments_are_those_of_libsodium(self):
        blinding = lambda seed: int.from_bytes(bytes([seed]) * 64, "little") % hd.ORDER  # noqa: E731
        self.assertEqual(hd.commit(21, blinding(1)).hex(), "ecbf82253899a03239686771d4fc5b3e5d23464a13c3269bc71625d616a4f10d")
        self.assertEqual(hd.commit(-40, blinding(2)).hex(), "5c64c6b7ddc2aed4684bbb2d6bcbdec556e406cf235400d604e5074280877119")


class Records(unittest.TestCase):
    def setUp(self):
        self.golden = json.loads((VECTORS.parent / "records.json").read_text())
        self.head = hd.read_head(bytes.fromhex(self.golden["head"]))

    def test_every_proof_leads_to_the_record(self):
        for proof in self.golden["proofs"]:
            for kind in ("shown", "committed"):
                field = hd.read_field(bytes.fromhex(proof[kind]))
                self.assertEqual(hd.record_of(self.head, field)[0].hex(), self.golden["record"], proof["path"])
        absent = hd.read_field(bytes.fromhex(self.golden["absent"]))
        self.assertEqual(hd.record_of(self.head, absent), (bytes.fromhex(self.golden["record"]), None))

    def test_the_record_follows_from_its_opening(self):
        """Every slot, salt and blinding by section 9, from the secret and the fields alone."""
        opening = hv.decode("Opening", bytes.fromhex(self.golden["opening"]))
        head, secret = opening["head"], opening["secret"]
        name = hd.head_hash(head)
        self.assertEqual(name.hex(), self.golden["head_hash"])
        prk = hmac.digest(name, secret, "sha256")
        nonces = hmac.digest(bytes(32), secret, "sha256")
        expanded = (expand(nonces, hv.preimage("record-nonce", hv.u32(n)), 8) for n in range(1000))
        self.assertIn(head["nonce"], (int.from_bytes(nonce, "big") for nonce in expanded))
        filler = expand(prk, hv.preimage("record-filler-key"), 32)
        nodes = []
        for slot in range(2 ** head["depth"]):
            salt = hv.hashed("record-no-field-salt", filler, hv.u32(slot))
            nodes.append(hv.sha256(b"\0" + hv.preimage("record-no-field", name, salt, hv.u32(slot))))
        for field in opening["fields"]:
            path = field["path"].encode()
            slot = int.from_bytes(hv.hashed("record-slot", name, path)[:4], "big") >> (32 - head["depth"])
            salt = expand(prk, hv.preimage("record-salt", path), 32)
            nodes[slot] = hv.sha256(b"\0" + hv.preimage("record-field", name, path, salt, self.leaf(prk, path, field["value"])))
        while len(nodes) > 1:
            nodes = [hv.sha256(b"\1" + a + b) for a, b in zip(nodes[::2], nodes[1::2])]
        self.assertEqual(hv.hashed("record", name, nodes[0]).hex(), self.golden["record"])

    def leaf(self, prk, path, value):
        for count in range(257):
            places = (hv.preimage("record-blinding", path, hv.u32(place)) for place in range(count))
            blindings = [int.from_bytes(expand(prk, info, 64), "little") % hd.ORDER for info in places]
            try:
                return hd.leaf_of(value, [blinding.to_bytes(32, "little") for blinding in blindings])[0]
            except hv.Refused as error:
                self.assertEqual(error.code, "wrong-length")
        self.fail("no count of blindings fits")


def expand(key, info, length):
    """HKDF-Expand with SHA-256, RFC 5869 section 2.3."""
    out, block = b"", b""
    while len(out) < length:
        block = hmac.digest(key, block + info + bytes([len(out) // 32 + 1]), "sha256")
        out += block
    return out[:length]


class Disclosures(unittest.TestCase):
    def test_golden_disclosures(self):
        with contextlib.redirect_stdout(io.StringIO()) as told:
            code = hd.run_vectors(str(VECTORS))
        self.assertEqual(code, 0, told.getvalue())

    def test_one_flipped_bit_in_each_byte_is_refused(self):
        golden = json.loads(VECTORS.read_text())
        trust, receiver = hv.trust_root(golden["trust"].encode()), bytes.fromhex(golden["receiver"])
        honest = [case for case in golden["cases"] if case["expect"] == "ok" and not case["conformance"]]
        honest = min((bytes.fromhex(case["disclosure"]) for case in honest), key=len)
        self.assertEqual(hd.judge(honest, trust, receiver)["verdict"], "ok")
        for at in range(0, len(honest), 11):
            bent = bytearray(honest)
            bent[at] ^= 1 << hashlib.sha256(bytes([at % 256])).digest()[0] % 8
            self.assertNotEqual(hd.judge(bytes(bent), trust, receiver)["verdict"], "ok", at)


class Agreements(unittest.TestCase):
    def test_golden_agreements(self):
        with contextlib.redirect_stdout(io.StringIO()) as told:
            code = ha.run_vectors(str(VECTORS.parent / "agreements.json"))
        self.assertEqual(code, 0, told.getvalue())

    def test_one_flipped_bit_is_refused_without_range_proofs(self):
        golden = json.loads((VECTORS.parent / "agreements.json").read_text())
        trust, receiver = hv.trust_root(golden["trust"].encode()), bytes.fromhex(golden["receiver"])
        honest = bytes.fromhex(next(case["agreement"] for case in golden["cases"] if case["expect"] == "ok"))
        self.assertEqual(ha.judge(honest, trust, receiver)["reason"], "conformance-unchecked")
        for at in range(0, len(honest), 23):
            bent = bytearray(honest)
            bent[at] ^= 1 << at % 8
            self.assertNotEqual(ha.judge(bytes(bent), trust, receiver)["reason"], "conformance-unchecked", at)


if __name__ == "__main__":
    unittest.main()
