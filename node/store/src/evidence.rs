//! Receipts and state proofs, made from what is stored against any header the asker can use.

use crate::disk::Walk;
use crate::error::StoreError;
use crate::schema::{LEAVES, number, read_number};
use crate::store::{Store, parts};
use heatmark_ledger::header::Header;
use heatmark_ledger::ids::Height;
use heatmark_ledger::{LeafIndex, transaction};
use heatmark_merkle::{Hash, MapError, TreeSize, map, tree};
use heatmark_proto::ledger::v1 as pb;

impl Store {
    /// Height of the block that holds a leaf.
    ///
    /// # Errors
    /// [`StoreError::NotAvailable`] for a leaf beyond the log, or when the database fails.
    pub fn height_of(&self, leaf: LeafIndex) -> Result<Height, StoreError> {
        if leaf.0 >= self.tip().log_size.0 {
            return Err(StoreError::NotAvailable("leaf"));
        }
        if let Some((newest, stored)) = &*self.newest()
            && stored.first_leaf <= leaf.0
        {
            return Ok(*newest);
        }
        let from = number(leaf.0);
        let found = self.shared.disk.walk(LEAVES, Walk::Before(&from)).next().transpose()?;
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
        let transaction = self.entry(leaf)?.ok_or(StoreError::Damaged("log entries"))?;
        let path = self.inclusion_path(leaf, &transaction, &header)?;
        Ok(pb::Receipt {
            transaction,
            leaf_index: leaf.0,
            inclusion_path: path.iter().map(|hash| hash.0.to_vec()).collect(),
            header: stored.header,
            certificate: stored.certificate,
            set_changes: self.set_changes(trusted, height)?,
        })
    }

    /// The path from an entry to a header's log root, checked: a receipt that does not verify must
    /// not leave the node, and a damaged disk must not look like fraud.
    fn inclusion_path(
        &self,
        leaf: LeafIndex,
        entry: &[u8],
        header: &Header,
    ) -> Result<Vec<Hash>, StoreError> {
        let size: TreeSize = header.log_size;
        let path = self.cached_tiles().inclusion_path(leaf, size, self)?;
        let hash = transaction::leaf_hash(entry);
        if tree::verify_inclusion(&hash, leaf, size, &path, &header.log_root).is_err() {
            self.drop_cached_tiles();
            return Err(StoreError::Damaged("an entry's path does not lead to its header"));
        }
        Ok(path)
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
        let (value, proof) = self.prove(stored.map_version, key)?;
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

    fn prove(
        &self,
        version: u64,
        key: &[u8],
    ) -> Result<(Option<Vec<u8>>, map::MapProof), StoreError> {
        let gone = StoreError::NotAvailable("the state of that height");
        match map::prove(self, version, key) {
            Ok(proved) => Ok(proved),
            Err(MapError::MissingVersion { .. }) => Err(gone),
            // A block committed meanwhile may have deleted the version below the reader; its root
            // goes first, so a version with a root is whole or damaged.
            Err(MapError::Corrupt) if map::root(self, version)?.is_none() => Err(gone),
            Err(error) => Err(error.into()),
        }
    }
}
