//! What is kept of deposits, holdings, offers and deals.

use prost::Message;

use super::{DEAL, DEPOSIT, HOLDING, SECRETS};
use crate::VaultError;
use crate::rows::hash32;
use crate::vault::key;

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
    pub(super) fn key(self, id: &[u8; 32]) -> Vec<u8> {
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
    /// The manifest's digest.
    #[prost(bytes = "vec", tag = "11")]
    pub digest: Vec<u8>,
    /// Roots of its sections.
    #[prost(bytes = "vec", repeated, tag = "12")]
    pub roots: Vec<Vec<u8>>,
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
    /// Bytes of ciphertext, as the owner announced or the manifest says.
    #[prost(uint64, tag = "10")]
    pub bytes: u64,
    /// Roots of its sections; none while only a key was given.
    #[prost(bytes = "vec", repeated, tag = "11")]
    pub roots: Vec<Vec<u8>>,
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
    /// Whether the person in charge has said yes: the owner accepts, the arbiter has the money, the buyer confirms.
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
    /// The arbiter, once the terms are here; empty where there is none.
    #[prost(bytes = "vec", tag = "23")]
    pub arbiter: Vec<u8>,
    /// Whether the buyer's people confirm it.
    #[prost(bool, tag = "24")]
    pub by_hand: bool,
    /// The inspection that asked for it; empty for none.
    #[prost(bytes = "vec", tag = "25")]
    pub inspection: Vec<u8>,
    /// Whether what it has to tell others is not written as letters yet.
    #[prost(bool, tag = "26")]
    pub unsent: bool,
}

impl DealRow {
    pub(super) fn place(&self) -> Result<Vec<u8>, VaultError> {
        let role = u8::try_from(self.role).map_err(|_| VaultError::Damaged)?;
        Ok([&hash32(&self.deal)?[..], &[role]].concat())
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

/// What is destroyed, and the row that says so.
pub(super) struct Parts {
    pub(super) of: SecretsOf,
    pub(super) id: [u8; 32],
    pub(super) place: Vec<u8>,
    pub(super) value: Vec<u8>,
}

impl Destroyed<'_> {
    pub(super) fn parts(&self) -> Result<Parts, VaultError> {
        Ok(match self {
            Self::Deposit(row) => {
                let id = hash32(&row.id)?;
                let (place, value) = (key(DEPOSIT, &id), row.encode_to_vec());
                Parts { of: SecretsOf::Deposit, id, place, value }
            }
            Self::Holding(row) => {
                let id = hash32(&row.digest)?;
                let (place, value) = (key(HOLDING, &id), row.encode_to_vec());
                Parts { of: SecretsOf::Holding, id, place, value }
            }
            Self::Deal(row) => {
                let role = u8::try_from(row.role).map_err(|_| VaultError::Damaged)?;
                let place = [&[DEAL][..], &row.place()?].concat();
                let (id, value) = (hash32(&row.deal)?, row.encode_to_vec());
                Parts { of: SecretsOf::Deal(role), id, place, value }
            }
        })
    }
}
