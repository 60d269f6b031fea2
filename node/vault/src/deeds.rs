//! Who did what: every use of the vault that publishes, shows, proves, alerts, exports or destroys something, and
//! every change of who may. Each entry holds the hash of the one before, so that none can be changed, removed
//! or put in unnoticed by whoever does not rewrite all that follow; a noted head tells even that.
//!
//! An entry names keys, records and numbers, never what a field says, a file's name or a reason.

use std::fmt;

use heatmark_merkle::tag;
use prost::Message;

use crate::VaultError;
use crate::rows::hash32;

/// Longest name of an operator or a local user, in characters.
pub const MAX_NAME_CHARS: usize = 64;

/// On whose behalf the vault is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The node itself, unasked.
    Node,
    /// A client, by the key it proved to hold.
    Client {
        /// Its Ed25519 key.
        key: [u8; 32],
        /// The name under which its operator was let in, or what the key is.
        name: String,
    },
    /// A user of this machine who works on the files of a stopped node.
    User {
        /// The name, as the system gives it.
        name: String,
    },
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// A record was made; about the record.
    Publish,
    /// Fields of a record were shown; about the record, with their number.
    Show,
    /// Something about a record was proved; about the record.
    Prove,
    /// An alert was signed with a record's alert key; about the record, with the level.
    Alert,
    /// A concern was signed; about the alert subject, with the level.
    Concern,
    /// The opening of a record left the vault; about the record.
    Export,
    /// A record's opening was destroyed; about the record.
    Destroy,
    /// A record's retention date was set; about the record, with the date in ms, 0 for none.
    Retain,
    /// A record was put on hold; about the record.
    Hold,
    /// A record's hold ended; about the record.
    Release,
    /// A key was let in, or its roles changed; about the key, with its roles.
    Grant,
    /// A key was shut out; about the key.
    Revoke,
    /// A backup was begun.
    Backup,
    /// The vault was restored from a backup, with the first alert index after it.
    Restore,
    /// The vault was put under another key.
    Rekey,
    /// A letter to another member was written; about the letter, with its bytes.
    Send,
    /// Lots came to be, changed or went; about the event, with the number of its kind.
    LotEvent,
    /// Lots were sent to another member; about the transfer, with their number.
    Ship,
    /// Lots were received from another member; about the transfer, with their number.
    Receive,
    /// Seals were offered to another member; about the member, with their number.
    Offer,
    /// Sections of a record were deposited with agents; about the record.
    Deposit,
    /// Shares of another's deposit were taken in; about its manifest.
    HoldShares,
    /// A deal was opened; about the deal.
    OpenDeal,
    /// A deal was accepted as the owner; about the deal.
    AcceptDeal,
    /// Payment of a deal was attested; about the deal.
    FundDeal,
    /// Shares were released in a deal; about the deal.
    ReleaseShares,
    /// What a deal gives was opened; about the deal.
    OpenSections,
    /// A deal was confirmed; about the deal.
    ConfirmDeal,
    /// A deal was disputed; about the deal.
    DisputeDeal,
    /// A dispute was ruled; about the deal.
    RuleDeal,
    /// Sections were ordered to be opened, as a regulator; about the record.
    Order,
}

/// Deeds with their number in an entry and their name.
const DEEDS: [(Deed, u32, &str); 31] = [
    (Deed::Publish, 1, "publish"),
    (Deed::Show, 2, "show"),
    (Deed::Prove, 3, "prove"),
    (Deed::Alert, 4, "alert"),
    (Deed::Concern, 5, "concern"),
    (Deed::Export, 6, "export"),
    (Deed::Destroy, 7, "destroy"),
    (Deed::Retain, 8, "retain"),
    (Deed::Hold, 9, "hold"),
    (Deed::Release, 10, "release"),
    (Deed::Grant, 11, "grant"),
    (Deed::Revoke, 12, "revoke"),
    (Deed::Backup, 13, "backup"),
    (Deed::Restore, 14, "restore"),
    (Deed::Rekey, 15, "rekey"),
    (Deed::Send, 16, "send"),
    (Deed::LotEvent, 17, "lot-event"),
    (Deed::Ship, 18, "ship"),
    (Deed::Receive, 19, "receive"),
    (Deed::Offer, 20, "offer"),
    (Deed::Deposit, 21, "deposit"),
    (Deed::HoldShares, 22, "hold-shares"),
    (Deed::OpenDeal, 23, "open-deal"),
    (Deed::AcceptDeal, 24, "accept-deal"),
    (Deed::FundDeal, 25, "fund-deal"),
    (Deed::ReleaseShares, 26, "release-shares"),
    (Deed::OpenSections, 27, "open-sections"),
    (Deed::ConfirmDeal, 28, "confirm-deal"),
    (Deed::DisputeDeal, 29, "dispute-deal"),
    (Deed::RuleDeal, 30, "rule-deal"),
    (Deed::Order, 31, "order"),
];

impl Deed {
    /// Its number in an entry.
    #[must_use]
    pub fn number(self) -> u32 {
        DEEDS.iter().find(|(deed, ..)| *deed == self).map_or(0, |(_, number, _)| *number)
    }

    /// Its name, as people read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        DEEDS.iter().find(|(deed, ..)| *deed == self).map_or("unknown", |(.., name)| name)
    }

    /// The deed of a number.
    #[must_use]
    pub fn of(number: u32) -> Option<Self> {
        DEEDS.iter().find(|(_, known, _)| *known == number).map(|(deed, ..)| *deed)
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its place, from 0.
    pub sequence: u64,
    /// When, by the node's clock, in milliseconds since 1970.
    pub at_ms: u64,
    /// Who.
    pub actor: Actor,
    /// What.
    pub deed: Deed,
    /// Which record, alert subject or key; see [`Deed`].
    pub about: Option<[u8; 32]>,
    /// See [`Deed`]; 0 where it has no meaning.
    pub number: u64,
    /// The hash of the entry before; zeros for the first.
    pub previous: [u8; 32],
}

/// What the next entry goes on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogHead {
    /// How many entries there are.
    pub entries: u64,
    /// The hash of the last one; zeros for none.
    pub hash: [u8; 32],
}

#[derive(Clone, PartialEq, Message)]
struct EntryMessage {
    #[prost(uint64, tag = "1")]
    sequence: u64,
    #[prost(uint64, tag = "2")]
    at_ms: u64,
    #[prost(uint32, tag = "3")]
    actor: u32,
    #[prost(bytes = "vec", tag = "4")]
    key: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(uint32, tag = "6")]
    deed: u32,
    #[prost(bytes = "vec", tag = "7")]
    about: Vec<u8>,
    #[prost(uint64, tag = "8")]
    number: u64,
    #[prost(bytes = "vec", tag = "9")]
    previous: Vec<u8>,
}

const BY_NODE: u32 = 1;
const BY_CLIENT: u32 = 2;
const BY_USER: u32 = 3;

impl LogEntry {
    /// The bytes whose hash the next entry holds: `EntryMessage`, canonical.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (actor, key, name) = match &self.actor {
            Actor::Node => (BY_NODE, Vec::new(), String::new()),
            Actor::Client { key, name } => (BY_CLIENT, key.to_vec(), name.clone()),
            Actor::User { name } => (BY_USER, Vec::new(), name.clone()),
        };
        let message = EntryMessage {
            sequence: self.sequence,
            at_ms: self.at_ms,
            actor,
            key,
            name,
            deed: self.deed.number(),
            about: self.about.map(|about| about.to_vec()).unwrap_or_default(),
            number: self.number,
            previous: self.previous.to_vec(),
        };
        message.encode_to_vec()
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// `Damaged`.
    pub fn decode(bytes: &[u8]) -> Result<Self, VaultError> {
        let message = EntryMessage::decode(bytes).map_err(|_| VaultError::Damaged)?;
        let actor = match message.actor {
            BY_NODE => Actor::Node,
            BY_CLIENT => Actor::Client { key: hash32(&message.key)?, name: message.name },
            BY_USER => Actor::User { name: message.name },
            _ => return Err(VaultError::Damaged),
        };
        let about = match message.about.as_slice() {
            [] => None,
            about => Some(hash32(about)?),
        };
        Ok(Self {
            sequence: message.sequence,
            at_ms: message.at_ms,
            actor,
            deed: Deed::of(message.deed).ok_or(VaultError::Damaged)?,
            about,
            number: message.number,
            previous: hash32(&message.previous)?,
        })
    }

    /// `H("vault-log", entry)`.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        tag::hash("vault-log", &[&self.encode()]).0
    }

    /// The head once this entry stands, if it is what follows a head.
    ///
    /// # Errors
    /// `LogChanged` when it does not follow.
    pub fn follow(&self, head: &LogHead) -> Result<LogHead, VaultError> {
        if self.sequence != head.entries || self.previous != head.hash {
            return Err(VaultError::LogChanged(head.entries));
        }
        Ok(LogHead { entries: head.entries.saturating_add(1), hash: self.hash() })
    }
}

impl LogHead {
    pub(crate) fn encode(&self) -> Vec<u8> {
        [&self.entries.to_be_bytes()[..], &self.hash].concat()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, VaultError> {
        let (entries, hash) = bytes.split_first_chunk::<8>().ok_or(VaultError::Damaged)?;
        Ok(Self { entries: u64::from_be_bytes(*entries), hash: hash32(hash)? })
    }
}

/// Whether a name may stand in the log and in lists.
pub(crate) fn check_name(name: &str) -> Result<(), VaultError> {
    let count = name.chars().count();
    if count == 0 || count > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(VaultError::Name);
    }
    Ok(())
}
