//! An NFC tag's record as a reader hands over its bytes: NDEF, text or link (NFC Forum RTD Text 1.0, RTD URI 1.0).
//! The first record counts; its kind is told from its first byte, with which no text begins.

use crate::error::ScanError;

/// Well-known type, first record of the message.
const FIRST_WELL_KNOWN: u8 = 0x81;
/// Bits of the first byte that must be so: message begin, and the three of the type's kind.
const FIRST_WELL_KNOWN_MASK: u8 = 0x87;
/// The length of the payload is one byte.
const SHORT: u8 = 0x10;
/// There is an id.
const HAS_ID: u8 = 0x08;
/// The payload goes on in the next record.
const CHUNKED: u8 = 0x20;

/// The abbreviations of links that labels use, by their code.
const ABBREVIATIONS: &[(u8, &str)] = &[
    (0x00, ""),
    (0x01, "http://www."),
    (0x02, "https://www."),
    (0x03, "http://"),
    (0x04, "https://"),
    (0x13, "urn:"),
];

/// The text or link of a record; `None` when these bytes are no record.
pub(super) fn text_of(bytes: &[u8]) -> Option<Result<String, ScanError>> {
    let (header, rest) = bytes.split_first()?;
    let is_record =
        header & FIRST_WELL_KNOWN_MASK == FIRST_WELL_KNOWN && std::str::from_utf8(bytes).is_err();
    is_record.then(|| payload(*header, rest).ok_or(ScanError::OtherRecord))
}

fn payload(header: u8, rest: &[u8]) -> Option<String> {
    if header & CHUNKED != 0 {
        return None;
    }
    let (type_length, rest) = rest.split_first()?;
    let (payload_length, rest) = if header & SHORT == 0 {
        let (length, rest) = rest.split_first_chunk::<4>()?;
        (usize::try_from(u32::from_be_bytes(*length)).ok()?, rest)
    } else {
        let (length, rest) = rest.split_first()?;
        (usize::from(*length), rest)
    };
    let (id_length, rest) = if header & HAS_ID == 0 {
        (0, rest)
    } else {
        let (length, rest) = rest.split_first()?;
        (usize::from(*length), rest)
    };
    let (kind, rest) = rest.split_at_checked(usize::from(*type_length))?;
    let (_, rest) = rest.split_at_checked(id_length)?;
    let (payload, _) = rest.split_at_checked(payload_length)?;
    let (first, rest) = payload.split_first()?;
    match kind {
        // The highest bit says UTF-16, in which nobody writes ASCII on a small tag.
        b"T" if first & 0x80 == 0 => {
            let (_, text) = rest.split_at_checked(usize::from(first & 0x3f))?;
            String::from_utf8(text.to_vec()).ok()
        }
        b"U" => {
            let (_, start) = ABBREVIATIONS.iter().find(|(code, _)| code == first)?;
            Some(format!("{start}{}", std::str::from_utf8(rest).ok()?))
        }
        _ => None,
    }
}
