//! A ledger in memory. Its blocks are opaque transactions under a real header, chained by hash.

use bytes::Bytes;
use heatmark_consensus::{
    Application, ApplicationError, Certified, Checked, Committed, Evidence, Freshness, Newest,
    Proposed, Slot, Undecided,
};
use heatmark_ledger::certificate::CommitCertificate;
use heatmark_ledger::header::Header;
use heatmark_ledger::ids::{HeaderHash, Height, NetworkId, Round, UnixMillis};
use heatmark_ledger::messages as pb;
use heatmark_ledger::validators::ValidatorSet;
use heatmark_ledger::wire::{self, MAX_BLOCK_BYTES};
use heatmark_ledger::{Hash, TreeSize};
use heatmark_merkle::tag;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// A decided block.
#[derive(Clone)]
pub struct Stored {
    pub header: Header,
    pub block: Bytes,
    pub transactions: usize,
    pub certificate: CommitCertificate,
    pub validators: ValidatorSet,
}

#[derive(Default)]
struct State {
    chain: Vec<Stored>,
    undecided: BTreeMap<(u64, HeaderHash), (Slot, Bytes)>,
    proposed: BTreeMap<(u64, u32), HeaderHash>,
    waiting: Vec<Vec<u8>>,
    evidence: Vec<Evidence>,
}

/// The ledger. It outlives the node that runs on it.
pub struct Memory {
    network: NetworkId,
    genesis: ValidatorSet,
    /// From this height on another set votes.
    change: Option<(u64, ValidatorSet)>,
    heartbeat: Duration,
    state: Mutex<State>,
    wants: watch::Sender<bool>,
    /// Proposes blocks whose header is not what their execution gives.
    pub lies: AtomicBool,
    /// How many of the blocks that others proposed were found invalid.
    pub invalid: watch::Sender<usize>,
    /// Fails the next commit, as a full disk does.
    pub disk_full: AtomicBool,
    /// Proposes blocks of which it never sends a part.
    pub withholds: AtomicBool,
    /// What it serves to peers that catch up.
    pub serves: Mutex<Serves>,
    /// Whose node publishes a validator's blocks: consensus key, p2p key.
    pub publishers: Mutex<BTreeMap<[u8; 32], [u8; 32]>>,
    /// How many blocks of others were executed.
    pub executed: AtomicUsize,
}

/// What a node serves to peers that catch up.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Serves {
    /// Its chain.
    #[default]
    Truth,
    /// Blocks with a byte changed.
    Flipped,
    /// Every block under the certificate of the next.
    Shifted,
    /// Certificates without a signature.
    Unsigned,
    /// Another block than the one that was decided, which executes as well.
    Another,
    /// Nothing at all.
    Nothing,
}

fn hash_of(header: &Header) -> HeaderHash {
    header.hash()
}

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    UnixMillis(since.as_millis() as u64)
}

impl Memory {
    pub fn new(network: NetworkId, genesis: ValidatorSet, heartbeat: Duration) -> Self {
        Self {
            network,
            genesis,
            change: None,
            heartbeat,
            state: Mutex::default(),
            wants: watch::channel(false).0,
            lies: AtomicBool::new(false),
            invalid: watch::channel(0).0,
            disk_full: AtomicBool::new(false),
            withholds: AtomicBool::new(false),
            serves: Mutex::default(),
            publishers: Mutex::default(),
            executed: AtomicUsize::new(0),
        }
    }

    pub fn with_change(mut self, height: u64, set: ValidatorSet) -> Self {
        self.change = Some((height, set));
        self
    }

    /// Puts a transaction where proposers find it.
    pub fn submit(&self, transaction: &[u8]) {
        self.submit_all(&[transaction.to_vec()]);
    }

    /// Puts several there at once, so that no block has only some of them.
    pub fn submit_all(&self, transactions: &[Vec<u8>]) {
        self.state.lock().unwrap().waiting.extend_from_slice(transactions);
        self.wants.send_replace(true);
    }

    pub fn chain(&self) -> Vec<Stored> {
        self.state.lock().unwrap().chain.clone()
    }

    /// A block that would execute next, which nobody proposed; and its hash.
    pub fn imagine(&self, transactions: &[Vec<u8>]) -> (Vec<u8>, [u8; 32]) {
        let state = self.state.lock().unwrap();
        let previous = state.chain.last().map_or(0, |last| last.header.time.0);
        let header = self.build(&state, UnixMillis(now().0.max(previous + 1)), transactions);
        let transactions = transactions.iter().cloned().map(Bytes::from).collect();
        let message = pb::Block { header: Some(header.to_proto()), transactions };
        (prost::Message::encode_to_vec(&message), *hash_of(&header).as_bytes())
    }

    pub fn evidence(&self) -> Vec<Evidence> {
        self.state.lock().unwrap().evidence.clone()
    }

    fn set_at(&self, height: u64) -> ValidatorSet {
        match &self.change {
            Some((from, set)) if height >= *from => set.clone(),
            _ => self.genesis.clone(),
        }
    }

    fn newest_of(&self, state: &State) -> Newest {
        let height = state.chain.len() as u64;
        Newest {
            height: Height(height),
            next_validators: self.set_at(height + 1),
            heartbeat: self.heartbeat,
            halted: false,
        }
    }

    fn build(&self, state: &State, time: UnixMillis, transactions: &[Vec<u8>]) -> Header {
        let height = state.chain.len() as u64 + 1;
        let (previous, size, root) = match state.chain.last() {
            Some(last) => (hash_of(&last.header).0, last.header.log_size.0, last.header.log_root),
            None => (self.network.0, 0, Hash([0; 32])),
        };
        let parts: Vec<&[u8]> = std::iter::once(root.0.as_slice())
            .chain(transactions.iter().map(Vec::as_slice))
            .collect();
        Header {
            network: self.network,
            version: 1,
            height: Height(height),
            time,
            previous,
            log_size: TreeSize(size + transactions.len() as u64),
            log_root: tag::hash("test-log", &parts),
            state_root: Hash([7; 32]),
            next_validators: self.set_at(height + 1).hash(),
        }
    }

    fn keep(
        &self,
        state: &mut State,
        slot: Slot,
        header: &Header,
        transactions: Vec<Vec<u8>>,
    ) -> Bytes {
        let transactions = transactions.into_iter().map(Bytes::from).collect();
        let message = pb::Block { header: Some(header.to_proto()), transactions };
        let block = Bytes::from(prost::Message::encode_to_vec(&message));
        state.undecided.insert((slot.height.0, hash_of(header)), (slot, block.clone()));
        block
    }
}

impl Application for Memory {
    fn newest(&self) -> Result<Newest, ApplicationError> {
        Ok(self.newest_of(&self.state.lock().unwrap()))
    }

    fn earliest(&self) -> Result<Height, ApplicationError> {
        Ok(Height(1))
    }

    fn validators(&self, height: Height) -> Result<Option<ValidatorSet>, ApplicationError> {
        let known = height.0 >= 1 && height.0 <= self.chain().len() as u64;
        Ok(known.then(|| self.set_at(height.0)))
    }

    fn prepare(&self, _: &Slot) -> Result<Option<Proposed>, ApplicationError> {
        Ok(None)
    }

    fn propose(&self, slot: &Slot) -> Result<Proposed, ApplicationError> {
        let mut state = self.state.lock().unwrap();
        let place = (slot.height.0, slot.round.0);
        if let Some(hash) = state.proposed.get(&place) {
            let (_, block) = &state.undecided[&(slot.height.0, *hash)];
            return Ok(Proposed { header_hash: *hash, block: block.clone() });
        }
        let previous = state.chain.last().map_or(0, |last| last.header.time.0);
        let transactions = state.waiting.clone();
        let time = UnixMillis(now().0.max(previous + 1));
        let mut header = self.build(&state, time, &transactions);
        if self.lies.load(Ordering::SeqCst) {
            header.state_root = Hash([slot.round.0 as u8; 32]);
        }
        let block = self.keep(&mut state, *slot, &header, transactions);
        state.proposed.insert(place, hash_of(&header));
        if self.withholds.load(Ordering::SeqCst) {
            // A block without bytes has no parts; its hash is proposed and signed all the same.
            return Ok(Proposed { header_hash: hash_of(&header), block: Bytes::new() });
        }
        Ok(Proposed { header_hash: hash_of(&header), block })
    }

    fn check(&self, slot: &Slot, block: Bytes, _: Freshness) -> Result<Checked, ApplicationError> {
        let mut state = self.state.lock().unwrap();
        let message: pb::Block = match wire::decode(&block, MAX_BLOCK_BYTES) {
            Ok(message) => message,
            Err(error) => return Ok(Checked::NoBlock(error.into())),
        };
        let Some(Ok(header)) = message.header.as_ref().map(Header::from_proto) else {
            return Ok(Checked::NoBlock("no header".into()));
        };
        self.executed.fetch_add(1, Ordering::SeqCst);
        let transactions: Vec<Vec<u8>> = message.transactions.iter().map(|t| t.to_vec()).collect();
        let expected = self.build(&state, header.time, &transactions);
        if header.log_root != expected.log_root {
            return Ok(Checked::NoBlock("other transactions".into()));
        }
        if header != expected {
            self.invalid.send_modify(|count| *count += 1);
            let refusal = "executing the block gives another header".into();
            return Ok(Checked::Invalid { header_hash: hash_of(&header), refusal });
        }
        self.keep(&mut state, *slot, &header, transactions);
        Ok(Checked::Valid(hash_of(&header)))
    }

    fn undecided(&self, height: Height) -> Result<Vec<Undecided>, ApplicationError> {
        let state = self.state.lock().unwrap();
        let of_height = state.undecided.iter().filter(|((at, _), _)| *at == height.0);
        Ok(of_height
            .map(|((_, hash), (slot, _))| Undecided { slot: *slot, header_hash: *hash })
            .collect())
    }

    fn undecided_block(
        &self,
        height: Height,
        hash: &HeaderHash,
    ) -> Result<Option<Bytes>, ApplicationError> {
        let state = self.state.lock().unwrap();
        Ok(state.undecided.get(&(height.0, *hash)).map(|(_, block)| block.clone()))
    }

    fn commit(
        &self,
        height: Height,
        hash: &HeaderHash,
        certificate: &CommitCertificate,
    ) -> Result<Committed, ApplicationError> {
        if self.disk_full.load(Ordering::SeqCst) {
            return Err(ApplicationError::new("no space left on device"));
        }
        let mut state = self.state.lock().unwrap();
        assert_eq!(height.0, state.chain.len() as u64 + 1, "heights are consecutive");
        let (_, block) = state.undecided[&(height.0, *hash)].clone();
        let message: pb::Block = wire::decode(&block, MAX_BLOCK_BYTES).unwrap();
        let header = Header::from_proto(&message.header.unwrap()).unwrap();
        state.waiting.retain(|t| !message.transactions.iter().any(|c| c.as_ref() == t));
        let transactions = message.transactions.len();
        state.chain.push(Stored {
            header,
            block,
            transactions,
            certificate: certificate.clone(),
            validators: self.set_at(height.0),
        });
        state.undecided.retain(|(at, _), _| *at > height.0);
        state.proposed.retain(|(at, _), _| *at > height.0);
        self.wants.send_replace(!state.waiting.is_empty());
        Ok(Committed { newest: self.newest_of(&state), transactions })
    }

    fn finalize(
        &self,
        height: Height,
        certificate: &CommitCertificate,
    ) -> Result<(), ApplicationError> {
        let mut state = self.state.lock().unwrap();
        let stored = &mut state.chain[height.0 as usize - 1];
        assert!(certificate.signatures.len() > stored.certificate.signatures.len());
        stored.certificate = certificate.clone();
        Ok(())
    }

    fn certified(
        &self,
        heights: RangeInclusive<Height>,
        max_bytes: usize,
    ) -> Result<Vec<Certified>, ApplicationError> {
        let state = self.state.lock().unwrap();
        let mut bytes = 0;
        let from = heights.start().0 as usize - 1;
        let to = heights.end().0 as usize;
        let blocks = state.chain[from..to].iter().take_while(|stored| {
            bytes += stored.block.len();
            bytes <= max_bytes
        });
        let truth: Vec<Certified> = blocks
            .map(|stored| Certified {
                height: stored.header.height,
                header_hash: hash_of(&stored.header),
                block: stored.block.clone(),
                certificate: stored.certificate.clone(),
            })
            .collect();
        Ok(lie(*self.serves.lock().unwrap(), truth))
    }

    fn publisher(&self, validator: &[u8; 32]) -> Result<Option<[u8; 32]>, ApplicationError> {
        Ok(self.publishers.lock().unwrap().get(validator).copied())
    }

    fn keep_evidence(&self, evidence: &[Evidence]) -> Result<(), ApplicationError> {
        self.state.lock().unwrap().evidence.extend_from_slice(evidence);
        Ok(())
    }

    fn wants_block(&self) -> watch::Receiver<bool> {
        self.wants.subscribe()
    }
}

/// A round for building slots in tests.
pub fn round(round: u32) -> Round {
    Round(round)
}

/// What a node that serves lies makes of its chain.
fn lie(serves: Serves, mut blocks: Vec<Certified>) -> Vec<Certified> {
    match serves {
        Serves::Truth => {}
        Serves::Nothing => blocks.clear(),
        Serves::Flipped => {
            for certified in &mut blocks {
                let mut bytes = certified.block.to_vec();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                certified.block = bytes.into();
            }
        }
        Serves::Shifted => {
            let next: Vec<CommitCertificate> =
                blocks.iter().skip(1).map(|b| b.certificate.clone()).collect();
            for (certified, certificate) in blocks.iter_mut().zip(next) {
                certified.certificate = certificate;
            }
            blocks.pop();
        }
        Serves::Unsigned => {
            for certified in &mut blocks {
                certified.certificate.signatures.clear();
            }
        }
        Serves::Another => {
            for certified in &mut blocks {
                let message: pb::Block = wire::decode(&certified.block, MAX_BLOCK_BYTES).unwrap();
                let mut header = Header::from_proto(&message.header.unwrap()).unwrap();
                header.time = UnixMillis(header.time.0 + 1);
                let block = pb::Block { header: Some(header.to_proto()), ..message };
                certified.block = prost::Message::encode_to_vec(&block).into();
            }
        }
    }
    blocks
}
