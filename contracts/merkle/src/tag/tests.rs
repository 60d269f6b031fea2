//! Claims about tagged preimages.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests fail loudly")]

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::{hash, preimage};

#[test]
fn preimage_is_tag_then_length_prefixed_parts() {
    let bytes = preimage("key", &[&[0, 0, 0, 1], b"abc"]);
    assert_eq!(
        hex::encode(bytes),
        "0f686561746d61726b2f76312f6b6579000000040000000100000003616263"
    );
}

#[test]
fn transaction_adds_28_bytes_to_an_envelope() {
    assert_eq!(preimage("transaction", &[&[7; 100]]).len(), 128);
}

#[test]
fn preimage_without_parts_is_the_tag() {
    assert_eq!(preimage("x", &[]), b"\x0dheatmark/v1/x");
}

#[test]
fn moving_a_byte_between_parts_changes_the_hash() {
    assert_ne!(hash("key", &[b"ab", b"c"]), hash("key", &[b"a", b"bc"]));
    assert_ne!(hash("key", &[b"abc"]), hash("key", &[b"abc", b""]));
}

proptest! {
    #[test]
    fn streamed_hash_is_the_hash_of_the_preimage(what in "[a-z/-]{1,40}", parts: Vec<Vec<u8>>) {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let whole: [u8; 32] = Sha256::digest(preimage(&what, &parts)).into();
        prop_assert_eq!(hash(&what, &parts).0, whole);
    }
}
