//! Names of lots. A name is of one lot at a time: the newest that bears it. A lot takes the name of one that its event uses,
//! or takes out of a container or a product, and gives it back when that event lapses. Refuses names that do not print.

use super::{LOT, LotMessage, NAME};
use crate::rows::hash32;
use crate::vault::key;
use crate::writing::Writing;
use crate::{FileDigest, Vault, VaultError};
use std::collections::BTreeSet;

/// Longest name of a lot, in bytes.
pub const MAX_LOT_NAME_BYTES: usize = 128;

/// The names that an event gives.
pub(super) struct Naming<'e> {
    given: BTreeSet<&'e str>,
    /// The lots that give theirs up.
    givers: &'e [&'e [[u8; 32]]],
}

impl<'e> Naming<'e> {
    pub(super) fn new(givers: &'e [&'e [[u8; 32]]]) -> Self {
        Self { given: BTreeSet::new(), givers }
    }
}

impl Vault {
    /// Gives a name to a lot; tells the lot that bore it.
    pub(super) fn give_name<'e>(
        &self,
        write: &mut Writing<'_>,
        naming: &mut Naming<'e>,
        (name, lot): (&'e str, &[u8; 32]),
    ) -> Result<Option<[u8; 32]>, VaultError> {
        let place = self.name_place(name)?;
        let bearer = self.get(&place)?.map(|hash| hash32(&hash)).transpose()?;
        let free = match &bearer {
            None => true,
            Some(bearer) => naming.givers.iter().any(|givers| givers.contains(bearer)),
        };
        if !naming.given.insert(name) || !free {
            return Err(VaultError::LotNameTaken(name.to_owned()));
        }
        write.put(&place, lot);
        Ok(bearer)
    }

    /// Forgets a lot that will never stand.
    pub(crate) fn forget_lot(
        &self,
        write: &mut Writing<'_>,
        hash: &[u8; 32],
    ) -> Result<(), VaultError> {
        let Some(lot) = self.lot_message(hash)? else { return Ok(()) };
        let place = self.name_place(&lot.name)?;
        match &lot.bore_name {
            Some(before) => write.put(&place, &hash32(before)?),
            None => write.delete(&place),
        }
        write.delete(&key(LOT, hash));
        Ok(())
    }

    pub(crate) fn name_place(&self, name: &str) -> Result<Vec<u8>, VaultError> {
        let plain = !name.is_empty()
            && name.len() <= MAX_LOT_NAME_BYTES
            && name.trim() == name
            && !name.chars().any(char::is_control);
        if !plain {
            return Err(VaultError::LotName);
        }
        let what = heatmark_merkle::tag::preimage("lot-name", &[name.as_bytes()]);
        Ok(key(NAME, &self.master.file_index(&FileDigest::of(&what))))
    }
}

impl LotMessage {
    /// The same lot, whose name another bore before.
    pub(super) fn named_after(self, before: Option<[u8; 32]>) -> Self {
        Self { bore_name: before.map(Vec::from), ..self }
    }
}
