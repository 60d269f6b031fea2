//! A network of one validator in this process: a real store, pool and door, and blocks decided by
//! whoever holds the one consensus key. For tests of what stands on these.

use ed25519_dalek::SigningKey;
use heatmark_ledger::certificate::{CommitCertificate, VoteKind, vote_preimage};
use heatmark_ledger::genesis::{Document, Founder, FounderKeys, Genesis, GenesisParameters};
use heatmark_ledger::ids::{MemberId, Round, UnixMillis};
use heatmark_ledger::keys::{self, PublicKey};
use heatmark_ledger::messages as pb;
use heatmark_ledger::refusal::Refusal;
use heatmark_ledger::{block, transaction};
use heatmark_mempool::{Intake, Limits, Mempool, Tip};
use heatmark_store::{Store, StoreOptions, StoreTip};
use prost::bytes::Bytes;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

pub(crate) struct TestMember {
    pub(crate) id: MemberId,
    pub(crate) root: SigningKey,
    pub(crate) signing: SigningKey,
    pub(crate) p2p: SigningKey,
}

pub(crate) struct TestChain {
    pub(crate) genesis: Genesis,
    pub(crate) store: Store,
    pub(crate) mempool: Arc<Mempool>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) members: Vec<TestMember>,
    pub(crate) consensus: SigningKey,
    producing: Mutex<()>,
    /// Subjects whose acknowledgements no block takes.
    pub(crate) left_out: Mutex<Vec<Vec<u8>>>,
    pub(crate) dir: TempDir,
}

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A network of these many members, of which the first validates.
pub(crate) fn network(members: u8) -> (Genesis, Vec<TestMember>, SigningKey) {
    let text = |key: &SigningKey| hex::encode(key.verifying_key().to_bytes());
    let consensus = key(250);
    let mut founders = Vec::new();
    let mut drafts = Vec::new();
    for n in 0..members {
        let (root, signing, p2p) = (key(n * 4 + 1), key(n * 4 + 2), key(n * 4 + 3));
        founders.push(Founder {
            legal_name: format!("Member {n}"),
            country: "DE".to_owned(),
            identifiers: Vec::new(),
            roles: match n {
                0 => vec!["validator".to_owned()],
                _ => ["supplier", "escrow-agent", "regulator"].map(str::to_owned).to_vec(),
            },
            keys: FounderKeys {
                root: text(&root),
                signing: text(&signing),
                p2p: text(&p2p),
                envelope: hex::encode([n + 100; 32]),
                consensus: (n == 0).then(|| text(&consensus)),
            },
            power: u64::from(n == 0),
        });
        drafts.push((root, signing, p2p));
    }
    let document = Document {
        name: "test".to_owned(),
        time_ms: now_ms() - 60_000,
        parameters: GenesisParameters::default(),
        founders,
        ..Document::default()
    };
    let mut genesis = Genesis::parse(document.to_text().unwrap().as_bytes()).unwrap();
    let members = drafts
        .into_iter()
        .map(|(root, signing, p2p)| {
            let id = genesis.sign(&root).unwrap();
            TestMember { id, root, signing, p2p }
        })
        .collect();
    genesis.require_signed().unwrap();
    (genesis, members, consensus)
}

impl TestChain {
    pub(crate) fn new(members: u8) -> Arc<Self> {
        let (genesis, members, consensus) = network(members);
        let dir = TempDir::new().unwrap();
        let options = StoreOptions { block_cache_bytes: 1 << 20, write_buffer_bytes: 4 << 20 };
        let store = Store::open(&dir.path().join("store"), &genesis, &options).unwrap();
        let mempool = Arc::new(Mempool::new(Limits::default()));
        let view = Arc::new(store.clone());
        let (intake, _) = Intake::new(genesis.network(), Arc::clone(&mempool), view);
        let (intake, producing) = (Arc::new(intake), Mutex::new(()));
        Arc::new(Self {
            genesis,
            store,
            mempool,
            intake,
            members,
            consensus,
            producing,
            left_out: Mutex::default(),
            dir,
        })
    }

    /// Decides one block of what waits, now or at the time given.
    pub(crate) fn produce(&self, at: Option<u64>) -> StoreTip {
        let _one = self.producing.lock().unwrap();
        let tip = self.store.tip();
        let left_out = self.left_out.lock().unwrap().clone();
        let mut candidates = self.mempool.select(1_000, 4 << 20, 512 << 10);
        candidates.retain(|transaction| match transaction.payload() {
            pb::body::Payload::Acknowledge(acknowledge) => !left_out.contains(&acknowledge.subject),
            _ => true,
        });
        let now = UnixMillis(at.unwrap_or_else(now_ms));
        let proposal = block::propose(&self.store, &tip.chain, now, candidates).unwrap();
        for (id, refusal) in proposal.refused {
            if refusal != Refusal::TooEarly {
                self.mempool.discard(&id);
            }
        }
        let header = proposal.block.header;
        let tip = self.store.commit(&proposal.block, &self.certify(&header)).unwrap();
        self.mempool.remove(proposal.block.transactions.iter().map(|t| t.id()));
        self.mempool.expire(header.time);
        tip
    }

    fn certify(&self, header: &heatmark_ledger::header::Header) -> CommitCertificate {
        let round = Round(0);
        let preimage = vote_preimage(
            &header.network,
            VoteKind::Precommit,
            (header.height, round),
            Some(&header.hash()),
            &self.consensus.verifying_key().to_bytes(),
        );
        let signatures = vec![(0, keys::sign(&self.consensus, &preimage))];
        CommitCertificate { round, signatures }
    }

    /// Decides a block whenever something waits, until the test ends.
    pub(crate) fn keep_producing(self: &Arc<Self>) {
        let chain = Arc::clone(self);
        tokio::spawn(async move {
            let mut waiting = chain.mempool.subscribe();
            while waiting.wait_for(|waiting| *waiting > 0).await.is_ok() {
                let chain = Arc::clone(&chain);
                let produced = tokio::task::spawn_blocking(move || {
                    let before = chain.store.tip().log_size;
                    chain.produce(None).log_size != before
                });
                if !produced.await.unwrap() {
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        });
    }

    pub(crate) fn tip(&self) -> Tip {
        let tip = self.store.tip();
        let time = UnixMillis(tip.time.0.max(now_ms()));
        Tip { next: tip.height.next(), time, parent_time: tip.time }
    }

    /// A signed transaction of a member, valid for a minute.
    pub(crate) fn signed(&self, member: usize, payload: pb::body::Payload, nonce: u8) -> Bytes {
        let body = body(payload, nonce);
        transaction::sign(&self.genesis.network(), &self.members[member].signing, &body, Vec::new())
    }

    /// Replaces a member's p2p key in the next block, and returns the new one.
    pub(crate) fn rotate_p2p(&self, member: usize, seed: u8) -> SigningKey {
        let (new, owner) = (key(seed), &self.members[member]);
        let rotate = pb::RotateKey {
            new_key: Some(pb::PublicKey {
                role: pb::KeyRole::P2p.into(),
                algorithm: pb::KeyAlgorithm::Ed25519.into(),
                key: PublicKey::of(&new).to_bytes().to_vec(),
            }),
            compromised_since: 0,
            member: owner.id.to_vec(),
        };
        let body = body(pb::body::Payload::RotateKey(rotate), seed);
        let bytes = prost::Message::encode_to_vec(&body);
        let network = self.genesis.network();
        let cosign = |purpose, key| transaction::cosign(&network, purpose, key, &bytes).unwrap();
        let cosignatures =
            vec![cosign(pb::CoSigner::Root, &owner.root), cosign(pb::CoSigner::NewKey, &new)];
        let envelope = transaction::sign(&network, &owner.signing, &body, cosignatures);
        self.intake.submit(envelope, self.tip()).unwrap();
        self.produce(None);
        new
    }
}

pub(crate) fn body(payload: pb::body::Payload, nonce: u8) -> pb::Body {
    pb::Body {
        not_before_ms: now_ms() - 5_000,
        not_after_ms: now_ms() + 60_000,
        nonce: vec![nonce; 16],
        payload: Some(payload),
    }
}

pub(crate) fn anchor(root: u8) -> pb::body::Payload {
    pb::body::Payload::Anchor(pb::Anchor { root: vec![root; 32], records: 1 })
}

/// A certificate of the `Metals` form with this number.
pub(crate) fn certificate(number: usize) -> Vec<u8> {
    let party = r#"{"Name":"Works","Street":["1 Mill Road"],"City":"Essen","ZipCode":"45127","Country":"DE"}"#;
    let url = "https://schemas.materialidentity.org/metals-schemas/v0.1.1/schema.json";
    format!(
        r#"{{"RefSchemaUrl":"{url}","DigitalMaterialPassport":{{"Languages":["EN"],"Id":"C-{number}",
        "Version":"1","IssueDate":"2025-08-21","TransactionData":{{"Parties":{{"Manufacturer":{party},
        "Customer":{party}}},"BusinessTransaction":{{"Order":{{"Id":"O-1"}},"Delivery":{{"Id":"D-1",
        "Quantity":10,"QuantityUnit":"kg"}}}}}},"Product":{{"Name":"Bar","BatchId":"B-{number}"}},
        "Validation":{{"ValidationStatement":{{"Statement":"Conforms"}},"ValidationDate":"2025-08-21",
        "Validators":[{{"Name":"A. Smith","Title":"QA"}}]}}}}}}"#
    )
    .into_bytes()
}
