//! Escrow: what this organisation deposited with agents, the shares that it holds as one, ciphertext, what could be opened of
//! others' records, and the deals that it takes part in. Secrets stand in the family that destruction drives out of the
//! database's files; everything else says how far a deposit or a deal has come, and is on disk before anything leaves.
//!
//! | database key | value | sealed under |
//! |---|---|---|
//! | `D` id | a deposit of this organisation's and how far it is | master |
//! | `G` manifest digest | a deposit that this organisation is an agent of | master |
//! | `B` root, u32be piece | a piece of ciphertext | master |
//! | `E` record id, manifest digest | what could be opened of a record | master |
//! | `K` deal id, role | a deal and what this organisation does in it | master |
//! | `Q` deal id, role | nothing; there while something is left to do | master |
//! | `8` record id, deal id | nothing; there where the deal opened something of the record | master |
//! | `V` | the height through which the log was read for deals | master |
//! | `I` kind, … | what rows are found by: see `index` | master |
//! | `F` kind, id | secrets of a deposit, shares held, or secrets that a deal opened | master, erasable |
//!
//! Files in the rows are opaque here: `heatmark-escrow` makes and reads them.

mod index;
mod rows;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use index::FOUND_BY;
pub use index::{ContentOf, HeldFor};
use rows::Parts;
pub use rows::{
    DealRole, DealRow, DepositAgent, DepositRow, Destroyed, HoldingRow, OpenableRow, SecretsOf,
};

use heatmark_records::RecordId;
use prost::Message;
use std::collections::BTreeSet;
use zeroize::Zeroizing;

use crate::database::Family;
use crate::rows::hash32;
use crate::sealed::NONCE_BYTES;
use crate::vault::{PURGE, key};
use crate::{Actor, Deed, Vault, VaultError};

pub(crate) const DEPOSIT: u8 = b'D';
pub(crate) const HOLDING: u8 = b'G';
pub(crate) const PIECE: u8 = b'B';
pub(crate) const OPENABLE: u8 = b'E';
pub(crate) const DEAL: u8 = b'K';
pub(crate) const DEAL_LEFT: u8 = b'Q';
pub(crate) const OPENED: u8 = b'8';
pub(crate) const DEALS_READ: u8 = b'V';
pub(crate) const SECRETS: u8 = b'F';

fn read<M: Message + Default>(value: &[u8]) -> Result<M, VaultError> {
    M::decode(value).map_err(|_| VaultError::Damaged)
}

impl Vault {
    /// Keeps how far an own deposit is, with its secrets where they are new, in one synced write.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn put_deposit(
        &self,
        by: &Actor,
        row: &DepositRow,
        secrets: Option<&[u8]>,
    ) -> Result<(), VaultError> {
        let id = hash32(&row.id)?;
        let mut write = self.begin()?;
        write.put(&key(DEPOSIT, &id), &row.encode_to_vec());
        index::index_deposit(&mut write, row)?;
        if let Some(secrets) = secrets {
            write.put_erasable(&SecretsOf::Deposit.key(&id), secrets);
            write.note(by, Deed::Deposit, Some(hash32(&row.record)?), 0);
        }
        write.commit()
    }

    /// Own deposits.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn deposits(&self) -> Result<Vec<DepositRow>, VaultError> {
        self.rows_of(&[DEPOSIT])
    }

    /// An own deposit.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn deposit(&self, id: &[u8; 32]) -> Result<Option<DepositRow>, VaultError> {
        self.get(&key(DEPOSIT, id))?.map(|value| read(&value)).transpose()
    }

    /// Forgets what was begun with an owner that did not go on with it.
    ///
    /// # Errors
    /// `Database`.
    pub fn drop_holding(&self, row: &HoldingRow) -> Result<(), VaultError> {
        let digest = hash32(&row.digest)?;
        let mut write = self.begin()?;
        write.delete(&key(HOLDING, &digest));
        write.delete_erasable(&SecretsOf::Holding.key(&digest));
        index::forget_holding(&mut write, row)?;
        write.commit()
    }

    /// Keeps a deposit of another's, with its shares where they are new, in one synced write; what was known of it under
    /// another digest goes.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn put_holding(
        &self,
        row: &HoldingRow,
        shares: Option<&[u8]>,
        before: Option<&HoldingRow>,
    ) -> Result<(), VaultError> {
        let id = hash32(&row.digest)?;
        let mut write = self.begin()?;
        if let Some(before) = before {
            let digest = hash32(&before.digest)?;
            write.delete(&key(HOLDING, &digest));
            write.delete_erasable(&SecretsOf::Holding.key(&digest));
            index::forget_holding(&mut write, before)?;
        }
        write.put(&key(HOLDING, &id), &row.encode_to_vec());
        index::index_holding(&mut write, row)?;
        if let Some(shares) = shares {
            write.put_erasable(&SecretsOf::Holding.key(&id), shares);
        }
        if !row.manifest.is_empty() && shares.is_some() {
            write.note(&Actor::Node, Deed::HoldShares, Some(id), 0);
        }
        write.commit()
    }

    /// A deposit of another's.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn holding(&self, digest: &[u8; 32]) -> Result<Option<HoldingRow>, VaultError> {
        self.get(&key(HOLDING, digest))?.map(|value| read(&value)).transpose()
    }

    /// Deposits of others.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn holdings(&self) -> Result<Vec<HoldingRow>, VaultError> {
        self.rows_of(&[HOLDING])
    }

    /// Secrets; none where there were none or they are destroyed.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn escrow_secrets(
        &self,
        of: SecretsOf,
        id: &[u8; 32],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        self.get_erasable(&of.key(id))
    }

    /// Destroys secrets and says in the row that they are; whether their bytes have left the files, as [`Vault::purge`] has it.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn destroy_escrow(&self, by: &Actor, row: &Destroyed<'_>) -> Result<bool, VaultError> {
        let Parts { of, id, place, value } = row.parts()?;
        let secrets = of.key(&id);
        let sealed = self.db.get(Family::Erasable, &secrets)?;
        let nonces: BTreeSet<Vec<u8>> = sealed
            .iter()
            .filter_map(|sealed| sealed.get(..NONCE_BYTES))
            .map(<[u8]>::to_vec)
            .collect();
        let mut write = self.begin()?;
        write.delete_erasable(&secrets);
        write.put(&place, &value);
        if let Destroyed::Holding(row) = row {
            index::index_holding(&mut write, row)?;
        }
        write.put(PURGE, &[]);
        write.note(by, Deed::Destroy, Some(id), 0);
        write.commit()?;
        self.purge_checking(&nonces)
    }

    /// Keeps pieces of ciphertext, from the `first` on, synced.
    ///
    /// # Errors
    /// `Database`.
    pub fn put_pieces(
        &self,
        root: &[u8; 32],
        first: u32,
        pieces: &[Vec<u8>],
    ) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        for (number, piece) in (first..).zip(pieces) {
            write.put(&piece_key(root, number), piece);
        }
        write.commit()
    }

    /// A piece of ciphertext.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn piece(
        &self,
        root: &[u8; 32],
        number: u32,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        self.get(&piece_key(root, number))
    }

    /// The first piece of so many that is not here, looked for from one on; none where all are.
    ///
    /// # Errors
    /// `Database`.
    pub fn first_missing_piece(
        &self,
        root: &[u8; 32],
        (from, pieces): (u32, u32),
    ) -> Result<Option<u32>, VaultError> {
        for number in from..pieces {
            if self.db.get(Family::Kept, &piece_key(root, number))?.is_none() {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    /// Forgets one piece of ciphertext.
    ///
    /// # Errors
    /// `Database`.
    pub fn drop_piece(&self, root: &[u8; 32], number: u32) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        write.delete(&piece_key(root, number));
        write.commit()
    }

    /// Forgets pieces of ciphertext.
    ///
    /// # Errors
    /// `Database`.
    pub fn drop_pieces(&self, root: &[u8; 32], pieces: u32) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        for number in 0..pieces {
            write.delete(&piece_key(root, number));
        }
        write.commit()
    }

    /// Keeps what could be opened of a record.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn put_openable(&self, digest: &[u8; 32], row: &OpenableRow) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        let place = [&[OPENABLE][..], &hash32(&row.record)?, digest].concat();
        write.put(&place, &row.encode_to_vec());
        write.commit()
    }

    /// What could be opened of a record.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn openable(&self, record: &RecordId) -> Result<Vec<OpenableRow>, VaultError> {
        self.rows_of(&key(OPENABLE, &record.0))
    }

    /// Keeps how far a deal is, with this party's secrets where they are new, in one synced write. `left` says whether
    /// something is to be done yet, so that it is looked at again after a restart.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn put_deal(
        &self,
        by: &Actor,
        (row, left): (&DealRow, bool),
        secrets: Option<&[u8]>,
        deed: Option<Deed>,
    ) -> Result<(), VaultError> {
        let place = row.place()?;
        let id = hash32(&row.deal)?;
        let mut write = self.begin()?;
        write.put(&[&[DEAL][..], &place].concat(), &row.encode_to_vec());
        index::index_deal(&mut write, row)?;
        let waiting = [&[DEAL_LEFT][..], &place].concat();
        if left {
            write.put(&waiting, &[]);
        } else {
            write.delete(&waiting);
        }
        if let Some(secrets) = secrets {
            let role = u8::try_from(row.role).map_err(|_| VaultError::Damaged)?;
            write.put_erasable(&SecretsOf::Deal(role).key(&id), secrets);
        }
        if let Some(deed) = deed {
            write.note(by, deed, Some(id), 0);
        }
        write.commit()
    }

    /// Forgets a deal whose terms never came, with this party's keys.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn drop_deal(&self, row: &DealRow) -> Result<(), VaultError> {
        let place = row.place()?;
        let role = u8::try_from(row.role).map_err(|_| VaultError::Damaged)?;
        let mut write = self.begin()?;
        write.delete(&[&[DEAL][..], &place].concat());
        write.delete(&[&[DEAL_LEFT][..], &place].concat());
        index::forget_deal(&mut write, row)?;
        write.delete_erasable(&SecretsOf::Deal(role).key(&hash32(&row.deal)?));
        write.commit()
    }

    /// A deal in one role of this organisation's.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn deal(&self, deal: &[u8; 32], role: DealRole) -> Result<Option<DealRow>, VaultError> {
        let role = u8::try_from(i32::from(role)).map_err(|_| VaultError::Damaged)?;
        let place = [&[DEAL][..], deal, &[role]].concat();
        self.get(&place)?.map(|value| read(&value)).transpose()
    }

    /// The roles that this organisation has in a deal.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn deal_roles(&self, deal: &[u8; 32]) -> Result<Vec<DealRow>, VaultError> {
        self.rows_of(&key(DEAL, deal))
    }

    /// All deals.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn deals(&self) -> Result<Vec<DealRow>, VaultError> {
        self.rows_of(&[DEAL])
    }

    /// Deals in which something is left to do.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn deals_left(&self) -> Result<Vec<DealRow>, VaultError> {
        let mut places = Vec::new();
        self.scan(&[DEAL_LEFT], |place, _| {
            places.push(place.to_vec());
            Ok(true)
        })?;
        let row = |place: Vec<u8>| {
            let value = self.get(&[&[DEAL][..], &place].concat())?.ok_or(VaultError::Damaged)?;
            read(&value)
        };
        places.into_iter().map(row).collect()
    }

    /// Notes that a deal opened something of a record.
    ///
    /// # Errors
    /// `Database`.
    pub fn note_opened(&self, record: &RecordId, deal: &[u8; 32]) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        write.put(&[&[OPENED][..], &record.0, deal].concat(), &[]);
        write.commit()
    }

    /// The deals that opened something of a record.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn deals_that_opened(&self, record: &RecordId) -> Result<Vec<[u8; 32]>, VaultError> {
        let mut deals = Vec::new();
        self.scan(&key(OPENED, &record.0), |deal, _| {
            deals.push(hash32(deal)?);
            Ok(true)
        })?;
        Ok(deals)
    }

    /// The height through which the log was read for deals.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn deals_read_through(&self) -> Result<u64, VaultError> {
        let Some(value) = self.get(&[DEALS_READ])? else { return Ok(0) };
        let height = value.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
        Ok(u64::from_be_bytes(height))
    }

    /// Notes it.
    ///
    /// # Errors
    /// `Database`.
    pub fn note_deals_read(&self, height: u64) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        write.put(&[DEALS_READ], &height.to_be_bytes());
        write.commit()
    }

    fn rows_of<M: Message + Default>(&self, start: &[u8]) -> Result<Vec<M>, VaultError> {
        let mut rows = Vec::new();
        self.scan(start, |_, value| {
            rows.push(read(value)?);
            Ok(true)
        })?;
        Ok(rows)
    }
}

fn piece_key(root: &[u8; 32], number: u32) -> Vec<u8> {
    [&[PIECE][..], root, &number.to_be_bytes()].concat()
}
