//! Serials: a tree of salted serials, of which a lot holds ranges of places. A label proves its own serial and says nothing of
//! the others; a million serials cost the tree's root. Whoever sees the lot sees the ranges, and with them its pieces.
//! Refuses ranges out of order, overlapping, touching or beyond the tree.

mod branch;

pub use branch::{BRANCH_SERIALS, SerialBranch, serial_root};

use heatmark_merkle::batch::{self, BatchTree};
use heatmark_merkle::{Hash, tag};
use hkdf::Hkdf;
use prost::Message;
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

use crate::{LotError, wire};

/// Most serials in a tree.
pub const MAX_SERIALS: usize = batch::MAX_RECORDS;
/// Most ranges of one lot.
pub const MAX_RANGES: usize = 256;
/// Longest serial in bytes.
pub const MAX_SERIAL_BYTES: usize = 64;
/// A path in a tree of a million leaves has twenty hashes.
const MAX_PATH: usize = 20;
const MAX_PROOF_BYTES: usize = 1 << 10;

/// Places `first` to `first + count − 1` of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// The first place.
    pub first: u32,
    /// How many, at least one.
    pub count: u32,
}

impl Range {
    fn end(self) -> u64 {
        u64::from(self.first).saturating_add(u64::from(self.count))
    }
}

/// Ranges in ascending order, of which no two overlap or touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranges(Vec<Range>);

impl Ranges {
    /// Takes ranges of a tree of `places`.
    ///
    /// # Errors
    /// `Serials` when there are none or more than [`MAX_RANGES`], or they are out of order, touch, overlap or leave the tree.
    pub fn new(ranges: Vec<Range>, places: u32) -> Result<Self, LotError> {
        let mut free: u64 = 0;
        for (number, range) in ranges.iter().enumerate() {
            let apart = number == 0 || u64::from(range.first) > free;
            if range.count == 0 || !apart || range.end() > u64::from(places) {
                return Err(LotError::Serials);
            }
            free = range.end();
        }
        if ranges.is_empty() || ranges.len() > MAX_RANGES {
            return Err(LotError::Serials);
        }
        Ok(Self(ranges))
    }

    /// The ranges.
    #[must_use]
    pub fn as_slice(&self) -> &[Range] {
        &self.0
    }

    /// How many places they cover.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |total, range| total.saturating_add(u64::from(range.count)))
    }

    fn covers(&self, range: Range) -> bool {
        // A hostile event has tens of thousands of ranges, so that they are not looked at one by one.
        let behind = self.0.partition_point(|own| own.first <= range.first);
        let own = behind.checked_sub(1).and_then(|at| self.0.get(at));
        own.is_some_and(|own| range.end() <= own.end())
    }
}

/// The serials that a lot's pieces carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serials {
    /// Root of the tree.
    pub root: Hash,
    /// How many serials the whole tree has.
    pub count: u32,
    /// Which of them this lot has.
    pub ranges: Ranges,
}

/// The ranges of all lots of one tree put together; refuses two that overlap.
fn union<'a>(serials: impl Iterator<Item = &'a Serials>) -> Result<Vec<Range>, LotError> {
    let mut all: Vec<Range> =
        serials.flat_map(|serials| serials.ranges.0.iter().copied()).collect();
    all.sort_unstable();
    let mut joined: Vec<Range> = Vec::with_capacity(all.len());
    for range in all {
        match joined.last_mut() {
            Some(last) if last.end() > u64::from(range.first) => return Err(LotError::Serials),
            Some(last) if last.end() == u64::from(range.first) => {
                last.count = last.count.saturating_add(range.count);
            }
            _ => joined.push(range),
        }
    }
    Ok(joined)
}

/// Checks that the serials of what comes out are apart, and are of those that went in or of a new tree, which are listed.
///
/// # Errors
/// `Serials`.
pub(crate) fn follow(
    inputs: &[&Serials],
    outputs: &[&Serials],
    may_begin: bool,
) -> Result<Vec<Hash>, LotError> {
    let mut roots: Vec<Hash> = outputs.iter().map(|serials| serials.root).collect();
    roots.sort_unstable();
    roots.dedup();
    let mut begun = Vec::new();
    for root in roots {
        let of_root = |serials: &&&Serials| serials.root == root;
        let mut counts = inputs.iter().chain(outputs).filter(of_root).map(|serials| serials.count);
        let first = counts.next();
        if counts.any(|count| Some(count) != first) {
            return Err(LotError::Serials);
        }
        let out = union(outputs.iter().filter(of_root).copied())?;
        if inputs.iter().any(|serials| serials.root == root) {
            let held = Ranges(union(inputs.iter().filter(of_root).copied())?);
            if !out.iter().all(|range| held.covers(*range)) {
                return Err(LotError::Serials);
            }
        } else if may_begin {
            begun.push(root);
        } else {
            return Err(LotError::Serials);
        }
    }
    Ok(begun)
}

/// The 32 random bytes from which the salts of one tree follow. Never used for two trees.
#[derive(Clone)]
pub struct SerialSecret(Zeroizing<[u8; 32]>);

impl SerialSecret {
    /// Takes 32 bytes from a cryptographic random generator.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    fn salts(&self) -> Hkdf<Sha256> {
        Hkdf::new(None, &*self.0)
    }
}

impl fmt::Debug for SerialSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SerialSecret")
    }
}

/// `HKDF(secret, no salt, "heatmark/v1/serial-salt" ‖ u32be place)`.
fn salt(salts: &Hkdf<Sha256>, place: u32) -> [u8; 32] {
    let mut out = [0; 32];
    salts
        .expand_multi_info(&[b"heatmark/v1/serial-salt", &place.to_be_bytes()], &mut out)
        .expect("HKDF-SHA256 gives up to 8160 bytes and 32 are asked for");
    out
}

/// `H("serial", salt, serial)`, which stands in the tree as a record root does in a batch.
fn serial_hash(salt: &[u8; 32], serial: &str) -> Hash {
    tag::hash("serial", &[salt, serial.as_bytes()])
}

fn check_serial(serial: &str) -> Result<(), LotError> {
    let printable = serial.bytes().all(|byte| (b'!'..=b'~').contains(&byte));
    if !serial.is_empty() && serial.len() <= MAX_SERIAL_BYTES && printable {
        Ok(())
    } else {
        Err(LotError::NotCanonical)
    }
}

/// A tree of serials in memory, to hand out the proof of every label.
pub struct SerialTree {
    tree: BatchTree,
    serials: Vec<String>,
    salts: Hkdf<Sha256>,
}

impl SerialTree {
    /// Builds the tree over serials in their order.
    ///
    /// # Errors
    /// `NotCanonical` for a serial that is not 1 to 64 printable ASCII characters without a space, `Serials` when there are
    /// none, too many, or one twice.
    pub fn new(serials: Vec<String>, secret: &SerialSecret) -> Result<Self, LotError> {
        let mut seen: Vec<&str> = serials.iter().map(String::as_str).collect();
        seen.iter().try_for_each(|serial| check_serial(serial))?;
        seen.sort_unstable();
        let twice = seen.array_windows::<2>().any(|[left, right]| left == right);
        if twice || serials.len() > MAX_SERIALS {
            return Err(LotError::Serials);
        }
        let salts = secret.salts();
        let leaves: Vec<Hash> = (0_u32..)
            .zip(&serials)
            .map(|(place, serial)| serial_hash(&salt(&salts, place), serial))
            .collect();
        let tree = BatchTree::new(&leaves).map_err(|_| LotError::Serials)?;
        Ok(Self { tree, serials, salts })
    }

    /// What a lot with these ranges of the tree holds.
    ///
    /// # Errors
    /// `Serials`, as [`Ranges::new`].
    pub fn serials(&self, ranges: Vec<Range>) -> Result<Serials, LotError> {
        let count = u32::try_from(self.serials.len()).map_err(|_| LotError::Serials)?;
        Ok(Serials { root: self.tree.root(), count, ranges: Ranges::new(ranges, count)? })
    }

    /// The proof of the serial at a place; none when the tree has no such place.
    #[must_use]
    pub fn prove(&self, place: u32) -> Option<SerialProof> {
        let serial = self.serials.get(usize::try_from(place).ok()?)?.clone();
        let path = self.tree.path(place)?;
        Some(SerialProof { serial, place, salt: salt(&self.salts, place), path })
    }
}

impl fmt::Debug for SerialTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SerialTree({} serials)", self.serials.len())
    }
}

/// What a label proves: its serial, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialProof {
    /// The serial as the label has it.
    pub serial: String,
    /// Its place in the tree.
    pub place: u32,
    /// The salt of its leaf.
    pub salt: [u8; 32],
    /// The hashes from leaf to root.
    pub path: Vec<Hash>,
}

impl SerialProof {
    /// Checks that the piece with this serial is one of a lot's.
    ///
    /// # Errors
    /// `WrongSerial`.
    pub fn verify(&self, serials: &Serials) -> Result<(), LotError> {
        let held = serials.ranges.covers(Range { first: self.place, count: 1 });
        let hash = serial_hash(&self.salt, &self.serial);
        let stands = batch::verify(&hash, self.place, serials.count, &self.path, &serials.root);
        if held && stands.is_ok() { Ok(()) } else { Err(LotError::WrongSerial) }
    }

    /// The canonical encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let path = self.path.iter().flat_map(|hash| hash.0).collect();
        let (serial, salt) = (self.serial.clone(), self.salt.to_vec());
        wire::SerialProof { serial, place: self.place, salt, path }.encode_to_vec()
    }

    /// Reads a canonical encoding.
    ///
    /// # Errors
    /// `TooLong` or `NotCanonical`.
    pub fn decode(bytes: &[u8]) -> Result<Self, LotError> {
        let message: wire::SerialProof = wire::decode(bytes, MAX_PROOF_BYTES)?;
        check_serial(&message.serial)?;
        let (path, rest) = message.path.as_chunks::<32>();
        if !rest.is_empty() || path.len() > MAX_PATH {
            return Err(LotError::NotCanonical);
        }
        Ok(Self {
            serial: message.serial,
            place: message.place,
            salt: wire::exactly(&message.salt)?,
            path: path.iter().copied().map(Hash).collect(),
        })
    }
}
