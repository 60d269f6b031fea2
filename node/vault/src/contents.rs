//! Contents of any length that are to be destroyed for good one day: each is sealed in chunks under a key of its own, and that
//! key stands in the family that destruction drives out of the database's files.
//!
//! | database key | value | sealed under |
//! |---|---|---|
//! | `y` `c` index, u32be number | a chunk of a content | the content's key |
//! | `y` `k` index, erasable | the content's key and its length | master |
//!
//! A content is there once its key is: chunks without one are what a crash left, and are written over.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use crate::database::Family;
use crate::sealed::{NONCE_BYTES, Secret32};
use crate::vault::PURGE;
use crate::writing::Writing;
use crate::{Vault, VaultError};

const CHUNK: &[u8] = b"yc";
const KEY: &[u8] = b"yk";
const CHUNK_BYTES: usize = 1 << 20;
const SECRET_BYTES: usize = 32;

fn chunk_key(index: &[u8; 32], number: u32) -> Vec<u8> {
    [CHUNK, index, &number.to_be_bytes()].concat()
}

fn secret_key(index: &[u8; 32]) -> Vec<u8> {
    [KEY, index].concat()
}

impl Vault {
    /// Writes the chunks of a content that is not there yet, synced; gives what makes it be there, for [`Writing::put_content`].
    pub(crate) fn keep_chunks(
        &self,
        index: &[u8; 32],
        content: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let secret = Secret32::random()?;
        let sealer = secret.sealer();
        for (number, chunk) in (0_u32..).zip(content.chunks(CHUNK_BYTES)) {
            let mut write = self.begin()?;
            write.put_under(&sealer, &chunk_key(index, number), chunk);
            write.commit()?;
        }
        let length = u64::try_from(content.len()).map_err(|_| VaultError::Damaged)?;
        Ok(Zeroizing::new([secret.bytes().as_slice(), &length.to_be_bytes()].concat()))
    }

    /// Whether a content is there.
    pub(crate) fn has_content(&self, index: &[u8; 32]) -> Result<bool, VaultError> {
        Ok(self.db.get(Family::Erasable, &secret_key(index))?.is_some())
    }

    /// A content; none where there is none or it was destroyed.
    pub(crate) fn content(
        &self,
        index: &[u8; 32],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        let Some(header) = self.get_erasable(&secret_key(index))? else { return Ok(None) };
        let (secret, length) = header_of(&header)?;
        let sealer = secret.sealer();
        let mut content = Zeroizing::new(Vec::with_capacity(length.min(CHUNK_BYTES)));
        for number in 0..chunks(length)? {
            let place = chunk_key(index, number);
            let sealed = self.db.get(Family::Kept, &place)?.ok_or(VaultError::Damaged)?;
            content.extend_from_slice(&sealer.open(&place, &sealed)?);
        }
        if content.len() == length { Ok(Some(content)) } else { Err(VaultError::Damaged) }
    }

    /// Destroys contents; whether their keys' bytes have left the files, as [`Vault::purge`] has it.
    pub(crate) fn drop_contents(
        &self,
        indices: &[[u8; 32]],
        and: impl FnOnce(&mut Writing<'_>),
    ) -> Result<bool, VaultError> {
        let mut write = self.begin()?;
        and(&mut write);
        let mut nonces = BTreeSet::new();
        for index in indices {
            let place = secret_key(index);
            let Some(sealed) = self.db.get(Family::Erasable, &place)? else { continue };
            nonces.extend(sealed.get(..NONCE_BYTES).map(<[u8]>::to_vec));
            let header = self.get_erasable(&place)?.ok_or(VaultError::Damaged)?;
            for number in 0..chunks(header_of(&header)?.1)? {
                write.delete(&chunk_key(index, number));
            }
            write.delete_erasable(&place);
        }
        if nonces.is_empty() {
            write.commit()?;
            return Ok(true);
        }
        write.put(PURGE, &[]);
        write.commit()?;
        self.purge_checking(&nonces)
    }
}

impl Writing<'_> {
    /// Makes a content be there whose chunks are written.
    pub(crate) fn put_content(&mut self, index: &[u8; 32], header: &[u8]) {
        self.put_erasable(&secret_key(index), header);
    }
}

fn header_of(header: &[u8]) -> Result<(Secret32, usize), VaultError> {
    let (secret, length) = header.split_at_checked(SECRET_BYTES).ok_or(VaultError::Damaged)?;
    let length = length.try_into().map_err(|_| VaultError::Damaged)?;
    let length = usize::try_from(u64::from_be_bytes(length)).map_err(|_| VaultError::Damaged)?;
    Ok((Secret32::from_slice(secret)?, length))
}

fn chunks(length: usize) -> Result<u32, VaultError> {
    u32::try_from(length.div_ceil(CHUNK_BYTES)).map_err(|_| VaultError::Damaged)
}
