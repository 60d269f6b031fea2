//! Secrets that a webhook's receiver shares with this node, and what is signed with them: HMAC-SHA256 over id, time and content, a
//! full stop between them. Several secrets sign everything, so that a receiver can be moved from one to the next.

use super::WebhookError;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::ops::RangeInclusive;
use zeroize::Zeroizing;

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// Bytes of a secret.
const SECRET_BYTES: RangeInclusive<usize> = 24..=64;

/// Secrets in one file.
const MAX_SECRETS: usize = 4;

/// Base64 as people give it: with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Keys that everything is signed with.
pub(super) struct Secrets(Vec<Hmac<Sha256>>);

impl Secrets {
    /// Reads secrets, one a line.
    ///
    /// # Errors
    /// [`WebhookError::NotASecret`].
    pub(super) fn parse(text: &[u8]) -> Result<Self, WebhookError> {
        let text = std::str::from_utf8(text).map_err(|_| WebhookError::NotASecret)?;
        let mut keys = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let encoded = line.strip_prefix(PREFIX).ok_or(WebhookError::NotASecret)?;
            let secret = BASE64.decode(encoded).map_err(|_| WebhookError::NotASecret)?;
            let secret = Zeroizing::new(secret);
            if !SECRET_BYTES.contains(&secret.len()) {
                return Err(WebhookError::NotASecret);
            }
            keys.push(Hmac::new_from_slice(&secret).map_err(|_| WebhookError::NotASecret)?);
        }
        if keys.is_empty() || keys.len() > MAX_SECRETS {
            return Err(WebhookError::NotASecret);
        }
        Ok(Self(keys))
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The header `webhook-signature`. An id has no full stop in it, so that nothing else has the same signed bytes.
    pub(super) fn sign(&self, id: &str, seconds: u64, content: &[u8]) -> String {
        let signatures = self.0.iter().map(|key| {
            let mut mac = key.clone();
            mac.update(format!("{id}.{seconds}.").as_bytes());
            mac.update(content);
            format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}
