"""Tests of envelopes, shares and contents by the golden file, computed here from proto/README.md section 17 alone. X-Wing is
not among what Python's libraries have: the golden envelope is of its draft's first test vector, which gives the shared secret.

    python3 -m unittest discover -s tests/verifier
"""

import hashlib
import hmac
import json
import sys
import unittest
from pathlib import Path
from typing import List, Tuple

import nacl.bindings as sodium

sys.path.insert(0, str(Path(__file__).parent))
import heatmark_disclosure as hd  # noqa: E402
import heatmark_verify as hv  # noqa: E402

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "envelopes.json"
PIECE = 65_536


def hkdf(secret: bytes, info: bytes) -> bytes:
    """RFC 5869 with SHA-256, no salt, and one block of output."""
    extracted = hmac.new(b"\0" * 32, secret, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\1", hashlib.sha256).digest()


# The first test vector of draft-connolly-cfrg-xwing-kem.
XWING = {
    "seed": "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26",
    "ss": "d2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384",
    "sha256 of pk": "2e816deebcd76c5c80d0cd2d174478871658e8e2ff42bc9d4a6e486372e856bb",
    "sha256 of ct": "17cd532d657e44c897ca6583e548a5424fc70bf54f99515a4d2bcf99e3469f33",
}


def key_schedule(shared_secret: bytes, info: bytes) -> Tuple[bytes, bytes]:
    """RFC 9180, section 5.1, in base mode: key and nonce of the only message."""
    suite = b"HPKE" + bytes.fromhex("647a00010003")

    def extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return hmac.new(salt, b"HPKE-v1" + suite + label + ikm, hashlib.sha256).digest()

    context = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(shared_secret, b"secret", b"")

    def expand(label: bytes, length: int) -> bytes:
        labeled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context
        return hmac.new(secret, labeled + b"\1", hashlib.sha256).digest()[:length]

    return expand(b"key", 32), expand(b"base_nonce", 12)


def read_share(data: bytes) -> Tuple[int, int, int]:
    return data[0], int.from_bytes(data[1:33], "little"), int.from_bytes(data[33:], "little")


def is_good(share: Tuple[int, int, int], commitments: List[bytes]) -> bool:
    index, value, blind = share
    expected = hd.IDENTITY
    for k, commitment in enumerate(commitments):
        expected = hd.add(expected, hd.times(index ** k, hd.decode_point(commitment)))
    return hd.commit(value, blind) == hd.encode_point(expected)


def at_zero(points: List[Tuple[int, int]]) -> int:
    total = 0
    for index, value in points:
        weight = 1
        for other, _ in points:
            if other != index:
                weight = weight * other * pow(other - index, -1, hd.ORDER) % hd.ORDER
        total += weight * value
    return total % hd.ORDER


def encrypt(key: bytes, content: bytes) -> List[bytes]:
    parts = [content[at:at + PIECE] for at in range(0, len(content), PIECE)] or [b""]
    return [
        sodium.crypto_aead_chacha20poly1305_ietf_encrypt(
            part, None, bytes(7) + hv.u32(k) + bytes([k == len(parts) - 1]), key)
        for k, part in enumerate(parts)
    ]


def tree_root(leaves: List[bytes]) -> bytes:
    """RFC 9162, section 2.1.1."""
    if len(leaves) == 1:
        return hv.sha256(b"\0" + leaves[0])
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hv.sha256(b"\1" + tree_root(leaves[:split]) + tree_root(leaves[split:]))


class Envelopes(unittest.TestCase):
    def setUp(self):
        self.golden = json.loads(VECTORS.read_text())

    def test_keys_follow_from_the_secret(self):
        golden = self.golden["derived_key"]
        info = hv.preimage("opening-key", golden["label"].encode(), hv.u64(golden["index"]))
        self.assertEqual(hkdf(bytes.fromhex(golden["secret"]), info).hex(), golden["seed"])

    def test_the_envelope_is_hpke_of_the_drafts_shared_secret(self):
        golden = self.golden["envelope"]
        self.assertEqual(golden["seed"], XWING["seed"])
        self.assertEqual(hv.sha256(bytes.fromhex(golden["sealing_key"])).hex(), XWING["sha256 of pk"])
        sealed, content = bytes.fromhex(golden["sealed"]), bytes.fromhex(golden["content"])
        self.assertEqual(len(sealed), len(content) + 1_138)
        self.assertEqual(hv.sha256(sealed[2:1_122]).hex(), XWING["sha256 of ct"])
        info = hv.preimage("envelope", golden["what"].encode(), *map(bytes.fromhex, golden["parts"]))
        key, nonce = key_schedule(bytes.fromhex(XWING["ss"]), info)
        opened = sodium.crypto_aead_chacha20poly1305_ietf_decrypt(sealed[1_122:], sealed[:2], nonce, key)
        self.assertEqual((sealed[:2], opened), (b"\0\1", content))

    def test_shares_are_good_and_give_the_secret(self):
        for golden in self.golden["dealings"]:
            data = bytes.fromhex(golden["commitments"])
            commitments = [data[at:at + 32] for at in range(0, len(data), 32)]
            self.assertEqual(len(commitments), golden["threshold"])
            shares = [read_share(bytes.fromhex(share)) for share in golden["shares"]]
            for number, share in enumerate(shares):
                self.assertEqual(share[0], number + 1)
                self.assertTrue(is_good(share, commitments))
                self.assertFalse(is_good((share[0], share[1] + 1, share[2]), commitments))
            secret = int.from_bytes(bytes.fromhex(golden["secret"]), "little")
            for chosen in (shares[:golden["threshold"]], shares[-golden["threshold"]:]):
                value = at_zero([(index, value) for index, value, _ in chosen])
                blind = at_zero([(index, blind) for index, _, blind in chosen])
                self.assertEqual(value, secret)
                self.assertEqual(hd.commit(value, blind), commitments[0])

    def test_contents_are_encrypted_as_specified(self):
        for golden in self.golden["contents"]:
            context = bytes.fromhex(golden["context"])
            key = hkdf(bytes.fromhex(golden["secret"]), hv.preimage("content-key", context))
            self.assertEqual(key.hex(), golden["key"])
            pieces = encrypt(key, bytes(at % 251 for at in range(golden["length"])))
            self.assertEqual(len(pieces), golden["pieces"])
            self.assertEqual(sum(map(len, pieces)), golden["bytes"])
            self.assertIn(golden["last_piece"], ("", pieces[-1].hex()))
            leaves = [hv.hashed("content-piece", piece) for piece in pieces]
            root = bytes.fromhex(golden["root"])
            self.assertEqual(tree_root(leaves), root)
            number, path = golden["proof"]["number"], list(map(bytes.fromhex, golden["proof"]["path"]))
            hv.check_inclusion(leaves[number], number, len(leaves), path, root)


if __name__ == "__main__":
    unittest.main()
