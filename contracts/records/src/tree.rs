//! The tree of a record: 2^depth leaves, each a salted field or a salted filler, folded as RFC 9162 does.
//! Fillers are hashed from saved midstates, which changes no byte of what is hashed and halves the time.
//! Specification: `proto/README.md` section 9.

use heatmark_merkle::tree::{leaf_hash, node_hash};
use heatmark_merkle::{Hash, tag};
use sha2::{Digest, Sha256};

use crate::head::slot_of;
use crate::opening::{Opening, slots};
use crate::{FieldProof, Path, RecordError, RecordId};

/// A record's tree with all its nodes: shows fields without hashing again.
#[derive(Debug)]
pub struct RecordTree<'a> {
    opening: &'a Opening,
    head_hash: Hash,
    /// Level 0 are the leaves; the last level is the root alone.
    levels: Vec<Vec<Hash>>,
    root: Hash,
}

impl<'a> RecordTree<'a> {
    pub(crate) fn build(opening: &'a Opening) -> Result<Self, RecordError> {
        let depth = opening.head.depth;
        let head_hash = opening.head.hash();
        let salts = opening.secret.salts(&head_hash);
        let fillers = Fillers::new(&head_hash, &salts.filler_key());
        let mut leaves: Vec<Hash> = (0..depth.slots()).map(|slot| fillers.leaf(slot)).collect();
        let slots = slots(&head_hash, depth, &opening.fields)?;
        for (slot, (path, value)) in slots.into_iter().zip(opening.fields.iter()) {
            let leaf = field_leaf(&head_hash, path, &salts.of(path), &value.encode());
            let place = usize::try_from(slot).ok().and_then(|slot| leaves.get_mut(slot));
            *place.ok_or(RecordError::BadDepth)? = leaf;
        }
        let mut levels = vec![leaves];
        while let Some(level) = levels.last().filter(|level| level.len() > 1) {
            levels.push(level.chunks_exact(2).filter_map(fold).collect());
        }
        let root = *levels.last().and_then(|level| level.first()).ok_or(RecordError::BadDepth)?;
        Ok(Self { opening, head_hash, levels, root })
    }

    /// The record's id: `H("record", head hash, tree root)`.
    #[must_use]
    pub fn id(&self) -> RecordId {
        record_id(&self.head_hash, &self.root)
    }

    /// Shows what the record says of a path: its value, or that there is none.
    ///
    /// # Errors
    /// `SlotTaken` when the path is absent and its slot holds another field, which is then not shown in its stead.
    pub fn show(&self, path: &Path) -> Result<FieldProof, RecordError> {
        let Opening { head, secret, fields } = self.opening;
        let slot = slot_of(&self.head_hash, head.depth, path);
        let salts = secret.salts(&self.head_hash);
        let value = fields.get(path).cloned();
        let salt = match value {
            Some(_) => salts.of(path),
            None if fields.iter().any(|(held, _)| slot_of(&self.head_hash, head.depth, held) == slot) => {
                return Err(RecordError::SlotTaken);
            }
            None => Fillers::new(&self.head_hash, &salts.filler_key()).salt(slot),
        };
        Ok(FieldProof { head: head.clone(), path: path.clone(), value, salt, siblings: self.siblings(slot) })
    }

    fn siblings(&self, slot: u32) -> Vec<Hash> {
        let below_root = self.levels.len().saturating_sub(1);
        let index = usize::try_from(slot).unwrap_or(usize::MAX);
        let levels = self.levels.iter().take(below_root).enumerate();
        levels.filter_map(|(height, level)| level.get((index >> height) ^ 1).copied()).collect()
    }
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

/// Length prefixes of a preimage's parts.
const FOUR: [u8; 4] = 4_u32.to_be_bytes();
const THIRTY_TWO: [u8; 4] = 32_u32.to_be_bytes();

/// Makes fillers fast. Both preimages begin with more than one SHA-256 block that is the same for every slot.
struct Fillers {
    salt_start: Sha256,
    leaf_start: Sha256,
}

impl Fillers {
    fn new(head_hash: &Hash, key: &[u8; 32]) -> Self {
        Self {
            salt_start: Sha256::new_with_prefix(tag::preimage("record-no-field-salt", &[key])),
            leaf_start: Sha256::new_with_prefix([&[0][..], &tag::preimage("record-no-field", &[&head_hash.0])].concat()),
        }
    }

    fn salt(&self, slot: u32) -> [u8; 32] {
        let hasher = self.salt_start.clone().chain_update(FOUR).chain_update(slot.to_be_bytes());
        hasher.finalize().into()
    }

    fn leaf(&self, slot: u32) -> Hash {
        let hasher = self.leaf_start.clone().chain_update(THIRTY_TWO).chain_update(self.salt(slot));
        Hash(hasher.chain_update(FOUR).chain_update(slot.to_be_bytes()).finalize().into())
    }
}
