//! The organisations of every run: four founders that vote on blocks, three more that may join, and
//! the secrets of all. Founding is the same in every run and done once.

use crate::disk::{Drive, Medium};
use ed25519_dalek::SigningKey;
use heatmark_ledger::genesis::{Document, Founder, FounderKeys, Genesis};
use heatmark_ledger::ids::{MemberId, NetworkId};
use heatmark_ledger::keys::{self, PublicKey};
use heatmark_ledger::messages as pb;
use heatmark_ledger::transaction;
use heatmark_merkle::tag;
use heatmark_store::Store;
use prost::Message;
use prost::bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// Genesis time, Unix milliseconds.
pub const START_MS: u64 = 1_700_000_000_000;

/// Clocks may differ by this much, milliseconds.
pub const SKEW_MS: u64 = 400;

/// Longest validity of a transaction, milliseconds.
pub const WINDOW_MS: u64 = 60_000;

/// Founders.
pub const FOUNDERS: usize = 4;

/// The member whose node observes, and may be voted in as a validator.
pub const LAB: usize = 4;

const NAMES: [&str; 7] = ["Mill", "Forge", "Assembler", "Foundry", "Lab", "Smith", "Smelter"];

/// An organisation and the keys it founds or enters with.
pub struct Member {
    pub id: MemberId,
    pub entry: pb::MemberEntry,
}

/// What is the same in every run with these rules.
pub struct Town {
    pub genesis: Genesis,
    pub members: Vec<Member>,
    /// A disk on which the genesis state is written and nothing else.
    pub medium: Medium,
    secrets: BTreeMap<Vec<u8>, Arc<SigningKey>>,
}

/// How towns differ.
const RULES: [(u64, u64, u32); 3] = [(0, 1_000, 12), (500, 3, 6), (0, 2, 4)];

/// The town with one of three sets of rules.
pub fn town(rules: usize) -> &'static Town {
    static TOWNS: [OnceLock<Town>; 3] = [const { OnceLock::new() }; 3];
    let at = rules % TOWNS.len();
    TOWNS[at].get_or_init(|| Town::found(RULES[at]))
}

pub fn bytes32(label: &str) -> [u8; 32] {
    tag::hash("test", &[label.as_bytes()]).0
}

fn key(label: &str) -> SigningKey {
    SigningKey::from_bytes(&bytes32(label))
}

fn public(key: &SigningKey) -> Vec<u8> {
    PublicKey::of(key).to_bytes().to_vec()
}

impl Town {
    fn found((delay_ms, history, block_transactions): (u64, u64, u32)) -> Self {
        let mut secrets = BTreeMap::new();
        let mut known = |label: String| {
            let key = key(&label);
            let public = public(&key);
            secrets.insert(public.clone(), Arc::new(key));
            public
        };
        let mut document =
            Document { name: "Town".to_owned(), time_ms: START_MS, ..Document::default() };
        let parameters = &mut document.parameters;
        parameters.governance_delay_ms = delay_ms;
        parameters.state_history_heights = history;
        // Fewer than blocks need to be verified on several threads: a run has one.
        parameters.max_block_transactions = block_transactions;
        parameters.max_clock_skew_ms = SKEW_MS;
        parameters.max_window_ms = WINDOW_MS;
        parameters.heartbeat_ms = 1_000;
        parameters.proposal_lifetime_ms = 20_000;
        let entries: Vec<pb::MemberEntry> = NAMES
            .iter()
            .enumerate()
            .map(|(who, name)| {
                let mut roles = vec![pb::Role::Supplier as i32];
                let mut keys = Vec::new();
                let parts = [
                    (pb::KeyRole::Root, "root"),
                    (pb::KeyRole::Signing, "signing"),
                    (pb::KeyRole::P2p, "p2p"),
                    (pb::KeyRole::Envelope, "envelope"),
                    (pb::KeyRole::Consensus, "consensus"),
                ];
                for (role, part) in parts {
                    if role == pb::KeyRole::Consensus && who > LAB {
                        continue;
                    }
                    let label = format!("{name} {part}");
                    keys.push(match role {
                        pb::KeyRole::Envelope => envelope_key(&label),
                        _ => registered(role, known(label)),
                    });
                }
                if who <= LAB {
                    roles.push(pb::Role::Validator as i32);
                }
                pb::MemberEntry {
                    legal_name: (*name).to_owned(),
                    country: "DE".to_owned(),
                    identifiers: Vec::new(),
                    roles,
                    keys,
                }
            })
            .collect();
        document.founders = entries.iter().take(FOUNDERS).map(founder).collect();
        let mut genesis = Genesis::parse(document.to_text().unwrap().as_bytes()).unwrap();
        for entry in entries.iter().take(FOUNDERS) {
            genesis.sign(&secrets[&entry.keys[0].key]).unwrap();
        }
        let members = entries
            .into_iter()
            .map(|entry| {
                let root = keys::key_id(pb::KeyAlgorithm::Ed25519, &entry.keys[0].key);
                Member { id: keys::member_id(&genesis.network(), &root), entry }
            })
            .collect();
        let drive = Drive::new(Medium::default());
        let store = Store::open_on(drive.open().unwrap(), &genesis).unwrap();
        store.flush().unwrap();
        Self { genesis, members, medium: drive.medium(), secrets }
    }

    pub fn network(&self) -> NetworkId {
        self.genesis.network()
    }
}

fn registered(role: pb::KeyRole, key: Vec<u8>) -> pb::PublicKey {
    pb::PublicKey { role: role as i32, algorithm: pb::KeyAlgorithm::Ed25519 as i32, key }
}

pub fn envelope_key(label: &str) -> pb::PublicKey {
    pb::PublicKey {
        role: pb::KeyRole::Envelope as i32,
        algorithm: pb::KeyAlgorithm::X25519 as i32,
        key: bytes32(label).to_vec(),
    }
}

fn founder(entry: &pb::MemberEntry) -> Founder {
    let of = |role: pb::KeyRole| {
        let key = entry.keys.iter().find(|key| key.role() == role).unwrap();
        hex::encode(&key.key)
    };
    Founder {
        legal_name: entry.legal_name.clone(),
        country: entry.country.clone(),
        identifiers: Vec::new(),
        roles: vec!["supplier".to_owned(), "validator".to_owned()],
        keys: FounderKeys {
            root: of(pb::KeyRole::Root),
            signing: of(pb::KeyRole::Signing),
            p2p: of(pb::KeyRole::P2p),
            envelope: of(pb::KeyRole::Envelope),
            consensus: Some(of(pb::KeyRole::Consensus)),
        },
        power: 1,
    }
}

/// Every secret of a run: those of the town, and those made on the way.
pub struct Keyring {
    secrets: BTreeMap<Vec<u8>, Arc<SigningKey>>,
    /// Which replica votes with a consensus key.
    voters: BTreeMap<Vec<u8>, usize>,
    made: u64,
}

impl Keyring {
    pub fn new(town: &Town) -> Self {
        let consensus = |entry: &pb::MemberEntry| {
            let key = entry.keys.iter().find(|key| key.role() == pb::KeyRole::Consensus);
            key.map(|key| key.key.clone())
        };
        let voters = town.members.iter().enumerate();
        let voters = voters.filter_map(|(who, member)| Some((consensus(&member.entry)?, who)));
        Self { secrets: town.secrets.clone(), voters: voters.collect(), made: 0 }
    }

    /// The secret behind a public key.
    pub fn secret(&self, public: &[u8]) -> Option<&Arc<SigningKey>> {
        self.secrets.get(public)
    }

    /// The replica that votes with a key.
    pub fn voter(&self, public: &[u8]) -> Option<usize> {
        self.voters.get(public).copied()
    }

    /// A new key; with `voter`, one that this replica votes with.
    pub fn make(&mut self, voter: Option<usize>) -> (Vec<u8>, Arc<SigningKey>) {
        self.made += 1;
        let key = Arc::new(key(&format!("made {}", self.made)));
        let public = public(&key);
        self.secrets.insert(public.clone(), Arc::clone(&key));
        if let Some(voter) = voter {
            self.voters.insert(public.clone(), voter);
        }
        (public, key)
    }
}

/// The key that raises the issuer's alerts on one of the run's records.
pub fn alert_key(record: u64) -> &'static SigningKey {
    static KEYS: OnceLock<Vec<SigningKey>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| (0..4).map(|at| key(&format!("alert {at}"))).collect());
    &keys[record as usize % keys.len()]
}

/// How many seals there are.
const SEALS: u64 = 500;

/// The keys of seals that lot events break, some of them more than once.
pub fn seal_key(seal: u64) -> &'static SigningKey {
    static KEYS: OnceLock<Vec<SigningKey>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| (0..SEALS).map(|at| key(&format!("seal {at}"))).collect());
    &keys[(seal % SEALS) as usize]
}

/// How many deals there are.
pub const DEALS: u64 = 60;

/// The keys of a deal: the buyer's, then its two agents'.
pub fn deal_key(deal: u64, part: u64) -> &'static SigningKey {
    static KEYS: OnceLock<Vec<SigningKey>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| (0..DEALS * 3).map(|at| key(&format!("deal {at}"))).collect());
    &keys[((deal % DEALS) * 3 + part % 3) as usize]
}

/// An envelope around a body.
pub fn sign(
    network: &NetworkId,
    signer: &SigningKey,
    body: &pb::Body,
    cosigners: &[(pb::CoSigner, &SigningKey)],
) -> Bytes {
    let bytes = body.encode_to_vec();
    let cosignatures = cosigners
        .iter()
        .map(|(purpose, key)| transaction::cosign(network, *purpose, key, &bytes).unwrap())
        .collect();
    transaction::sign(network, signer, body, cosignatures)
}
