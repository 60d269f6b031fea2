//! Envelopes: HPKE of RFC 9180 in its base mode, one message to a key, with X-Wing (ML-KEM-768 and X25519), HKDF-SHA256 and
//! ChaCha20-Poly1305. Nobody learns from an envelope who sealed it, so whoever cares signs around it. Refuses keys that no
//! seed gives, unknown suites, and any other purpose than the one sealed for. Specification: `proto/README.md` section 17.

#[cfg(test)]
mod tests;

use std::fmt;

use curve25519_dalek::montgomery::MontgomeryPoint;
use heatmark_merkle::tag;
use hkdf::Hkdf;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::SealError;

/// The one suite so far: X-Wing, HKDF-SHA256, ChaCha20-Poly1305.
pub const SUITE: u16 = 1;
/// Bytes of a sealing key: 1,184 of ML-KEM-768 and 32 of X25519.
pub const SEALING_KEY_BYTES: usize = 1_216;
/// Most bytes that one envelope holds.
pub const MAX_SEALED_CONTENT_BYTES: usize = 1 << 20;
/// How many bytes an envelope is longer than what it holds.
pub const ENVELOPE_OVERHEAD_BYTES: usize = SUITE_BYTES + ENCAPSULATED_BYTES + TAG_BYTES;
const SUITE_BYTES: usize = 2;
const ENCAPSULATED_BYTES: usize = 1_120;
const TAG_BYTES: usize = 16;
const X25519_BYTES: usize = 32;

type PublicKey = <XWing as Kem>::PublicKey;
type PrivateKey = <XWing as Kem>::PrivateKey;
type EncappedKey = <XWing as Kem>::EncappedKey;

/// What an envelope is for: a name of the specification, and whatever it must not be taken out of. It opens only for
/// the same one.
#[derive(Clone, Copy, Debug)]
pub struct Purpose<'a> {
    /// The name.
    pub what: &'static str,
    /// Deal, record, section, agent, and so on, in the order of the specification.
    pub parts: &'a [&'a [u8]],
}

impl Purpose<'_> {
    fn info(&self) -> Vec<u8> {
        let what = [self.what.as_bytes()];
        tag::preimage("envelope", &[&what[..], self.parts].concat())
    }
}

/// The key that opens envelopes: X-Wing's seed of 32 bytes.
#[derive(Clone)]
pub struct OpeningKey(PrivateKey);

impl OpeningKey {
    /// A fresh key.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        Self::from_seed(&seed)
    }

    /// The key of a seed: any 32 bytes that nobody else knows.
    ///
    /// # Panics
    /// Never: a seed has the right length.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(PrivateKey::from_bytes(seed).expect("any 32 bytes are a seed of X-Wing"))
    }

    /// The key that follows from a node's secret, for one use (`label`) and the index-th time.
    ///
    /// # Panics
    /// Never: HKDF-SHA256 gives 32 bytes.
    #[must_use]
    pub fn derive(secret: &[u8; 32], label: &str, index: u64) -> Self {
        let info = tag::preimage("opening-key", &[label.as_bytes(), &index.to_be_bytes()]);
        let mut seed = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, secret)
            .expand(&info, seed.as_mut_slice())
            .expect("HKDF-SHA256 gives up to 8160 bytes and 32 are asked for");
        Self::from_seed(&seed)
    }

    /// The seed. Who is shown it can open everything that is sealed to this key, and nothing else.
    #[must_use]
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        let mut seed = Zeroizing::new([0; 32]);
        self.0.write_exact(seed.as_mut_slice());
        seed
    }

    /// What others seal to.
    #[must_use]
    pub fn sealing_key(&self) -> SealingKey {
        SealingKey::of(&XWing::sk_to_pk(&self.0))
    }
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpeningKey")
    }
}

/// The public key that envelopes are sealed to.
#[derive(Clone, PartialEq, Eq)]
pub struct SealingKey(Box<[u8; SEALING_KEY_BYTES]>);

impl SealingKey {
    fn of(key: &PublicKey) -> Self {
        let mut bytes = Box::new([0; SEALING_KEY_BYTES]);
        key.write_exact(bytes.as_mut_slice());
        Self(bytes)
    }

    /// Takes a key in its one encoding.
    ///
    /// # Errors
    /// `BadKey`: another length, a coefficient of ML-KEM not below its modulus (FIPS 203 §7.2), or for X25519 anything but
    /// the canonical encoding of a point of the prime-order subgroup.
    pub fn decode(bytes: &[u8]) -> Result<Self, SealError> {
        let bytes: &[u8; SEALING_KEY_BYTES] = bytes.try_into().map_err(|_| SealError::BadKey)?;
        PublicKey::from_bytes(bytes).map_err(|_| SealError::BadKey)?;
        let curve = bytes.last_chunk::<X25519_BYTES>().ok_or(SealError::BadKey)?;
        let point = MontgomeryPoint(*curve).to_edwards(0).ok_or(SealError::BadKey)?;
        if point.to_montgomery().0 != *curve || !point.is_torsion_free() {
            return Err(SealError::BadKey);
        }
        Ok(Self(Box::new(*bytes)))
    }

    /// The encoding.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; SEALING_KEY_BYTES] {
        &self.0
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", tag::hash("sealing-key", &[self.0.as_slice()]))
    }
}

/// Seals `content` to a key, for one purpose; [`ENVELOPE_OVERHEAD_BYTES`] longer than the content.
///
/// # Errors
/// `TooLong`.
pub fn seal(
    to: &SealingKey,
    purpose: &Purpose<'_>,
    content: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, SealError> {
    if content.len() > MAX_SEALED_CONTENT_BYTES {
        return Err(SealError::TooLong);
    }
    let key = PublicKey::from_bytes(to.as_bytes()).map_err(|_| SealError::BadKey)?;
    let suite = SUITE.to_be_bytes();
    let (encapsulated, sealed) = hpke::single_shot_seal_with_rng::<
        ChaCha20Poly1305,
        HkdfSha256,
        XWing,
    >(&OpModeS::Base, &key, &purpose.info(), content, &suite, rng)
    .map_err(|_| SealError::Refused)?;
    Ok([&suite, encapsulated.to_bytes().as_slice(), &sealed].concat())
}

/// Opens an envelope.
///
/// # Errors
/// [`SealError`]: which of key, purpose and bytes is the wrong one cannot be told.
pub fn open(
    key: &OpeningKey,
    purpose: &Purpose<'_>,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (suite, rest) = sealed.split_first_chunk::<SUITE_BYTES>().ok_or(SealError::TooShort)?;
    match u16::from_be_bytes(*suite) {
        SUITE => {}
        unknown => return Err(SealError::UnknownSuite(unknown)),
    }
    if sealed.len() > MAX_SEALED_CONTENT_BYTES + ENVELOPE_OVERHEAD_BYTES {
        return Err(SealError::TooLong);
    }
    let (encapsulated, content) =
        rest.split_first_chunk::<ENCAPSULATED_BYTES>().ok_or(SealError::TooShort)?;
    if content.len() < TAG_BYTES {
        return Err(SealError::TooShort);
    }
    let encapsulated = EncappedKey::from_bytes(encapsulated).map_err(|_| SealError::Refused)?;
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeR::Base,
        &key.0,
        &encapsulated,
        &purpose.info(),
        content,
        suite,
    )
    .map(Zeroizing::new)
    .map_err(|_| SealError::Refused)
}
