//! The hash of a capsule: 64 hexadecimal digits alone, after `urn:heatmark:capsule:`, or at the end of a link's path.

use crate::reading::Capsule;

const URN: &str = "urn:heatmark:capsule:";

/// Reads a hash that can be nothing else.
pub(super) fn read(text: &str) -> Option<Capsule> {
    let after_urn = text
        .split_at_checked(URN.len())
        .filter(|(start, _)| start.eq_ignore_ascii_case(URN))
        .map(|(_, hash)| hash);
    if after_urn.is_some() {
        return after_urn.and_then(hash);
    }
    if super::link::is_link(text) {
        let path = text.split(['?', '#']).next()?;
        return path.rsplit_once('/').and_then(|(_, last)| hash(last));
    }
    // Digits alone may be an element string as well.
    if all_digits(text).is_some() { None } else { hash(text) }
}

/// Reads a hash that happens to consist of decimal digits, which is next to impossible, and yet.
pub(super) fn all_digits(text: &str) -> Option<Capsule> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| hash(text)).flatten()
}

fn hash(text: &str) -> Option<Capsule> {
    if text.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        // The parser would take a sign.
        if !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(Capsule(bytes))
}
