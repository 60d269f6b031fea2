//! Documents that a certificate carries within itself: logos, stamps, scans, attachments. A record keeps their
//! digest, length and media type. Refuses what cannot be decoded and images or PDFs that are cut off: what is
//! signed for must be what was sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::fault::What;
use super::json::Json;
use crate::{Document, MAX_TEXT_BYTES};

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// What Base64 of an image or a PDF begins with; forms give images with or without a `data:` before them.
const SIGNATURES: [(&str, &str); 4] = [
    ("iVBORw0KGgo", "image/png"),
    ("/9j/4", "image/jpeg"),
    ("R0lGODlh", "image/gif"),
    ("JVBERi0", "application/pdf"),
];
const MIN_BARE_DOCUMENT_BYTES: usize = 64;

/// The document that a text of a form is: a `data:` URI, Base64 of an image or a PDF, or a text that is too long
/// for a field. `None` when it is a plain text.
pub(super) fn from_text(text: &str) -> Option<Result<Document, What>> {
    if let Some(document) = from_data_uri(text) {
        return Some(document);
    }
    let is_base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/= \r\n\t".contains(&b);
    let signature = SIGNATURES.iter().find(|(start, _)| text.starts_with(start));
    if let Some((_, media_type)) = signature
        && text.len() >= MIN_BARE_DOCUMENT_BYTES
        && text.bytes().all(is_base64)
    {
        return Some(from_base64(text, media_type));
    }
    (text.len() > MAX_TEXT_BYTES).then(|| Ok(from_bytes(text.as_bytes(), "text/plain")))
}

/// The document of a `data:` URI (RFC 2397); `None` when the text is none.
pub(super) fn from_data_uri(text: &str) -> Option<Result<Document, What>> {
    let (header, data) = text.strip_prefix("data:")?.split_once(',')?;
    let media_type = header.split(';').next().unwrap_or_default();
    if header.ends_with(";base64") {
        Some(from_base64(data, media_type))
    } else {
        Some(Ok(from_bytes(data.as_bytes(), media_type)))
    }
}

/// A document given as Base64, with or without line breaks.
pub(super) fn from_base64(data: &str, media_type: &str) -> Result<Document, What> {
    let data: Vec<u8> = data.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(data).map_err(|_| What::BadDocument)?;
    if bytes.is_empty() || !is_whole(&bytes, media_type) {
        return Err(What::BadDocument);
    }
    Ok(from_bytes(&bytes, media_type))
}

/// Whether an attachment has the hash stated beside it, in hexadecimal or Base64 whatever its `Encoding` says;
/// a hash of another algorithm than SHA-256 cannot be told.
pub(super) fn has_stated_hash(document: &Document, hash: Option<&Json>) -> bool {
    let stated = |name| hash.and_then(|hash| hash.text_at(name)).unwrap_or_default();
    let hex: String = document.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let value = stated("Value");
    stated("Algorithm") != "SHA256"
        || value.eq_ignore_ascii_case(&hex)
        || STANDARD.decode(value).is_ok_and(|value| value == document.sha256)
}

pub(super) fn from_bytes(bytes: &[u8], media_type: &str) -> Document {
    let length_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    Document {
        sha256: Sha256::digest(bytes).into(),
        length_bytes,
        media_type: media_type.to_ascii_lowercase(),
    }
}

fn is_whole(bytes: &[u8], media_type: &str) -> bool {
    match media_type.to_ascii_lowercase().as_str() {
        "image/png" => bytes.strip_prefix(PNG_SIGNATURE).is_some_and(has_all_png_chunks),
        "application/pdf" => {
            let tail = bytes.get(bytes.len().saturating_sub(1024)..).unwrap_or(bytes);
            bytes.starts_with(b"%PDF-") && tail.windows(5).any(|window| window == b"%%EOF")
        }
        "image/jpeg" | "image/jpg" => {
            bytes.starts_with(&[0xff, 0xd8]) && bytes.windows(2).any(|w| w == [0xff, 0xd9])
        }
        _ => true,
    }
}

/// Whether a PNG's chunks run from IHDR to IEND (PNG specification, third edition, §5).
fn has_all_png_chunks(mut bytes: &[u8]) -> bool {
    if bytes.get(4..8) != Some(b"IHDR") {
        return false;
    }
    while let Some((head, rest)) = bytes.split_first_chunk::<8>() {
        let [a, b, c, d, kind @ ..] = *head;
        let data_and_checksum = usize::try_from(u32::from_be_bytes([a, b, c, d]))
            .unwrap_or(usize::MAX)
            .saturating_add(4);
        let Some((_, after)) = rest.split_at_checked(data_and_checksum) else { return false };
        if kind == *b"IEND" {
            return true;
        }
        bytes = after;
    }
    false
}
