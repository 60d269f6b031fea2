//! Four founders with keys from fixed seeds, and blocks that they propose and certify over a real
//! database in a temporary directory. Every byte of it is the same on every run.

use ed25519_dalek::SigningKey;
use heatmark_ledger::block::{self, ExecutedBlock};
use heatmark_ledger::certificate::{self, CommitCertificate, VoteKind};
use heatmark_ledger::evidence::{Equivocation, Signed, Statement};
use heatmark_ledger::genesis::{Document, Founder, FounderIdentifier, FounderKeys, Genesis};
use heatmark_ledger::header::Header;
use heatmark_ledger::ids::{HeaderHash, Height, MemberId, NetworkId, Round, UnixMillis};
use heatmark_ledger::keys::{self, PublicKey};
use heatmark_ledger::messages as pb;
use heatmark_ledger::messages::body::Payload;
use heatmark_ledger::transaction::{self, Transaction};
use heatmark_ledger::validators::ValidatorSet;
use heatmark_merkle::tag;
use heatmark_store::{Store, StoreOptions, StoreTip};
use std::path::Path;
use std::sync::Arc;

/// Genesis time, Unix milliseconds.
pub const START_MS: u64 = 1_700_000_000_000;

const NAMES: [&str; 4] = ["Mill", "Forge", "Assembler", "Lab"];

pub fn bytes32(label: &str) -> [u8; 32] {
    tag::hash("test", &[label.as_bytes()]).0
}

pub fn key(label: &str) -> SigningKey {
    SigningKey::from_bytes(&bytes32(label))
}

fn public(key: &SigningKey) -> Vec<u8> {
    PublicKey::of(key).to_bytes().to_vec()
}

/// A signed genesis whose votes take effect at once and whose state is served for `history` heights.
pub fn genesis(name: &str, history: u64) -> Genesis {
    let hex_of = |name: &str, what: &str| hex::encode(public(&key(&format!("{name} {what}"))));
    let mut document = Document { name: name.to_owned(), time_ms: START_MS, ..Document::default() };
    document.parameters.governance_delay_ms = 0;
    document.parameters.state_history_heights = history;
    document.founders = NAMES
        .iter()
        .map(|name| Founder {
            legal_name: (*name).to_owned(),
            country: "DE".to_owned(),
            identifiers: vec![FounderIdentifier {
                scheme: "gln".to_owned(),
                value: format!("40000000{:05}", name.len()),
            }],
            roles: vec!["supplier".to_owned(), "validator".to_owned()],
            keys: FounderKeys {
                root: hex_of(name, "root"),
                signing: hex_of(name, "signing"),
                p2p: hex_of(name, "p2p"),
                envelope: hex::encode(bytes32(&format!("{name} envelope"))),
                consensus: Some(hex_of(name, "consensus")),
            },
            power: 1,
        })
        .collect();
    let mut genesis = Genesis::parse(document.to_text().unwrap().as_bytes()).unwrap();
    for name in NAMES {
        genesis.sign(&key(&format!("{name} root"))).unwrap();
    }
    genesis
}

/// A node's database, and what it takes to write blocks for it.
pub struct World {
    pub genesis: Genesis,
    pub store: Store,
    pub envelopes: Vec<Vec<u8>>,
    nonce: u64,
}

impl World {
    pub fn new(directory: &Path, history: u64) -> Self {
        let genesis = genesis("Town", history);
        let store = Store::open(directory, &genesis, &StoreOptions::default()).unwrap();
        Self { genesis, store, envelopes: Vec::new(), nonce: 0 }
    }

    /// On a store that is open already.
    pub fn on(genesis: Genesis, store: Store) -> Self {
        Self { genesis, store, envelopes: Vec::new(), nonce: 0 }
    }

    /// Closes the database and opens it again.
    pub fn reopen(self, directory: &Path) -> Self {
        let Self { genesis, store, envelopes, nonce } = self;
        drop(store);
        let store = Store::open(directory, &genesis, &StoreOptions::default()).unwrap();
        Self { genesis, store, envelopes, nonce }
    }

    pub fn id(&self, who: usize) -> MemberId {
        let root = key(&format!("{} root", NAMES[who]));
        keys::member_id(&self.genesis.network(), &PublicKey::of(&root).id())
    }

    pub fn tx(&mut self, who: usize, payload: Payload) -> Arc<Transaction> {
        self.nonce += 1;
        let mut nonce = vec![0; 8];
        nonce.extend_from_slice(&self.nonce.to_be_bytes());
        let time = self.store.tip().time.0;
        let body = pb::Body {
            not_before_ms: time,
            not_after_ms: time + 300_000,
            nonce,
            payload: Some(payload),
        };
        let network = self.genesis.network();
        let signer = key(&format!("{} signing", NAMES[who]));
        let bytes = transaction::sign(&network, &signer, &body, Vec::new());
        Arc::new(Transaction::decode(&network, bytes).unwrap())
    }

    pub fn anchors(&mut self, count: usize) -> Vec<Arc<Transaction>> {
        (0..count)
            .map(|at| {
                let root = bytes32(&format!("anchor {}", self.nonce)).to_vec();
                self.tx(at % 4, Payload::Anchor(pb::Anchor { root, records: 3 }))
            })
            .collect()
    }

    /// A vote of three founders, the fourth among them, that gives a founder another power, in one block.
    pub fn set_power(&mut self, who: usize, power: u64) -> Vec<Arc<Transaction>> {
        let action = pb::propose::Action::SetValidator(pb::SetValidator {
            member: self.id(who).to_vec(),
            consensus_key: public(&key(&format!("{} consensus", NAMES[who]))),
            power,
        });
        let proposal = self.tx(0, Payload::Propose(pb::Propose { action: Some(action) }));
        let id = proposal.id().to_vec();
        let mut block = vec![proposal];
        for voter in [1, 3] {
            let vote = pb::Vote { proposal: id.clone(), approve: true };
            block.push(self.tx(voter, Payload::Vote(vote)));
        }
        block
    }

    /// The next block over the database itself; every transaction must take effect.
    pub fn propose(&self, transactions: &[Arc<Transaction>]) -> ExecutedBlock {
        let tip = self.store.tip();
        let now = UnixMillis(tip.time.0 + 1_000);
        let candidates = transactions.iter().map(Arc::clone);
        let proposal = block::propose(&self.store, &tip.chain, now, candidates).unwrap();
        assert!(proposal.refused.is_empty(), "refused: {:?}", proposal.refused);
        assert_eq!(proposal.block.transactions.len(), transactions.len());
        proposal.block
    }

    pub fn commit(&mut self, transactions: &[Arc<Transaction>]) -> StoreTip {
        let block = self.propose(transactions);
        let tip = self.store.tip();
        let certificate = certify(&block.header, &tip.next_validators, usize::MAX);
        certificate.verify(&block.header, &tip.next_validators).unwrap();
        self.envelopes.extend(block.transactions.iter().map(|t| t.bytes().to_vec()));
        self.store.commit(&block, &certificate).unwrap()
    }

    pub fn commit_anchors(&mut self, count: usize) -> StoreTip {
        let anchors = self.anchors(count);
        self.commit(&anchors)
    }

    /// Empty blocks, single ones, one across a tile's border and two changes of the set, voted
    /// at heights 4 and 6: 9 heights.
    pub fn varied_chain(&mut self) {
        self.commit(&[]);
        self.commit_anchors(1);
        self.commit_anchors(300);
        let first = self.set_power(3, 2);
        self.commit(&first);
        self.commit(&[]);
        let second = self.set_power(0, 5);
        self.commit(&second);
        self.commit_anchors(2);
        self.commit(&[]);
        self.commit_anchors(1);
    }
}

/// Precommits for a header by the first `count` validators of a set.
pub fn certify(header: &Header, set: &ValidatorSet, count: usize) -> CommitCertificate {
    let (round, hash) = (Round(1), header.hash());
    let voters = NAMES.map(|name| key(&format!("{name} consensus")));
    let mut signatures = Vec::new();
    for (index, validator) in (0_u32..).zip(set.validators()).take(count) {
        let bytes = validator.key.to_bytes();
        let voter = voters.iter().find(|voter| public(voter) == bytes).unwrap();
        let at = (header.height, round);
        let preimage = certificate::vote_preimage(
            &header.network,
            VoteKind::Precommit,
            at,
            Some(&hash),
            &bytes,
        );
        signatures.push((index, keys::sign(voter, &preimage)));
    }
    CommitCertificate { round, signatures }
}

/// Two prevotes by a key, for values that follow from two numbers.
pub fn twice(
    network: NetworkId,
    voter: &SigningKey,
    (height, round): (u64, u32),
    values: [u8; 2],
) -> Equivocation {
    let own = PublicKey::of(voter).to_bytes();
    let place = (Height(height), Round(round));
    let signed = values.map(|value| {
        let value = Some(HeaderHash::from([value; 32]));
        let bytes =
            certificate::vote_preimage(&network, VoteKind::Prevote, place, value.as_ref(), &own);
        let signature = keys::sign(voter, &bytes).try_into().unwrap();
        Signed { value, lock_round: None, signature }
    });
    Equivocation::new(network, own, place, Statement::Prevote, signed).unwrap()
}
