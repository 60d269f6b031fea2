//! One field of a record, shown: its value, or all of it but the numbers, or that the record says nothing of a path,
//! with salt and the path of hashes to the record's root. It proves that the record with this id says so, not who
//! anchored it. Refuses a path of hashes of any other length than the tree's depth, numbers that do not open their
//! commitments, and points and scalars in any but their one encoding. Specification: `proto/README.md` section 9.

#[cfg(test)]
mod tests;

use heatmark_merkle::Hash;
use heatmark_merkle::tree::node_hash;
use prost::Message;

use crate::commitment::{Blinding, commit_all};
use crate::head::slot_of;
use crate::tree::{field_leaf, filler_leaf, record_id};
use crate::{Committed, Decimal, Head, Path, RecordError, RecordId, Value, wire};

/// Longest encoding of a proof, in bytes.
pub const MAX_PROOF_BYTES: usize = 32 << 10;

/// What a record says of one path, as far as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The whole value.
    Shown {
        /// The value.
        value: Value,
        /// What opens the commitments to its numbers, one each, in their order.
        blindings: Vec<Blinding>,
    },
    /// A result without its numbers.
    Committed(Committed),
    /// The record has no such field.
    Absent,
}

/// What a record says of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProof {
    /// The path asked for.
    pub path: Path,
    /// What is shown of it.
    pub said: Said,
    /// The salt of its leaf.
    pub salt: [u8; 32],
    /// The sibling hashes from the leaf up, as many as the tree is deep.
    pub siblings: Vec<Hash>,
}

impl FieldProof {
    /// The value, where it is shown.
    #[must_use]
    pub const fn value(&self) -> Option<&Value> {
        match &self.said {
            Said::Shown { value, .. } => Some(value),
            Said::Committed(_) | Said::Absent => None,
        }
    }

    /// Checks that the record with this head and id says exactly this of the path.
    ///
    /// # Errors
    /// `WrongLength`, `WrongRoot`, or what is wrong with head or value: refuse the sender's claim.
    pub fn verify(&self, head: &Head, id: &RecordId) -> Result<(), RecordError> {
        self.verified_leaf(head, id).map(drop)
    }

    /// Checks the same, and gives the hash of the leaf.
    ///
    /// # Errors
    /// As [`FieldProof::verify`].
    pub fn verified_leaf(&self, head: &Head, id: &RecordId) -> Result<Hash, RecordError> {
        head.check()?;
        let depth = head.depth();
        if u32::try_from(self.siblings.len()) != Ok(depth.bits()) {
            return Err(RecordError::WrongLength);
        }
        let head_hash = head.hash();
        let slot = slot_of(&head_hash, depth, &self.path);
        let leaf = self.leaf(head)?;
        let fold = |(node, index): (Hash, u32), sibling: &Hash| {
            let parent =
                if index & 1 == 0 { node_hash(&node, sibling) } else { node_hash(sibling, &node) };
            (parent, index >> 1)
        };
        let (root, _) = self.siblings.iter().fold((leaf, slot), fold);
        if record_id(&head_hash, &root) == *id { Ok(leaf) } else { Err(RecordError::WrongRoot) }
    }

    /// The hash of the leaf: the same whether the value is shown or only committed to. Nobody finds it who was not shown
    /// the field.
    ///
    /// # Errors
    /// `WrongLength`, or what is wrong with the value.
    pub fn leaf(&self, head: &Head) -> Result<Hash, RecordError> {
        let head_hash = head.hash();
        Ok(match &self.said {
            Said::Shown { value, blindings } => {
                value.check()?;
                let numbers = value.numbers();
                if numbers.len() != blindings.len() {
                    return Err(RecordError::WrongLength);
                }
                let openings = numbers.iter().map(Decimal::mantissa).zip(blindings);
                let leaf = value.leaf(&commit_all(openings))?;
                field_leaf(&head_hash, &self.path, &self.salt, &leaf)
            }
            Said::Committed(committed) => {
                field_leaf(&head_hash, &self.path, &self.salt, &committed.encode())
            }
            Said::Absent => {
                let slot = slot_of(&head_hash, head.depth(), &self.path);
                filler_leaf(&head_hash, &self.salt, slot)
            }
        })
    }

    /// The canonical encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::FieldProof::from(self).encode_to_vec()
    }

    /// Reads a canonical encoding; whether it proves anything, [`FieldProof::verify`] says.
    ///
    /// # Errors
    /// `TooLong`, `NotCanonical`, or what a part of it refuses.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        wire::decode_proof(bytes)
    }
}
