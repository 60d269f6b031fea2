//! The head of a record: whose it is, of what form, which alert key speaks of it, and where its fields stand.
//! Every leaf's preimage begins with the head's hash, so that no leaf or tree serves in another record.
//! Specification: `proto/README.md` section 9.

use heatmark_merkle::{Hash, tag};
use prost::Message;

use crate::{Path, RecordError, wire};

/// The suite of algorithms: SHA-256, HKDF-SHA256, numbers committed to on Ristretto255 within their salted leaf.
/// (Suite 1, with numbers in the clear there, was never in force.)
pub const SUITE: u32 = 2;
const MAX_FORM_BYTES: usize = 64;

/// How deep a record's tree is; the tree has 2^depth slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// 4,096 slots, for up to 120 fields.
    Twelve,
    /// 32,768 slots, for up to 350 fields.
    Fifteen,
    /// 262,144 slots, for up to 1,000 fields.
    Eighteen,
}

impl Depth {
    pub(crate) const ALL: [Self; 3] = [Self::Twelve, Self::Fifteen, Self::Eighteen];

    /// The smallest depth for so many fields.
    #[must_use]
    pub const fn for_fields(count: usize) -> Self {
        match count {
            0..=120 => Self::Twelve,
            121..=350 => Self::Fifteen,
            _ => Self::Eighteen,
        }
    }

    /// Reads a depth.
    ///
    /// # Errors
    /// `BadDepth` when it is not 12, 15 or 18.
    pub const fn from_bits(bits: u32) -> Result<Self, RecordError> {
        match bits {
            12 => Ok(Self::Twelve),
            15 => Ok(Self::Fifteen),
            18 => Ok(Self::Eighteen),
            _ => Err(RecordError::BadDepth),
        }
    }

    /// The depth as a count of levels below the root.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Twelve => 12,
            Self::Fifteen => 15,
            Self::Eighteen => 18,
        }
    }

    /// How many slots the tree has.
    #[must_use]
    pub const fn slots(self) -> u32 {
        match self {
            Self::Twelve => 4_096,
            Self::Fifteen => 32_768,
            Self::Eighteen => 262_144,
        }
    }
}

/// What the issuer says about a record as a whole; chosen before its fields are placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// The network's id.
    pub network: [u8; 32],
    /// The form of certificate that the fields come from, such as `Metals 0.1.1`; 1 to 64 printable ASCII characters.
    pub form: String,
    /// Member id of the issuer.
    pub issuer: [u8; 32],
    /// Hash of the public key that raises and clears alerts on this record: `H("alert-subject", key)`.
    pub alert_subject: [u8; 32],
    /// Hash of the seal that commissions this certificate's material, where it has one.
    pub origin_seal: Option<[u8; 32]>,
}

/// A heading with the place of its fields fixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub(crate) heading: Heading,
    pub(crate) suite: u32,
    pub(crate) depth: Depth,
    pub(crate) nonce: u64,
}

impl Head {
    /// What the issuer says about the record as a whole.
    #[must_use]
    pub const fn heading(&self) -> &Heading {
        &self.heading
    }

    /// The suite of algorithms that made the record.
    #[must_use]
    pub const fn suite(&self) -> u32 {
        self.suite
    }

    /// How deep the tree is.
    #[must_use]
    pub const fn depth(&self) -> Depth {
        self.depth
    }

    /// The number that gives every path of the record a slot of its own.
    #[must_use]
    pub const fn nonce(&self) -> u64 {
        self.nonce
    }

    /// `H("record-head", suite, network, form, issuer, alert subject, origin seal or nothing, depth, nonce)`.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let depth = u8::try_from(self.depth.bits()).unwrap_or(u8::MAX);
        tag::hash(
            "record-head",
            &[
                &self.suite.to_be_bytes(),
                &self.heading.network,
                self.heading.form.as_bytes(),
                &self.heading.issuer,
                &self.heading.alert_subject,
                self.heading.origin_seal.as_ref().map_or(&[][..], |seal| seal),
                &[depth],
                &self.nonce.to_be_bytes(),
            ],
        )
    }

    /// The id of the record with this head and a tree of fields of this root.
    #[must_use]
    pub fn record_id(&self, root: &Hash) -> crate::RecordId {
        crate::tree::record_id(&self.hash(), root)
    }

    /// The canonical encoding of the message `Head`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::Head::from(self).encode_to_vec()
    }

    /// Reads a canonical encoding.
    ///
    /// # Errors
    /// `TooLong`, `NotCanonical`, or what a part of it refuses.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        wire::decode_head_bytes(bytes)
    }

    pub(crate) fn check(&self) -> Result<(), RecordError> {
        let form = &self.heading.form;
        if self.suite != SUITE {
            return Err(RecordError::UnknownSuite);
        }
        let printable = form.bytes().all(|b| (b' '..=b'~').contains(&b));
        if form.is_empty() || form.len() > MAX_FORM_BYTES || !printable {
            return Err(RecordError::BadForm);
        }
        Ok(())
    }
}

/// The slot of a path: the first `depth` bits of `H("record-slot", head hash, path)`.
pub(crate) fn slot_of(head_hash: &Hash, depth: Depth, path: &Path) -> u32 {
    let hash = tag::hash("record-slot", &[&head_hash.0, path.as_bytes()]);
    let first = hash.0.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes));
    first.checked_shr(32_u32.saturating_sub(depth.bits())).unwrap_or(0)
}
