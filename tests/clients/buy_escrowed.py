"""Runs a whole deal as a program of one's own would, over mutual TLS and from the .proto files alone: the owner deposits a section with
its document, the buyer asks for offers and opens a deal, the arbiter says that it is paid, the buyer waits until it is settled,
and reads what it bought. Prints what came of it as JSON; the parties, their nodes and keys come as JSON from standard input.

    python3 buy_escrowed.py ../../proto < parties.json
"""

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Callable, Dict, List, Optional

from heatmark_messages import Message, Schema
from heatmark_rpc import Channel, Refused, seed_of

SERVICE = "/heatmark.desk.v1.EscrowService/"
PATIENCE = 110
PIECE = 1 << 18
NOT_ALLOWED = 7


def until(what: str, look: Callable[[], Optional[Message]]) -> Message:
    begun = time.monotonic()
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() - begun > PATIENCE:
            raise TimeoutError(what)
        time.sleep(0.2)


class Deal:
    """The parties of a deal, each at its own node."""

    def __init__(self, schema: Schema, given: Dict) -> None:
        self.given = given
        self.record = bytes.fromhex(given["record"])
        self.schema = schema

    def channel(self, client: str, node: str) -> Channel:
        """A connection of one party's key to a party's node; one that nobody reads from does not live long."""
        key, at = self.given["parties"][client], self.given["parties"][node]
        seed = seed_of(Path(key["key_file"]))
        if seed is None:
            raise ValueError(f"{key['key_file']} is sealed")
        return Channel(self.schema, at["address"], bytes.fromhex(at["server_key"]), seed)

    def ask(self, part: str, method: str, *requests: Message) -> Message:
        with self.channel(part, part) as channel:
            return channel.ask(SERVICE + method, *requests)

    def deposit(self, document: bytes) -> None:
        start = {
            "record_id": self.record,
            "sections": [{"name": "assay", "fields": ["assay/*"]}],
            "agents": [bytes.fromhex(agent) for agent in self.given["agents"]],
            "threshold": 2,
            "policy": self.given["policy"],
        }
        parts: List[Message] = [{"start": start}]
        named = {"section": "assay", "name": "report.pdf", "bytes": len(document)}
        parts.append({"document": named})
        parts += [{"piece": document[at : at + PIECE]} for at in range(0, len(document), PIECE)]
        made = self.ask("owner", "Deposit", *parts)["deposit"]

        def signed() -> Optional[Message]:
            for deposit in self.ask("owner", "ListDeposits", {})["deposits"]:
                states = {agent["state"] for agent in deposit["agents"]}
                if deposit["deposit"] == made and states == {"signed"} and deposit["anchored"]:
                    return deposit
            return None

        until("not all agents signed", signed)

    def part(self, part: str, deal: bytes, number: int, phase: str) -> Optional[Message]:
        try:
            views = self.ask(part, "ShowDeal", {"deal": deal.hex()})["deals"]
        except Refused:
            # Its keys have not been asked for yet.
            return None
        return next((view for view in views if (view["part"], view["phase"]) == (number, phase)), None)

    def buy(self, arbiter: int) -> bytes:
        about = {"record_ids": [self.record], "wait_ms": 8_000}
        offers = self.ask("buyer", "AskOffers", about)["offers"]
        [clause] = [clause for offer in offers for clause in offer["clauses"]]
        if (clause["amount"], clause["currency"]) != (25_000, "EUR"):
            raise ValueError(f"another price: {clause}")
        wanted = {"record_id": self.record, "clause": clause["name"], "purpose": "qualification"}
        deal = self.ask("buyer", "OpenDeal", wanted)["deal"]
        until("nobody is to pay", lambda: self.part("arbiter", deal, arbiter, "accepted"))
        self.ask("arbiter", "FundDeal", {"deal": deal})
        with self.channel("buyer", "buyer") as channel:
            # One message at once, and another whenever something changes.
            for answer in channel.call(SERVICE + "WatchDeal", {"deal": deal}):
                [view] = answer["deals"]
                if view["phase"] == "settled" and view["opened"]:
                    return deal
                if view["phase"] in ("expired", "refunded"):
                    break
        raise ValueError("the deal came to nothing")

    def read(self, deal: bytes) -> bytes:
        wanted = {"deal": deal, "section": "assay", "name": "report.pdf"}
        document, end = b"", None
        with self.channel("buyer", "buyer") as channel:
            for answer in channel.call(SERVICE + "OpenedDocument", wanted):
                document += answer["piece"]
                end = answer["end"] or end
        if end is None or (end["bytes"], end["sha256"]) != (len(document), hashlib.sha256(document).digest()):
            raise ValueError("the document is not whole")
        return document


def main() -> None:
    given = json.load(sys.stdin)
    schema = Schema.of_file(Path(sys.argv[1]) / "heatmark" / "desk" / "v1" / "escrow.proto")
    deal = Deal(schema, given)
    document = Path(given["document"]).read_bytes()
    deal.deposit(document)
    bought = deal.buy(schema.enums["DealPart"]["DEAL_PART_ARBITER"])
    [section] = deal.ask("buyer", "OpenedSections", {"deal": bought})["sections"]
    # A member's key opens its own node's desk and no other.
    try:
        with deal.channel("owner", "buyer") as channel:
            channel.ask(SERVICE + "ListDeals", {})
        refused = ""
    except Refused as refusal:
        refused = refusal.code if refusal.status == NOT_ALLOWED else str(refusal)
    print(json.dumps({
        "deal": bought.hex(),
        "fields": len(section["fields"]),
        "documents": [document["name"] for document in section["documents"]],
        "same": deal.read(bought) == document,
        "stranger": refused,
    }))


if __name__ == "__main__":
    main()
