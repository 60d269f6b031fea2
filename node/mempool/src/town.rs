//! A founded network for tests: members with keys from fixed seeds, the state at height 0 in
//! memory, and transactions they sign.

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use heatmark_ledger::genesis::{Document, Founder, FounderKeys, Genesis};
use heatmark_ledger::ids::{MemberId, NetworkId, TransactionId};
use heatmark_ledger::keys::{self, PublicKey};
use heatmark_ledger::state::{self, StateError, StateView};
use heatmark_ledger::transaction;
use heatmark_proto::ledger::v1 as pb;
use heatmark_proto::ledger::v1::body::Payload;
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, RwLock};

/// What time it is in the town, Unix milliseconds.
pub(crate) const NOW_MS: u64 = 1_750_000_000_000;

/// The state, which tests change as blocks would.
#[derive(Default)]
pub(crate) struct TownState {
    values: RwLock<BTreeMap<Vec<u8>, Vec<u8>>>,
    logged: RwLock<BTreeSet<TransactionId>>,
}

impl StateView for TownState {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.values.read().unwrap().get(key).cloned())
    }

    fn contains_transaction(&self, id: &TransactionId) -> Result<bool, StateError> {
        Ok(self.logged.read().unwrap().contains(id))
    }
}

impl TownState {
    pub(crate) fn log(&self, id: TransactionId) {
        self.logged.write().unwrap().insert(id);
    }

    pub(crate) fn set_status(&self, member: &MemberId, status: pb::MemberStatus) {
        let mut entry = state::member(self, member).unwrap().unwrap();
        entry.set_status(status);
        self.values.write().unwrap().insert(state::member_key(member), entry.encode_to_vec());
    }
}

pub(crate) struct Resident {
    pub(crate) id: MemberId,
    pub(crate) signing: SigningKey,
    pub(crate) p2p: SigningKey,
}

pub(crate) struct Town {
    pub(crate) network: NetworkId,
    pub(crate) state: Arc<TownState>,
    pub(crate) residents: Vec<Resident>,
}

fn key(role: u8, index: u8) -> SigningKey {
    let mut seed = [role; 32];
    seed[0] = index;
    SigningKey::from_bytes(&seed)
}

fn text(key: &SigningKey) -> String {
    hex::encode(key.verifying_key().as_bytes())
}

impl Town {
    pub(crate) fn found(residents: u8) -> Self {
        let founders = (0..residents)
            .map(|index| Founder {
                legal_name: format!("Resident {index}"),
                country: "FI".to_owned(),
                identifiers: Vec::new(),
                roles: vec!["supplier".to_owned(), "validator".to_owned()],
                keys: FounderKeys {
                    root: text(&key(1, index)),
                    signing: text(&key(2, index)),
                    p2p: text(&key(3, index)),
                    envelope: text(&key(4, index)),
                    consensus: Some(text(&key(5, index))),
                },
                power: 1,
            })
            .collect();
        let document = Document {
            name: "town".to_owned(),
            time_ms: NOW_MS - 1_000,
            founders,
            ..Document::default()
        };
        let genesis = Genesis::parse(document.to_text().unwrap().as_bytes()).unwrap();
        let network = genesis.network();
        let values = genesis.state().unwrap().into_iter();
        let values = values.filter_map(|(key, value)| Some((key, value?))).collect();
        let state = TownState { values: RwLock::new(values), logged: RwLock::default() };
        let residents = (0..residents)
            .map(|index| Resident {
                id: keys::member_id(&network, &PublicKey::of(&key(1, index)).id()),
                signing: key(2, index),
                p2p: key(3, index),
            })
            .collect();
        Self { network, state: Arc::new(state), residents }
    }

    pub(crate) fn anchor(&self, resident: usize, number: u64) -> Bytes {
        let root = number.to_be_bytes().repeat(4);
        self.signed(resident, number, Payload::Anchor(pb::Anchor { root, records: 1 }))
    }

    /// A concern about the material of this number.
    pub(crate) fn concern(&self, resident: usize, number: u64, sequence: u64) -> Bytes {
        let alert = pb::Alert {
            subject: number.to_be_bytes().repeat(4),
            level: pb::AlertLevel::Hold as i32,
            sequence,
            reason_digest: vec![7; 32],
            concern: true,
        };
        self.signed(resident, number, Payload::Alert(alert))
    }

    pub(crate) fn signed(&self, resident: usize, number: u64, payload: Payload) -> Bytes {
        let body = body(NOW_MS - 500, NOW_MS + 60_000, number, payload);
        self.sign(resident, &body)
    }

    pub(crate) fn sign(&self, resident: usize, body: &pb::Body) -> Bytes {
        transaction::sign(&self.network, &self.residents[resident].signing, body, Vec::new())
    }
}

pub(crate) fn body(
    not_before_ms: u64,
    not_after_ms: u64,
    number: u64,
    payload: Payload,
) -> pb::Body {
    let nonce = number.to_be_bytes().repeat(2);
    pb::Body { not_before_ms, not_after_ms, nonce, payload: Some(payload) }
}
