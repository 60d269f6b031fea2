#!/usr/bin/env python3
"""Offline verifier of Heatmark agreements, beside heatmark_disclosure.py: numbers of two records that differ by no more
than tolerances.

It is written from proto/README.md section 9. Range proofs are not verified here: a sound file ends as "cannot tell" with the
code `conformance-unchecked` once everything else holds.

    heatmark_agreement.py verify --trust GENESIS-OR-PINNED-HEADER [--receiver MEMBER] AGREEMENT...
    heatmark_agreement.py vectors FILE.json
"""

import argparse
import json
import re
import sys
from typing import List, Optional

import heatmark_disclosure as hd
import heatmark_verify as hv
from heatmark_verify import CannotTell, Message, Refused

hv.CODES |= {
    "same-record",  # both records are one
    "agreement-pairs",  # the fields are not those of the tolerances, or show more than commitments
}
hv.SPECIFIED.update({
    "Side": {1: ("head", "bytes"), 2: ("record", "bytes"), 3: ("fields", "bytes*"), 4: ("batch", "bytes"),
             5: ("receipt", "bytes"), 6: ("issuer_key", "bytes"), 7: ("issuer", "bytes")},
    "Tolerance": {1: ("path", "string"), 2: ("number", "string"), 3: ("unit", "string")},
    "Agreement": {1: ("version", "uint32"), 2: ("receiver", "bytes"), 3: ("purpose", "string"), 4: ("made_ms", "uint64"),
                  5: ("first", "bytes"), 6: ("second", "bytes"), 7: ("tolerances", "bytes*"), 8: ("proofs", "bytes*"),
                  9: ("discloser_key", "bytes"), 10: ("signature", "bytes")},
})
MAX_AGREEMENT_BYTES = 16 * 1024 * 1024
MAX_PAIRS = 64
NUMBER = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?", re.ASCII)


def ascending(paths: List[str]) -> None:
    for one, two in zip(paths, paths[1:]):
        if one == two:
            raise Refused("path-twice", one)
        if one.encode() > two.encode():
            raise Refused("field-order", two)


def read_side(data: bytes) -> Message:
    side = hv.decode_canonical("Side", data)
    side["fields"] = [hd.read_field(field) for field in side["fields"]]
    for field in side["fields"]:
        if field["value"]:
            hd.leaf_of(field["value"], hd.chunks(field["blindings"]))
    ascending([field["path"] for field in side["fields"]])
    side["head"] = hd.read_head(side["head"])
    if len(side["record"]) != 32:
        raise Refused("not-canonical", "a record id")
    return side


def read_tolerances(messages: List[bytes]) -> List[Message]:
    if len(messages) > MAX_PAIRS:
        raise Refused("agreement-pairs", "too many")
    tolerances = []
    for data in messages:
        tolerance = hv.decode_canonical("Tolerance", data)
        number, path = tolerance["number"], tolerance["path"]
        form = NUMBER.fullmatch(number)
        digits = number.replace(".", "").lstrip("0")
        if form is None or len(digits) > 30 or len((form.group(2) or ".")[1:]) > 30:
            raise Refused("not-canonical", "no tolerance")
        if not 1 <= len(path.encode()) <= 512 or not all(path.split("/")) or any(map(hd.control, path)):
            raise Refused("not-canonical", "no path")
        if len(tolerance["unit"].encode()) > 64 or any(map(hd.control, tolerance["unit"])):
            raise Refused("not-canonical", "no unit")
        tolerances.append(tolerance)
    ascending([tolerance["path"] for tolerance in tolerances])
    if not tolerances or any(len(tolerance["path"].encode()) > 510 for tolerance in tolerances):
        raise Refused("agreement-pairs", "no tolerance")
    return tolerances


def check_pairs(side: Message, paths: List[str]) -> None:
    """The fields are those of the tolerances, committed to and no more, and lead to the record."""
    committed = all(field["value"][:1] == bytes([hd.COMMITTED]) for field in side["fields"])
    if [field["path"] for field in side["fields"]] != paths or not committed:
        raise Refused("agreement-pairs", "other fields")
    for field in side["fields"]:
        if hd.record_of(side["head"], field)[0] != side["record"]:
            raise Refused("wrong-root", field["path"])


def verify_agreement(data: bytes, trust: hv.TrustRoot, receiver: Optional[bytes]) -> Message:
    """What an agreement says, or Refused, or CannotTell."""
    if len(data) > MAX_AGREEMENT_BYTES:
        raise Refused("too-long", f"{len(data)} bytes")
    agreement = hv.decode_canonical("Agreement", data)
    purpose = agreement["purpose"]
    if agreement["version"] != 1 or not purpose.strip() or len(purpose.encode()) > 512 or any(map(hd.control, purpose)):
        raise Refused("not-canonical", "version or purpose")
    sides = [read_side(agreement["first"]), read_side(agreement["second"])]
    paths = [tolerance["path"] for tolerance in read_tolerances(agreement["tolerances"])]
    if len(agreement["receiver"]) != 32:
        raise Refused("not-canonical", "the receiver")
    if any(side["head"]["network"] != trust.network for side in sides):
        raise Refused("wrong-network", "another network")
    if receiver is not None and receiver != agreement["receiver"]:
        raise Refused("wrong-receiver", agreement["receiver"].hex())
    if sides[0]["record"] == sides[1]["record"]:
        raise Refused("same-record", sides[0]["record"].hex())
    grounds = [hd.check_grounds(side, side["head"], trust) for side in sides]
    for side in sides:
        check_pairs(side, paths)
    hd.check_signature("sign/agreement", (agreement, data), grounds[0][0], trust)
    for (_, state, _), _, height in grounds:
        hd.check_key(state, height)
    raise CannotTell("conformance-unchecked", "everything else holds")


def judge(data: bytes, trust: hv.TrustRoot, receiver: Optional[bytes]) -> Message:
    try:
        return {"verdict": "ok", "reason": None, **verify_agreement(data, trust, receiver)}
    except CannotTell as error:
        return {"verdict": "cannot-tell", "reason": error.code, "detail": error.detail}
    except Refused as error:
        return {"verdict": "refused", "reason": error.code, "detail": error.detail}


def run_vectors(path: str) -> int:
    """Compares every case with what it expects. What only a range proof decides, this verifier cannot tell."""
    with open(path, "rb") as file:
        golden = json.load(file)
    trust, receiver = hv.trust_root(golden["trust"].encode()), bytes.fromhex(golden["receiver"])
    failures = 0
    for case in golden["cases"]:
        verdict = judge(bytes.fromhex(case["agreement"]), trust, receiver)
        unchecked = verdict["reason"] == "conformance-unchecked" and case["conformance"]
        if not unchecked and (verdict["verdict"], verdict["reason"]) != (case["expect"], case["error"]):
            failures += 1
            print(json.dumps({"case": case["name"], "expect": [case["expect"], case["error"]], "is": verdict}))
    print(json.dumps({"cases": len(golden["cases"]), "failures": failures}))
    return 1 if failures or not golden["cases"] else 0


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Verifies Heatmark agreements offline.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("verify", help="verify agreements")
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
                verdict = judge(file.read(MAX_AGREEMENT_BYTES + 1), trust, options.receiver)
            verdicts.add(verdict["verdict"])
            print(json.dumps({"file": path, **verdict}))
    except (hv.BadInput, OSError) as error:
        print(f"heatmark_agreement: {error}", file=sys.stderr)
        verdicts.add("input")
    return hv.EXIT_CODES[next(verdict for verdict in hv.WORST_FIRST if verdict in verdicts)]


if __name__ == "__main__":
    sys.exit(main())
