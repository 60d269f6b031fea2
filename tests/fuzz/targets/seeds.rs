//! Real encodings: the golden files that both verifiers agree on, and messages written by hand
//! where a crate keeps their types to itself.

use heatmark_ledger::genesis::Genesis;
use heatmark_ledger::messages as pb;
use heatmark_ledger::receipt::{self, TrustRoot};
use prost::Message;
use serde_json::Value;
use std::path::PathBuf;

pub(crate) fn place(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn golden(name: &str) -> Value {
    let file = place("tests/vectors").join(name);
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

pub(crate) fn encodings() -> Value {
    golden("encodings.json")
}

pub(crate) fn disclosures() -> Value {
    golden("disclosures.json")
}

pub(crate) fn agreements() -> Value {
    golden("agreements.json")
}

pub(crate) fn tree() -> Value {
    golden("tree.json")
}

pub(crate) fn map() -> Value {
    golden("map.json")
}

/// Keys, envelopes, dealings and contents of an escrow.
pub(crate) fn sealed() -> Value {
    golden("envelopes.json")
}

/// Envelopes that execution took or refused, all of them well formed.
pub(crate) fn envelopes() -> Vec<Vec<u8>> {
    let of_encodings = encodings();
    let of_encodings = list(&of_encodings["transactions"]).iter().map(|t| bytes(&t["envelope"]));
    let goldens = [golden("transactions.json"), golden("deals.json")];
    let of_cases = goldens
        .iter()
        .flat_map(|golden| list(&golden["cases"]))
        .filter(|case| case["refused"].is_null())
        .map(|case| bytes(&case["envelope"]));
    of_encodings.chain(of_cases).collect()
}

/// What the state keeps of deals.
pub(crate) fn deal_states() -> Vec<Vec<u8>> {
    list(&golden("deals.json")["states"]).iter().map(|state| bytes(&state["value"])).collect()
}

/// The founding document of the golden chain, and its certified blocks in order.
pub(crate) fn chain() -> (Genesis, Vec<Vec<u8>>) {
    let golden = golden("transactions.json");
    let text = golden["genesis"].as_str().unwrap();
    let blocks = list(&golden["blocks"]).iter().map(bytes).collect();
    (Genesis::parse(text.as_bytes()).unwrap(), blocks)
}

pub(crate) fn trust() -> TrustRoot {
    TrustRoot::from_genesis(&chain().0)
}

pub(crate) fn genesis_texts() -> Vec<Vec<u8>> {
    let golden = golden("genesis.json");
    let parse = list(&golden["cases"]).iter().filter(|case| case["parses"] == true);
    parse.map(|case| case["text"].as_str().unwrap().as_bytes().to_vec()).collect()
}

/// Evidence of a kind, with the trust root that it verifies against.
pub(crate) struct Evidence {
    pub(crate) trust: TrustRoot,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn receipts() -> Vec<Evidence> {
    let golden = golden("receipts.json");
    let found: Vec<Evidence> = list(&golden["cases"])
        .iter()
        .filter(|case| case["expect"] == "ok")
        .filter_map(|case| {
            let text = case["trust"].as_str().unwrap();
            let trust = if case["trust_kind"] == "genesis" {
                TrustRoot::from_genesis(&Genesis::parse(text.as_bytes()).ok()?)
            } else {
                TrustRoot::from_pinned(&hex::decode(text).ok()?).ok()?
            };
            // Some cases hold other evidence than a receipt.
            let bytes = hex::decode(case["receipt"].as_str()?).ok()?;
            receipt::verify_bytes(&bytes, &trust).ok()?;
            Some(Evidence { trust, bytes })
        })
        .collect();
    assert!(found.len() > 3, "{} receipts verify", found.len());
    found
}

/// Pinned headers.
pub(crate) fn pinned() -> Vec<Vec<u8>> {
    let golden = golden("receipts.json");
    let cases = list(&golden["cases"]).iter();
    let bytes = cases.filter_map(|case| hex::decode(case["trust"].as_str()?).ok());
    bytes.filter(|bytes| TrustRoot::from_pinned(bytes).is_ok()).collect()
}

/// A message of a receipt's parts.
pub(crate) fn receipt_message() -> pb::Receipt {
    let longest = receipts().into_iter().max_by_key(|receipt| receipt.bytes.len()).unwrap();
    pb::Receipt::decode(longest.bytes.as_slice()).unwrap()
}

/// A field of a message written by hand.
pub(crate) enum Field {
    Number(u32, u64),
    Bytes(u32, Vec<u8>),
}

pub(crate) fn written(fields: &[Field]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields {
        match field {
            Field::Number(tag, number) => {
                prost::encoding::encode_varint(u64::from(*tag) << 3, &mut out);
                prost::encoding::encode_varint(*number, &mut out);
            }
            Field::Bytes(tag, bytes) => {
                prost::encoding::encode_varint(u64::from(*tag) << 3 | 2, &mut out);
                prost::encoding::encode_varint(bytes.len() as u64, &mut out);
                out.extend(bytes);
            }
        }
    }
    out
}
