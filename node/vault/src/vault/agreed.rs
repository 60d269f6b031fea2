//! By which specification a field of a record is proved to a receiver: by one and never by another, or a buyer who may
//! name limits could close in on the number by naming narrower ones. Refuses every other specification.

use heatmark_merkle::tag;
use heatmark_records::{Path, RecordId};

use super::{AGREED, Vault, key};
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
}
