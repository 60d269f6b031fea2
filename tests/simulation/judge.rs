//! What must hold whatever fails: watches every step of every replica, replays the log from
//! genesis beside them, and panics at the first promise that is broken.

use crate::messages::Proposal;
use crate::town::Town;
use heatmark_consensus::{Checked, Committed, Proposed, Slot};
use heatmark_ledger::audit::{Auditor, MemoryLedger};
use heatmark_ledger::block::{self, Block, BlockError};
use heatmark_ledger::certificate::CommitCertificate;
use heatmark_ledger::evidence::Equivocation;
use heatmark_ledger::ids::{HeaderHash, Height, TransactionId, UnixMillis};
use heatmark_ledger::messages as pb;
use heatmark_ledger::messages::body::Payload;
use heatmark_ledger::receipt::{self, TrustRoot};
use heatmark_ledger::transaction::{Transaction, leaf_hash};
use heatmark_ledger::{LeafIndex, state};
use heatmark_mempool::{Limits, Mempool};
use heatmark_store::Store;
use prost::Message;
use prost::bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What one replica has promised, by its disk alone.
#[derive(Debug, Default)]
struct Promises {
    /// Newest height that it said was committed.
    height: Height,
    /// What it proposed where.
    proposed: BTreeMap<(Height, u32), HeaderHash>,
    /// Blocks that it said were valid.
    accepted: BTreeMap<(Height, HeaderHash), Bytes>,
    /// Alerts wait that its next proposal must not leave out.
    owes_alerts: bool,
    evidence: Vec<Equivocation>,
}

/// What a running replica lets the judge look into.
#[derive(Clone)]
pub struct Parts {
    pub store: Store,
    pub mempool: Arc<Mempool>,
    pub now: Arc<dyn Fn() -> UnixMillis + Send + Sync>,
}

pub struct Judge {
    town: &'static Town,
    auditor: Auditor,
    trust: TrustRoot,
    /// Header hashes from height 1 on, as first decided.
    heights: Vec<HeaderHash>,
    places: BTreeMap<TransactionId, LeafIndex>,
    envelopes: Vec<Bytes>,
    proposals: Vec<TransactionId>,
    promises: Vec<Promises>,
    pub running: Vec<Option<Parts>>,
    pub trace: Vec<String>,
    pub now: u64,
    pub receipts: u64,
    pub refused_proposals: u64,
    pub kinds: [u64; 9],
    seals: BTreeSet<Vec<u8>>,
}

impl Judge {
    pub fn new(town: &'static Town, replicas: usize) -> Self {
        Self {
            town,
            auditor: Auditor::new(&town.genesis).unwrap(),
            trust: TrustRoot::from_genesis(&town.genesis),
            heights: Vec::new(),
            places: BTreeMap::new(),
            envelopes: Vec::new(),
            proposals: Vec::new(),
            promises: (0..replicas).map(|_| Promises::default()).collect(),
            running: vec![None; replicas],
            trace: Vec::new(),
            now: 0,
            receipts: 0,
            refused_proposals: 0,
            kinds: [0; 9],
            seals: BTreeSet::new(),
        }
    }

    pub fn note(&mut self, line: impl AsRef<str>) {
        self.trace.push(format!("{:>7} ms  {}", self.now, line.as_ref()));
    }

    /// The newest height that anybody decided.
    pub fn height(&self) -> Height {
        self.auditor.tip().height
    }

    /// Block time of that height.
    pub fn time(&self) -> u64 {
        self.auditor.tip().time.0
    }

    /// Changes of the validator set so far.
    pub fn set_changes(&self) -> u64 {
        self.auditor.summary().set_changes
    }

    /// The state after it, replayed.
    pub fn ledger(&self) -> &MemoryLedger {
        self.auditor.ledger()
    }

    /// Where a transaction stands.
    pub fn place(&self, id: &TransactionId) -> Option<LeafIndex> {
        self.places.get(id).copied()
    }

    /// Envelopes on the log.
    pub fn envelopes(&self) -> &[Bytes] {
        &self.envelopes
    }

    /// Ids of proposals on the log.
    pub fn proposals(&self) -> &[TransactionId] {
        &self.proposals
    }

    /// A block is about to be committed somewhere.
    pub fn decided(
        &mut self,
        height: Height,
        value: HeaderHash,
        block: &Bytes,
        certificate: &CommitCertificate,
    ) {
        let decided = Block::decode(block).expect("a decided block decodes");
        assert_eq!(decided.header.hash(), value, "the disk holds another block under this hash");
        if let Some(known) = self.heights.get(height.0 as usize - 1) {
            assert_eq!(*known, value, "two blocks were decided at height {height}");
            return;
        }
        let certified = pb::CertifiedBlock {
            block: Some(pb::Block::decode(block.clone()).unwrap()),
            certificate: Some(certificate.to_proto()),
        };
        self.auditor.block(&certified).expect("a decided block follows from the log before it");
        assert_eq!(self.height(), height);
        self.heights.push(value);
        let network = self.town.network();
        for envelope in decided.transactions {
            let leaf = LeafIndex(self.envelopes.len() as u64);
            let transaction = Transaction::decode(&network, envelope.clone()).unwrap();
            let twice = self.places.insert(transaction.id(), leaf);
            assert_eq!(twice, None, "transaction {} stands twice", transaction.id());
            self.kinds[kind_of(&transaction)] += 1;
            if matches!(transaction.payload(), Payload::LotEvent(_)) {
                for seal in transaction.cosignatures() {
                    assert!(self.seals.insert(seal.public_key.clone()), "a seal is broken twice");
                }
            }
            if matches!(transaction.payload(), Payload::Propose(_)) {
                self.proposals.push(transaction.id());
            }
            self.envelopes.push(envelope);
        }
        let header = decided.header;
        self.note(format!("height {height} is decided: {}", short(&value)));
        assert_eq!(self.auditor.tip().frontier.root(), header.log_root);
    }

    /// A replica says that a height is committed.
    pub fn committed(&mut self, who: usize, height: Height, value: HeaderHash, said: &Committed) {
        assert_eq!(said.newest.height, height);
        assert_eq!(self.heights[height.0 as usize - 1], value);
        self.promises[who].height = height;
        self.promises[who].proposed.retain(|(at, _), _| *at > height);
        self.promises[who].accepted.retain(|(at, _), _| *at > height);
        self.note(format!("r{who} commits {height}, {} transactions", said.transactions));
        self.check_pool(who);
    }

    /// Alerts that could stand in the next block are in the proposal: looked up before it is made.
    pub fn before_proposal(&mut self, who: usize, slot: &Slot) {
        self.promises[who].owes_alerts = false;
        let Some(parts) = self.running[who].clone() else { return };
        let Ok(None) = parts.store.proposed(slot.height, slot.round) else { return };
        let waiting = parts.mempool.arrived(0, u64::MAX, usize::MAX);
        let alerts: Vec<_> = waiting.into_iter().map(|(_, t)| t).filter(|t| t.is_alert()).collect();
        let Ok(parameters) = state::parameters(&parts.store) else { return };
        if alerts.is_empty() || alerts.len() > parameters.max_block_transactions as usize {
            return;
        }
        let tip = parts.store.tip().chain;
        let Ok(alone) = block::propose(&parts.store, &tip, (parts.now)(), alerts) else { return };
        if !alone.block.transactions.is_empty() {
            self.note(format!("r{who} has alerts to propose"));
            self.promises[who].owes_alerts = true;
        }
    }

    /// A replica proposes.
    pub fn proposed(&mut self, who: usize, slot: &Slot, proposed: &Proposed) {
        let (height, round) = (slot.height, slot.round.0);
        let owes_alerts = std::mem::take(&mut self.promises[who].owes_alerts);
        let value = proposed.header_hash;
        let block = Block::decode(&proposed.block).expect("a proposal decodes");
        assert_eq!(block.header.hash(), value);
        let count = block.transactions.len();
        self.note(format!(
            "r{who} proposes {} at {height}/{round}, {count} transactions",
            short(&value)
        ));
        if owes_alerts {
            let network = self.town.network();
            let decode = |envelope: &Bytes| Transaction::decode(&network, envelope.clone());
            let alert = block.transactions.iter().any(|e| decode(e).is_ok_and(|t| t.is_alert()));
            assert!(alert, "alerts wait and r{who} proposes none of them");
        }
        let first = *self.promises[who].proposed.entry((height, round)).or_insert(value);
        assert_eq!(first, value, "r{who} proposes two blocks at {height}/{round}");
        self.promises[who].accepted.insert((height, value), proposed.block.clone());
    }

    /// A replica has judged another's proposal.
    pub fn checked(&mut self, who: usize, proposal: &Proposal, checked: &Checked) {
        match checked {
            Checked::Valid(hash) if *hash == proposal.value => {
                let place = (proposal.height, *hash);
                self.promises[who].accepted.insert(place, proposal.block.clone());
            }
            _ if proposal.garbled => {}
            Checked::Invalid { header_hash, refusal } if *header_hash == proposal.value => {
                self.refused_proposals += 1;
                let reason = refusal.downcast_ref::<BlockError>();
                let by_clock =
                    matches!(reason, Some(BlockError::NotNext(why)) if why.contains("clock"));
                assert!(by_clock, "r{who} refuses an honest proposal: {refusal}");
                self.note(format!("r{who} refuses {}: {refusal}", short(header_hash)));
            }
            other => panic!("r{who} judges an honest proposal as {other:?}"),
        }
    }

    /// A replica has kept evidence: whatever it holds now it must hold for ever.
    pub fn kept_evidence(&mut self, who: usize) {
        let kept = self.running[who].as_ref().map(|parts| parts.store.evidence());
        if let Some(Ok(kept)) = kept {
            assert!(kept.len() > self.promises[who].evidence.len(), "r{who} keeps no evidence");
            self.promises[who].evidence = kept;
        }
    }

    /// A replica's disk was lost for good.
    pub fn forget(&mut self, who: usize) {
        self.promises[who] = Promises::default();
    }

    /// A replica has started again: what it promised is on its disk. Errors are the disk's.
    pub fn restarted(&mut self, who: usize) -> Result<(), heatmark_store::StoreError> {
        let Some(Parts { store, .. }) = self.running[who].clone() else { return Ok(()) };
        let tip = store.tip();
        let promises = &self.promises[who];
        assert!(
            tip.height >= promises.height,
            "r{who} acknowledged height {} and is back at {}",
            promises.height,
            tip.height
        );
        if let Some(header) = tip.header {
            let decided = self.heights.get(tip.height.0 as usize - 1);
            assert_eq!(decided, Some(&header.hash()), "r{who} is back on another chain");
        }
        for ((height, value), block) in &promises.accepted {
            if *height > tip.height {
                let kept = store.undecided(*height, value)?;
                let kept = kept.unwrap_or_else(|| {
                    panic!("r{who} lost block {} of height {height}", short(value))
                });
                assert_eq!(kept.block, *block, "r{who} holds another block");
            }
        }
        for ((height, round), value) in &promises.proposed {
            if *height > tip.height {
                let kept = store.proposed(*height, heatmark_ledger::ids::Round(*round))?;
                assert_eq!(
                    kept.map(|kept| kept.header_hash),
                    Some(*value),
                    "r{who} forgot what it proposed at {height}/{round}"
                );
            }
        }
        let kept = store.evidence()?;
        for evidence in &promises.evidence {
            assert!(kept.contains(evidence), "r{who} lost evidence");
        }
        self.promises[who].height = tip.height;
        Ok(())
    }

    /// A replica holds every header that was decided.
    pub fn check_headers(&self, who: usize) {
        let Some(Parts { store, .. }) = &self.running[who] else { return };
        for (height, decided) in (1..).map(Height).zip(&self.heights) {
            let (header, _) = store.header(height).unwrap().unwrap();
            assert_eq!(header.hash(), *decided, "r{who} holds another header at {height}");
        }
    }

    /// Slots of the next height that a replica has proposed in, and what.
    pub fn slots(&self, who: usize, height: Height) -> Vec<(u32, HeaderHash)> {
        let proposed = self.promises[who].proposed.iter();
        proposed.filter(|((at, _), _)| *at == height).map(|((_, r), v)| (*r, *v)).collect()
    }

    /// A pool within its limits.
    pub fn check_pool(&self, who: usize) {
        let Some(parts) = &self.running[who] else { return };
        let limits: Limits = *parts.mempool.limits();
        let (count, bytes) = (parts.mempool.len(), parts.mempool.bytes());
        assert!(count <= limits.max_transactions, "r{who}: {count} transactions wait");
        assert!(bytes <= limits.max_bytes, "r{who}: {bytes} bytes wait");
        let mut shares: BTreeMap<_, (usize, usize)> = BTreeMap::new();
        let mut ordinary = 0;
        for (_, transaction) in parts.mempool.arrived(0, u64::MAX, usize::MAX) {
            let share = shares.entry(transaction.signer()).or_default();
            if transaction.is_alert() {
                share.1 += 1;
            } else {
                share.0 += 1;
                ordinary += 1;
            }
        }
        let reserved = limits.reserved_alert_transactions.min(limits.max_transactions / 2);
        assert!(ordinary <= limits.max_transactions - reserved, "r{who}: alerts have no room");
        for (transactions, alerts) in shares.values() {
            assert!(*transactions <= limits.max_member_transactions, "r{who}: a share is exceeded");
            assert!(*alerts <= limits.max_member_alert_transactions, "r{who}: a share is exceeded");
        }
    }

    /// Asks a replica for a leaf's receipt and verifies it from genesis. Errors are the disk's.
    pub fn check_receipt(
        &mut self,
        who: usize,
        leaf: LeafIndex,
        at: Option<Height>,
    ) -> Result<(), heatmark_store::StoreError> {
        let Some(Parts { store, .. }) = self.running[who].clone() else { return Ok(()) };
        if leaf.0 >= store.tip().log_size.0 {
            return Ok(());
        }
        let receipt = store.receipt(leaf, Height(0), at)?;
        let verified = receipt::verify(&receipt, &self.trust)
            .unwrap_or_else(|error| panic!("r{who} gives a receipt that is refused: {error}"));
        assert_eq!(verified.leaf_index, leaf);
        assert_eq!(self.place(&verified.transaction_id), Some(leaf), "r{who}: another transaction");
        let envelope = &self.envelopes[leaf.0 as usize];
        assert_eq!(
            leaf_hash(&receipt.transaction),
            leaf_hash(envelope),
            "r{who}: another envelope"
        );
        self.receipts += 1;
        Ok(())
    }

    /// Asks a replica for the proof of a state entry and verifies it from genesis.
    pub fn check_state_proof(
        &self,
        who: usize,
        key: &[u8],
    ) -> Result<(), heatmark_store::StoreError> {
        use heatmark_ledger::state::StateView as _;
        let Some(Parts { store, .. }) = &self.running[who] else { return Ok(()) };
        if store.tip().height.0 == 0 || store.tip().height != self.height() {
            return Ok(());
        }
        let proof = store.state_proof(key, None, Height(0))?;
        let verified = receipt::verify_state(&proof, &self.trust)
            .unwrap_or_else(|error| panic!("r{who} gives a state proof that is refused: {error}"));
        assert_eq!(verified.value, self.ledger().value(key).unwrap(), "r{who}: another state");
        Ok(())
    }
}

fn kind_of(transaction: &Transaction) -> usize {
    match transaction.payload() {
        Payload::Anchor(_) => 0,
        Payload::Alert(_) => 1,
        Payload::Acknowledge(_) => 2,
        Payload::RotateKey(_) => 3,
        Payload::Leave(_) => 4,
        Payload::Propose(_) => 5,
        Payload::Vote(_) => 6,
        Payload::LotEvent(_) => 7,
        Payload::Deal(_) => 8,
    }
}

/// The first bytes of a hash.
pub fn short(hash: &HeaderHash) -> String {
    hex::encode(&hash.as_bytes()[..4])
}
