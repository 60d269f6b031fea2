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
//! | `F` kind, id | secrets of a deposit, shares held, or secrets that a deal opened | master, erasable |
//!
//! Files in the rows are opaque here: `heatmark-escrow` makes and reads them.

#[cfg(test)]
mod tests;

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

/// Whose secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretsOf {
    /// Those of an own deposit, by its id.
    Deposit,
    /// Shares held as an agent, by the manifest's digest.
    Holding,
    /// Keys of a party of a deal and what it opened, by the deal's id; one organisation may have several roles in one.
    Deal(u8),
}

impl SecretsOf {
    fn key(self, id: &[u8; 32]) -> Vec<u8> {
        let kind = match self {
            Self::Deposit => 0,
            Self::Holding => 1,
            Self::Deal(role) => role.saturating_add(16),
        };
        [&[SECRETS, kind][..], id].concat()
    }
}

/// A deposit of this organisation's.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DepositRow {
    /// Its id, 32 random bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    /// The record.
    #[prost(bytes = "vec", tag = "2")]
    pub record: Vec<u8>,
    /// When it was begun, by the node's clock.
    #[prost(uint64, tag = "3")]
    pub at_ms: u64,
    /// The manifest as it will be, or as it is; salt, sections and clauses are there from the beginning.
    #[prost(bytes = "vec", tag = "4")]
    pub manifest: Vec<u8>,
    /// The clauses, in the order of their digests.
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub clauses: Vec<Vec<u8>>,
    /// The agents, in the manifest's order.
    #[prost(message, repeated, tag = "6")]
    pub agents: Vec<DepositAgent>,
    /// 16 random bytes that tie agents' answers to it.
    #[prost(bytes = "vec", tag = "7")]
    pub nonce: Vec<u8>,
    /// The anchor that has left or is to leave; empty before.
    #[prost(bytes = "vec", tag = "8")]
    pub anchor: Vec<u8>,
    /// What proves that the manifest is anchored; empty before.
    #[prost(bytes = "vec", tag = "9")]
    pub evidence: Vec<u8>,
    /// Whether its secrets were destroyed.
    #[prost(bool, tag = "10")]
    pub destroyed: bool,
}

/// How far an agent of a deposit is.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DepositAgent {
    /// The member.
    #[prost(bytes = "vec", tag = "1")]
    pub member: Vec<u8>,
    /// The key that its shares are sealed to; empty until it has said.
    #[prost(bytes = "vec", tag = "2")]
    pub key: Vec<u8>,
    /// Whether its parcel and ciphertext are written as letters.
    #[prost(bool, tag = "3")]
    pub sent: bool,
    /// What it signed for its shares; empty until it has.
    #[prost(bytes = "vec", tag = "4")]
    pub receipt: Vec<u8>,
    /// When it last showed that it is alive, in milliseconds since 1970.
    #[prost(uint64, tag = "5")]
    pub drilled_ms: u64,
    /// What a drill found wrong; empty for nothing.
    #[prost(string, tag = "6")]
    pub trouble: String,
    /// What it signed when it destroyed its shares; empty until it has.
    #[prost(bytes = "vec", tag = "7")]
    pub destroyed: Vec<u8>,
    /// Nonce and places of the drill that is under way.
    #[prost(bytes = "vec", tag = "8")]
    pub drill: Vec<u8>,
}

/// A deposit that this organisation holds shares of.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct HoldingRow {
    /// The manifest's digest; of one that has not come yet, a digest of the owner and its nonce.
    #[prost(bytes = "vec", tag = "1")]
    pub digest: Vec<u8>,
    /// The owner.
    #[prost(bytes = "vec", tag = "2")]
    pub owner: Vec<u8>,
    /// The record.
    #[prost(bytes = "vec", tag = "3")]
    pub record: Vec<u8>,
    /// The manifest; empty while only a key was given.
    #[prost(bytes = "vec", tag = "4")]
    pub manifest: Vec<u8>,
    /// The clauses, in the order of their digests.
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub clauses: Vec<Vec<u8>>,
    /// What proves that the manifest is anchored.
    #[prost(bytes = "vec", tag = "6")]
    pub evidence: Vec<u8>,
    /// When it was asked for, by the node's clock.
    #[prost(uint64, tag = "7")]
    pub at_ms: u64,
    /// Whether it has signed for its shares and all ciphertext.
    #[prost(bool, tag = "8")]
    pub signed: bool,
    /// Whether its shares were destroyed.
    #[prost(bool, tag = "9")]
    pub destroyed: bool,
    /// Bytes of ciphertext that the owner announced.
    #[prost(uint64, tag = "10")]
    pub bytes: u64,
}

/// What could be opened of a record, as agents have said.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct OpenableRow {
    /// The record.
    #[prost(bytes = "vec", tag = "1")]
    pub record: Vec<u8>,
    /// The manifest.
    #[prost(bytes = "vec", tag = "2")]
    pub manifest: Vec<u8>,
    /// The clauses that apply, in the order of their digests.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub clauses: Vec<Vec<u8>>,
    /// What proves that the manifest is anchored.
    #[prost(bytes = "vec", tag = "4")]
    pub evidence: Vec<u8>,
    /// When it was last told, by the node's clock.
    #[prost(uint64, tag = "5")]
    pub at_ms: u64,
    /// The members that told it.
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub told_by: Vec<Vec<u8>>,
}

/// What an organisation is in a deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum DealRole {
    /// It opens what was deposited.
    Buyer = 0,
    /// It holds a share.
    Agent = 1,
    /// It attests payment and rules disputes.
    Arbiter = 2,
    /// It accepts by hand.
    Owner = 3,
}

/// A deal and what this organisation does in it.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DealRow {
    /// The deal's id.
    #[prost(bytes = "vec", tag = "1")]
    pub deal: Vec<u8>,
    /// What this organisation is in it.
    #[prost(enumeration = "DealRole", tag = "2")]
    pub role: i32,
    /// The buyer.
    #[prost(bytes = "vec", tag = "3")]
    pub buyer: Vec<u8>,
    /// Digest of the manifest.
    #[prost(bytes = "vec", tag = "4")]
    pub manifest: Vec<u8>,
    /// When it was begun here, by the node's clock.
    #[prost(uint64, tag = "5")]
    pub at_ms: u64,
    /// The terms with what goes with them; empty until they are there.
    #[prost(bytes = "vec", tag = "6")]
    pub terms: Vec<u8>,
    /// What the buyer asked for, while keys are gathered; empty for all others.
    #[prost(bytes = "vec", tag = "7")]
    pub wish: Vec<u8>,
    /// Keys that parties gave the buyer, each as its file.
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub quotes: Vec<Vec<u8>>,
    /// The step that is on its way to the log; empty for none.
    #[prost(bytes = "vec", tag = "9")]
    pub step: Vec<u8>,
    /// Who was asked to carry it, and how often anybody was.
    #[prost(uint32, tag = "10")]
    pub carried: u32,
    /// When it was given to somebody last.
    #[prost(uint64, tag = "11")]
    pub carried_ms: u64,
    /// Why this organisation takes no part, or what is wrong; a stable name, empty for nothing.
    #[prost(string, tag = "12")]
    pub trouble: String,
    /// The same in words.
    #[prost(string, tag = "13")]
    pub trouble_text: String,
    /// The phase as it was last seen.
    #[prost(uint32, tag = "14")]
    pub phase: u32,
    /// Whether the person in charge has said yes: the owner accepts, the arbiter has the money.
    #[prost(bool, tag = "15")]
    pub agreed: bool,
    /// Whether the buyer has opened it.
    #[prost(bool, tag = "16")]
    pub opened: bool,
    /// Until when what was opened may be kept; 0 for as long as one likes.
    #[prost(uint64, tag = "17")]
    pub retain_until_ms: u64,
    /// Agents whose shares were bad, by their index.
    #[prost(bytes = "vec", tag = "18")]
    pub bad: Vec<u8>,
    /// Whether what was opened is destroyed.
    #[prost(bool, tag = "19")]
    pub destroyed: bool,
    /// The claim that was disputed with, and the ruling on it, as files.
    #[prost(bytes = "vec", tag = "20")]
    pub claim: Vec<u8>,
    /// The ruling.
    #[prost(bytes = "vec", tag = "21")]
    pub ruling: Vec<u8>,
    /// What of the arbiter's outbox was written: a bit for each kind of line.
    #[prost(uint32, tag = "22")]
    pub told: u32,
    /// The inspection that asked for it; empty for none.
    #[prost(bytes = "vec", tag = "23")]
    pub inspection: Vec<u8>,
}

impl DealRow {
    fn place(&self) -> Result<Vec<u8>, VaultError> {
        let role = u8::try_from(self.role).map_err(|_| VaultError::Damaged)?;
        Ok([&hash32(&self.deal)?[..], &[role]].concat())
    }
}

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

    /// Keeps a deposit of another's, with its shares where they are new, in one synced write; what was known of it under
    /// another digest goes.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn put_holding(
        &self,
        row: &HoldingRow,
        shares: Option<&[u8]>,
        before: Option<[u8; 32]>,
    ) -> Result<(), VaultError> {
        let id = hash32(&row.digest)?;
        let mut write = self.begin()?;
        if let Some(before) = before {
            write.delete(&key(HOLDING, &before));
            write.delete_erasable(&SecretsOf::Holding.key(&before));
        }
        write.put(&key(HOLDING, &id), &row.encode_to_vec());
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
        let (of, id, place, value) = row.parts()?;
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

    /// The first piece of so many that is not here; none where all are.
    ///
    /// # Errors
    /// `Database`.
    pub fn first_missing_piece(
        &self,
        root: &[u8; 32],
        pieces: u32,
    ) -> Result<Option<u32>, VaultError> {
        for number in 0..pieces {
            if self.db.get(Family::Kept, &piece_key(root, number))?.is_none() {
                return Ok(Some(number));
            }
        }
        Ok(None)
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

/// A row that says that its secrets are destroyed.
#[derive(Debug)]
pub enum Destroyed<'a> {
    /// An own deposit.
    Deposit(&'a DepositRow),
    /// Shares held for another.
    Holding(&'a HoldingRow),
    /// What a deal opened.
    Deal(&'a DealRow),
}

type Parts = (SecretsOf, [u8; 32], Vec<u8>, Vec<u8>);

impl Destroyed<'_> {
    fn parts(&self) -> Result<Parts, VaultError> {
        Ok(match self {
            Self::Deposit(row) => {
                let id = hash32(&row.id)?;
                (SecretsOf::Deposit, id, key(DEPOSIT, &id), row.encode_to_vec())
            }
            Self::Holding(row) => {
                let id = hash32(&row.digest)?;
                (SecretsOf::Holding, id, key(HOLDING, &id), row.encode_to_vec())
            }
            Self::Deal(row) => {
                let role = u8::try_from(row.role).map_err(|_| VaultError::Damaged)?;
                let place = [&[DEAL][..], &row.place()?].concat();
                (SecretsOf::Deal(role), hash32(&row.deal)?, place, row.encode_to_vec())
            }
        })
    }
}

fn piece_key(root: &[u8; 32], number: u32) -> Vec<u8> {
    [&[PIECE][..], root, &number.to_be_bytes()].concat()
}
