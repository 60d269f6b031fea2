#!/usr/bin/env python3
"""Offline verifier of Heatmark disclosures: the second, independent implementation, beside heatmark_verify.py.

It is written from proto/README.md section 9. Ristretto255 is written out from RFC 9496, since PyNaCl does not have it;
it takes milliseconds a number, and no secret passes through it. Range proofs are not verified here: a disclosure with a
specification ends as "cannot tell" with the code `conformance-unchecked` once everything else holds.

    heatmark_disclosure.py verify --trust GENESIS-OR-PINNED-HEADER [--receiver MEMBER] DISCLOSURE...
    heatmark_disclosure.py vectors FILE.json
"""

import argparse
import json
import re
import struct
import sys
from datetime import date
from typing import Any, Dict, List, Optional, Tuple

import heatmark_verify as hv
from heatmark_verify import CannotTell, Message, Refused, hashed, preimage, sha256

hv.CODES |= {
    "too-long",  # more bytes than any disclosure has
    "wrong-receiver",  # made for another member
    "not-an-anchor",  # the receipt is of another transaction
    "batch-path",  # the record does not stand in the anchor's batch
    "not-the-issuer",  # the anchor's key is not the issuer's
    "wrong-entry",  # a registry entry is of another key or member
    "wrong-root",  # a field does not lead to the record
    "bad-commitment",  # a commitment is no canonical point
    "bad-field",  # a field breaks the rules for values or paths
    "unknown-suite",  # algorithms that are not known
    "field-order",  # fields are not ascending
    "path-twice",  # one path stands twice
    "discloser-key",  # the discloser's key is no valid signing key
    "disclosure-signature",  # the discloser did not sign exactly this
    "conformance-unchecked",  # range proofs, which this verifier does not know
}
hv.SPECIFIED.update({
    "Head": {1: ("suite", "uint32"), 2: ("network", "bytes"), 3: ("form", "string"), 4: ("issuer", "bytes"),
             5: ("alert_subject", "bytes"), 6: ("origin_seal", "bytes"), 7: ("depth", "uint32"), 8: ("nonce", "uint64")},
    "Field": {1: ("path", "string"), 2: ("value", "bytes")},
    "Opening": {1: ("head", "Head"), 2: ("secret", "bytes"), 3: ("fields", "Field*")},
    "FieldProof": {1: ("path", "string"), 2: ("value", "bytes"), 3: ("blindings", "bytes"), 4: ("salt", "bytes"),
                   5: ("siblings", "bytes")},
    "Disclosure": {1: ("version", "uint32"), 2: ("head", "bytes"), 3: ("record", "bytes"), 4: ("receiver", "bytes"),
                   5: ("purpose", "string"), 6: ("made_ms", "uint64"), 7: ("fields", "bytes*"),
                   8: ("specification", "string"), 9: ("proofs", "bytes*"), 10: ("batch", "bytes"),
                   11: ("receipt", "bytes"), 12: ("issuer_key", "bytes"), 13: ("issuer", "bytes"),
                   14: ("discloser_key", "bytes"), 15: ("signature", "bytes")},
})
MAX_DISCLOSURE_BYTES = 24 * 1024 * 1024
SIGNING_ROLE, ED25519 = 2, 1


# --- Ristretto255, RFC 9496 ------------------------------------------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
Point = Tuple[int, int, int, int]
IDENTITY: Point = (0, 1, 1, 0)


def negative(x: int) -> bool:
    return x % P & 1 == 1


def magnitude(x: int) -> int:
    return -x % P if negative(x) else x % P


def sqrt_ratio(u: int, v: int) -> Tuple[bool, int]:
    """Section 4.2."""
    r = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check = v * r * r % P
    correct, flipped, flipped_i = check == u % P, check == -u % P, check == -u * SQRT_M1 % P
    if flipped or flipped_i:
        r = r * SQRT_M1 % P
    return correct or flipped, magnitude(r)


INVSQRT_A_MINUS_D = sqrt_ratio(1, -1 - D)[1]


def decode_point(data: bytes) -> Point:
    """Section 4.3.1, or Refused."""
    s = int.from_bytes(data, "little")
    if len(data) != 32 or s >= P or negative(s):
        raise Refused("bad-commitment", data.hex())
    u1, u2 = (1 - s * s) % P, (1 + s * s) % P
    v = (-D * u1 * u1 - u2 * u2) % P
    square, inverse = sqrt_ratio(1, v * u2 * u2)
    den_x = inverse * u2 % P
    den_y = inverse * den_x * v % P
    x = magnitude(2 * s * den_x)
    y = u1 * den_y % P
    t = x * y % P
    if not square or negative(t) or y == 0:
        raise Refused("bad-commitment", data.hex())
    return x, y, 1, t


def encode_point(point: Point) -> bytes:
    """Section 4.3.2."""
    x0, y0, z0, t0 = point
    u1, u2 = (z0 + y0) * (z0 - y0) % P, x0 * y0 % P
    inverse = sqrt_ratio(1, u1 * u2 * u2)[1]
    den1, den2 = inverse * u1 % P, inverse * u2 % P
    z_inverse = den1 * den2 * t0 % P
    x, y, den = x0, y0, den2
    if negative(t0 * z_inverse):
        x, y, den = y0 * SQRT_M1 % P, x0 * SQRT_M1 % P, den1 * INVSQRT_A_MINUS_D % P
    if negative(x * z_inverse):
        y = -y
    return magnitude(den * (z0 - y)).to_bytes(32, "little")


def add(a: Point, b: Point) -> Point:
    """Complete addition on the twisted Edwards curve with a = -1."""
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    aa, bb = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * D * t1 * t2 % P, 2 * z1 * z2 % P
    e, f, g, h = bb - aa, d - c, d + c, bb + aa
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar: int, point: Point) -> Point:
    result = IDENTITY
    for bit in bin(scalar % ORDER)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


VALUE_BASE = decode_point(bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"))
BLINDING_BASE = decode_point(bytes.fromhex("044fad914b346d1623f0a123c90bec712c6bac717f2acbc48e12db5f6dcaef79"))


def commit(value: int, blinding: int) -> bytes:
    return encode_point(add(times(value, VALUE_BASE), times(blinding, BLINDING_BASE)))


# --- Values ---------------------------------------------------------------------------------------

TEXT, MOMENT, DOCUMENT, RESULT, COMMITTED = 1, 2, 3, 4, 5
MOMENT_FORM = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[Tt]([01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d{1,9})?"
                         r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d))?", re.ASCII)


class Reader:
    """Reads an encoding from the front."""

    def __init__(self, data: bytes):
        self.data = data

    def take(self, count: int) -> bytes:
        if count > len(self.data):
            raise Refused("not-canonical", "a value is cut off")
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def byte(self, least: int, most: int) -> int:
        value = self.take(1)[0]
        if not least <= value <= most:
            raise Refused("not-canonical", f"{value} is not {least} to {most}")
        return value


def control(character: str) -> bool:
    return ord(character) < 32 or 127 <= ord(character) < 160


def text_of(data: bytes, most: int, allowed: str = "") -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("not-canonical", "not UTF-8") from None
    if len(data) > most or any(control(c) and c not in allowed for c in text):
        raise Refused("bad-field", "too long, or not printable")
    return text


def leaf_of(value: bytes, blindings: List[bytes]) -> Tuple[bytes, Any]:
    """What a leaf holds for a value as it is shown, and what people read of it."""
    reader = Reader(value)
    kind = reader.byte(TEXT, COMMITTED)
    if kind in (RESULT, COMMITTED):
        return result_leaf(reader, kind == COMMITTED, value, blindings)
    if blindings:
        raise Refused("wrong-length", "blindings of a value without numbers")
    if kind == TEXT:
        return value, text_of(reader.data, 16_384, "\t\n\r")
    if kind == MOMENT:
        text = reader.data.decode("ascii", "replace")
        form = MOMENT_FORM.fullmatch(text)
        try:
            date(*(int(part) for part in form.groups()[:3])) if form else None
        except ValueError:
            form = None
        if form is None:
            raise Refused("bad-field", "no date")
        return value, text
    digest, length = reader.take(32), struct.unpack(">Q", reader.take(8))[0]
    return value, {"sha256": digest.hex(), "length": length, "media_type": text_of(reader.data, 100)}


def result_leaf(reader: Reader, hidden: bool, value: bytes, blindings: List[bytes]) -> Tuple[bytes, Any]:
    out = bytearray([COMMITTED])
    unit = reader.take(reader.byte(0, 255))
    text_of(unit, 64)
    shape = reader.byte(1, 5)
    out += bytes([len(unit)]) + unit + bytes([shape])
    numbers: List[Any] = []

    def number() -> Any:
        if hidden:
            point, scale = reader.take(32), reader.byte(0, 30)
            decode_point(point)
            out.extend(point + bytes([scale]))
            return None
        mantissa, scale = int.from_bytes(reader.take(16), "big", signed=True), reader.byte(0, 30)
        if abs(mantissa) >= 10**30:
            raise Refused("bad-field", "too many digits")
        if len(numbers) >= len(blindings):
            raise Refused("wrong-length", "fewer blindings than numbers")
        blinding = int.from_bytes(blindings[len(numbers)], "little")
        if blinding >= ORDER:
            raise Refused("not-canonical", "a blinding")
        out.extend(commit(mantissa, blinding) + bytes([scale]))
        return mantissa, scale

    def related() -> None:
        relation = reader.byte(1, 5)
        out.append(relation)
        numbers.append(number())

    if shape == 1:
        related()
    elif shape == 2:
        out.append(reader.byte(0, 1))
        numbers.append(number())
        numbers.append(number())
        if not hidden:
            (low, low_scale), (high, high_scale) = numbers
            if low * 10**high_scale > high * 10**low_scale:
                raise Refused("bad-field", "an empty range")
    elif shape == 3:
        count = struct.unpack(">H", reader.take(2))[0]
        if not 1 <= count <= 256:
            raise Refused("bad-field", "no result, or too many")
        out += struct.pack(">H", count)
        for _ in range(count):
            related()
    elif shape == 5:
        reader.byte(0, 1)
    if reader.data or (hidden and not numbers):
        raise Refused("not-canonical", "a result with something after it, or with nothing committed to")
    if len(blindings) != (0 if hidden else len(numbers)):
        raise Refused("wrong-length", "not one blinding for each number")
    return bytes(out) if numbers else value, numbers


# --- Records --------------------------------------------------------------------------------------

def head_hash(head: Message) -> bytes:
    return hashed("record-head", hv.u32(head["suite"]), head["network"], head["form"].encode(), head["issuer"],
                  head["alert_subject"], head["origin_seal"], bytes([head["depth"]]), hv.u64(head["nonce"]))


def read_head(data: bytes) -> Message:
    head = hv.decode_canonical("Head", data)
    if head["suite"] != 2:
        raise Refused("unknown-suite", str(head["suite"]))
    lengths = {"network": (32,), "issuer": (32,), "alert_subject": (32,), "origin_seal": (0, 32)}
    if any(len(head[name]) not in allowed for name, allowed in lengths.items()):
        raise Refused("not-canonical", "the head has a part of wrong length")
    printable = all(32 <= ord(c) < 127 for c in head["form"])
    if head["depth"] not in (12, 15, 18) or not 1 <= len(head["form"]) <= 64 or not printable:
        raise Refused("bad-field", "the head")
    return head


def read_field(data: bytes) -> Message:
    field = hv.decode_canonical("FieldProof", data)
    path = field["path"]
    if not 1 <= len(path.encode()) <= 512 or not all(path.split("/")) or any(map(control, path)):
        raise Refused("bad-field", "the path")
    if len(field["salt"]) != 32:
        raise Refused("not-canonical", "the salt")
    if len(field["siblings"]) % 32 or len(field["blindings"]) % 32:
        raise Refused("wrong-length", "siblings or blindings")
    return field


def chunks(data: bytes) -> List[bytes]:
    return [data[at:at + 32] for at in range(0, len(data), 32)]


def record_of(head: Message, field: Message) -> Tuple[bytes, Any]:
    """The record that a field's proof leads to, and what it says."""
    name, path, siblings = head_hash(head), field["path"].encode(), chunks(field["siblings"])
    if len(siblings) != head["depth"]:
        raise Refused("wrong-length", "siblings")
    slot = int.from_bytes(hashed("record-slot", name, path)[:4], "big") >> (32 - head["depth"])
    if field["value"]:
        leaf, said = leaf_of(field["value"], chunks(field["blindings"]))
        data = preimage("record-field", name, path, field["salt"], leaf)
    else:
        if field["blindings"]:
            raise Refused("wrong-length", "blindings of nothing")
        data, said = preimage("record-no-field", name, field["salt"], hv.u32(slot)), None
    node = sha256(b"\0" + data)
    for sibling in siblings:
        node = sha256(b"\1" + (sibling + node if slot & 1 else node + sibling))
        slot >>= 1
    return hashed("record", name, node), said


# --- Disclosures ----------------------------------------------------------------------------------

def entry_of(name: str, data: bytes, trust: hv.TrustRoot) -> Tuple[bytes, Message, Message]:
    """Key, value and proof of a registry entry that is proved to be present."""
    proof = hv.decode_canonical("StateProof", data)
    proof["set_changes"] = hv.changes_after(proof["set_changes"], trust.height)
    hv.check_parts(proof)
    hv.check_state_proof(proof, trust)
    if not proof["present"]:
        raise Refused("wrong-entry", "an entry that is not there")
    try:
        return proof["key"], hv.decode(name, proof["value"]), proof
    except hv.NotCanonical as error:
        raise Refused("wrong-entry", str(error)) from None


def check_grounds(record: Message, head: Message, trust: hv.TrustRoot) -> Tuple[Tuple[bytes, Message, Message], Message, int]:
    """Steps 2 and 3: the state of the key that signed the anchor, the issuer's entry, the height of the receipt's header."""
    signer, height = check_anchor(record, trust)
    key, state, proof = entry_of("KeyState", record["issuer_key"], trust)
    if key != b"key/" + signer or proof["header"]["height"] < height:
        raise Refused("wrong-length", "the state of another key, or an older one")
    if state["member"] != head["issuer"]:
        raise Refused("not-the-issuer", state["member"].hex())
    member_key, member, _ = entry_of("MemberState", record["issuer"], trust)
    if member_key != b"member/" + head["issuer"] or member["entry"] is None:
        raise Refused("wrong-entry", "another member")
    return (key, state, proof), member["entry"], height


def check_key(state: Message, height: int) -> None:
    """What a key signed since it counts as stolen is on hold."""
    since = state["compromised_since_height"]
    if since and height >= since:
        raise CannotTell("older-than-trust", f"the issuer's key counts as stolen since {since}")


def check_anchor(disclosure: Message, trust: hv.TrustRoot) -> Tuple[bytes, int]:
    """Step 2: the key that signed the anchor, and the height of the receipt's header."""
    receipt = hv.decode_canonical("Receipt", disclosure["receipt"])
    receipt["set_changes"] = hv.changes_after(receipt["set_changes"], trust.height)
    hv.check_parts(receipt)
    hv.check_header_chain(receipt, trust)
    header, transaction = receipt["header"], receipt["transaction"]
    hv.check_inclusion(preimage("transaction", transaction), receipt["leaf_index"], header["log_size"],
                       receipt["inclusion_path"], header["log_root"])
    _, payload = hv.decode_transaction(trust.network, transaction)
    if payload != "anchor":
        raise Refused("not-an-anchor", str(payload))
    envelope = hv.decode("Envelope", transaction)
    anchor = hv.decode("Body", envelope["body"])["anchor"]
    batch = disclosure["batch"]
    if len(batch) < 8 or (len(batch) - 8) % 32 or len(anchor["root"]) != 32:
        raise Refused("batch-path", "its form")
    position, count = struct.unpack(">II", batch[:8])
    if count != anchor["records"]:
        raise Refused("batch-path", "another count")
    try:
        leaf = preimage("batch-leaf", disclosure["record"])
        hv.check_inclusion(leaf, position, count, chunks(batch[8:]), anchor["root"])
    except Refused as error:
        raise Refused("batch-path", error.detail) from None
    return envelope["signer"], header["height"]


def verify_disclosure(data: bytes, trust: hv.TrustRoot, receiver: Optional[bytes]) -> Message:
    """What a disclosure says, or Refused, or CannotTell."""
    if len(data) > MAX_DISCLOSURE_BYTES:
        raise Refused("too-long", f"{len(data)} bytes")
    disclosure = hv.decode_canonical("Disclosure", data)
    purpose = disclosure["purpose"]
    if disclosure["version"] != 1 or not purpose.strip() or len(purpose.encode()) > 512 or any(map(control, purpose)):
        raise Refused("not-canonical", "version or purpose")
    head = read_head(disclosure["head"])
    fields = [read_field(field) for field in disclosure["fields"]]
    for field in fields:
        # A value that cannot be read is refused before anything is looked up.
        if field["value"]:
            leaf_of(field["value"], chunks(field["blindings"]))
    for one, two in zip(fields, fields[1:]):
        if one["path"] == two["path"]:
            raise Refused("path-twice", one["path"])
        if one["path"].encode() > two["path"].encode():
            raise Refused("field-order", two["path"])
    if len(disclosure["record"]) != 32 or len(disclosure["receiver"]) != 32:
        raise Refused("not-canonical", "an id")
    if disclosure["proofs"] and not disclosure["specification"]:
        raise Refused("not-canonical", "proofs of nothing")
    if head["network"] != trust.network:
        raise Refused("wrong-network", head["network"].hex())
    if receiver is not None and receiver != disclosure["receiver"]:
        raise Refused("wrong-receiver", disclosure["receiver"].hex())
    anchor_key, issuer, height = check_grounds(disclosure, head, trust)
    said: Dict[str, Any] = {}
    for field in fields:
        record, value = record_of(head, field)
        if record != disclosure["record"]:
            raise Refused("wrong-root", field["path"])
        said[field["path"]] = value
    check_signature("sign/disclosure", (disclosure, data), anchor_key, trust)
    check_key(anchor_key[1], height)
    if disclosure["specification"]:
        raise CannotTell("conformance-unchecked", "everything else holds")
    return {"record": disclosure["record"].hex(), "issuer": issuer["legal_name"], "purpose": purpose,
            "fields": said}


def check_signature(tag: str, file: Tuple[Message, bytes], anchor_key: Tuple[bytes, Message, Message],
                    trust: hv.TrustRoot) -> None:
    """Step 5."""
    disclosure, data = file
    key, state, proof = anchor_key
    if disclosure["discloser_key"]:
        key, state, proof = entry_of("KeyState", disclosure["discloser_key"], trust)
        if key == anchor_key[0]:
            raise Refused("wrong-entry", "the anchor's key stands twice")
    public, until = state["key"], state["valid_to_height"]
    if public is None or public["role"] != SIGNING_ROLE or public["algorithm"] != ED25519 or len(public["key"]) != 32:
        raise Refused("discloser-key", "no signing key")
    id_ = hv.key_id(ED25519, public["key"])
    if key != b"key/" + id_ or 0 < until <= proof["header"]["height"]:
        raise Refused("discloser-key", "another key, or one that is no longer valid")
    signature = disclosure["signature"]
    # The signature is the last field: its tag, its length, its bytes.
    unsigned = data[:len(data) - len(signature) - 2] if signature else data
    signed = preimage(tag, trust.network, id_, unsigned)
    if len(signature) != 64 or not hv.verifies(public["key"], signature, signed):
        raise Refused("disclosure-signature", "not signed by this key")


def judge(data: bytes, trust: hv.TrustRoot, receiver: Optional[bytes]) -> Message:
    try:
        return {"verdict": "ok", "reason": None, **verify_disclosure(data, trust, receiver)}
    except CannotTell as error:
        return {"verdict": "cannot-tell", "reason": error.code, "detail": error.detail}
    except Refused as error:
        return {"verdict": "refused", "reason": error.code, "detail": error.detail}


def run_vectors(path: str) -> int:
    """Compares every case with what it expects. What only a range proof decides, this verifier cannot tell."""
    with open(path, "rb") as file:
        golden = json.load(file)
    trust = hv.trust_root(golden["trust"].encode())
    failures = 0
    for case in golden["cases"]:
        receiver = bytes.fromhex(case.get("receiver", golden["receiver"]))
        verdict = judge(bytes.fromhex(case["disclosure"]), trust, receiver)
        unchecked = verdict["reason"] == "conformance-unchecked" and case.get("conformance")
        if not unchecked and (verdict["verdict"], verdict["reason"]) != (case["expect"], case.get("error")):
            failures += 1
            print(json.dumps({"case": case["name"], "expect": [case["expect"], case.get("error")], "is": verdict}))
    print(json.dumps({"cases": len(golden["cases"]), "failures": failures}))
    return 1 if failures or not golden["cases"] else 0


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Verifies Heatmark disclosures offline.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("verify", help="verify disclosures")
    command.add_argument("--trust", required=True, metavar="FILE", help="genesis file or pinned header")
    command.add_argument("--receiver", type=bytes.fromhex, metavar="MEMBER", help="for whom they must have been made")
    command.add_argument("files", nargs="+", metavar="FILE")
    commands.add_parser("vectors", help="compare with a golden file").add_argument("file", metavar="FILE")
    options = parser.parse_args(arguments)
    if options.command == "vectors":
        return run_vectors(options.file)
    verdicts = set()
    try:
        trust = hv.trust_root(hv.read_file(options.trust))
        for path in options.files:
            with open(path, "rb") as file:
                verdict = judge(file.read(MAX_DISCLOSURE_BYTES + 1), trust, options.receiver)
            verdicts.add(verdict["verdict"])
            print(json.dumps({"file": path, **verdict}))
    except (hv.BadInput, OSError) as error:
        print(f"heatmark_disclosure: {error}", file=sys.stderr)
        verdicts.add("input")
    return hv.EXIT_CODES[next(verdict for verdict in hv.WORST_FIRST if verdict in verdicts)]


if __name__ == "__main__":
    sys.exit(main())
