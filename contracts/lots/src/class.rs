//! Material classes: 32 bytes that say what a lot is of, without saying it to who does not know what went in.

use heatmark_merkle::{Hash, tag};
use heatmark_records::RecordId;
use std::collections::BTreeSet;

/// `H("lot-class", network, record)`: what a certificate commissions.
#[must_use]
pub fn certified_class(network: &[u8; 32], record: &RecordId) -> Hash {
    tag::hash("lot-class", &[network, &record.0])
}

/// `H("lot-class-uncertified", network, salt)`: material without a certificate, declared in the event with this salt.
#[must_use]
pub fn uncertified_class(network: &[u8; 32], salt: &[u8; 32]) -> Hash {
    tag::hash("lot-class-uncertified", &[network, salt])
}

/// `H("lot-class-blend", network, salt, class…)`, the classes that went in ascending, each once.
#[must_use]
pub fn blend_class(
    network: &[u8; 32],
    salt: &[u8; 32],
    classes: impl Iterator<Item = Hash>,
) -> Hash {
    let classes: BTreeSet<Hash> = classes.collect();
    let mut parts: Vec<&[u8]> = vec![network, salt];
    parts.extend(classes.iter().map(|class| &class.0[..]));
    tag::hash("lot-class-blend", &parts)
}

/// `H("lot-class-container", …)` or `H("lot-class-product", network, salt, content hash…)`, in the order of the components.
#[must_use]
pub fn assembly_class(
    product: bool,
    network: &[u8; 32],
    salt: &[u8; 32],
    contents: &[Hash],
) -> Hash {
    let mut parts: Vec<&[u8]> = vec![network, salt];
    parts.extend(contents.iter().map(|content| &content.0[..]));
    tag::hash(if product { "lot-class-product" } else { "lot-class-container" }, &parts)
}
