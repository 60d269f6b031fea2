//! The opening of a record: head, secret and fields, from which the whole tree follows. It stays in the issuer's
//! vault; whoever has it can show every field. Refuses two fields of one path, more than 1,000 fields, and
//! encodings that are not canonical. Specification: `proto/README.md` section 9.

#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use heatmark_merkle::{Hash, tag};
use hkdf::Hkdf;
use prost::Message;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::commitment::Blinding;
use crate::head::slot_of;
use crate::{
    Crown, Depth, Head, Heading, Path, RecordError, RecordId, RecordTree, SUITE, Value, wire,
};

/// Most fields in a record.
pub const MAX_FIELDS: usize = 1_000;
/// Longest encoding of an opening, in bytes: 1,000 fields of the longest path and text fit.
pub const MAX_OPENING_BYTES: usize = 17 << 20;
/// Where a certificate states its mass, and where one that was calculated.
const MASS: &str = "product/mass";
const THEORETICAL_MASS: &str = "product/mass/theoretical";
/// A nonce separates the paths with probability of about one in seven.
const MAX_NONCES: u32 = 1_000;

/// The 32 random bytes from which all salts of one record follow. Never used for two records.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    /// Takes 32 bytes from a cryptographic random generator.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn salts(&self, head_hash: &Hash) -> Salts {
        Salts(Hkdf::new(Some(&head_hash.0), self.bytes()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The salts of one record, by path.
pub(crate) struct Salts(Hkdf<Sha256>);

impl Salts {
    pub(crate) fn of(&self, path: &Path) -> [u8; 32] {
        expand(&self.0, &tag::preimage("record-salt", &[path.as_bytes()]))
    }

    /// What hides the numbers of a field, in their order.
    pub(crate) fn blindings(&self, path: &Path, count: usize) -> Vec<Blinding> {
        let blinding = |index: u32| {
            let info = tag::preimage("record-blinding", &[path.as_bytes(), &index.to_be_bytes()]);
            Blinding::from_uniform(&Zeroizing::new(expand(&self.0, &info)))
        };
        (0_u32..).take(count).map(blinding).collect()
    }

    pub(crate) fn filler_key(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(expand(&self.0, &tag::preimage("record-filler-key", &[])))
    }
}

fn expand<const N: usize>(key: &Hkdf<Sha256>, info: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    key.expand(info, &mut out).expect("HKDF-SHA256 gives up to 8160 bytes and fewer are asked for");
    out
}

/// Fields by path, in ascending order of path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(BTreeMap<Path, Value>);

impl Fields {
    /// No fields yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds a field.
    ///
    /// # Errors
    /// `PathTwice`, `TooManyFields`, or what [`Value::check`] refuses; nothing is added then.
    pub fn insert(&mut self, path: Path, value: Value) -> Result<(), RecordError> {
        value.check()?;
        if self.0.contains_key(&path) {
            return Err(RecordError::PathTwice);
        }
        if self.0.len() >= MAX_FIELDS {
            return Err(RecordError::TooManyFields);
        }
        self.0.insert(path, value);
        Ok(())
    }

    /// The value at a path.
    #[must_use]
    pub fn get(&self, path: &Path) -> Option<&Value> {
        self.0.get(path)
    }

    /// The fields, ascending by path.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Path, &Value)> {
        self.0.iter()
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Everything needed to rebuild a record and to show any part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    pub(crate) head: Head,
    pub(crate) secret: Secret,
    pub(crate) fields: Fields,
}

impl Opening {
    /// Fixes depth and slot nonce for these fields, so that absence of `product/mass` can be shown where the mass counts that
    /// was calculated. The nonce is drawn from the secret, so that it tells a reader
    /// of the head nothing that could confirm a guess at the paths.
    ///
    /// # Errors
    /// `NoFields`, `BadForm`, or `NoNonce` (try another secret; it has never been seen to happen).
    pub fn seal(heading: Heading, fields: Fields, secret: Secret) -> Result<Self, RecordError> {
        if fields.is_empty() {
            return Err(RecordError::NoFields);
        }
        let depth = Depth::for_fields(fields.len());
        let nonces = Hkdf::<Sha256>::new(None, secret.bytes());
        let mut head = Head { heading, suite: SUITE, depth, nonce: 0 };
        head.check()?;
        for attempt in 0..MAX_NONCES {
            let info = tag::preimage("record-nonce", &[&attempt.to_be_bytes()]);
            head.nonce = u64::from_be_bytes(expand(&nonces, &info));
            let hash = head.hash();
            let apart = slots(&hash, depth, &fields);
            if apart.is_ok_and(|taken| states_its_mass(&hash, depth, &fields, &taken)) {
                return Ok(Self { head, secret, fields });
            }
        }
        Err(RecordError::NoNonce)
    }

    /// The record's head.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// The record's fields.
    #[must_use]
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Commits to every number and hashes the whole tree: about four blocks of SHA-256 for each of its slots.
    ///
    /// # Errors
    /// `SlotTaken`, `BadForm` or `UnknownSuite` when head and fields make no record.
    pub fn tree(&self) -> Result<RecordTree<'_>, RecordError> {
        self.check_head()?;
        RecordTree::build(self)
    }

    /// The same tree, of which only the crown is there; what is shown is hashed then. Compare its id with the record's.
    ///
    /// # Errors
    /// As [`Opening::tree`]; `WrongLength` when the crown is of another depth.
    pub fn tree_under(&self, crown: &Crown) -> Result<RecordTree<'_>, RecordError> {
        self.check_head()?;
        RecordTree::under(self, crown)
    }

    fn check_head(&self) -> Result<(), RecordError> {
        self.head.check()?;
        if self.fields.is_empty() { Err(RecordError::NoFields) } else { Ok(()) }
    }

    /// Rebuilds the record and gives its id; whoever holds an opening compares that with what was anchored.
    ///
    /// # Errors
    /// As [`Opening::tree`].
    pub fn check(&self) -> Result<RecordId, RecordError> {
        Ok(self.tree()?.id())
    }

    /// The canonical encoding. It contains the secret: encrypt it wherever it rests.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(wire::Opening::from(self).encode_to_vec())
    }

    /// Reads a canonical encoding; whether it makes a record, [`Opening::check`] says.
    ///
    /// # Errors
    /// `TooLong`, `NotCanonical`, or what a part of it refuses.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        wire::decode_opening(bytes)
    }
}

/// Whether it can be shown which mass counts: where only a theoretical one is stated, that there is no other, so that no field
/// stands in that one's slot.
fn states_its_mass(head_hash: &Hash, depth: Depth, fields: &Fields, taken: &[u32]) -> bool {
    let has = |path: &Path| fields.get(path).is_some();
    let (Ok(mass), Ok(theoretical)) = (Path::new(MASS), Path::new(THEORETICAL_MASS)) else {
        return true;
    };
    has(&mass) || !has(&theoretical) || !taken.contains(&slot_of(head_hash, depth, &mass))
}

/// The slot of every field; refuses two in one slot.
pub(crate) fn slots(
    head_hash: &Hash,
    depth: Depth,
    fields: &Fields,
) -> Result<Vec<u32>, RecordError> {
    let mut taken = BTreeSet::new();
    let mut slots = Vec::with_capacity(fields.len());
    for (path, _) in fields.iter() {
        let slot = slot_of(head_hash, depth, path);
        if !taken.insert(slot) {
            return Err(RecordError::SlotTaken);
        }
        slots.push(slot);
    }
    Ok(slots)
}
