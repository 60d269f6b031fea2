//! Deposits that a retention class wants of own records and that are not made yet. They are written with the record itself, so
//! that no crash loses one, and are gone once the deposit is here. Documents that they need are kept until then, so that what
//! they say can be destroyed.
//!
//! | database key | value | sealed under |
//! |---|---|---|
//! | `y` `o` record id | the deposits that are due of a record | master |
//! | `y` `c`, `y` `k` keyed digest of record and document | a document for such a deposit: see `contents` | its own key |

#[cfg(test)]
mod tests;

use heatmark_records::RecordId;
use prost::Message;
use zeroize::Zeroizing;

use crate::database::Family;
use crate::rows::hash32;
use crate::writing::Writing;
use crate::{FileDigest, Vault, VaultError};

const DUE: &[u8] = b"yo";

/// The deposits that are due of a record.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DueRow {
    /// The record.
    #[prost(bytes = "vec", tag = "1")]
    pub record: Vec<u8>,
    /// When it was published, by the node's clock.
    #[prost(uint64, tag = "2")]
    pub at_ms: u64,
    /// One for each class that the record is of.
    #[prost(message, repeated, tag = "3")]
    pub deposits: Vec<DueDeposit>,
}

/// A deposit that is due.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DueDeposit {
    /// The retention class, by its name.
    #[prost(string, tag = "1")]
    pub class: String,
    /// The documents that belong to it.
    #[prost(message, repeated, tag = "2")]
    pub documents: Vec<DueDocument>,
    /// Why it is not made yet: a stable name, empty before it was tried.
    #[prost(string, tag = "3")]
    pub trouble: String,
    /// The same in words.
    #[prost(string, tag = "4")]
    pub trouble_text: String,
}

/// A document that belongs to a deposit.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DueDocument {
    /// SHA-256 of its bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub sha256: Vec<u8>,
    /// How many these are.
    #[prost(uint64, tag = "2")]
    pub bytes: u64,
}

/// A document that is kept for a deposit.
#[derive(Clone, PartialEq, Eq, Message)]
struct Kept {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bytes = "vec", tag = "2")]
    content: Vec<u8>,
}

fn due_key(record: &[u8; 32]) -> Vec<u8> {
    [DUE, record].concat()
}

impl Writing<'_> {
    /// Notes what is due of a record that is being published; nothing where nothing is.
    pub(crate) fn put_due(&mut self, record: &RecordId, deposits: &[DueDeposit], at_ms: u64) {
        if deposits.is_empty() {
            return;
        }
        let row = DueRow { record: record.0.to_vec(), at_ms, deposits: deposits.to_vec() };
        self.put(&due_key(&record.0), &row.encode_to_vec());
    }
}

impl Vault {
    /// What is due of records after one, in the order of their ids, at most `limit` of them.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn due_deposits(
        &self,
        after: Option<&RecordId>,
        limit: usize,
    ) -> Result<Vec<DueRow>, VaultError> {
        let mut rows = Vec::new();
        let from = after.map(|record| record.0.as_slice()).unwrap_or_default();
        self.scan_from(DUE, from, |record, value| {
            if record != from {
                rows.push(DueRow::decode(value).map_err(|_| VaultError::Damaged)?);
            }
            Ok(rows.len() < limit)
        })?;
        Ok(rows)
    }

    /// What is due of a record.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn due_deposit(&self, record: &RecordId) -> Result<Option<DueRow>, VaultError> {
        let row = self.get(&due_key(&record.0))?;
        row.map(|row| DueRow::decode(row.as_slice()).map_err(|_| VaultError::Damaged)).transpose()
    }

    /// Notes what is left of what is due of a record, and destroys the documents that nothing needs any more.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn settle_due(&self, row: &DueRow, unneeded: &[DueDocument]) -> Result<(), VaultError> {
        let record = hash32(&row.record)?;
        let mut indices = Vec::with_capacity(unneeded.len());
        for document in unneeded {
            indices.push(self.document_index(&record, &hash32(&document.sha256)?));
        }
        // What a backup keeps from leaving the files leaves them with the next purge.
        self.drop_contents(&indices, |write| {
            if row.deposits.is_empty() {
                write.delete(&due_key(&record));
            } else {
                write.put(&due_key(&record), &row.encode_to_vec());
            }
        })?;
        Ok(())
    }

    /// Keeps a document for a deposit that is due of a record, synced. One that is there already stays.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn keep_document(
        &self,
        record: &RecordId,
        sha256: &[u8; 32],
        (name, content): (&str, Vec<u8>),
    ) -> Result<(), VaultError> {
        let index = self.document_index(&record.0, sha256);
        if self.has_content(&index)? {
            return Ok(());
        }
        let kept = Zeroizing::new(Kept { name: name.to_owned(), content }.encode_to_vec());
        let header = self.keep_chunks(&index, &kept)?;
        let mut write = self.begin()?;
        write.put_content(&index, &header);
        write.commit()
    }

    /// Whether a document is kept for a record.
    ///
    /// # Errors
    /// `Database`.
    pub fn has_document(&self, record: &RecordId, sha256: &[u8; 32]) -> Result<bool, VaultError> {
        self.has_content(&self.document_index(&record.0, sha256))
    }

    /// A document that is kept for a record: its name, and its bytes.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn kept_document(
        &self,
        record: &RecordId,
        sha256: &[u8; 32],
    ) -> Result<Option<(String, Vec<u8>)>, VaultError> {
        let content = self.content(&self.document_index(&record.0, sha256))?;
        let kept = content.map(|content| Kept::decode(content.as_slice())).transpose();
        Ok(kept.map_err(|_| VaultError::Damaged)?.map(|kept| (kept.name, kept.content)))
    }

    /// Whether a deposit of this id is here.
    ///
    /// # Errors
    /// `Database`.
    pub fn has_deposit(&self, id: &[u8; 32]) -> Result<bool, VaultError> {
        let place = crate::vault::key(crate::escrow::DEPOSIT, id);
        Ok(self.db.get(Family::Kept, &place)?.is_some())
    }

    /// Digests are in no key of the database: they would confirm what a document is.
    fn document_index(&self, record: &[u8; 32], sha256: &[u8; 32]) -> [u8; 32] {
        self.master.file_index(&FileDigest::of(&[&record[..], sha256].concat()))
    }
}
