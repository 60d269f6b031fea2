//! The tree of a record: 2^depth leaves, each a salted field or a salted filler, folded as RFC 9162 does.
//! Fillers are hashed from saved midstates, which changes no byte of what is hashed and takes a third of the time.
//! Specification: `proto/README.md` section 9.

#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

use heatmark_merkle::tree::{leaf_hash, node_hash};
use heatmark_merkle::{Hash, tag};
use sha2::block_api::compress256;
use zeroize::Zeroizing;

use crate::commitment::{Commitment, commit_all};
use crate::head::slot_of;
use crate::opening::{Opening, Salts, slots};
use crate::proof::Said;
use crate::{Decimal, Depth, FieldProof, Path, RecordError, RecordId, Value};

/// A record's tree: shows fields without hashing more of it than is asked for.
#[derive(Debug)]
pub struct RecordTree<'a> {
    opening: &'a Opening,
    head_hash: Hash,
    /// The levels from `height` above the leaves up; the last one is the root alone.
    levels: Vec<Vec<Hash>>,
    /// 0 in a tree that was hashed as a whole, so that its first level are the leaves.
    height: u32,
    root: Hash,
}

/// The nodes half-way up a record's tree: whoever keeps them beside the opening hashes only the small trees below those that it
/// shows something of. They follow from the opening and are as secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Crown(Vec<Hash>);

impl Crown {
    /// The nodes in their order, 32 bytes each: 2 kB up to 120 fields, 16 kB at most.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.iter().flat_map(|hash| hash.0).collect())
    }

    /// Reads what [`Crown::encode`] wrote. Whether it is the crown of a record, [`Opening::tree_under`] and the id it gives say.
    ///
    /// # Errors
    /// `WrongLength` when it is the crown of no tree.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        let known = |depth: &Depth| depth.slots() >> below_crown(*depth);
        let known =
            Depth::ALL.iter().map(known).any(|count| usize::try_from(count) == Ok(hashes.len()));
        if !known || !rest.is_empty() {
            return Err(RecordError::WrongLength);
        }
        Ok(Self(hashes.iter().copied().map(Hash).collect()))
    }
}

impl fmt::Debug for Crown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Crown")
    }
}

/// How far the crown is above the leaves.
const fn below_crown(depth: Depth) -> u32 {
    depth.bits() / 2
}

impl<'a> RecordTree<'a> {
    pub(crate) fn build(opening: &'a Opening) -> Result<Self, RecordError> {
        let head_hash = opening.head.hash();
        let leaves = leaves(opening, &head_hash, 0..opening.head.depth.slots())?;
        Self::over(opening, head_hash, leaves, 0)
    }

    pub(crate) fn under(opening: &'a Opening, crown: &Crown) -> Result<Self, RecordError> {
        let depth = opening.head.depth;
        let height = below_crown(depth);
        if usize::try_from(depth.slots() >> height) != Ok(crown.0.len()) {
            return Err(RecordError::WrongLength);
        }
        Self::over(opening, opening.head.hash(), crown.0.clone(), height)
    }

    fn over(
        opening: &'a Opening,
        head_hash: Hash,
        first: Vec<Hash>,
        height: u32,
    ) -> Result<Self, RecordError> {
        let levels = levels(first);
        let root = *levels.last().and_then(|level| level.first()).ok_or(RecordError::BadDepth)?;
        Ok(Self { opening, head_hash, levels, height, root })
    }

    /// The nodes to keep beside the opening, so that showing costs less.
    ///
    /// # Errors
    /// `BadDepth`, which does not happen.
    pub fn crown(&self) -> Result<Crown, RecordError> {
        let above = below_crown(self.opening.head.depth).saturating_sub(self.height);
        let level = usize::try_from(above).ok().and_then(|above| self.levels.get(above));
        level.cloned().map(Crown).ok_or(RecordError::BadDepth)
    }

    /// The root of the tree of fields, without the head.
    #[must_use]
    pub const fn root(&self) -> &Hash {
        &self.root
    }

    /// The record's id: `H("record", head hash, tree root)`.
    #[must_use]
    pub fn id(&self) -> RecordId {
        record_id(&self.head_hash, &self.root)
    }

    /// Shows what the record says of a path: its value, or that there is none.
    ///
    /// # Errors
    /// `SlotTaken` when the path is absent and its slot holds another field, which is then not shown in its stead; `WrongRoot`
    /// when the crown that this tree was begun from is not its opening's.
    pub fn show(&self, path: &Path) -> Result<FieldProof, RecordError> {
        let salts = self.opening.secret.salts(&self.head_hash);
        let Some(value) = self.opening.fields.get(path) else { return self.show_absent(path) };
        let blindings = salts.blindings(path, value.numbers().len());
        self.proof(path, Said::Shown { value: value.clone(), blindings }, salts.of(path))
    }

    /// Shows of a result everything but its numbers: unit, shape, relations, decimal places and the commitments.
    /// About a field without numbers it shows what [`Self::show`] does.
    ///
    /// # Errors
    /// As [`Self::show`].
    pub fn show_committed(&self, path: &Path) -> Result<FieldProof, RecordError> {
        let salts = self.opening.secret.salts(&self.head_hash);
        match self.opening.fields.get(path) {
            Some(Value::Measured(measured)) if measured.quantity.figures().next().is_some() => {
                let numbers: Vec<i128> =
                    measured.quantity.figures().map(Decimal::mantissa).collect();
                let blindings = salts.blindings(path, numbers.len());
                let commitments = commit_all(numbers.into_iter().zip(&blindings));
                let said = Said::Committed(measured.committed(&commitments)?);
                self.proof(path, said, salts.of(path))
            }
            _ => self.show(path),
        }
    }

    fn show_absent(&self, path: &Path) -> Result<FieldProof, RecordError> {
        let Opening { head, secret, fields } = self.opening;
        let slot = slot_of(&self.head_hash, head.depth, path);
        if fields.iter().any(|(held, _)| slot_of(&self.head_hash, head.depth, held) == slot) {
            return Err(RecordError::SlotTaken);
        }
        let filler_key = secret.salts(&self.head_hash).filler_key();
        let salt = Fillers::new(&self.head_hash, &filler_key).salt(slot);
        self.proof(path, Said::Absent, salt)
    }

    fn proof(&self, path: &Path, said: Said, salt: [u8; 32]) -> Result<FieldProof, RecordError> {
        let slot = slot_of(&self.head_hash, self.opening.head.depth, path);
        Ok(FieldProof { path: path.clone(), said, salt, siblings: self.siblings(slot)? })
    }

    fn siblings(&self, slot: u32) -> Result<Vec<Hash>, RecordError> {
        let subtree = slot >> self.height;
        let mut hashes =
            if self.height == 0 { Vec::new() } else { self.siblings_below(subtree, slot)? };
        hashes.extend(siblings(&self.levels, subtree));
        Ok(hashes)
    }

    /// Hashes one subtree below the crown, and makes sure that it is the crown's.
    fn siblings_below(&self, subtree: u32, slot: u32) -> Result<Vec<Hash>, RecordError> {
        let first = subtree << self.height;
        let slots = first..first.saturating_add(1 << self.height);
        let levels = levels(leaves(self.opening, &self.head_hash, slots)?);
        let known = usize::try_from(subtree).ok().and_then(|at| self.levels.first()?.get(at));
        if known.is_none() || levels.last().and_then(|level| level.first()) != known {
            return Err(RecordError::WrongRoot);
        }
        Ok(siblings(&levels, slot.saturating_sub(first)).collect())
    }
}

/// The leaves of some slots, in their order.
fn leaves(
    opening: &Opening,
    head_hash: &Hash,
    wanted: Range<u32>,
) -> Result<Vec<Hash>, RecordError> {
    let salts = opening.secret.salts(head_hash);
    let fillers = Fillers::new(head_hash, &salts.filler_key());
    let mut leaves: Vec<Hash> = wanted.clone().map(|slot| fillers.leaf(slot)).collect();
    let slots = slots(head_hash, opening.head.depth, &opening.fields)?;
    let fields: Vec<_> = slots
        .into_iter()
        .zip(opening.fields.iter())
        .filter(|(slot, _)| wanted.contains(slot))
        .collect();
    let commitments = commit(fields.iter().map(|(_, field)| *field), &salts);
    let mut commitments = commitments.as_slice();
    for (slot, (path, value)) in fields {
        let count = value.numbers().len();
        let (own, rest) = commitments.split_at_checked(count).ok_or(RecordError::WrongLength)?;
        commitments = rest;
        let leaf = field_leaf(head_hash, path, &salts.of(path), &value.leaf(own)?);
        let place = usize::try_from(slot.saturating_sub(wanted.start)).ok();
        *place.and_then(|place| leaves.get_mut(place)).ok_or(RecordError::BadDepth)? = leaf;
    }
    Ok(leaves)
}

/// A level, and all above it.
fn levels(first: Vec<Hash>) -> Vec<Vec<Hash>> {
    let mut levels = vec![first];
    while let Some(level) = levels.last().filter(|level| level.len() > 1) {
        levels.push(level.chunks_exact(2).filter_map(fold).collect());
    }
    levels
}

/// The other child on every level on the way up, but for the root, which has none.
fn siblings(levels: &[Vec<Hash>], index: u32) -> impl Iterator<Item = Hash> {
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    let below_root = levels.len().saturating_sub(1);
    let levels = levels.iter().take(below_root).enumerate();
    levels.filter_map(move |(height, level)| level.get((index >> height) ^ 1).copied())
}

/// Commitments to all numbers of these fields, in their order.
fn commit<'f>(
    fields: impl Iterator<Item = (&'f Path, &'f Value)>,
    salts: &Salts,
) -> Vec<Commitment> {
    let mut numbers = Vec::new();
    let mut blindings = Vec::new();
    for (path, value) in fields {
        let of_field = value.numbers();
        blindings.extend(salts.blindings(path, of_field.len()));
        numbers.extend(of_field.iter().map(Decimal::mantissa));
    }
    commit_all(numbers.into_iter().zip(&blindings))
}

fn fold(pair: &[Hash]) -> Option<Hash> {
    match pair {
        [left, right] => Some(node_hash(left, right)),
        _ => None,
    }
}

pub(crate) fn record_id(head_hash: &Hash, root: &Hash) -> RecordId {
    tag::hash("record", &[&head_hash.0, &root.0])
}

pub(crate) fn field_leaf(head_hash: &Hash, path: &Path, salt: &[u8; 32], value: &[u8]) -> Hash {
    leaf_hash(&tag::preimage("record-field", &[&head_hash.0, path.as_bytes(), salt, value]))
}

/// The leaf of a slot that no field has.
pub(crate) fn filler_leaf(head_hash: &Hash, salt: &[u8; 32], slot: u32) -> Hash {
    leaf_hash(&tag::preimage("record-no-field", &[&head_hash.0, salt, &slot.to_be_bytes()]))
}

/// Makes fillers: in both of their preimages only the last block of SHA-256 differs from slot to slot.
struct Fillers {
    salt_start: Midstate,
    leaf_start: Midstate,
}

impl Fillers {
    fn new(head_hash: &Hash, key: &[u8; 32]) -> Self {
        let leaf_start = [&[0][..], &tag::preimage("record-no-field", &[&head_hash.0])].concat();
        Self {
            salt_start: Midstate::new(&tag::preimage("record-no-field-salt", &[key])),
            leaf_start: Midstate::new(&leaf_start),
        }
    }

    fn salt(&self, slot: u32) -> [u8; 32] {
        self.salt_start.finish(&[&FOUR, &slot.to_be_bytes()])
    }

    fn leaf(&self, slot: u32) -> Hash {
        let parts: [&[u8]; 4] = [&THIRTY_TWO, &self.salt(slot), &FOUR, &slot.to_be_bytes()];
        Hash(self.leaf_start.finish(&parts))
    }
}

/// Length prefixes of a preimage's parts.
const FOUR: [u8; 4] = 4_u32.to_be_bytes();
const THIRTY_TWO: [u8; 4] = 32_u32.to_be_bytes();

/// SHA-256 after the whole blocks of a prefix, with what is left of it (FIPS 180-4 §6.2). The streaming interface
/// copies its buffer for every slot, which takes twice as long as hashing.
struct Midstate {
    state: [u32; 8],
    block: [u8; 64],
    filled: usize,
    prefix_bytes: usize,
}

/// The initial state (FIPS 180-4 §5.3.3).
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

impl Midstate {
    fn new(prefix: &[u8]) -> Self {
        let (blocks, rest) = prefix.as_chunks::<64>();
        let mut state = INITIAL;
        compress256(&mut state, blocks);
        let mut block = [0; 64];
        block.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        Self { state, block, filled: rest.len(), prefix_bytes: prefix.len() }
    }

    /// The hash of the prefix and these parts, which fit one block together with the padding.
    fn finish(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut block = self.block;
        let mut at = self.filled;
        for part in parts {
            let end = at.saturating_add(part.len());
            block.get_mut(at..end).expect("a filler's parts fit one block").copy_from_slice(part);
            at = end;
        }
        let bytes = self.prefix_bytes.saturating_add(at).saturating_sub(self.filled);
        let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8);
        let (message, length) = block.split_at_mut(56);
        *message.get_mut(at).expect("a filler's parts leave room for the padding") = 0x80;
        length.copy_from_slice(&bits.to_be_bytes());
        let mut state = self.state;
        compress256(&mut state, &[block]);
        let mut hash = [0; 32];
        let words = hash.as_chunks_mut::<4>().0.iter_mut().zip(state);
        words.for_each(|(bytes, word)| *bytes = word.to_be_bytes());
        hash
    }
}
