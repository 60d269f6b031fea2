"""Tests of the verifier's building blocks, on receipts that are made and signed here by hand.

    python3 -m unittest discover -s tests/verifier
"""

import base64
import contextlib
import copy
import hashlib
import io
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import nacl.bindings as sodium

sys.path.insert(0, str(Path(__file__).parent))
import heatmark_verify as hv  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]
PROTO = REPOSITORY / "proto" / "heatmark" / "ledger" / "v1"
EDGE_CASES = REPOSITORY.parent / "shared" / "data" / "vectors" / "ed25519-edge-cases.json"


# --- A writer, so that the reader has something to read ------------------------------------------

def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def encode(name, message):
    """Canonical encoding of a dictionary; keys that are absent are defaults."""
    out = b""
    for number, (key, kind) in hv.MESSAGES[name].items():
        value, base = message.get(key), kind.rstrip("*")
        if value is None:
            continue
        if kind.endswith("*") and hv.is_varint_type(base):
            out += field(number, b"".join(map(varint, value))) if value else b""
            continue
        for each in value if kind.endswith("*") else [value]:
            if base in hv.MESSAGES:
                out += field(number, encode(base, each))
            elif each or kind.endswith("*"):
                out += field(number, each.encode() if base == "string" else int(each) if hv.is_varint_type(base) else each)
    return out


def sha256(data):
    return hashlib.sha256(data).digest()


def root_of(leaves):
    """RFC 9162, section 2.1.1, written as it stands there."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0])
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + root_of(leaves[:k]) + root_of(leaves[k:]))


def path_of(index, leaves):
    """RFC 9162, section 2.1.3.1."""
    if len(leaves) <= 1:
        return []
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if index < k:
        return path_of(index, leaves[:k]) + [root_of(leaves[k:])]
    return path_of(index - k, leaves[k:]) + [root_of(leaves[:k])]


class Key:
    def __init__(self, name):
        self.public, self.secret = sodium.crypto_sign_seed_keypair(sha256(name.encode()))

    def sign(self, message):
        return sodium.crypto_sign(message, self.secret)[:64]


def validators(names, powers=None):
    """Keys and powers in the order of a set: [(Key, power)]."""
    pairs = [(Key(name), (powers or {}).get(name, 1)) for name in names]
    return sorted(pairs, key=lambda pair: pair[0].public)


def set_message(pairs):
    return {"validators": [{"key": key.public, "power": power} for key, power in pairs]}


def set_hash(pairs):
    return hv.hashed("validators", *[part for key, power in pairs for part in (key.public, struct.pack(">Q", power))])


def certify(header, pairs, signers=None, round_=0, kind=2, network=None):
    """Signatures by the validators with the given positions, by default all of them."""
    signatures = []
    for index in range(len(pairs)) if signers is None else signers:
        key = pairs[index][0]
        vote = hv.preimage("vote", network or header["network"], bytes([kind]), struct.pack(">Q", header["height"]),
                           struct.pack(">I", round_), hv.header_hash(header), key.public)
        signatures.append({"validator": index, "signature": key.sign(vote)})
    return {"round": round_, "signatures": signatures}


NETWORK = sha256(b"a network of the tests")
FIRST = validators(["a", "b", "c", "d"])
SECOND = validators(["a", "b", "c", "e"])
THIRD = validators(["a", "e", "f", "g", "h"], {"a": 3, "h": 2})


def header(height, log, next_set, **changes):
    fields = {"network": NETWORK, "version": 1, "height": height, "time_ms": 1_790_000_000_000 + height,
              "previous": sha256(b"previous %d" % height), "log_size": len(log), "log_root": root_of(log),
              "state_root": sha256(b"state"), "next_validators": set_hash(next_set)}
    return {**fields, **changes}


def envelope(payload=None, **changes):
    body = {"not_before_ms": 1_790_000_000_000, "not_after_ms": 1_790_000_060_000, "nonce": bytes(range(16))}
    body.update(payload or {"anchor": {"root": sha256(b"batch"), "records": 3}})
    fields = {"signer": sha256(b"signer"), "body": encode("Body", body), "signature": bytes(range(64))}
    return encode("Envelope", {**fields, **changes})


def log_of(size, index, transaction):
    leaves = [hv.preimage("transaction", b"envelope %d" % other) for other in range(size)]
    leaves[index] = hv.preimage("transaction", transaction)
    return leaves


def receipt(height=9, size=7, index=4, current=FIRST, changes=(), transaction=None, **header_changes):
    """A valid receipt as a dictionary, to be spoilt and encoded."""
    transaction = envelope() if transaction is None else transaction
    log = log_of(size, index, transaction)
    top = header(height, log, current, **header_changes)
    return {"transaction": transaction, "leaf_index": index, "inclusion_path": path_of(index, log), "header": top,
            "certificate": certify(top, current), "set_changes": list(changes)}


def set_change(height, current, following, **header_changes):
    top = header(height, [b"x"], following, **header_changes)
    return {"header": top, "certificate": certify(top, current), "next": set_message(following)}


def trust(height=0, pairs=FIRST, network=NETWORK):
    following = hv.validator_set(hv.decode("ValidatorSet", encode("ValidatorSet", set_message(pairs))))
    return hv.TrustRoot(height, network, following, network, None)


def two_changes():
    return receipt(current=THIRD, changes=[set_change(3, FIRST, SECOND), set_change(5, SECOND, THIRD)])


PARAMETERS = {"max_clock_skew_ms": 10_000, "max_window_ms": 600_000, "max_batch_records": 4096,
              "max_block_transactions": 1000, "max_block_bytes": 4_000_000, "reserved_alert_bytes": 200_000,
              "heartbeat_ms": 30_000, "governance_delay_ms": 0, "proposal_lifetime_ms": 86_400_000,
              "state_history_heights": 100}


def genesis_document():
    founders = []
    for name in ("a", "b", "c", "d", "regulator"):
        keys = {role: Key(f"{name} {role}").public.hex() for role in ("root", "signing", "p2p", "envelope")}
        roles, power = ["regulator"], 0
        if name != "regulator":
            keys["consensus"], roles, power = Key(name).public.hex(), ["supplier", "validator"], 1
        founders.append({"legal_name": f"{name} AG", "country": "DE", "identifiers": [{"scheme": "lei", "value": name[:1] * 20}],
                         "roles": roles, "keys": keys, "power": power})
    founders.sort(key=lambda each: each["keys"]["root"])
    return {"format": "heatmark-genesis-v1", "name": "devnet", "time_ms": 1_790_000_000_000, "parameters": PARAMETERS,
            "founders": founders}


def sign_genesis(text):
    """The whole file for a document's text."""
    network = hv.hashed("network", text.encode())
    lines = []
    for name in ("a", "b", "c", "d", "regulator"):
        root = Key(f"{name} root")
        member = hv.hashed("member", network, hv.hashed("key", b"\0\0\0\1", root.public))
        signature = root.sign(hv.preimage("sign/genesis", network, member))
        lines.append(f"— {member.hex()} {base64.b64encode(signature).decode()}\n")
    return (text + "\n" + "".join(sorted(lines))).encode()


def genesis_file(document=None):
    return sign_genesis(json.dumps(document or genesis_document(), indent=2) + "\n")


# --- Encodings -----------------------------------------------------------------------------------

class Encodings(unittest.TestCase):
    def refuses(self, name, data):
        with self.assertRaises(hv.NotCanonical):
            hv.decode(name, data)

    def test_tables_equal_the_proto_files(self):
        messages, enums, oneofs = {}, {}, {}
        for path in sorted(PROTO.glob("*.proto")):
            name = kind = None
            in_oneof = False
            for line in path.read_text(encoding="utf-8").splitlines():
                line = line.split("//")[0].strip()
                if match := re.match(r"(message|enum) (\w+) \{", line):
                    kind, name = match.groups()
                    if kind == "message":
                        messages.setdefault(name, {})
                elif line.startswith("oneof"):
                    in_oneof = True
                elif line == "}":
                    in_oneof = False
                elif kind == "enum" and (match := re.match(r"\w+ = (\d+);", line)):
                    enums.setdefault(name, []).append(int(match.group(1)))
                elif kind == "message" and (match := re.match(r"(repeated )?(\w+) (\w+) = (\d+);", line)):
                    repeated, type_, field_name, number = match.groups()
                    messages.setdefault(name, {})[int(number)] = (field_name, type_ + ("*" if repeated else ""))
                    if in_oneof:
                        oneofs.setdefault(name, []).append(int(number))
        for name, fields in hv.MESSAGES.items():
            self.assertEqual(fields, messages[name], name)
        for name, greatest in hv.ENUMS.items():
            self.assertEqual(enums[name], list(range(greatest + 1)), name)
        for name in hv.MESSAGES:
            self.assertEqual(list(hv.ONEOFS.get(name, [])), oneofs.get(name, []), name)

    def test_round_trips_every_kind_of_field(self):
        entry = {"legal_name": "Stahlwerk Süd", "country": "AT", "roles": [1, 6], "keys": [{"role": 1, "algorithm": 1, "key": b"k"}],
                 "identifiers": [{"scheme": "lei", "value": "x"}, {}]}
        for payload in ({"anchor": {}}, {"propose": {"add_member": entry}}, {"vote": {"proposal": b"p", "approve": True}},
                        {"propose": {"parameters": PARAMETERS}}, {"alert": {"level": 5, "sequence": hv.U64, "concern": True}}):
            data = encode("Body", payload)
            decoded = hv.decode("Body", data)
            self.assertEqual(encode("Body", decoded), data)
        self.assertEqual(hv.decode("Propose", encode("Propose", {"add_member": entry}))["add_member"]["roles"], [1, 6])

    def test_accepts_messages_that_are_present_and_empty(self):
        self.assertIsNotNone(hv.decode("Body", b"\x52\x00")["anchor"])
        self.assertIsNone(hv.decode("Body", b"")["anchor"])
        self.assertEqual(len(hv.decode("ValidatorSet", b"\x0a\x00\x0a\x00")["validators"]), 2)
        self.assertEqual(hv.decode("Receipt", b"\x1a\x00")["inclusion_path"], [b""])

    def test_refuses_unknown_fields(self):
        for data in (b"\x18\x01", b"\x1a\x00", b"\xf8\x01\x01", b"\x00\x01", b"\xf8\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01"):
            self.refuses("Anchor", data)

    def test_refuses_descending_fields(self):
        self.refuses("Anchor", b"\x10\x03" + field(1, b"r"))

    def test_refuses_a_repeated_field_that_is_interrupted(self):
        self.refuses("CommitCertificate", field(2, b"") + field(1, 1) + field(2, b""))

    def test_refuses_a_singular_field_twice(self):
        self.refuses("Anchor", b"\x10\x03\x10\x03")
        self.refuses("Receipt", field(4, field(2, 1)) + field(4, field(3, 1)))

    def test_refuses_defaults(self):
        for name, data in (("Anchor", b"\x10\x00"), ("Anchor", b"\x0a\x00"), ("Alert", b"\x10\x00"), ("Alert", b"\x28\x00"),
                           ("Identifier", b"\x0a\x00"), ("Header", b"\x18\x00"), ("SetRoles", b"\x12\x00")):
            self.refuses(name, data)

    def test_refuses_long_varints(self):
        for data in (b"\x10\x83\x00", b"\x90\x00\x03", field(1, b"r")[:1] + b"\x81\x00r"):
            self.refuses("Anchor", data)

    def test_refuses_numbers_out_of_range(self):
        self.refuses("Anchor", field(2, 2**32))
        self.assertEqual(hv.decode("Anchor", field(2, 2**32 - 1))["records"], 2**32 - 1)
        self.assertEqual(hv.decode("Header", field(3, 2**64 - 1))["height"], 2**64 - 1)
        self.refuses("Header", b"\x18" + varint(2**64))
        self.refuses("Header", b"\x18" + b"\xff" * 10 + b"\x01")
        self.refuses("Alert", b"\x28\x02")  # a bool of 2
        self.refuses("Alert", b"\x10\x06")  # a level without a name
        self.refuses("Alert", b"\x10" + varint(2**64 - 1))  # a negative level

    def test_refuses_wrong_wire_types(self):
        for data in (b"\x0d1234", b"\x0912345678", b"\x0b\x0c", b"\x08\x01", b"\x12\x01\x01", b"\x15\x01\0\0\0", b"\x16\x01", b"\x17\x01"):
            self.refuses("Anchor", data)

    def test_refuses_unpacked_and_split_packed_fields(self):
        self.assertEqual(hv.decode("SetRoles", b"\x12\x02\x01\x02")["roles"], [1, 2])
        self.assertEqual(hv.decode("SetRoles", b"\x12\x01\x00")["roles"], [0])
        for data in (b"\x10\x01\x10\x02", b"\x12\x01\x01\x12\x01\x02", b"\x12\x02\x81\x00", b"\x12\x01\x81", b"\x12\x01\x07"):
            self.refuses("SetRoles", data)

    def test_refuses_two_alternatives(self):
        self.refuses("Body", b"\x52\x00\x5a\x00")
        self.refuses("Propose", b"\x0a\x00\x12\x00")

    def test_refuses_strings_that_are_not_utf8(self):
        for text in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"):
            self.refuses("Identifier", field(1, text))

    def test_refuses_every_truncation(self):
        data = encode("Receipt", two_changes())
        cuts = 0
        for length in range(len(data)):
            # A cut between two fields leaves a canonical message with less in it: that is for the next steps.
            with contextlib.suppress(hv.NotCanonical):
                decoded = hv.decode("Receipt", data[:length])
                self.assertEqual(encode("Receipt", decoded), data[:length])
                cuts += 1
        self.assertEqual(cuts, 2 + len(two_changes()["inclusion_path"]) + 4)

    def test_whatever_decodes_encodes_to_the_same_bytes(self):
        # Canonicity itself, on every one-bit change of a receipt: no second encoding slips through.
        data = bytearray(encode("Receipt", receipt(size=2, index=1)))
        for at in range(len(data)):
            for bit in range(8):
                data[at] ^= 1 << bit
                with contextlib.suppress(hv.NotCanonical):
                    self.assertEqual(encode("Receipt", hv.decode("Receipt", bytes(data))), bytes(data))
                data[at] ^= 1 << bit

    def test_preimage_is_the_one_of_the_specification(self):
        self.assertEqual(hv.preimage("key", b"\0\0\0\1", b"k"), b"\x0fheatmark/v1/key" + b"\0\0\0\4" + b"\0\0\0\1" + b"\0\0\0\1k")
        self.assertEqual(len(hv.preimage("transaction", bytes(65_507))), 65_535)


# --- Signatures ----------------------------------------------------------------------------------

P = 2**255 - 19


class Signatures(unittest.TestCase):
    def test_accepts_and_refuses_plain_signatures(self):
        key = Key("plain")
        signature = key.sign(b"message")
        self.assertTrue(hv.verifies(key.public, signature, b"message"))
        self.assertFalse(hv.verifies(key.public, signature, b"massage"))
        self.assertFalse(hv.verifies(Key("other").public, signature, b"message"))
        self.assertFalse(hv.verifies(key.public, signature[:63], b"message"))

    def test_refuses_s_above_the_group_order(self):
        key = Key("plain")
        signature = key.sign(b"message")
        s = int.from_bytes(signature[32:], "little") + hv.GROUP_ORDER
        self.assertFalse(hv.verifies(key.public, signature[:32] + s.to_bytes(32, "little"), b"message"))

    def test_refuses_points_outside_the_prime_order_subgroup(self):
        self.assertFalse(hv.is_prime_order_point((1).to_bytes(32, "little")))  # identity
        self.assertFalse(hv.is_prime_order_point(bytes(32)))  # order four
        self.assertFalse(hv.is_prime_order_point((P - 1).to_bytes(32, "little")))  # order two
        self.assertFalse(hv.is_prime_order_point((P + 3).to_bytes(32, "little")))  # not canonical
        self.assertFalse(hv.is_prime_order_point((2).to_bytes(32, "little")))  # not on the curve
        # Adding the point of order two negates both coordinates: libsodium's own check has let this pass.
        key = int.from_bytes(Key("plain").public, "little")
        y, sign = key & (1 << 255) - 1, key >> 255
        self.assertFalse(hv.is_prime_order_point(((P - y) | (1 - sign) << 255).to_bytes(32, "little")))

    def test_refuses_a_signature_that_holds_for_a_key_of_mixed_order(self):
        # With the point of order two added to a key, the equation still holds for every other message.
        secret = int.from_bytes(sha256(b"scalar"), "little") % hv.GROUP_ORDER
        plain = sodium.crypto_scalarmult_ed25519_base_noclamp(secret.to_bytes(32, "little"))
        number = int.from_bytes(plain, "little")
        mixed = ((P - (number & (1 << 255) - 1)) | (1 - (number >> 255)) << 255).to_bytes(32, "little")
        nonce = int.from_bytes(sha256(b"nonce"), "little") % hv.GROUP_ORDER
        r = sodium.crypto_scalarmult_ed25519_base_noclamp(nonce.to_bytes(32, "little"))

        def signature(key, message):
            k = int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % hv.GROUP_ORDER
            return k, r + ((nonce + k * secret) % hv.GROUP_ORDER).to_bytes(32, "little")

        message = next(m for m in (b"message %d" % n for n in range(64)) if signature(mixed, m)[0] % 2 == 0)
        self.assertEqual(sodium.crypto_sign_open(signature(mixed, message)[1] + message, mixed), message)
        self.assertFalse(hv.verifies(mixed, signature(mixed, message)[1], message))
        self.assertTrue(hv.verifies(plain, signature(plain, message)[1], message))

    def test_torsion_remover_is_one_for_prime_order_and_zero_for_the_cofactor(self):
        n = int.from_bytes(hv.TORSION_REMOVER, "little")
        self.assertEqual((n % hv.GROUP_ORDER, n % 8, n < 2**255), (1, 0, True))

    @unittest.skipUnless(EDGE_CASES.exists(), f"skipped: the published edge cases are not at {EDGE_CASES}")
    def test_accepts_exactly_the_edge_cases_without_a_flag(self):
        cases = json.loads(EDGE_CASES.read_text(encoding="utf-8"))
        accepted = 0
        for case in cases:
            verdict = hv.verifies(bytes.fromhex(case["key"]), bytes.fromhex(case["sig"]), case["msg"].encode())
            self.assertEqual(verdict, not case["flags"], case["number"])
            accepted += verdict
        self.assertEqual(len(cases), 914)
        print(f"edge cases accepted: {accepted} of {len(cases)}", file=sys.stderr)


# --- The log -------------------------------------------------------------------------------------

class Inclusion(unittest.TestCase):
    def test_accepts_every_leaf_of_every_size_and_no_other_index(self):
        leaves = [b"leaf %d" % index for index in range(18)]
        for size in range(1, len(leaves) + 1):
            root = root_of(leaves[:size])
            for index in range(size):
                path = path_of(index, leaves[:size])
                hv.check_inclusion(leaves[index], index, size, path, root)
                for other in [*range(index), *range(index + 1, size + 2), hv.U64]:
                    with self.assertRaises(hv.Refused):
                        hv.check_inclusion(leaves[index], other, size, path, root)
                for spoilt in (path + [root], path + path[-1:] if path else [root], path[:-1] if path else [b"\0" * 32], [root] + path):
                    with self.assertRaises(hv.Refused):
                        hv.check_inclusion(leaves[index], index, size, spoilt, root)

    def test_refuses_the_empty_log(self):
        with self.assertRaises(hv.Refused):
            hv.check_inclusion(b"", 0, 0, [], root_of([]))


# --- Receipts ------------------------------------------------------------------------------------

class Receipts(unittest.TestCase):
    def accepts(self, message, root=None):
        result = hv.judge("receipt", encode("Receipt", message), root or trust())
        self.assertEqual((result["verdict"], result["reason"]), ("ok", None), result["detail"])
        return result

    def refuses(self, code, message, root=None):
        data = message if isinstance(message, bytes) else encode("Receipt", message)
        result = hv.judge("receipt", data, root or trust())
        expected = "cannot-tell" if code == "older-than-trust" else "refused"
        self.assertEqual((result["verdict"], result["reason"]), (expected, code), result["detail"])
        self.assertIsNone(result["transaction_id"])

    def test_accepts_four_validators_from_genesis(self):
        result = self.accepts(receipt())
        self.assertEqual((result["height"], result["leaf_index"], result["log_size"], result["payload"]), (9, 4, 7, "anchor"))
        body = hv.decode("Envelope", envelope())["body"]
        self.assertEqual(result["transaction_id"], hv.hashed("sign/member", NETWORK, sha256(b"signer"), body).hex())

    def test_accepts_three_of_four_signatures(self):
        for missing in range(4):
            message = receipt()
            del message["certificate"]["signatures"][missing]
            self.accepts(message)

    def test_accepts_two_set_changes(self):
        self.accepts(two_changes())

    def test_accepts_a_pinned_root_between_the_set_changes(self):
        message = two_changes()
        pinned = hv.trust_root(encode("TrustedHeader", {"header": message["set_changes"][0]["header"], "next": set_message(SECOND)}))
        self.assertEqual((pinned.height, pinned.network), (3, NETWORK))
        self.accepts({**message, "set_changes": message["set_changes"][1:]}, pinned)
        self.refuses("set-change-order", message, pinned)

    def test_accepts_a_log_of_one_leaf(self):
        self.assertEqual(encode("Receipt", receipt(size=1, index=0)).count(b"\x1a\x20"), 0)
        self.accepts(receipt(size=1, index=0))

    def test_accepts_any_round_that_was_signed(self):
        message = receipt()
        message["certificate"] = certify(message["header"], FIRST, round_=2**32 - 1)
        self.accepts(message)

    def test_accepts_every_payload_by_name(self):
        for number in hv.ONEOFS["Body"]:
            name = hv.MESSAGES["Body"][number][0]
            self.assertEqual(self.accepts(receipt(transaction=envelope({name: {}})))["payload"], name)

    def test_accepts_the_largest_envelope_and_refuses_one_byte_more(self):
        for surplus, check in ((0, self.accepts), (1, lambda message: self.refuses("body-not-canonical", message))):
            size = hv.MAX_ENVELOPE_BYTES + surplus
            transaction = envelope(cosignatures=[{"signature": b"x" * 60_000}])
            transaction = envelope(cosignatures=[{"signature": b"x" * (60_000 + size - len(transaction))}])
            self.assertEqual(len(transaction), size)
            check(receipt(transaction=transaction))

    def test_refuses_every_changed_byte(self):
        data = bytearray(encode("Receipt", receipt(size=2, index=1)))
        root = trust()
        for at in range(len(data)):
            for mask in (0x01, 0x80, 0xFF):
                data[at] ^= mask
                self.assertNotEqual(hv.judge("receipt", bytes(data), root)["verdict"], "ok", (at, mask))
                data[at] ^= mask
        self.assertEqual(hv.judge("receipt", bytes(data), root)["verdict"], "ok")

    def test_refuses_every_changed_byte_of_a_receipt_with_set_changes(self):
        data = bytearray(encode("Receipt", two_changes()))
        root = trust()
        for at in range(len(data)):
            data[at] ^= 0x01
            self.assertNotEqual(hv.judge("receipt", bytes(data), root)["verdict"], "ok", at)
            data[at] ^= 0x01

    def test_refuses_truncated_extended_and_empty_files(self):
        data = encode("Receipt", receipt(size=2, index=1))
        for length in range(len(data)):
            self.assertEqual(hv.judge("receipt", data[:length], trust())["verdict"], "refused", length)
        for surplus in (b"\0", b"\n", data, field(7, 1)):
            self.refuses("not-canonical", data + surplus)
        self.refuses("wrong-length", b"")

    def test_refuses_absent_parts(self):
        for part in ("header", "certificate"):
            self.refuses("wrong-length", {**receipt(), part: None})
        for part in ("header", "certificate", "next"):
            message = two_changes()
            message["set_changes"][1][part] = None
            self.refuses("wrong-length", message)
        self.refuses("inclusion-path", {**receipt(), "transaction": b""})

    def test_refuses_wrong_lengths(self):
        for name in ("network", "previous", "log_root", "state_root", "next_validators"):
            for value in (b"", b"\x01" * 31, b"\x01" * 33):
                message = receipt()
                message["header"][name] = value
                message["certificate"] = certify(message["header"], FIRST)
                self.refuses("wrong-length", message)
        message = receipt()
        message["inclusion_path"][0] += b"\0"
        self.refuses("wrong-length", message)
        message = receipt()
        message["certificate"]["signatures"][0]["signature"] += b"\0"
        self.refuses("wrong-length", message)
        message = two_changes()
        message["set_changes"][0]["next"]["validators"][0]["key"] = b"k" * 31
        self.refuses("wrong-length", message)

    def test_refuses_another_network(self):
        self.refuses("wrong-network", receipt(), trust(network=sha256(b"another")))
        message = two_changes()
        message["set_changes"][0] = set_change(3, FIRST, SECOND, network=sha256(b"another"))
        self.refuses("wrong-network", message)

    def test_cannot_tell_at_or_below_the_trust_root(self):
        self.refuses("older-than-trust", receipt(height=9), trust(9))
        self.refuses("older-than-trust", receipt(height=9), trust(10))
        self.accepts(receipt(height=9), trust(8))
        self.refuses("older-than-trust", receipt(height=0))

    def test_what_is_both_malformed_and_old_is_refused(self):
        message = receipt(height=9)
        message["inclusion_path"][0] += b"\0"
        self.refuses("wrong-length", message, trust(9))

    def test_refuses_set_changes_out_of_order(self):
        first, second = set_change(3, FIRST, SECOND), set_change(5, SECOND, THIRD)
        for changes in ([second, first], [first, first], [first, set_change(3, SECOND, THIRD)], [first, set_change(2, SECOND, THIRD)],
                        [first, set_change(9, SECOND, THIRD)], [first, set_change(10, SECOND, THIRD)], [set_change(0, FIRST, THIRD)]):
            result = hv.judge("receipt", encode("Receipt", receipt(current=THIRD, changes=changes)), trust())
            self.assertIn((result["verdict"], result["reason"]), {("refused", "set-change-order"), ("refused", "certificate-signature")})
        self.refuses("set-change-order", receipt(current=THIRD, changes=[first, set_change(9, SECOND, THIRD)]))
        self.refuses("set-change-order", receipt(current=SECOND, changes=[set_change(2, FIRST, SECOND)]), trust(2))

    def test_refuses_a_missing_set_change(self):
        for index in range(2):
            message = two_changes()
            del message["set_changes"][index]
            result = hv.judge("receipt", encode("Receipt", message), trust())
            self.assertEqual(result["verdict"], "refused")
            self.assertIn(result["reason"], {"certificate-signature", "certificate-order"})

    def test_refuses_a_set_change_that_changes_nothing(self):
        self.refuses("set-change-unchanged", receipt(changes=[set_change(3, FIRST, FIRST)]))

    def test_refuses_a_next_set_that_its_header_does_not_name(self):
        change = set_change(3, FIRST, SECOND)
        change["next"] = set_message(THIRD)
        self.refuses("wrong-next-set", receipt(current=THIRD, changes=[change]))
        change = set_change(3, FIRST, SECOND)
        change["next"]["validators"][0]["power"] = 2
        self.refuses("wrong-next-set", receipt(current=SECOND, changes=[change]))

    def test_refuses_sets_that_break_the_rules(self):
        small = Key("small")
        small.public = (1).to_bytes(32, "little")
        mixed = Key("mixed")
        mixed.public = ((P - int.from_bytes(mixed.public, "little") % 2**255) | (1 - (mixed.public[31] >> 7)) << 255).to_bytes(32, "little")
        for broken in ([], SECOND[::-1], SECOND[:1] + SECOND, validators(["a", "b"], {"a": 0}), validators(["a", "b"], {"a": hv.MAX_POWER + 1}),
                       [(small, 1), (Key("a"), 1)], sorted([(mixed, 1), (Key("a"), 1)], key=lambda pair: pair[0].public)):
            self.refuses("invalid-set", receipt(current=broken, changes=[set_change(3, FIRST, broken)]))

    def test_accepts_1024_validators_and_refuses_1025(self):
        many = validators([f"v{number}" for number in range(1025)])
        full = sorted(many[:1024], key=lambda pair: pair[0].public)
        self.accepts(receipt(current=full, changes=[set_change(3, FIRST, full)]))
        self.refuses("certificate-order", receipt(current=many, changes=[set_change(3, FIRST, many)]))

    def test_refuses_signers_out_of_order_or_unknown(self):
        for order in ([1, 0, 2, 3], [0, 1, 1, 2, 3], [0, 0, 1, 2], [3, 2, 1, 0]):
            message = receipt()
            message["certificate"] = certify(message["header"], FIRST, order)
            self.refuses("certificate-order", message)
        for index in (4, 2**32 - 1):
            message = receipt()
            message["certificate"]["signatures"][3]["validator"] = index
            self.refuses("certificate-order", message)

    def test_refuses_one_bad_signature_among_enough_good_ones(self):
        message = receipt()
        message["certificate"]["signatures"][3]["signature"] = bytes(64)
        self.refuses("certificate-signature", message)

    def test_refuses_signatures_over_something_else(self):
        for changes in ({"kind": 1}, {"network": sha256(b"another")}):
            message = receipt()
            message["certificate"] = certify(message["header"], FIRST, **changes)
            self.refuses("certificate-signature", message)
        message = receipt()
        message["certificate"]["round"] = 1
        self.refuses("certificate-signature", message)
        message = receipt()
        message["certificate"] = certify({**message["header"], "height": 8}, FIRST)
        self.refuses("certificate-signature", message)
        message = receipt()
        signatures = message["certificate"]["signatures"]
        signatures[0]["signature"], signatures[1]["signature"] = signatures[1]["signature"], signatures[0]["signature"]
        self.refuses("certificate-signature", message)

    def test_refuses_a_certificate_by_another_set(self):
        message = receipt()
        message["certificate"] = certify(message["header"], SECOND)
        self.refuses("certificate-signature", message)

    def test_refuses_two_thirds_exactly_and_less(self):
        three = validators(["a", "b", "c"])
        for pairs, signers in ((three, [0, 1]), (FIRST, [0, 1]), (FIRST, []), (FIRST, [3])):
            message = receipt(current=pairs)
            message["certificate"] = certify(message["header"], pairs, signers)
            self.refuses("certificate-quorum", message, trust(pairs=pairs))

    def test_counts_power_and_not_heads(self):
        heavy = validators(["a", "b", "c", "d"], {"a": 100})
        at = next(index for index, pair in enumerate(heavy) if pair[1] == 100)
        others = [index for index in range(4) if index != at]
        message = receipt(current=heavy)
        message["certificate"] = certify(message["header"], heavy, others)
        self.refuses("certificate-quorum", message, trust(pairs=heavy))
        message["certificate"] = certify(message["header"], heavy, [at])
        self.accepts(message, trust(pairs=heavy))

    def test_counts_power_near_the_limit_exactly(self):
        huge = validators(["a", "b", "c"], dict.fromkeys("abc", hv.MAX_POWER))
        message = receipt(current=huge)
        message["certificate"] = certify(message["header"], huge, [0, 1])
        self.refuses("certificate-quorum", message, trust(pairs=huge))
        message["certificate"] = certify(message["header"], huge)
        self.accepts(message, trust(pairs=huge))

    def test_refuses_another_path_index_or_leaf(self):
        for index in (0, 3, 5, 7, 2**64 - 1):
            self.refuses("inclusion-path", {**receipt(), "leaf_index": index})
        path = receipt()["inclusion_path"]
        for spoilt in (path[:-1], path + path[-1:], path[::-1], [], path[1:], [bytes(32)] + path[1:]):
            self.refuses("inclusion-path", {**receipt(), "inclusion_path": spoilt})
        self.refuses("inclusion-path", {**receipt(), "transaction": envelope({"leave": {}})})

    def test_refuses_an_inner_node_as_a_leaf(self):
        message = receipt(size=4, index=0)
        log = log_of(4, 0, message["transaction"])
        node = sha256(b"\0" + log[0]) + sha256(b"\0" + log[1])
        self.refuses("inclusion-path", {**message, "transaction": node, "inclusion_path": message["inclusion_path"][1:]})

    def test_refuses_transactions_that_are_not_canonical(self):
        body = hv.decode("Envelope", envelope())["body"]
        for transaction in (b"", b"\0", envelope() + b"\x0a\x00", envelope() + field(4, field(1, 0)), envelope() + field(4, field(1, 6)),
                            envelope() + field(5, 1), envelope(signer=b"s" * 31), envelope(signer=b""), field(2, body) + field(1, b"s" * 32)):
            self.refuses("body-not-canonical", receipt(transaction=transaction))
        for spoilt in (body + b"\x5a\x00", body[:-2] + b"\x10\x00", body + field(18, b""), body[:-1] + b"\x83\x00", body[:-1],
                       field(11, field(2, 6)), field(15, field(4, field(2, b"\x07"))), field(15, field(6, field(3, 2**32)))):
            self.refuses("body-not-canonical", receipt(transaction=envelope(body=spoilt)))


# --- State proofs --------------------------------------------------------------------------------

def key_bit(key, depth):
    return sha256(key)[depth // 8] >> (7 - depth % 8) & 1


def map_root(entries, depth=0):
    """The definition: an empty subtree, a lone leaf in place of its subtree, or a node."""
    if not entries:
        return b"SPARSE_MERKLE_PLACEHOLDER_HASH__"
    if len(entries) == 1:
        [(key, value)] = entries.items()
        return sha256(b"JMT::LeafNode" + sha256(key) + sha256(value))
    halves = [{key: value for key, value in entries.items() if key_bit(key, depth) == side} for side in (0, 1)]
    return sha256(b"JMT::IntrnalNode" + map_root(halves[0], depth + 1) + map_root(halves[1], depth + 1))


def map_proof(entries, key):
    """Encoded proof of presence or absence, written independently of the reader."""
    siblings, depth = [], 0
    while len(entries) > 1:
        other = {k: v for k, v in entries.items() if key_bit(k, depth) != key_bit(key, depth)}
        entries = {k: v for k, v in entries.items() if k not in other}
        siblings.append(map_root(other, depth + 1))
        depth += 1
    if key in entries:
        end = b"\0"
    elif entries:
        [(other, value)] = entries.items()
        end = b"\2" + sha256(other) + sha256(value)
    else:
        end = b"\1"
    flags = "".join("0" if sibling == hv.EMPTY_SUBTREE else "1" for sibling in siblings)
    flags += "0" * (-len(flags) % 8)
    bitmap = int(flags or "0", 2).to_bytes(len(flags) // 8, "big")
    return end + struct.pack(">H", len(siblings)) + bitmap + b"".join(s for s in siblings if s != hv.EMPTY_SUBTREE)


class StateProofs(unittest.TestCase):
    ENTRIES = {b"key %d" % number: b"value %d" % number for number in range(40)}

    def refuses(self, proof, key, value, root):
        with self.assertRaises(hv.Refused) as caught:
            hv.check_map_proof(proof, key, value, root)
        self.assertEqual(caught.exception.code, "state-proof")

    def test_proves_every_key_of_maps_of_every_size(self):
        for size in range(len(self.ENTRIES) + 1):
            entries = dict(list(self.ENTRIES.items())[:size])
            root = map_root(entries)
            for key, value in self.ENTRIES.items():
                proof = map_proof(entries, key)
                present = key in entries
                hv.check_map_proof(proof, key, value if present else None, root)
                self.refuses(proof, key, None if present else value, root)
                if present:
                    self.refuses(proof, key + b"x", value, root)
                    self.refuses(proof, key, value + b"x", root)
                    self.refuses(proof, key, b"", root)
                self.refuses(proof, key, value if present else None, sha256(root))

    def test_absence_has_both_forms(self):
        self.assertEqual({map_proof(self.ENTRIES, b"no %d" % number)[0] for number in range(100)}, {1, 2})

    def test_absent_and_empty_differ(self):
        entries = {**self.ENTRIES, b"empty": b""}
        proof = map_proof(entries, b"empty")
        hv.check_map_proof(proof, b"empty", b"", map_root(entries))
        self.refuses(proof, b"empty", None, map_root(entries))

    def test_refuses_every_changed_or_missing_byte(self):
        root = map_root(self.ENTRIES)
        for key in [b"key 7", b"key 31", *[b"no %d" % number for number in range(6)]]:
            value, proof = self.ENTRIES.get(key), map_proof(self.ENTRIES, key)
            hv.check_map_proof(proof, key, value, root)
            for at in range(len(proof)):
                self.refuses(proof[:at], key, value, root)
                for bit in range(8):
                    spoilt = bytearray(proof)
                    spoilt[at] ^= 1 << bit
                    self.refuses(bytes(spoilt), key, value, root)
            self.refuses(proof + b"\0", key, value, root)
            self.refuses(proof + bytes(32), key, value, root)

    def test_refuses_padding_bits_and_written_empty_subtrees(self):
        # Two keys that part at bit 1, so that the sibling at the root is an empty subtree.
        left = next(k for k in self.ENTRIES if (key_bit(k, 0), key_bit(k, 1)) == (0, 0))
        right = next(k for k in self.ENTRIES if (key_bit(k, 0), key_bit(k, 1)) == (0, 1))
        entries = {left: b"1", right: b"2"}
        root, sibling = map_root(entries), map_root({right: b"2"})
        hv.check_map_proof(b"\0\0\2\x40" + sibling, left, b"1", root)
        self.refuses(b"\0\0\2\x60" + sibling, left, b"1", root)
        self.refuses(b"\0\0\2\x60" + sibling + sibling, left, b"1", root)
        self.refuses(b"\0\0\2\xc0" + hv.EMPTY_SUBTREE + sibling, left, b"1", root)

    def test_accepts_256_siblings_and_refuses_257(self):
        root = sha256(b"JMT::LeafNode" + sha256(b"key") + sha256(b"value"))
        for depth in range(255, -1, -1):
            pair = (bytes(32), root) if key_bit(b"key", depth) else (root, bytes(32))
            root = sha256(b"JMT::IntrnalNode" + pair[0] + pair[1])
        hv.check_map_proof(b"\0\1\0" + b"\xff" * 32 + bytes(256 * 32), b"key", b"value", root)
        self.refuses(b"\0\1\1" + b"\xff" * 32 + b"\x80" + bytes(257 * 32), b"key", b"value", root)
        self.refuses(b"\0\1\1" + b"\xff" * 32 + b"\0" + bytes(256 * 32), b"key", b"value", root)

    def test_refuses_another_leaf_outside_the_keys_subtree(self):
        key, other = b"key 1", next(k for k in self.ENTRIES if key_bit(k, 0) != key_bit(b"key 1", 0))
        entries = {key: b"1", other: b"2"}
        forged = b"\2" + sha256(other) + sha256(b"2") + b"\0\1\x80" + map_root({key: b"1"})
        self.refuses(forged, key, None, map_root(entries))
        self.refuses(b"\2" + sha256(key) + sha256(b"1") + b"\0\1\x80" + map_root({other: b"2"}), key, None, map_root(entries))
        # Even where a map holds the other leaf on the key's side, against its own rules.
        pair = [map_root({other: b"2"}), sha256(b"sibling")][::-1 if key_bit(key, 0) else 1]
        misplaced = b"\2" + sha256(other) + sha256(b"2") + b"\0\1\x80" + sha256(b"sibling")
        self.refuses(misplaced, key, None, sha256(b"JMT::IntrnalNode" + pair[0] + pair[1]))

    def state_proof(self, key, **changes):
        top = header(9, [b"x"], FIRST, state_root=map_root(self.ENTRIES))
        value = self.ENTRIES.get(key)
        return {"key": key, "value": value, "present": value is not None, "proof": map_proof(self.ENTRIES, key),
                "header": top, "certificate": certify(top, FIRST), **changes}

    def judge(self, message, root=None):
        result = hv.judge("state", encode("StateProof", message), root or trust())
        return result["verdict"], result["reason"]

    def test_accepts_presence_and_absence_under_a_certified_header(self):
        self.assertEqual(self.judge(self.state_proof(b"key 3")), ("ok", None))
        self.assertEqual(self.judge(self.state_proof(b"no")), ("ok", None))

    def test_refuses_what_a_receipt_would_be_refused_for(self):
        self.assertEqual(self.judge(self.state_proof(b"no", value=b"x")), ("refused", "wrong-length"))
        self.assertEqual(self.judge(self.state_proof(b"key 3", present=False)), ("refused", "wrong-length"))
        self.assertEqual(self.judge(self.state_proof(b"key 3", present=False, value=b"")), ("refused", "state-proof"))
        self.assertEqual(self.judge(self.state_proof(b"key 3", certificate=None)), ("refused", "wrong-length"))
        self.assertEqual(self.judge(self.state_proof(b"key 3"), trust(9)), ("cannot-tell", "older-than-trust"))
        self.assertEqual(self.judge(self.state_proof(b"key 3"), trust(pairs=SECOND)), ("refused", "certificate-signature"))

    def test_refuses_every_changed_byte(self):
        data = bytearray(encode("StateProof", self.state_proof(b"key 3")))
        root = trust()
        for at in range(len(data)):
            data[at] ^= 0x01
            self.assertNotEqual(hv.judge("state", bytes(data), root)["verdict"], "ok", at)
            data[at] ^= 0x01


# --- Trust roots ---------------------------------------------------------------------------------

class TrustRoots(unittest.TestCase):
    def refuses(self, data):
        with self.assertRaises(hv.BadInput):
            hv.trust_root(data)

    def test_accepts_a_genesis_file(self):
        root = hv.trust_root(genesis_file())
        document = json.dumps(genesis_document(), indent=2) + "\n"
        self.assertEqual((root.height, root.network), (0, hv.hashed("network", document.encode())))
        self.assertEqual(root.next.hash, set_hash(FIRST))

    def test_accepts_a_receipt_from_a_genesis_file(self):
        root = hv.trust_root(genesis_file())
        data = encode("Receipt", receipt(network=root.network))
        self.assertEqual(hv.judge("receipt", data, root)["verdict"], "ok")

    def test_refuses_a_spoilt_genesis_document(self):
        def spoilt(change):
            document = copy.deepcopy(genesis_document())
            change(document)
            return document

        validator = next(index for index, each in enumerate(genesis_document()["founders"]) if each["power"])
        changes = [
            lambda d: d.update(format="heatmark-genesis-v2"), lambda d: d.update(surplus=1), lambda d: d.pop("name"),
            lambda d: d.update(name=""), lambda d: d.update(name="x" * 65), lambda d: d.update(name=1),
            lambda d: d.update(time_ms=-1), lambda d: d.update(time_ms=2**64), lambda d: d.update(time_ms=1.0),
            lambda d: d.update(time_ms=True), lambda d: d.update(time_ms="1"), lambda d: d.update(parameters=[]),
            lambda d: d["parameters"].pop("heartbeat_ms"), lambda d: d["parameters"].update(surplus=1),
            lambda d: d["parameters"].update(max_block_bytes=2**32), lambda d: d.update(founders=[]),
            lambda d: d["founders"].reverse(), lambda d: d["founders"].append(d["founders"][-1]),
            lambda d: d["founders"][validator].update(power=0), lambda d: d["founders"][validator].update(power=2**40 + 1),
            lambda d: d["founders"][validator].update(roles=["supplier"]), lambda d: d["founders"][validator]["keys"].pop("consensus"),
            lambda d: d["founders"][validator].update(legal_name=" x"), lambda d: d["founders"][validator].update(legal_name="x\u0085y"),
            lambda d: d["founders"][validator].update(identifiers=[{"scheme": "lei", "value": "1 2"}]),
            lambda d: d["founders"][validator]["keys"].update(consensus=None),
            lambda d: d["founders"][validator]["keys"].update(envelope=d["founders"][validator]["keys"]["root"]),
            lambda d: d["founders"][validator].update(roles=["validator", "validator"]),
            lambda d: d["founders"][validator].update(roles=["smelter"]), lambda d: d["founders"][validator].update(roles=[]),
            lambda d: d["founders"][validator].update(country="de"), lambda d: d["founders"][validator].update(country="DEU"),
            lambda d: d["founders"][validator].update(legal_name=""), lambda d: d["founders"][validator].update(legal_name="x" * 201),
            lambda d: d["founders"][validator].update(legal_name="\ud800"), lambda d: d["founders"][validator].update(surplus=1),
            lambda d: d["founders"][validator]["identifiers"].append(d["founders"][validator]["identifiers"][0]),
            lambda d: d["founders"][validator].update(identifiers=[{"scheme": "duns", "value": "1"}]),
            lambda d: d["founders"][validator]["keys"].update(p2p="00" * 32), lambda d: d["founders"][validator]["keys"].update(p2p="00"),
            lambda d: d["founders"][validator]["keys"].update(p2p=d["founders"][validator]["keys"]["p2p"].upper()),
            lambda d: d["founders"][validator]["keys"].update(p2p=d["founders"][validator]["keys"]["signing"]),
        ]
        for number, change in enumerate(changes):
            with self.subTest(number):
                self.refuses(genesis_file(spoilt(change)))
        text = json.dumps(genesis_document(), indent=2) + "\n"
        for old, new in (('"name"', '"name": "x", "name"'), ('"time_ms": 1790000000000', '"time_ms": 1.79e12'),
                         ('"time_ms": 1790000000000', '"time_ms": -0'), ('"time_ms": 1790000000000', '"time_ms": NaN'),
                         ('"time_ms": 1790000000000', '"time_ms": ' + "9" * 5000), ("{", "[" * 100_000), ("}", "},"),
                         ('"name": "devnet"', '"name": "dev\tnet"'), ('  "name"', '\n  "name"')):
            with self.subTest(new[:40]):
                self.assertIn(old, text)
                self.refuses(sign_genesis(text.replace(old, new, 1)))

    def test_refuses_spoilt_signature_lines(self):
        whole = genesis_file()
        document, lines = whole.split(b"\n\n")
        lines = lines.decode().splitlines(keepends=True)
        for spoilt in (lines[:-1], lines[::-1], lines + lines[-1:], lines[:4] + [lines[4][:-1]], [line.upper() for line in lines],
                       [line.replace("— ", "- ") for line in lines], [line.replace("— ", "—  ") for line in lines],
                       [line.replace("\n", "\r\n") for line in lines], lines + ["\n"], [],
                       [lines[0][:67] + lines[1][67:]] + lines[1:], ["\u2014 " + "0" * 64 + lines[0][66:]] + lines[1:],
                       [lines[0][:-5] + ("B" if lines[0][-5] == "A" else "A") + lines[0][-4:]] + lines[1:],
                       # The same 64 bytes in another base64: bits behind the last byte are set.
                       [lines[0][:-4] + chr(ord(lines[0][-4]) + 1) + lines[0][-3:]] + lines[1:],
                       lines[:4] + [lines[4].replace("\n", "X")]):
            with self.subTest(spoilt[:1]):
                self.refuses(document + b"\n\n" + "".join(spoilt).encode())
        self.refuses(document + b"\n" + "".join(lines).encode())
        self.refuses(document)
        self.refuses(whole.replace(b"devnet", b"devner"))
        self.refuses(b" " + whole)
        self.refuses(b"\xef\xbb\xbf" + whole)

    def test_refuses_a_spoilt_pinned_header(self):
        top = header(3, [b"x"], SECOND)
        good = {"header": top, "next": set_message(SECOND)}
        self.assertEqual(hv.trust_root(encode("TrustedHeader", good)).next.hash, set_hash(SECOND))
        for spoilt in ({**good, "header": None}, {**good, "next": None}, {**good, "next": set_message(FIRST)}, {**good, "next": set_message([])},
                       {**good, "header": {**top, "network": b"n" * 31}}, {**good, "next": set_message(SECOND[::-1])}):
            self.refuses(encode("TrustedHeader", spoilt))
        self.refuses(encode("TrustedHeader", good) + b"\0")
        self.refuses(b"")


# --- Command line --------------------------------------------------------------------------------

class CommandLine(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        pinned = encode("TrustedHeader", {"header": header(3, [b"x"], FIRST), "next": set_message(FIRST)})
        spoilt = bytearray(encode("Receipt", receipt()))
        spoilt[70] ^= 1
        for name, content in (("pinned", pinned), ("genesis", genesis_file()), ("good", encode("Receipt", receipt())), ("bad", bytes(spoilt)),
                              ("old", encode("Receipt", receipt(height=2))), ("large", bytes(hv.MAX_FILE_BYTES + 1)), ("empty", b"")):
            (self.directory / name).write_bytes(content)

    def run_main(self, *arguments):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            try:
                code = hv.main(list(arguments))
            except SystemExit as stop:
                code = stop.code
        return code, [json.loads(line) for line in out.getvalue().splitlines()]

    def receipts(self, trust_name, *names):
        return self.run_main("receipt", "--trust", str(self.directory / trust_name), *[str(self.directory / name) for name in names])

    def test_exit_codes_say_the_worst(self):
        for names, expected in ((["good"], 0), (["bad"], 1), (["empty"], 1), (["large"], 2), (["missing"], 2), (["old"], 3),
                                (["good", "old"], 3), (["old", "missing"], 2), (["missing", "bad", "good", "old"], 1)):
            self.assertEqual(self.receipts("pinned", *names)[0], expected, names)

    def test_exits_2_for_wrong_usage_and_useless_trust_roots(self):
        self.assertEqual(self.receipts("missing", "good")[0], 2)
        self.assertEqual(self.receipts("good", "good")[0], 2)
        for arguments in ([], ["receipt"], ["receipt", "--trust", "x"], ["unknown"], ["vectors", str(self.directory / "missing")],
                          ["vectors", str(self.directory / "genesis")]):
            self.assertEqual(self.run_main(*arguments)[0], 2, arguments)

    def test_prints_one_line_per_receipt(self):
        code, lines = self.receipts("pinned", "good", "bad")
        self.assertEqual([line["verdict"] for line in lines], ["ok", "refused"])
        self.assertEqual(set(lines[0]), set(lines[1]))
        self.assertEqual((lines[0]["height"], lines[0]["payload"], lines[1]["height"]), (9, "anchor", None))
        self.assertIn(lines[1]["reason"], hv.CODES)

    def test_runs_as_a_program(self):
        program = [sys.executable, str(Path(hv.__file__)), "receipt", "--trust", str(self.directory / "pinned")]
        run = subprocess.run([*program, str(self.directory / "good")], capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"})
        self.assertEqual((run.returncode, json.loads(run.stdout)["verdict"]), (0, "ok"))
        run = subprocess.run([*program, str(self.directory / "bad")], capture_output=True, check=False)
        self.assertEqual(run.returncode, 1)

    def test_vectors_hold_or_fail(self):
        pinned = (self.directory / "pinned").read_bytes().hex()
        text = genesis_file().decode()
        from_genesis = encode("Receipt", receipt(network=hv.trust_root(text.encode()).network)).hex()
        good = encode("Receipt", receipt()).hex()
        cases = [{"name": "pinned", "trust": pinned, "trust_kind": "pinned", "receipt": good, "expect": "ok"},
                 {"name": "genesis", "trust": text, "trust_kind": "genesis", "receipt": from_genesis, "expect": "ok", "error": ""},
                 {"name": "network", "trust": text, "trust_kind": "genesis", "receipt": good, "expect": "refused", "error": "wrong-network"},
                 {"name": "useless", "trust": text + "x", "trust_kind": "genesis", "receipt": good, "expect": "input"},
                 {"name": "old", "trust": pinned, "trust_kind": "pinned", "receipt": encode("Receipt", receipt(height=3)).hex(),
                  "expect": "cannot-tell", "error": "older-than-trust"}]
        path = self.directory / "vectors.json"

        def run(changed):
            path.write_text(json.dumps({"cases": changed}), encoding="utf-8")
            return self.run_main("vectors", str(path))

        self.assertEqual(run(cases), (0, [{"cases": 5, "failures": 0}]))
        for spoilt, expected in (({"expect": "ok"}, 1), ({"error": "wrong-length"}, 1), ({"error": "no such code"}, 2),
                                 ({"expect": "maybe"}, 2), ({"receipt": "zz"}, 2), ({"trust_kind": "faith"}, 2)):
            self.assertEqual(run(cases[:2] + [{**cases[2], **spoilt}])[0], expected, spoilt)
        self.assertEqual(run([])[0], 2)


if __name__ == "__main__":
    unittest.main()
