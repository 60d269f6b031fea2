//! A town of four founders with keys from fixed seeds, and its chain in memory: the one world that
//! tests, golden files and benchmarks live in. Every byte of it is the same on every run.

// Named, since the benchmarks take this file in from elsewhere.
#[path = "town/restarts.rs"]
mod restarts;

use ed25519_dalek::SigningKey;
use heatmark_ledger::audit::MemoryLedger;
use heatmark_ledger::block::{self, Block, ExecutedBlock, Proposal, Tip};
use heatmark_ledger::certificate::{self, CommitCertificate, VoteKind};
use heatmark_ledger::genesis::{Document, Founder, FounderIdentifier, FounderKeys, Genesis};
use heatmark_ledger::header::Header;
use heatmark_ledger::ids::{Era, HeaderHash, Height, MemberId, Round, UnixMillis};
use heatmark_ledger::keys::{self, PublicKey};
use heatmark_ledger::messages as pb;
use heatmark_ledger::messages::body::Payload;
use heatmark_ledger::receipt::TrustRoot;
use heatmark_ledger::refusal::Refusal;
use heatmark_ledger::restart;
use heatmark_ledger::state::StateView;
use heatmark_ledger::transaction::{self, Transaction};
use heatmark_ledger::validators::ValidatorSet;
use heatmark_ledger::{Hash, LeafIndex, TreeSize};
use heatmark_merkle::tiles::{MemoryTiles, appended};
use heatmark_merkle::{map, tag, tree};
use prost::Message;
use std::sync::Arc;

/// Genesis time, Unix milliseconds.
pub(crate) const START_MS: u64 = 1_700_000_000_000;
/// Delay of grave votes in this town, milliseconds.
pub(crate) const DELAY_MS: u64 = 60_000;
/// Lifetime of proposals in this town, milliseconds.
pub(crate) const LIFETIME_MS: u64 = 300_000;

const NAMES: [&str; 4] = ["Mill", "Forge", "Assembler", "Lab"];

/// 32 bytes that follow from a label.
pub(crate) fn bytes32(label: &str) -> [u8; 32] {
    tag::hash("test", &[label.as_bytes()]).0
}

/// A signing key that follows from a label.
pub(crate) fn key(label: &str) -> SigningKey {
    SigningKey::from_bytes(&bytes32(label))
}

/// The public half, as bytes.
pub(crate) fn public(key: &SigningKey) -> Vec<u8> {
    PublicKey::of(key).to_bytes().to_vec()
}

/// A key as the registry's messages carry it.
pub(crate) fn public_key(role: pb::KeyRole, key: &SigningKey) -> pb::PublicKey {
    let algorithm = pb::KeyAlgorithm::Ed25519 as i32;
    pb::PublicKey { role: role as i32, algorithm, key: public(key) }
}

/// An organisation and its secrets.
pub(crate) struct Member {
    pub name: String,
    pub id: MemberId,
    pub root: SigningKey,
    pub signing: SigningKey,
    pub p2p: SigningKey,
    pub consensus: SigningKey,
}

/// The registry entry of an organisation that is no founder.
pub(crate) fn entry(name: &str, roles: &[pb::Role]) -> pb::MemberEntry {
    let role_key = |role, what: &str| public_key(role, &key(&format!("{name} {what}")));
    let mut keys = vec![
        role_key(pb::KeyRole::Root, "root"),
        role_key(pb::KeyRole::Signing, "signing"),
        role_key(pb::KeyRole::P2p, "p2p"),
        pb::PublicKey {
            role: pb::KeyRole::Envelope as i32,
            algorithm: pb::KeyAlgorithm::X25519 as i32,
            key: bytes32(&format!("{name} envelope")).to_vec(),
        },
    ];
    if roles.contains(&pb::Role::Validator) {
        keys.push(role_key(pb::KeyRole::Consensus, "consensus"));
    }
    pb::MemberEntry {
        legal_name: name.to_owned(),
        country: "DE".to_owned(),
        identifiers: Vec::new(),
        roles: roles.iter().map(|role| *role as i32).collect(),
        keys,
    }
}

/// The keys that co-sign the proposal of an [`entry`].
pub(crate) fn entry_cosigners(name: &str, roles: &[pb::Role]) -> Vec<(pb::CoSigner, SigningKey)> {
    let mut whats = vec!["root", "signing", "p2p"];
    if roles.contains(&pb::Role::Validator) {
        whats.push("consensus");
    }
    let cosigner = |what| (pb::CoSigner::NewKey, key(&format!("{name} {what}")));
    whats.into_iter().map(cosigner).collect()
}

/// The founding document, founders in the order of [`NAMES`].
pub(crate) fn document() -> Document {
    let hex_of = |name: &str, what: &str| hex::encode(public(&key(&format!("{name} {what}"))));
    let mut document =
        Document { name: "Town".to_owned(), time_ms: START_MS, ..Document::default() };
    document.parameters.governance_delay_ms = DELAY_MS;
    document.parameters.proposal_lifetime_ms = LIFETIME_MS;
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
    document
}

/// The document's text, signed by all founders.
pub(crate) fn signed(document: &Document) -> Genesis {
    let mut genesis = Genesis::parse(document.to_text().unwrap().as_bytes()).unwrap();
    for founder in &document.founders {
        genesis.sign(&key(&format!("{} root", founder.legal_name))).unwrap();
    }
    genesis
}

/// The chain with everything a node would store.
pub(crate) struct Town {
    pub genesis: Genesis,
    pub members: Vec<Member>,
    pub ledger: MemoryLedger,
    pub tip: Tip,
    pub blocks: Vec<pb::CertifiedBlock>,
    pub envelopes: Vec<Vec<u8>>,
    pub tiles: MemoryTiles,
    pub changes: Vec<pb::SetChange>,
    /// Keys that may certify, founders' and later ones.
    pub voters: Vec<SigningKey>,
    nonce: u64,
}

impl Town {
    pub(crate) fn new() -> Self {
        Self::with(&document())
    }

    pub(crate) fn with(document: &Document) -> Self {
        let genesis = signed(document);
        let (ledger, tip) = MemoryLedger::new(&genesis).unwrap();
        let members: Vec<Member> = document
            .founders
            .iter()
            .map(|founder| {
                let name = founder.legal_name.clone();
                let part = |what: &str| key(&format!("{name} {what}"));
                let root = part("root");
                let id = keys::member_id(&genesis.network(), &PublicKey::of(&root).id());
                let (signing, p2p, consensus) = (part("signing"), part("p2p"), part("consensus"));
                Member { id, root, signing, p2p, consensus, name }
            })
            .collect();
        let voters = members.iter().map(|member| member.consensus.clone()).collect();
        Self {
            genesis,
            members,
            ledger,
            tip,
            blocks: Vec::new(),
            envelopes: Vec::new(),
            tiles: MemoryTiles::new(),
            changes: Vec::new(),
            voters,
            nonce: 0,
        }
    }

    pub(crate) fn text(&self) -> String {
        self.genesis.to_text()
    }

    pub(crate) fn id(&self, who: usize) -> MemberId {
        self.members[who].id
    }

    /// A body that is valid from the newest block's time on for five minutes.
    pub(crate) fn body(&mut self, payload: Payload) -> pb::Body {
        self.nonce += 1;
        let mut nonce = vec![0; 8];
        nonce.extend_from_slice(&self.nonce.to_be_bytes());
        pb::Body {
            not_before_ms: self.tip.time.0,
            not_after_ms: self.tip.time.0 + 300_000,
            nonce,
            payload: Some(payload),
        }
    }

    /// The envelope of a body, signed by any key.
    pub(crate) fn envelope(
        &self,
        signer: &SigningKey,
        body: &pb::Body,
        cosigners: &[(pb::CoSigner, SigningKey)],
    ) -> Vec<u8> {
        let network = self.tip.network;
        let bytes = body.encode_to_vec();
        let cosignatures = cosigners
            .iter()
            .map(|(purpose, key)| transaction::cosign(&network, *purpose, key, &bytes).unwrap())
            .collect();
        transaction::sign(&network, signer, body, cosignatures).to_vec()
    }

    pub(crate) fn decode(&self, envelope: &[u8]) -> Result<Arc<Transaction>, Refusal> {
        Transaction::decode(&self.tip.network, envelope.to_vec().into()).map(Arc::new)
    }

    /// A transaction by a founder.
    pub(crate) fn tx(&mut self, who: usize, payload: Payload) -> Arc<Transaction> {
        self.tx_with(who, payload, &[])
    }

    pub(crate) fn tx_with(
        &mut self,
        who: usize,
        payload: Payload,
        cosigners: &[(pb::CoSigner, SigningKey)],
    ) -> Arc<Transaction> {
        let body = self.body(payload);
        let signer = self.members[who].signing.clone();
        self.decode(&self.envelope(&signer, &body, cosigners)).unwrap()
    }

    pub(crate) fn anchor(&mut self, who: usize) -> Arc<Transaction> {
        let root = bytes32(&format!("anchor {}", self.nonce)).to_vec();
        self.tx(who, Payload::Anchor(pb::Anchor { root, records: 3 }))
    }

    /// What a proposer would build one second after the newest block.
    pub(crate) fn propose(&self, transactions: &[Arc<Transaction>]) -> Proposal {
        self.propose_at(self.tip.time.0 + 1_000, transactions)
    }

    pub(crate) fn propose_at(&self, time_ms: u64, transactions: &[Arc<Transaction>]) -> Proposal {
        let candidates = transactions.iter().map(Arc::clone);
        block::propose(&self.ledger, &self.tip, UnixMillis(time_ms), candidates).unwrap()
    }

    /// Why a transaction would not take effect now; sees to it that it leaves no trace.
    pub(crate) fn refusal(&self, envelope: &[u8], time_ms: u64) -> Result<(), Refusal> {
        let transaction = self.decode(envelope)?;
        let idle = self.propose_at(time_ms, &[]).block;
        let proposal = self.propose_at(time_ms, &[transaction]);
        let Some((_, refusal)) = proposal.refused.first() else {
            assert_eq!(proposal.block.transactions.len(), 1);
            return Ok(());
        };
        assert_eq!(proposal.block.header, idle.header, "a refused transaction left a trace");
        assert_eq!(proposal.block.changes, idle.changes, "a refused transaction left a trace");
        Err(*refusal)
    }

    /// Commits a block in which every transaction must take effect.
    pub(crate) fn commit(&mut self, transactions: &[Arc<Transaction>]) -> Header {
        self.commit_at(self.tip.time.0 + 1_000, transactions)
    }

    pub(crate) fn commit_at(&mut self, time_ms: u64, transactions: &[Arc<Transaction>]) -> Header {
        let proposal = self.propose_at(time_ms, transactions);
        assert!(proposal.refused.is_empty(), "refused: {:?}", proposal.refused);
        self.take(proposal.block)
    }

    /// Checks a block as every other validator would, certifies it and takes it over.
    pub(crate) fn take(&mut self, proposed: ExecutedBlock) -> Header {
        let header = proposed.header;
        let bytes = Block::encode(&header, &proposed.transactions);
        let received = Block::decode(&bytes).unwrap();
        let transactions =
            received.transactions.iter().map(|bytes| self.decode(bytes).unwrap()).collect();
        let checked =
            block::check(&self.ledger, &self.tip, &received.header, transactions).unwrap();
        assert_eq!(checked.header, header, "proposer and validator disagree");
        assert_eq!(checked.changes, proposed.changes, "proposer and validator disagree");

        let certificate = self.certify(&header);
        certificate.verify_in(&self.tip.era(), &header, &self.tip.validators).unwrap();
        self.blocks.push(pb::CertifiedBlock {
            block: Some(pb::Block::decode(bytes.as_slice()).unwrap()),
            certificate: Some(certificate.to_proto()),
        });
        if header.next_validators != self.tip.validators.hash() {
            self.changes.push(pb::SetChange {
                header: Some(header.to_proto()),
                certificate: Some(certificate.to_proto()),
                next: Some(checked.tip.validators.to_proto()),
                restart: None,
            });
        }
        let size = TreeSize(self.envelopes.len() as u64);
        let changed = appended(size, &checked.leaf_hashes, &self.tiles).unwrap();
        self.tiles.apply(changed);
        self.envelopes.extend(checked.transactions.iter().map(|t| t.bytes().to_vec()));
        self.tip = self.ledger.commit(checked);
        header
    }

    /// All precommits for a header by the set that stands.
    pub(crate) fn certify(&self, header: &Header) -> CommitCertificate {
        certify_in(&self.tip.era(), &self.voters, header, &self.tip.validators, usize::MAX)
    }

    pub(crate) fn value<M: Message + Default>(&self, key: &[u8]) -> Option<M> {
        StateView::value(&self.ledger, key).unwrap().map(|b| M::decode(b.as_slice()).unwrap())
    }

    pub(crate) fn trust(&self) -> TrustRoot {
        TrustRoot::from_genesis(&self.genesis)
    }

    /// A pinned header of an earlier height, whose next set was `next`.
    pub(crate) fn header(&self, height: u64) -> pb::Header {
        let block = self.blocks[height as usize - 1].block.as_ref().unwrap();
        block.header.clone().unwrap()
    }

    /// The receipt of a leaf against the newest header, for a verifier who trusts `after`.
    pub(crate) fn receipt(&self, leaf: u64, after: Height) -> pb::Receipt {
        let size = TreeSize(self.envelopes.len() as u64);
        let path = tree::inclusion_path(LeafIndex(leaf), size, &self.tiles).unwrap();
        let (header, certificate, set_changes) = self.evidence(after);
        pb::Receipt {
            transaction: self.envelopes[leaf as usize].clone(),
            leaf_index: leaf,
            inclusion_path: path.iter().map(|hash| hash.0.to_vec()).collect(),
            header,
            certificate,
            set_changes,
        }
    }

    /// Presence or absence of a key at the newest header.
    pub(crate) fn state_proof(&self, key: &[u8], after: Height) -> pb::StateProof {
        let (value, proof) = map::prove(self.ledger.nodes(), self.tip.map_version, key).unwrap();
        let (header, certificate, set_changes) = self.evidence(after);
        pb::StateProof {
            key: key.to_vec(),
            present: value.is_some(),
            value: value.unwrap_or_default(),
            proof: proof.to_bytes(),
            header,
            certificate,
            set_changes,
        }
    }

    fn evidence(
        &self,
        after: Height,
    ) -> (Option<pb::Header>, Option<pb::CommitCertificate>, Vec<pb::SetChange>) {
        let newest = self.blocks.last().unwrap();
        let header = newest.block.as_ref().unwrap().header.clone();
        let height = header.as_ref().unwrap().height;
        let mut changes = Vec::new();
        for change in &self.changes {
            let at = change.header.as_ref().unwrap().height;
            if after.0 < at && at < height {
                changes.push(change.clone());
            } else if after.0 == at && at < height && change.restart.is_some() {
                changes.push(restart::from_own_header(change));
            }
        }
        (header, newest.certificate.clone(), changes)
    }
}

/// Precommits for a header by the first `count` validators of a set.
pub(crate) fn certify(
    voters: &[SigningKey],
    header: &Header,
    set: &ValidatorSet,
    count: usize,
) -> CommitCertificate {
    certify_in(&Era::of(header.network), voters, header, set, count)
}

/// The same, in an era.
pub(crate) fn certify_in(
    era: &Era,
    voters: &[SigningKey],
    header: &Header,
    set: &ValidatorSet,
    count: usize,
) -> CommitCertificate {
    let (round, hash): (Round, HeaderHash) = (Round(1), header.hash());
    let mut signatures = Vec::new();
    for (index, validator) in set.validators().iter().enumerate().take(count) {
        let bytes = validator.key.to_bytes();
        let Some(voter) = voters.iter().find(|voter| public(voter) == bytes) else { continue };
        let at = (header.height, round);
        let preimage =
            certificate::vote_preimage(era, VoteKind::Precommit, at, Some(&hash), &bytes);
        signatures.push((index as u32, keys::sign(voter, &preimage)));
    }
    CommitCertificate { round, signatures }
}

/// A proposal to give a member's registered consensus key a power.
pub(crate) fn set_power(member: &Member, power: u64) -> Payload {
    let action = pb::propose::Action::SetValidator(pb::SetValidator {
        member: member.id.to_vec(),
        consensus_key: public(&member.consensus),
        power,
    });
    Payload::Propose(pb::Propose { action: Some(action) })
}

impl Town {
    /// Proposes by the first founder and approves by others, in one block; the proposal's id.
    pub(crate) fn decide(&mut self, payload: Payload, approvers: &[usize]) -> Vec<u8> {
        let proposal = self.tx(0, payload);
        let id = proposal.id().to_vec();
        let mut block = vec![proposal];
        for who in approvers {
            block.push(self.vote(*who, &id, true));
        }
        self.commit(&block);
        id
    }

    pub(crate) fn vote(&mut self, who: usize, proposal: &[u8], approve: bool) -> Arc<Transaction> {
        let proposal = proposal.to_vec();
        self.tx(who, Payload::Vote(pb::Vote { proposal, approve }))
    }

    /// A chain with ten leaves and two changes of the validator set, at heights 3 and 5.
    pub(crate) fn with_two_set_changes() -> Self {
        let mut town = Self::new();
        let first = [town.anchor(0), town.anchor(1), town.anchor(2)];
        town.commit(&first);
        let powerful = set_power(&town.members[3], 2);
        town.decide(powerful, &[1, 2]);
        town.commit_at(town.tip.time.0 + DELAY_MS, &[]);
        let without = set_power(&town.members[0], 0);
        town.decide(without, &[1, 2, 3]);
        town.commit_at(town.tip.time.0 + DELAY_MS, &[]);
        let last = [town.anchor(3), town.anchor(1)];
        town.commit(&last);
        assert_eq!(town.changes.len(), 2);
        town
    }
}

/// A hash that follows from a label.
pub(crate) fn hash(label: &str) -> Hash {
    Hash(bytes32(label))
}
