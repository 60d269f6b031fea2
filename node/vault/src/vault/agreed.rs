//! By which specification a field of a record is proved to a receiver, and within which tolerance proved to agree with
//! others' results: by one and never by another, or a buyer who may name limits could close in on the number by naming
//! narrower ones. Refuses every other specification and tolerance, and more than a few others to agree with, since who
//! knows the other result learns an interval from each.

use heatmark_merkle::tag;
use heatmark_records::{Path, RecordId};

use super::{AGREED, Vault, key};
use crate::rows::{MAX_AGREED_RECORDS, hash32};
use crate::{FileDigest, VaultError};

impl Vault {
    /// Notes, synced, that these fields of a record are proved to a receiver by this specification; nothing may be
    /// proved before it is noted.
    ///
    /// # Errors
    /// `AgreedOtherwise` when one of them was proved to the receiver by another; nothing was written then. `Damaged`
    /// or `Database`.
    pub fn agree<'a>(
        &self,
        record: &RecordId,
        receiver: &[u8; 32],
        paths: impl Iterator<Item = &'a Path>,
        specification: &[u8; 32],
    ) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        for path in paths {
            let what = tag::preimage("proof-agreed", &[&record.0, receiver, path.as_bytes()]);
            let db_key = key(AGREED, &self.master.file_index(&FileDigest::of(&what)));
            match self.get(&db_key)? {
                Some(agreed) if agreed.as_slice() == specification => {}
                Some(_) => return Err(VaultError::AgreedOtherwise(path.clone())),
                None => write.put(&db_key, specification),
            }
        }
        write.commit()
    }

    /// Notes, synced, that these fields of a record are proved to a receiver to agree with another record's, each within
    /// a tolerance; nothing may be proved before it is noted.
    ///
    /// # Errors
    /// `OtherTolerance` when one of them was proved to the receiver within another tolerance, `AgreedWithOthers` when
    /// with as many others as it may; nothing was written then. `Damaged` or `Database`.
    pub fn agree_within<'a>(
        &self,
        record: &RecordId,
        (receiver, other): (&[u8; 32], &RecordId),
        tolerances: impl Iterator<Item = (&'a Path, [u8; 32])>,
    ) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        for (path, tolerance) in tolerances {
            let what = tag::preimage("agreement-agreed", &[&record.0, receiver, path.as_bytes()]);
            let db_key = key(AGREED, &self.master.file_index(&FileDigest::of(&what)));
            // The tolerance, then the other records.
            let mut noted =
                self.get(&db_key)?.map_or_else(|| tolerance.to_vec(), |row| row.to_vec());
            let (agreed, others) = noted.split_first_chunk::<32>().ok_or(VaultError::Damaged)?;
            if *agreed != tolerance {
                return Err(VaultError::OtherTolerance(path.clone()));
            }
            let others: Vec<[u8; 32]> = others.chunks(32).map(hash32).collect::<Result<_, _>>()?;
            if others.contains(&other.0) {
                continue;
            }
            if others.len() >= MAX_AGREED_RECORDS {
                return Err(VaultError::AgreedWithOthers(path.clone()));
            }
            noted.extend_from_slice(&other.0);
            write.put(&db_key, &noted);
        }
        write.commit()
    }
}
