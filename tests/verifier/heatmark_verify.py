#!/usr/bin/env python3
"""Offline verifier of Heatmark receipts, state proofs and evidence: the second, independent implementation.

It is written from proto/README.md (the specification; section numbers below are that page's) and
the .proto files beside it, and shares no code with the other implementation. It needs Python 3.9
or later, PyNaCl (libsodium) for Ed25519, and nothing else: no network, no node, no clock.

    heatmark_verify.py receipt --trust GENESIS-OR-PINNED-HEADER RECEIPT...
    heatmark_verify.py state   --trust GENESIS-OR-PINNED-HEADER PROOF...
    heatmark_verify.py evidence --trust GENESIS-OR-PINNED-HEADER EVIDENCE...
    heatmark_verify.py vectors FILE.json

One JSON line per file on standard output. Exit code: 0 verified, 1 refused, 2 wrong usage or
unreadable input, 3 cannot tell (older than the trust root); of several files the first of
1, 2, 3, 0 that occurred. Every byte that is read is taken as hostile; whatever is not exactly as
the specification says is refused, with one of the CODES below.

The page reads from the bottom of the proof upwards: encoding (1), hashes (1), signatures (2),
validator sets and certificates (6), log tree (4), state map (5), trust roots (6), receipts (7), files (8).
"""

import argparse
import base64
import functools
import hashlib
import json
import re
import sys
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

try:
    import nacl.bindings as sodium
    import nacl.exceptions
except ImportError:
    print("heatmark_verify: needs PyNaCl (Debian: python3-nacl; elsewhere: pip install pynacl)", file=sys.stderr)
    sys.exit(2)

MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_ENVELOPE_BYTES = 65_507
MAX_VALIDATORS = 1024
MAX_POWER = 2**40
MAX_FOUNDERS = 1024
DAY_MS = 24 * 60 * 60 * 1000
PARAMETER_RANGES = {
    "max_clock_skew_ms": (100, 60_000), "max_window_ms": (1_000, 7 * DAY_MS), "max_batch_records": (1, 2**24),
    "max_block_transactions": (1, 100_000), "max_block_bytes": (131_072, 7_340_032), "reserved_alert_bytes": (0, 3_670_016),
    "heartbeat_ms": (1_000, 3_600_000), "governance_delay_ms": (0, 30 * DAY_MS),
    "proposal_lifetime_ms": (1_000, 90 * DAY_MS), "state_history_heights": (1, 1_000_000),
}
U32 = 2**32 - 1
U64 = 2**64 - 1

# Every reason for which something is refused, or cannot be told. Closed: a vector file may name no other.
CODES = {
    "not-canonical",  # the receipt is not the one accepted encoding of its message
    "wrong-length",  # a hash, key or signature has another length than its kind, or a part is absent
    "wrong-network",  # a header is of another network than the trust root
    "older-than-trust",  # the header is not above the trust root: cannot tell
    "set-change-order",  # set changes are not ascending, or not between trust root and header
    "set-change-unchanged",  # a set change to the set that stands already
    "wrong-next-set",  # a set is not the one that its header names
    "invalid-set",  # a set breaks the rules for validator sets
    "certificate-order",  # signers are not ascending, or no members of the set
    "certificate-signature",  # a signature does not verify
    "certificate-quorum",  # not more than two thirds of the voting power
    "restart-header",  # a restart at the trust root's height is not from its header
    "restart-members",  # a restart's members are not proved by its header's state, or out of order
    "restart-signature",  # a restart's signature is not by the root key of an active member
    "restart-quorum",  # fewer than two thirds of the active members signed a restart
    "inclusion-path",  # the path does not lead from the leaf to the log root
    "body-not-canonical",  # the envelope or its body is too large or not the one accepted encoding
    "state-proof",  # the map proof does not lead from the key to the state root
    "no-conflict",  # both signatures of evidence are for the same statement
    "statement-signature",  # a statement in evidence is not signed by the key
    "not-a-validator",  # the key was in no set of that height
    "wrong-member",  # the registry entries in evidence are not those of the key and its owner
}


class Refused(Exception):
    """The evidence does not hold."""

    def __init__(self, code: str, detail: str):
        assert code in CODES, code
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


class CannotTell(Refused):
    """The evidence may hold, but this trust root does not reach it."""


class BadInput(Exception):
    """A file or trust root that cannot be used at all; says nothing about any receipt."""


# --- Section 1: encodings -----------------------------------------------------------------------

# Enums by their greatest number; all are numbered 0 to that without gaps.
ENUMS = {"CoSigner": 5, "AlertLevel": 5, "KeyRole": 5, "KeyAlgorithm": 2, "Role": 6, "Statement": 3, "MemberStatus": 3}

# Messages: field number -> (name, type). A type with "*" is repeated; one that is no scalar and no
# enum is a message. This table equals the .proto files (a test compares them).
MESSAGES: Dict[str, Dict[int, Tuple[str, str]]] = {
    "Receipt": {1: ("transaction", "bytes"), 2: ("leaf_index", "uint64"), 3: ("inclusion_path", "bytes*"),
                4: ("header", "Header"), 5: ("certificate", "CommitCertificate"), 6: ("set_changes", "SetChange*")},
    "SetChange": {1: ("header", "Header"), 2: ("certificate", "CommitCertificate"), 3: ("next", "ValidatorSet"),
                  4: ("restart", "Restart")},
    "Restart": {1: ("members", "bytes"), 2: ("members_proof", "bytes"), 3: ("entries", "RestartMember*")},
    "RestartMember": {1: ("member", "bytes"), 2: ("state", "bytes"), 3: ("proof", "bytes"), 4: ("signature", "bytes")},
    "MemberIndex": {1: ("members", "bytes*")},
    "TrustedHeader": {1: ("header", "Header"), 2: ("next", "ValidatorSet"), 3: ("restart", "bytes")},
    "StateProof": {1: ("key", "bytes"), 2: ("value", "bytes"), 3: ("present", "bool"), 4: ("proof", "bytes"),
                   5: ("header", "Header"), 6: ("certificate", "CommitCertificate"), 7: ("set_changes", "SetChange*")},
    "SignedStatement": {1: ("value", "bytes"), 2: ("lock", "uint32"), 3: ("signature", "bytes")},
    "Equivocation": {1: ("network", "bytes"), 2: ("validator", "bytes"), 3: ("height", "uint64"), 4: ("round", "uint32"),
                     5: ("statement", "Statement"), 6: ("signed", "SignedStatement*")},
    "Evidence": {1: ("equivocation", "Equivocation"), 2: ("header", "Header"), 3: ("certificate", "CommitCertificate"),
                 4: ("set_changes", "SetChange*"), 5: ("validators", "ValidatorSet"), 6: ("key", "StateProof"),
                 7: ("member", "StateProof")},
    "KeyState": {1: ("member", "bytes"), 2: ("key", "PublicKey"), 3: ("valid_from_height", "uint64"),
                 4: ("valid_to_height", "uint64"), 5: ("compromised_since_height", "uint64")},
    "MemberState": {1: ("entry", "MemberEntry"), 2: ("status", "MemberStatus"), 3: ("since_height", "uint64")},
    "Header": {1: ("network", "bytes"), 2: ("version", "uint32"), 3: ("height", "uint64"), 4: ("time_ms", "uint64"),
               5: ("previous", "bytes"), 6: ("log_size", "uint64"), 7: ("log_root", "bytes"),
               8: ("state_root", "bytes"), 9: ("next_validators", "bytes")},
    "Validator": {1: ("key", "bytes"), 2: ("power", "uint64")},
    "ValidatorSet": {1: ("validators", "Validator*")},
    "CommitCertificate": {1: ("round", "uint32"), 2: ("signatures", "CommitSignature*")},
    "CommitSignature": {1: ("validator", "uint32"), 2: ("signature", "bytes")},
    "Envelope": {1: ("signer", "bytes"), 2: ("body", "bytes"), 3: ("signature", "bytes"),
                 4: ("cosignatures", "CoSignature*")},
    "CoSignature": {1: ("purpose", "CoSigner"), 2: ("public_key", "bytes"), 3: ("signature", "bytes")},
    "Body": {1: ("not_before_ms", "uint64"), 2: ("not_after_ms", "uint64"), 3: ("nonce", "bytes"),
             10: ("anchor", "Anchor"), 11: ("alert", "Alert"), 12: ("acknowledge", "Acknowledge"),
             13: ("rotate_key", "RotateKey"), 14: ("leave", "Leave"), 15: ("propose", "Propose"), 16: ("vote", "Vote"),
             17: ("lot_event", "LotEvent"), 18: ("deal", "Deal")},
    "LotEvent": {1: ("digest", "bytes"), 2: ("outputs", "bytes*"), 3: ("carrier", "bytes")},
    "Deal": {1: ("deal", "bytes"), 2: ("open", "DealOpen"), 3: ("accept", "DealAccept"), 4: ("fund", "DealFund"),
             5: ("ready", "DealReady"), 6: ("release", "DealRelease"), 7: ("confirm", "DealConfirm"),
             8: ("dispute", "DealDispute"), 9: ("rule", "DealRule")},
    "DealOpen": {1: ("terms_digest", "bytes"), 2: ("buyer_key", "bytes"), 3: ("owner_key", "bytes"),
                 4: ("arbiter_key", "bytes"), 5: ("agent_keys", "bytes*"), 6: ("threshold", "uint32"),
                 7: ("accept_by_ms", "uint64"), 8: ("fund_by_ms", "uint64"), 9: ("ready_by_ms", "uint64"),
                 10: ("release_by_ms", "uint64"), 11: ("confirm_by_ms", "uint64"), 12: ("rule_by_ms", "uint64")},
    "DealAccept": {},
    "DealFund": {},
    "DealReady": {1: ("agent", "uint32")},
    "DealRelease": {1: ("agent", "uint32"), 2: ("envelopes", "bytes*")},
    "DealConfirm": {},
    "DealDispute": {1: ("claim_digest", "bytes")},
    "DealRule": {1: ("refund", "bool"), 2: ("reason_digest", "bytes")},
    "Anchor": {1: ("root", "bytes"), 2: ("records", "uint32")},
    "Alert": {1: ("subject", "bytes"), 2: ("level", "AlertLevel"), 3: ("sequence", "uint64"),
              4: ("reason_digest", "bytes"), 5: ("concern", "bool")},
    "Acknowledge": {1: ("subject", "bytes"), 2: ("concern_of", "bytes"), 3: ("sequence", "uint64")},
    "PublicKey": {1: ("role", "KeyRole"), 2: ("algorithm", "KeyAlgorithm"), 3: ("key", "bytes")},
    "RotateKey": {1: ("new_key", "PublicKey"), 2: ("compromised_since", "uint64"), 3: ("member", "bytes")},
    "Leave": {1: ("member", "bytes")},
    "Identifier": {1: ("scheme", "string"), 2: ("value", "string")},
    "MemberEntry": {1: ("legal_name", "string"), 2: ("country", "string"), 3: ("identifiers", "Identifier*"),
                    4: ("roles", "Role*"), 5: ("keys", "PublicKey*")},
    "Propose": {1: ("add_member", "MemberEntry"), 2: ("suspend", "MemberAction"), 3: ("reinstate", "MemberAction"),
                4: ("set_roles", "SetRoles"), 5: ("set_validator", "SetValidator"), 6: ("parameters", "Parameters"),
                7: ("schedule_version", "ScheduleVersion"), 8: ("replace_root", "ReplaceRoot")},
    "MemberAction": {1: ("member", "bytes"), 2: ("reason_digest", "bytes")},
    "SetRoles": {1: ("member", "bytes"), 2: ("roles", "Role*")},
    "SetValidator": {1: ("member", "bytes"), 2: ("consensus_key", "bytes"), 3: ("power", "uint64")},
    "ScheduleVersion": {1: ("version", "uint32"), 2: ("height", "uint64")},
    "ReplaceRoot": {1: ("member", "bytes"), 2: ("new_root", "PublicKey")},
    "Vote": {1: ("proposal", "bytes"), 2: ("approve", "bool")},
    "Parameters": {1: ("max_clock_skew_ms", "uint64"), 2: ("max_window_ms", "uint64"),
                   3: ("max_batch_records", "uint32"), 4: ("max_block_transactions", "uint32"),
                   5: ("max_block_bytes", "uint32"), 6: ("reserved_alert_bytes", "uint32"),
                   7: ("heartbeat_ms", "uint64"), 8: ("governance_delay_ms", "uint64"),
                   9: ("proposal_lifetime_ms", "uint64"), 10: ("state_history_heights", "uint64")},
}

# The fields of a message of which at most one may be present.
ONEOFS = {"Body": range(10, 19), "Deal": range(2, 10), "Propose": range(1, 9)}

VARINT, LENGTH_DELIMITED = 0, 2
Message = Dict[str, Any]

# Messages that only the specification's text gives, in the same form; heatmark_disclosure.py fills it.
SPECIFIED: Dict[str, Dict[int, Tuple[str, str]]] = {}


class NotCanonical(Exception):
    """The bytes are not the one accepted encoding."""


def read_varint(data: bytes, at: int) -> Tuple[int, int]:
    """A 64-bit varint in its shortest form, and the position behind it."""
    value = 0
    for count in range(10):
        if at >= len(data):
            raise NotCanonical("ends inside a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            if byte == 0 and count > 0:
                raise NotCanonical("a number is not in its shortest form")
            if value > U64:
                raise NotCanonical("a number exceeds 64 bits")
            return value, at
    raise NotCanonical("a number is longer than ten bytes")


def is_varint_type(kind: str) -> bool:
    return kind in ("uint32", "uint64", "bool") or kind in ENUMS


def check_number(kind: str, value: int) -> Any:
    """`value` as its type, when it is in that type's range."""
    greatest = {"uint32": U32, "uint64": U64, "bool": 1}.get(kind, ENUMS.get(kind))
    if greatest is None or value > greatest:
        raise NotCanonical(f"{value} is no {kind}")
    return bool(value) if kind == "bool" else value


def decode_packed(kind: str, content: bytes) -> List[int]:
    values, at = [], 0
    while at < len(content):
        value, at = read_varint(content, at)
        values.append(check_number(kind, value))
    return values


def decode_content(kind: str, content: bytes) -> Any:
    """The value of a length-delimited field."""
    if kind == "bytes":
        return content
    if kind == "string":
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            raise NotCanonical("a string is not UTF-8") from None
    return decode(kind, content)


def default_of(kind: str) -> Any:
    """What an absent field reads as: a number is 0, a message is None."""
    if kind.endswith("*"):
        return []
    if is_varint_type(kind):
        return False if kind == "bool" else 0
    return {"bytes": b"", "string": ""}.get(kind)


def decode(name: str, data: bytes) -> Message:
    """The message `name` that has exactly the encoding `data`, or NotCanonical.

    Fields ascend; a field stands once unless it is repeated and not packed; a scalar that is not
    repeated is left out when it is its default; a message that is present may be empty.
    """
    fields = MESSAGES[name] if name in MESSAGES else SPECIFIED[name]
    message = {field: default_of(kind) for field, kind in fields.values()}
    at, last, oneof_seen = 0, 0, False
    while at < len(data):
        key, at = read_varint(data, at)
        number, wire = key >> 3, key & 7
        if number not in fields:
            raise NotCanonical(f"{name} has no field {number}")
        field, kind = fields[number]
        repeated, kind = kind.endswith("*"), kind.rstrip("*")
        packed = repeated and is_varint_type(kind)
        if number < last or (number == last and (packed or not repeated)):
            raise NotCanonical(f"{name}.{field} is out of order or stands twice")
        last = number
        if number in ONEOFS.get(name, ()):
            if oneof_seen:
                raise NotCanonical(f"{name} has two alternatives")
            oneof_seen = True
        if wire != (VARINT if is_varint_type(kind) and not packed else LENGTH_DELIMITED):
            raise NotCanonical(f"{name}.{field} has wire type {wire}")
        number_or_length, at = read_varint(data, at)
        if wire == VARINT:
            value = check_number(kind, number_or_length)
        else:
            if number_or_length > len(data) - at:
                raise NotCanonical(f"{name}.{field} is longer than what is left")
            content = data[at:at + number_or_length]
            at += number_or_length
            value = decode_packed(kind, content) if packed else decode_content(kind, content)
        if repeated and not packed:
            message[field].append(value)
        elif value == default_of(kind) or value == []:
            raise NotCanonical(f"{name}.{field} is present with its default")
        else:
            message[field] = value
    return message


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def u64(value: int) -> bytes:
    return value.to_bytes(8, "big")


def preimage(what: str, *parts: bytes) -> bytes:
    """P(what, part...) of section 1."""
    tag = b"heatmark/v1/" + what.encode("ascii")
    return bytes([len(tag)]) + tag + b"".join(u32(len(part)) + part for part in parts)


def hashed(what: str, *parts: bytes) -> bytes:
    """H(what, part...) of section 1."""
    return sha256(preimage(what, *parts))


def header_hash(header: Message) -> bytes:
    return hashed("header", header["network"], u32(header["version"]), u64(header["height"]), u64(header["time_ms"]),
                  header["previous"], u64(header["log_size"]), header["log_root"], header["state_root"],
                  header["next_validators"])


def check_length(value: bytes, length: int, what: str) -> None:
    if len(value) != length:
        raise Refused("wrong-length", f"{what} is {len(value)} bytes long, not {length}")


def check_header_lengths(header: Message) -> None:
    for field in ("network", "previous", "log_root", "state_root", "next_validators"):
        check_length(header[field], 32, f"header.{field}")


# --- Section 2: signatures ----------------------------------------------------------------------

GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
# 1 modulo the group order and 0 modulo the cofactor: multiplying by it leaves a point of the
# prime-order subgroup alone and moves every other one.
TORSION_REMOVER = (1 + 3 * GROUP_ORDER).to_bytes(32, "little")


@functools.lru_cache(maxsize=4 * MAX_VALIDATORS)
def is_prime_order_point(encoding: bytes) -> bool:
    """A canonical encoding of a point of the prime-order subgroup other than the identity.

    libsodium's own check comes first. Releases before 1.0.21 let it pass a point with a component
    of order two (CVE-2025-69277); the multiplication refuses those with every release.
    """
    if len(encoding) != 32 or not sodium.crypto_core_ed25519_is_valid_point(encoding):
        return False
    try:
        return sodium.crypto_scalarmult_ed25519_noclamp(TORSION_REMOVER, encoding) == encoding
    except nacl.exceptions.RuntimeError:
        return False


def verifies(key: bytes, signature: bytes, message: bytes) -> bool:
    """The one Ed25519 predicate. `key` and `signature` have their lengths; the key is checked too.

    With a key of prime order, [S]B - [k]A is of prime order, so an R that equals it is as well.
    Asking that of R first makes libsodium's releases agree: newer ones multiply the equation by
    the cofactor and would pass an R with a low-order component.
    """
    if len(signature) != 64 or int.from_bytes(signature[32:], "little") >= GROUP_ORDER:
        return False
    if not is_prime_order_point(key) or not is_prime_order_point(signature[:32]):
        return False
    try:
        sodium.crypto_sign_open(signature + message, key)
    except nacl.exceptions.BadSignatureError:
        return False
    return True


# --- Section 6: validator sets and commit certificates -------------------------------------------

class ValidatorSet(NamedTuple):
    """A set that keeps the rules: 1 to 1024 acceptable keys, ascending, each with a power of 1 to 2^40."""

    keys: List[bytes]
    powers: List[int]
    hash: bytes


def validator_set(message: Message) -> ValidatorSet:
    keys = [validator["key"] for validator in message["validators"]]
    powers = [validator["power"] for validator in message["validators"]]
    for key in keys:
        check_length(key, 32, "a validator's key")
    if not 1 <= len(keys) <= MAX_VALIDATORS:
        raise Refused("invalid-set", f"a set of {len(keys)} validators")
    if any(first >= second for first, second in zip(keys, keys[1:])):
        raise Refused("invalid-set", "keys are not ascending")
    if not all(1 <= power <= MAX_POWER for power in powers):
        raise Refused("invalid-set", f"a power is not between 1 and {MAX_POWER}")
    if not all(is_prime_order_point(key) for key in keys):
        raise Refused("invalid-set", "a key is not acceptable")
    parts = [part for key, power in zip(keys, powers) for part in (key, u64(power))]
    return ValidatorSet(keys, powers, hashed("validators", *parts))


def check_certificate(era: bytes, header: Message, certificate: Message, current: ValidatorSet) -> None:
    """More than two thirds of the power of `current` precommitted `header`; all signatures count.

    The era is the network's id, or after a restart the restart's."""
    signatures = certificate["signatures"]
    indexes = [entry["validator"] for entry in signatures]
    if any(first >= second for first, second in zip(indexes, indexes[1:])):
        raise Refused("certificate-order", "validator indexes are not ascending")
    if indexes and indexes[-1] >= len(current.keys):
        raise Refused("certificate-order", f"there is no validator {indexes[-1]}")
    decided = header_hash(header)
    for entry in signatures:
        key = current.keys[entry["validator"]]
        vote = preimage("vote", era, b"\x02", u64(header["height"]), u32(certificate["round"]), decided, key)
        if not verifies(key, entry["signature"], vote):
            raise Refused("certificate-signature", f"validator {entry['validator']} at height {header['height']}")
    signed, total = sum(current.powers[index] for index in indexes), sum(current.powers)
    if 3 * signed <= 2 * total:
        raise Refused("certificate-quorum", f"power {signed} of {total} at height {header['height']}")


# --- Section 4: the log -------------------------------------------------------------------------

def check_inclusion(leaf_data: bytes, index: int, size: int, path: List[bytes], root: bytes) -> None:
    """RFC 9162, section 2.1.3.2: a path neither longer nor shorter than the tree asks for."""
    if index >= size:
        raise Refused("inclusion-path", f"leaf {index} of a log of {size}")
    node, last, hash_ = index, size - 1, sha256(b"\x00" + leaf_data)
    for sibling in path:
        if last == 0:
            raise Refused("inclusion-path", "the path is too long")
        if node & 1 or node == last:
            hash_ = sha256(b"\x01" + sibling + hash_)
            while not node & 1 and node != 0:
                node, last = node >> 1, last >> 1
        else:
            hash_ = sha256(b"\x01" + hash_ + sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise Refused("inclusion-path", "the path is too short")
    if hash_ != root:
        raise Refused("inclusion-path", "the path leads to another root")


# --- Section 5: the state map --------------------------------------------------------------------

EMPTY_SUBTREE = b"SPARSE_MERKLE_PLACEHOLDER_HASH__"
PRESENT, ABSENT_EMPTY, ABSENT_OTHER_LEAF = 0, 1, 2


def bits(data: bytes) -> List[int]:
    """Most significant first."""
    return [byte >> place & 1 for byte in data for place in range(7, -1, -1)]


def map_leaf(key_hash: bytes, value_hash: bytes) -> bytes:
    return sha256(b"JMT::LeafNode" + key_hash + value_hash)


def map_node(left: bytes, right: bytes) -> bytes:
    return sha256(b"JMT::IntrnalNode" + left + right)


def read_map_proof(proof: bytes) -> Tuple[int, bytes, List[bytes]]:
    """Kind, the other leaf's 64 bytes or none, and the siblings, root first.

    u8 kind; for kind 2 the hashes of the other leaf's key and value; u16be number of siblings, at most
    256; a bitmap of those written; these. A sibling that is not written is the empty subtree.
    """
    def malformed(what: str) -> Refused:
        return Refused("state-proof", what)

    if not proof or proof[0] > ABSENT_OTHER_LEAF:
        raise malformed("unknown kind")
    kind, at = proof[0], 65 if proof[0] == ABSENT_OTHER_LEAF else 1
    other, at_siblings = proof[1:at], at + 2
    if len(proof) < at_siblings:
        raise malformed("too short")
    count = int.from_bytes(proof[at:at_siblings], "big")
    bitmap = proof[at_siblings:at_siblings + (count + 7) // 8]
    written = proof[at_siblings + len(bitmap):]
    flags = bits(bitmap)
    if count > 256 or len(flags) < count or any(flags[count:]) or len(written) != 32 * sum(flags):
        raise malformed("number of siblings, bitmap and length do not agree")
    hashes = [written[start:start + 32] for start in range(0, len(written), 32)]
    if EMPTY_SUBTREE in hashes:
        raise malformed("an empty subtree is written out")
    remaining = iter(hashes)
    return kind, other, [next(remaining) if flag else EMPTY_SUBTREE for flag in flags[:count]]


def check_map_proof(proof: bytes, key: bytes, value: Optional[bytes], root: bytes) -> None:
    """`key` has `value`, or is absent when that is None, in the map with this root."""
    kind, other, siblings = read_map_proof(proof)
    if (kind == PRESENT) != (value is not None):
        raise Refused("state-proof", "proves presence, absence is claimed, or the reverse")
    key_hash = sha256(key)
    key_bits = bits(key_hash)
    if kind == PRESENT:
        reached = map_leaf(key_hash, sha256(value or b""))
    elif kind == ABSENT_EMPTY:
        reached = EMPTY_SUBTREE
    else:
        # The other leaf stands for its whole subtree, so the key's place must be in that subtree.
        if other[:32] == key_hash or bits(other[:32])[:len(siblings)] != key_bits[:len(siblings)]:
            raise Refused("state-proof", "the other leaf does not exclude the key")
        reached = map_leaf(other[:32], other[32:])
    for sibling, goes_right in reversed(list(zip(siblings, key_bits))):
        reached = map_node(sibling, reached) if goes_right else map_node(reached, sibling)
    if reached != root:
        raise Refused("state-proof", "the path leads to another root")


# --- Sections 6 and 7: trust roots ---------------------------------------------------------------

class TrustRoot(NamedTuple):
    """What a verifier starts from: a height, its network and the set that certifies the next one."""

    height: int
    network: bytes
    next: ValidatorSet
    era: bytes
    header: Optional[bytes]


def pinned_header(data: bytes) -> TrustRoot:
    """A TrustedHeader: its bytes are trusted, but it must be whole and name its own set."""
    try:
        message = decode("TrustedHeader", data)
        if message["header"] is None or message["next"] is None:
            raise BadInput("the pinned header has no header or no validator set")
        check_header_lengths(message["header"])
        next_set = validator_set(message["next"])
        check_length(message["restart"], 32 if message["restart"] else 0, "the restart's id")
        if message["restart"] == message["header"]["network"]:
            raise Refused("wrong-length", "the first era is named by leaving its name out")
    except (NotCanonical, Refused) as error:
        raise BadInput(f"the pinned header cannot be used: {error}") from None
    if next_set.hash != message["header"]["next_validators"]:
        raise BadInput("the pinned header names another validator set")
    header = message["header"]
    return TrustRoot(header["height"], header["network"], next_set, message["restart"] or header["network"], header_hash(header))


ROLES = ["supplier", "assembler", "lab", "escrow-agent", "regulator", "validator"]
SCHEMES = {"lei", "gln", "gs1-prefix", "melt-shop", "cmrt-smelter"}
KEY_ROLES = ["root", "signing", "p2p", "envelope"]
ED25519, X25519 = 1, 2  # numbers of KeyAlgorithm
ROOT, ACTIVE = 1, 1  # numbers of KeyRole and MemberStatus


def require(condition: bool, what: str) -> None:
    if not condition:
        raise BadInput(f"genesis: {what}")


def strict_json(text: str) -> Any:
    """JSON without duplicate keys and without numbers other than non-negative integers."""

    def pairs(items: List[Tuple[str, Any]]) -> Dict[str, Any]:
        require(len({key for key, _ in items}) == len(items), "a key stands twice")
        return dict(items)

    def natural(literal: str) -> int:
        require(not literal.startswith("-") and len(literal) <= 20, "a number is out of range")
        return int(literal)

    def refuse(_: str) -> Any:
        raise BadInput("genesis: a number is no integer")

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_int=natural, parse_float=refuse, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"genesis: not JSON: {error}") from None


def check_keys(value: Any, keys: List[str], what: str) -> Dict[str, Any]:
    require(isinstance(value, dict) and set(value) == set(keys), f"{what} must have exactly the keys {', '.join(keys)}")
    return value


def check_text(value: Any, least: int, most: int, what: str) -> str:
    require(isinstance(value, str) and least <= len(value) <= most, f"{what} must have {least} to {most} characters")
    require(not any(0xD800 <= ord(character) <= 0xDFFF for character in value), f"{what} is not Unicode")
    return value


def check_natural(value: Any, greatest: int, what: str) -> int:
    require(type(value) is int and value <= greatest, f"{what} must be an integer up to {greatest}")
    return value


def check_key(value: Any, algorithm: int, what: str) -> bytes:
    require(isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None,
            f"{what} must be 64 lower-case hexadecimal digits")
    key = bytes.fromhex(value)
    require(algorithm != ED25519 or is_prime_order_point(key), f"{what} is no acceptable Ed25519 key")
    return key


class Founder(NamedTuple):
    keys: Dict[str, bytes]
    power: int


def founder(value: Any, what: str) -> Founder:
    """One entry of the genesis document."""
    value = check_keys(value, ["legal_name", "country", "identifiers", "roles", "keys", "power"], what)
    name = check_text(value["legal_name"], 1, 200, f"{what}.legal_name")
    require(name == name.strip() and re.search("[\x00-\x1f\x7f-\x9f]", name) is None, f"{what}.legal_name must be printable")
    require(re.fullmatch("[A-Z]{2}", check_text(value["country"], 2, 2, f"{what}.country")) is not None,
            f"{what}.country must be two capital letters")
    require(isinstance(value["identifiers"], list) and len(value["identifiers"]) <= 16, f"{what}: up to 16 identifiers")
    identifiers = []
    for identifier in value["identifiers"]:
        check_keys(identifier, ["scheme", "value"], f"{what}: an identifier")
        scheme = check_text(identifier["scheme"], 1, 32, f"{what}: an identifier's scheme")
        require(scheme in SCHEMES, f"{what}: unknown identifier scheme")
        text = check_text(identifier["value"], 1, 64, f"{what}: an identifier's value")
        require(re.fullmatch("[!-~]+", text) is not None, f"{what}: an identifier's value must be visible ASCII")
        identifiers.append((scheme, text))
    require(identifiers == sorted(set(identifiers)), f"{what}: identifiers must ascend without repetition")
    require(isinstance(value["roles"], list) and all(isinstance(role, str) and role in ROLES for role in value["roles"]),
            f"{what}: unknown role")
    require(len(value["roles"]) == len(set(value["roles"])) > 0, f"{what}: one role or more, without repetition")
    validates = "validator" in value["roles"]
    names = KEY_ROLES + (["consensus"] if validates else [])
    check_keys(value["keys"], names, f"{what}.keys")
    keys = {name: check_key(value["keys"][name], X25519 if name == "envelope" else ED25519, f"{what}.keys.{name}")
            for name in names}
    power = check_natural(value["power"], MAX_POWER, f"{what}.power")
    require((power > 0) == validates, f"{what}: validators, and only they, have power")
    return Founder(keys, power)


def key_id(algorithm: int, key: bytes) -> bytes:
    return hashed("key", u32(algorithm), key)


def genesis(data: bytes) -> TrustRoot:
    """A genesis file: document, blank line, one signature line per founder (section 6)."""
    end = data.find(b"\n\n")
    require(end >= 0, "no blank line between document and signatures")
    document, lines = data[:end + 1], data[end + 2:]
    try:
        content = strict_json(document.decode("utf-8"))
        signature_text = lines.decode("utf-8")
    except UnicodeDecodeError:
        raise BadInput("genesis: not UTF-8") from None
    content = check_keys(content, ["format", "name", "time_ms", "parameters", "founders"], "the document")
    require(content["format"] == "heatmark-genesis-v1", "unknown format")
    check_text(content["name"], 1, 64, "name")
    check_natural(content["time_ms"], U64, "time_ms")
    fields = MESSAGES["Parameters"].values()
    check_keys(content["parameters"], [name for name, _ in fields], "parameters")
    for name, kind in fields:
        check_natural(content["parameters"][name], U32 if kind == "uint32" else U64, f"parameters.{name}")
        low, high = PARAMETER_RANGES[name]
        require(low <= content["parameters"][name] <= high, f"parameters.{name} is not between {low} and {high}")
    require(content["parameters"]["reserved_alert_bytes"] * 2 <= content["parameters"]["max_block_bytes"],
            "reserved_alert_bytes is more than half of max_block_bytes")
    require(isinstance(content["founders"], list) and 1 <= len(content["founders"]) <= MAX_FOUNDERS,
            f"1 to {MAX_FOUNDERS} founders")
    founders = [founder(value, f"founder {index}") for index, value in enumerate(content["founders"])]
    roots = [each.keys["root"] for each in founders]
    require(all(first < second for first, second in zip(roots, roots[1:])), "founders must ascend by root key")
    keys = [key for each in founders for key in each.keys.values()]
    require(len(set(keys)) == len(keys), "a key stands twice")

    network = hashed("network", document)
    check_genesis_signatures(signature_text, network, roots)
    voters = sorted((each.keys["consensus"], each.power) for each in founders if each.power > 0)
    try:
        first_set = validator_set({"validators": [{"key": key, "power": power} for key, power in voters]})
    except Refused as error:
        raise BadInput(f"genesis: {error}") from None
    return TrustRoot(0, network, first_set, network, None)


def check_genesis_signatures(text: str, network: bytes, roots: List[bytes]) -> None:
    """Every founder's root key signed, one line each, ascending by member id."""
    members = sorted((hashed("member", network, key_id(ED25519, root)), root) for root in roots)
    require(text.endswith("\n"), "the last line does not end")
    lines = text[:-1].split("\n")
    require(len(lines) == len(members), f"{len(lines)} signature lines for {len(members)} founders")
    for line, (member, root) in zip(lines, members):
        match = re.fullmatch("\u2014 ([0-9a-f]{64}) ([A-Za-z0-9+/]{86}==)", line)
        require(match is not None, "a signature line is not of the form '\u2014 <member id> <signature>'")
        require(match.group(1) == member.hex(), f"expected the signature of member {member.hex()}")
        signature = base64.b64decode(match.group(2))
        require(base64.b64encode(signature).decode("ascii") == match.group(2), "a signature is not in canonical base64")
        require(verifies(root, signature, preimage("sign/genesis", network, member)), f"member {member.hex()} did not sign")


def trust_root(data: bytes) -> TrustRoot:
    """Either kind: a genesis document begins with a brace, which no pinned header can."""
    return genesis(data) if data.startswith(b"{") else pinned_header(data)


# --- Section 7: receipts and state proofs --------------------------------------------------------

def decode_canonical(name: str, data: bytes) -> Message:
    try:
        return decode(name, data)
    except NotCanonical as error:
        raise Refused("not-canonical", str(error)) from None


def decode_evidence(name: str, data: bytes) -> Message:
    """Step 1, the part without the trust root: encoding, presence, lengths."""
    message = decode_canonical(name, data)
    check_parts(message)
    return message


def check_parts(message: Message) -> None:
    """Presence and lengths of a header, its certificate and the set changes before it."""
    for part in [message] + message["set_changes"]:
        for field in ("header", "certificate", "next"):
            if field in part and part[field] is None:
                raise Refused("wrong-length", f"{field} is absent")
        check_header_lengths(part["header"])
        for entry in part["certificate"]["signatures"]:
            check_length(entry["signature"], 64, "a precommit")
        if len(part["certificate"]["signatures"]) > MAX_VALIDATORS:
            raise Refused("certificate-order", "more signatures than a set has validators")
        if "next" in part:
            validator_set(part["next"])
        for entry in (part.get("restart") or {"entries": []})["entries"]:
            check_length(entry["member"], 32, "a member id")
            check_length(entry["signature"], 64 if entry["signature"] else 0, "a member's signature")
    for node in message.get("inclusion_path", []):
        check_length(node, 32, "a node of the inclusion path")


def check_header_chain(message: Message, trust: TrustRoot) -> bytes:
    """Steps 1 to 3: the header is certified by a set that the trust root leads to; the era it was certified in."""
    header = message["header"]
    if header["network"] != trust.network:
        raise Refused("wrong-network", header["network"].hex())
    if header["height"] <= trust.height:
        raise CannotTell("older-than-trust", f"height {header['height']}, trust root {trust.height}")
    height, current, era, fresh = trust.height, trust.next, trust.era, True
    for change in message["set_changes"]:
        top, following = change["header"], validator_set(change["next"])
        at, restart = top["height"], change["restart"]
        if top["network"] != trust.network:
            raise Refused("wrong-network", f"set change at height {at}")
        if at >= header["height"]:
            raise Refused("set-change-order", f"height {at} for {header['height']}")
        if fresh and restart is not None and at == trust.height:
            if header_hash(top) != trust.header or change["certificate"] != {"round": 0, "signatures": []}:
                raise Refused("restart-header", f"restart at height {at}")
        elif at <= height:
            raise Refused("set-change-order", f"height {at} after {height}")
        else:
            check_certificate(era, top, change["certificate"], current)
        if restart is not None:
            era = check_restart(top, following, restart)
        elif following.hash != top["next_validators"]:
            raise Refused("wrong-next-set", f"set change at height {at}")
        elif following.hash == current.hash:
            raise Refused("set-change-unchanged", f"set change at height {at}")
        height, current, fresh = at, following, False
    check_certificate(era, header, message["certificate"], current)
    return era


def check_restart(header: Message, following: ValidatorSet, restart: Message) -> bytes:
    """Two thirds of the active members of `header`'s state put `following` in place; the era it begins."""
    if following.hash == header["next_validators"]:
        raise Refused("set-change-unchanged", f"restart at height {header['height']}")
    era = hashed("restart", header["network"], u64(header["height"]), header_hash(header), following.hash)

    def proved(key: bytes, value: bytes, proof: bytes, name: str) -> Message:
        try:
            check_map_proof(proof, key, value, header["state_root"])
            return decode(name, value)
        except (Refused, NotCanonical) as error:
            raise Refused("restart-members", str(error)) from None

    known = set(proved(b"members", restart["members"], restart["members_proof"], "MemberIndex")["members"])
    entries = restart["entries"]
    if any(first["member"] >= second["member"] for first, second in zip(entries, entries[1:])):
        raise Refused("restart-members", "members are not ascending")
    checked = []
    for entry in entries:
        if entry["member"] not in known:
            raise Refused("restart-members", f"{entry['member'].hex()} is no member")
        state = proved(b"member/" + entry["member"], entry["state"], entry["proof"], "MemberState")
        if state["entry"] is None:
            raise Refused("restart-members", "a member without entry")
        root = next((key["key"] for key in state["entry"]["keys"] if key["role"] == ROOT), b"")
        if state["status"] == ACTIVE and not is_prime_order_point(root):
            raise Refused("restart-members", "an active member without root key")
        checked.append((entry, state["status"] == ACTIVE, root))
    active, signed = len(known), 0
    for entry, is_active, root in checked:
        if is_active:
            message = preimage("sign/restart", header["network"], key_id(ED25519, root), era)
            if not entry["signature"] or not verifies(root, entry["signature"], message):
                raise Refused("restart-signature", f"member {entry['member'].hex()}")
            signed += 1
        elif entry["signature"]:
            raise Refused("restart-signature", f"member {entry['member'].hex()} is not active")
        else:
            active -= 1
    if signed == 0 or 3 * signed < 2 * active:
        raise Refused("restart-quorum", f"{signed} of {active} members signed")
    return era


def decode_transaction(network: bytes, data: bytes) -> Tuple[bytes, Optional[str]]:
    """Step 5: transaction id and name of the payload."""
    if len(data) > MAX_ENVELOPE_BYTES:
        raise Refused("body-not-canonical", f"an envelope of {len(data)} bytes")
    try:
        envelope = decode("Envelope", data)
        body = decode("Body", envelope["body"])
    except NotCanonical as error:
        raise Refused("body-not-canonical", str(error)) from None
    if len(envelope["signer"]) != 32:
        raise Refused("body-not-canonical", "the signer is no key id")
    payload = next((MESSAGES["Body"][n][0] for n in ONEOFS["Body"] if body[MESSAGES["Body"][n][0]] is not None), None)
    return hashed("sign/member", network, envelope["signer"], envelope["body"]), payload


def verify_receipt(data: bytes, trust: TrustRoot) -> Message:
    """What a receipt says, or Refused, or CannotTell."""
    receipt = decode_evidence("Receipt", data)
    check_header_chain(receipt, trust)
    header, transaction = receipt["header"], receipt["transaction"]
    check_inclusion(preimage("transaction", transaction), receipt["leaf_index"], header["log_size"],
                    receipt["inclusion_path"], header["log_root"])
    transaction_id, payload = decode_transaction(trust.network, transaction)
    return {"transaction_id": transaction_id.hex(), "leaf_index": receipt["leaf_index"], "height": header["height"],
            "time_ms": header["time_ms"], "log_size": header["log_size"], "payload": payload}


def verify_state_proof(data: bytes, trust: TrustRoot) -> Message:
    """What a state proof says, or Refused, or CannotTell."""
    return check_state_proof(decode_evidence("StateProof", data), trust)


def check_state_proof(proof: Message, trust: TrustRoot) -> Message:
    header, present, value = proof["header"], proof["present"], proof["value"]
    if value and not present:
        raise Refused("wrong-length", "an absent key has a value")
    check_header_chain(proof, trust)
    check_map_proof(proof["proof"], proof["key"], value if present else None, header["state_root"])
    return {"height": header["height"], "time_ms": header["time_ms"], "key": proof["key"].hex(), "present": present,
            "value": value.hex() if present else None}


# --- Section 7: evidence that a validator signed twice ---------------------------------------------

PREVOTE, PRECOMMIT, PROPOSAL = 1, 2, 3


def check_equivocation(message: Message) -> None:
    """Lengths and order, and that the two statements contradict each other; signatures come later."""
    check_length(message["network"], 32, "the network")
    check_length(message["validator"], 32, "the validator's key")
    statement, signed = message["statement"], message["signed"]
    if statement == 0:
        raise Refused("not-canonical", "no kind of statement")
    if len(signed) != 2:
        raise Refused("wrong-length", f"{len(signed)} statements")
    for each in signed:
        if each["value"] or statement == PROPOSAL:
            check_length(each["value"], 32, "a value")
        if each["lock"] and statement != PROPOSAL:
            raise Refused("not-canonical", "a vote has no lock")
        check_length(each["signature"], 64, "a signature")
    first, second = [(each["value"], each["lock"]) for each in signed]
    if first == second:
        raise Refused("no-conflict", "the same statement twice")
    if first > second:
        raise Refused("not-canonical", "the statements are not in order")


def statement_preimage(era: bytes, message: Message, signed: Message) -> bytes:
    place, key = u64(message["height"]) + u32(message["round"]), message["validator"]
    height, round_ = place[:8], place[8:]
    if message["statement"] == PROPOSAL:
        return preimage("proposal", era, height, round_, u32(signed["lock"]), signed["value"], key)
    return preimage("vote", era, bytes([message["statement"]]), height, round_, signed["value"], key)


def changes_after(changes: List[Message], height: int) -> List[Message]:
    """Those that a verifier which starts there still needs."""
    return [change for change in changes if change["header"] is None or change["header"]["height"] > height]


def set_of_height(evidence: Message, trust: TrustRoot) -> Tuple[ValidatorSet, bytes]:
    """Who voted on the equivocation's height, and in which era: the set that the header before it names."""
    height = evidence["equivocation"]["height"]
    if height == trust.height + 1:
        return trust.next, trust.era
    chain = {**evidence, "set_changes": changes_after(evidence["set_changes"], trust.height)}
    check_parts({field: chain[field] for field in ("header", "certificate", "set_changes")})
    if chain["validators"] is None:
        raise Refused("wrong-length", "the set of the height is absent")
    named = validator_set(chain["validators"])
    era = check_header_chain(chain, trust)
    if chain["header"]["height"] + 1 != height or named.hash != chain["header"]["next_validators"]:
        raise Refused("wrong-next-set", f"the set of height {height}")
    return named, era


def registered(name: str, proof: Message, key: bytes, trust: TrustRoot) -> Message:
    """The registry's entry under a key, proved."""
    proof = {**proof, "set_changes": changes_after(proof["set_changes"], trust.height)}
    check_parts(proof)
    said = check_state_proof(proof, trust)
    if proof["key"] != key or not said["present"]:
        raise Refused("wrong-member", "another entry of the registry")
    try:
        return decode(name, proof["value"])
    except NotCanonical as error:
        raise Refused("wrong-member", str(error)) from None


def check_holder(evidence: Message, trust: TrustRoot) -> Tuple[Optional[str], Optional[str]]:
    """Member id and legal name of the key's owner, as far as they are proved."""
    if evidence["key"] is None:
        if evidence["member"] is not None:
            raise Refused("wrong-member", "an owner without the key's entry")
        return None, None
    id_ = key_id(ED25519, evidence["equivocation"]["validator"])
    try:
        member = registered("KeyState", evidence["key"], b"key/" + id_, trust)["member"]
    except CannotTell:
        return None, None
    if len(member) != 32:
        raise Refused("wrong-member", "the owner is no member id")
    if evidence["member"] is None:
        return member.hex(), None
    entry = registered("MemberState", evidence["member"], b"member/" + member, trust)["entry"]
    return member.hex(), entry and entry["legal_name"]


def verify_evidence(data: bytes, trust: TrustRoot) -> Message:
    """What evidence says, or Refused, or CannotTell."""
    evidence = decode_canonical("Evidence", data)
    equivocation = evidence["equivocation"]
    if equivocation is None:
        raise Refused("wrong-length", "no equivocation")
    check_equivocation(equivocation)
    if equivocation["network"] != trust.network:
        raise Refused("wrong-network", equivocation["network"].hex())
    if equivocation["height"] <= trust.height:
        raise CannotTell("older-than-trust", f"height {equivocation['height']}, trust root {trust.height}")
    voters, era = set_of_height(evidence, trust)
    if equivocation["validator"] not in voters.keys:
        raise Refused("not-a-validator", equivocation["validator"].hex())
    for signed in equivocation["signed"]:
        if not verifies(equivocation["validator"], signed["signature"], statement_preimage(era, equivocation, signed)):
            raise Refused("statement-signature", "a statement is not signed by the key")
    member, name = check_holder(evidence, trust)
    return {"validator": equivocation["validator"].hex(), "height": equivocation["height"], "round": equivocation["round"],
            "statement": ["prevote", "precommit", "proposal"][equivocation["statement"] - 1], "member": member, "name": name}


# --- Section 8: exit codes and files -------------------------------------------------------------

EXIT_CODES = {"ok": 0, "refused": 1, "input": 2, "cannot-tell": 3}
WORST_FIRST = ["refused", "input", "cannot-tell", "ok"]
NOTHING_SAID = {"receipt": ["transaction_id", "leaf_index", "height", "time_ms", "log_size", "payload"],
                "state": ["height", "time_ms", "key", "present", "value"],
                "evidence": ["validator", "height", "round", "statement", "member", "name"]}
VERIFIERS = {"receipt": verify_receipt, "state": verify_state_proof, "evidence": verify_evidence}


def judge(kind: str, data: bytes, trust: TrustRoot) -> Message:
    """The verdict on one piece of evidence; what it says stands in the result only when it is ok."""
    silent: Message = dict.fromkeys(NOTHING_SAID[kind])
    try:
        said = VERIFIERS[kind](data, trust)
        return {"verdict": "ok", "reason": None, "detail": None, **said}
    except CannotTell as error:
        return {"verdict": "cannot-tell", "reason": error.code, "detail": error.detail, **silent}
    except Refused as error:
        return {"verdict": "refused", "reason": error.code, "detail": error.detail, **silent}


def read_file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise BadInput(f"is larger than {MAX_FILE_BYTES} bytes")
    return data


def verify_files(kind: str, trust_path: str, paths: List[str]) -> int:
    try:
        trust = trust_root(read_file(trust_path))
    except BadInput as error:
        print(f"heatmark_verify: trust root {trust_path}: {error}", file=sys.stderr)
        return EXIT_CODES["input"]
    verdicts = set()
    for path in paths:
        try:
            result = judge(kind, read_file(path), trust)
        except BadInput as error:
            result = {"verdict": "input", "reason": "unreadable", "detail": str(error), **dict.fromkeys(NOTHING_SAID[kind])}
        verdicts.add(result["verdict"])
        print(json.dumps({"file": path, **result}))
    return EXIT_CODES[next(verdict for verdict in WORST_FIRST if verdict in verdicts)]


def judge_vector(case: Message) -> Tuple[str, Optional[str]]:
    """Verdict and code of one case: `trust` of `trust_kind`, and hexadecimal `receipt`, `state_proof` or `evidence`."""
    field, kind = next(pair for pair in (("receipt", "receipt"), ("evidence", "evidence"), ("state_proof", "state"))
                       if pair[0] in case or pair[0] == "state_proof")
    evidence = bytes.fromhex(case[field])
    try:
        if case["trust_kind"] == "genesis":
            trust = genesis(case["trust"].encode("utf-8"))
        elif case["trust_kind"] == "pinned":
            trust = pinned_header(bytes.fromhex(case["trust"]))
        else:
            raise ValueError(f"unknown trust_kind {case['trust_kind']}")
    except BadInput:
        return "input", None
    result = judge(kind, evidence, trust)
    return result["verdict"], result["reason"]


def run_vectors(path: str) -> int:
    """Compares every case with what it expects. `error` is compared where a case has one."""
    try:
        with open(path, "rb") as file:
            cases = json.load(file)["cases"]
        results = [(case["name"], case["expect"], case.get("error"), *judge_vector(case)) for case in cases]
        if not results:
            raise ValueError("no cases")
        for name, expect, error, _, _ in results:
            if expect not in EXIT_CODES or (error and error not in CODES):
                raise ValueError(f"case {name} expects {expect} with {error}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"heatmark_verify: vectors {path}: {type(error).__name__}: {error}", file=sys.stderr)
        return EXIT_CODES["input"]
    failures = 0
    for name, expect, error, verdict, code in results:
        if verdict != expect or (error and error != code):
            failures += 1
            print(json.dumps({"case": name, "expect": expect, "error": error, "verdict": verdict, "reason": code}))
    print(json.dumps({"cases": len(results), "failures": failures}))
    return 1 if failures else 0


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Verifies Heatmark receipts, state proofs and evidence offline.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (("receipt", "receipts"), ("state", "state proofs"), ("evidence", "evidence")):
        command = commands.add_parser(name, help=f"verify {what}")
        command.add_argument("--trust", required=True, metavar="FILE", help="genesis file or pinned header")
        command.add_argument("files", nargs="+", metavar="FILE")
    commands.add_parser("vectors", help="compare with a golden file").add_argument("file", metavar="FILE")
    options = parser.parse_args(arguments)
    if options.command == "vectors":
        return run_vectors(options.file)
    return verify_files(options.command, options.trust, options.files)


if __name__ == "__main__":
    sys.exit(main())
