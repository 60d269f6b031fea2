//! Inspections that are kept so that they can be run again: what they were given, and what they came to. The latter may tell what
//! a deal opened, and is destroyed with it.
//!
//! | database key | value | sealed under |
//! |---|---|---|
//! | `y` `i` inspection id | when, of what, the verdict, and which one it repeats for which deal | master |
//! | `y` `c`, `y` `k` digest of the id and a word | what it was given, and what it came to: see `contents` | its own key |

#[cfg(test)]
mod tests;

use prost::Message;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::rows::hash32;
use crate::{Vault, VaultError};

const INSPECTION: &[u8] = b"yi";

/// An inspection that is kept.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct InspectionRow {
    /// Its id.
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    /// When it was run, by the node's clock.
    #[prost(uint64, tag = "2")]
    pub at_ms: u64,
    /// `accept`, `reject` or `hold`.
    #[prost(string, tag = "3")]
    pub verdict: String,
    /// What was delivered, by name.
    #[prost(string, repeated, tag = "4")]
    pub lots: Vec<String>,
    /// The one that it repeats; empty for one that repeats none.
    #[prost(bytes = "vec", tag = "5")]
    pub before: Vec<u8>,
    /// The deal that had it repeated.
    #[prost(bytes = "vec", tag = "6")]
    pub deal: Vec<u8>,
    /// Whether what it came to is destroyed; the verdict stays.
    #[prost(bool, tag = "7")]
    pub destroyed: bool,
    /// The order, in words; empty without one.
    #[prost(string, tag = "8")]
    pub order: String,
}

fn inspection_key(id: &[u8; 32]) -> Vec<u8> {
    [INSPECTION, id].concat()
}

fn index(word: &str, id: &[u8; 32]) -> [u8; 32] {
    // Ids are random, or digests of what is: they confirm nothing.
    Sha256::digest([word.as_bytes(), id].concat()).into()
}

const GIVEN: &str = "inspection-given";
const FOUND: &str = "inspection-found";

impl Vault {
    /// Keeps an inspection, synced: what it was given, where it repeats none, and what it came to. One that is there already
    /// stays; whether it was not.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn put_inspection(
        &self,
        row: &InspectionRow,
        given: Option<&[u8]>,
        found: &[u8],
    ) -> Result<bool, VaultError> {
        let id = hash32(&row.id)?;
        if self.inspection(&id)?.is_some() {
            return Ok(false);
        }
        let mut headers = vec![(index(FOUND, &id), self.keep_chunks(&index(FOUND, &id), found)?)];
        if let Some(given) = given {
            headers.push((index(GIVEN, &id), self.keep_chunks(&index(GIVEN, &id), given)?));
        }
        let mut write = self.begin()?;
        for (index, header) in &headers {
            write.put_content(index, header);
        }
        write.put(&inspection_key(&id), &row.encode_to_vec());
        write.commit()?;
        Ok(true)
    }

    /// An inspection.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn inspection(&self, id: &[u8; 32]) -> Result<Option<InspectionRow>, VaultError> {
        let row = self.get(&inspection_key(id))?;
        row.map(|row| InspectionRow::decode(row.as_slice()).map_err(|_| VaultError::Damaged))
            .transpose()
    }

    /// The inspections that are kept.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn inspections(&self) -> Result<Vec<InspectionRow>, VaultError> {
        let mut rows = Vec::new();
        self.scan(INSPECTION, |_, value| {
            rows.push(InspectionRow::decode(value).map_err(|_| VaultError::Damaged)?);
            Ok(true)
        })?;
        Ok(rows)
    }

    /// What an inspection was given, or the one that it repeats.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn given_to_inspection(
        &self,
        id: &[u8; 32],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        let mut id = *id;
        loop {
            if let Some(given) = self.content(&index(GIVEN, &id))? {
                return Ok(Some(given));
            }
            // Each repeats one that was there before it, so that this comes to an end.
            match self.inspection(&id)? {
                Some(row) if !row.before.is_empty() => id = hash32(&row.before)?,
                _ => return Ok(None),
            }
        }
    }

    /// What an inspection came to; none once that is destroyed.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn found_by_inspection(
        &self,
        id: &[u8; 32],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        self.content(&index(FOUND, id))
    }

    /// Destroys what an inspection came to; that there was one, and its verdict, stays.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn destroy_inspection(&self, id: &[u8; 32]) -> Result<(), VaultError> {
        let Some(row) = self.inspection(id)? else { return Ok(()) };
        let row = InspectionRow { destroyed: true, ..row };
        // What a backup keeps from leaving the files leaves them with the next purge.
        self.drop_contents(&[index(FOUND, id)], |write| {
            write.put(&inspection_key(id), &row.encode_to_vec());
        })?;
        Ok(())
    }
}
