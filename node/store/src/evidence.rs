//! Receipts and state proofs, made from what is stored against any header the asker can use.

use crate::error::StoreError;
use crate::schema::{LEAVES, number, read_number};
use crate::store::{Store, parts};
use heatmark_ledger::LeafIndex;
use heatmark_ledger::ids::Height;
use heatmark_merkle::{map, tree};
use heatmark_proto::ledger::v1 as pb;
use rocksdb::{Direction, IteratorMode};

impl Store {
    /// Height of the block that holds a leaf.
    ///
    /// # Errors
    /// [`StoreError::NotAvailable`] for a leaf beyond the log, or when the database fails.
    pub fn height_of(&self, leaf: LeafIndex) -> Result<Height, StoreError> {
        if leaf.0 >= self.tip().log_size.0 {
            return Err(StoreError::NotAvailable("leaf"));
        }
        let from = number(leaf.0);
        let mode = IteratorMode::From(&from, Direction::Reverse);
        let found = self.shared.db.iterator_cf(self.family(LEAVES)?, mode).next().transpose()?;
        let (_, height) = found.ok_or(StoreError::Damaged("leaf index"))?;
        read_number(&height, "leaf index").map(Height)
    }

    /// A receipt for a leaf, for a verifier that trusts height `trusted`, against the header `at`;
    /// without `at`, against the leaf's own block, or the first header after `trusted`.
    ///
    /// # Errors
    /// [`StoreError::NotAvailable`] when there is no such leaf or header, or it is older than the
    /// leaf or the trust root; otherwise when the database fails.
    pub fn receipt(
        &self,
        leaf: LeafIndex,
        trusted: Height,
        at: Option<Height>,
    ) -> Result<pb::Receipt, StoreError> {
        let own = self.height_of(leaf)?;
        let height = at.unwrap_or_else(|| own.max(trusted.next()));
        if height < own || height <= trusted {
            return Err(StoreError::NotAvailable("a header that covers the leaf"));
        }
        let stored = self.stored_header(height)?.ok_or(StoreError::NotAvailable("header"))?;
        let (header, _) = parts(&stored)?;
        let path = tree::inclusion_path(leaf, header.log_size, self)?;
        let transaction = self.entry(leaf)?.ok_or(StoreError::Damaged("log entries"))?;
        Ok(pb::Receipt {
            transaction,
            leaf_index: leaf.0,
            inclusion_path: path.iter().map(|hash| hash.0.to_vec()).collect(),
            header: stored.header,
            certificate: stored.certificate,
            set_changes: self.set_changes(trusted, height)?,
        })
    }

    /// Presence or absence of a state map key at a served height, the newest without `at`.
    ///
    /// # Errors
    /// [`StoreError::NotAvailable`] before the first block, for a height not served any more, or
    /// not after the trust root; otherwise when the database fails.
    pub fn state_proof(
        &self,
        key: &[u8],
        at: Option<Height>,
        trusted: Height,
    ) -> Result<pb::StateProof, StoreError> {
        let height = at.unwrap_or_else(|| self.tip().height);
        if height <= trusted {
            return Err(StoreError::NotAvailable("a header later than the trust root"));
        }
        let stored = self.stored_header(height)?.ok_or(StoreError::NotAvailable("header"))?;
        let (value, proof) = match map::prove(self, stored.map_version, key) {
            Ok(proved) => proved,
            Err(heatmark_merkle::MapError::MissingVersion { .. }) => {
                return Err(StoreError::NotAvailable("the state of that height"));
            }
            Err(error) => return Err(error.into()),
        };
        Ok(pb::StateProof {
            key: key.to_vec(),
            present: value.is_some(),
            value: value.unwrap_or_default(),
            proof: proof.to_bytes(),
            header: stored.header,
            certificate: stored.certificate,
            set_changes: self.set_changes(trusted, height)?,
        })
    }
}
