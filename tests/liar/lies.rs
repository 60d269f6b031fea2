//! The lies. Each is told by wrapping what an honest node answers to the engine.

use ed25519_dalek::SigningKey;
use heatmark_consensus::{
    Application, ApplicationError, Certified, Checked, Committed, Evidence, Freshness, Newest,
    Proposed, Slot, Undecided,
};
use heatmark_ledger::LeafIndex;
use heatmark_ledger::block::{self, Block};
use heatmark_ledger::certificate::CommitCertificate;
use heatmark_ledger::header::Header;
use heatmark_ledger::ids::{HeaderHash, Height, MemberId, UnixMillis};
use heatmark_ledger::messages::body::Payload;
use heatmark_ledger::state;
use heatmark_ledger::transaction::{self, Transaction};
use heatmark_ledger::validators::ValidatorSet;
use heatmark_store::Store;
use prost::bytes::Bytes;
use std::error::Error;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;

/// Bytes of a block that nobody may accept.
const OVERSIZED_BYTES: usize = 9 * 1024 * 1024;

/// What to lie about at a turn.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lie {
    /// A state root that execution does not give.
    Roots,
    /// A transaction that stands on the log already.
    Replay,
    /// A transaction with another signature than its signer's.
    Signature,
    /// A time an hour ahead.
    Clock,
    /// A block of 9 MiB.
    Oversized,
    /// Bytes that are no block.
    Garbled,
    /// A proposal without its block.
    Withhold,
    /// A valid block without the transactions of one member.
    Censor(MemberId),
    /// Events of lots that others signed, as the liar's own: their seals' signatures stand in its pool.
    Steal,
    /// Nothing at its turns; peers that catch up are served blocks with a byte changed.
    Serve,
}

pub(crate) fn parse(told: &str) -> Result<Vec<Lie>, Box<dyn Error>> {
    told.split(',')
        .map(|word| {
            Ok(match word.split_once('=').unwrap_or((word, "")) {
                ("roots", _) => Lie::Roots,
                ("replay", _) => Lie::Replay,
                ("signature", _) => Lie::Signature,
                ("clock", _) => Lie::Clock,
                ("oversized", _) => Lie::Oversized,
                ("garbled", _) => Lie::Garbled,
                ("withhold", _) => Lie::Withhold,
                ("censor", member) => Lie::Censor(member.parse()?),
                ("steal", _) => Lie::Steal,
                ("serve", _) => Lie::Serve,
                _ => return Err(format!("no such lie: {word}").into()),
            })
        })
        .collect()
}

/// An honest ledger side, and what is made of it.
pub(crate) struct Liar {
    honest: Arc<dyn Application>,
    store: Store,
    lies: Vec<Lie>,
    signing: SigningKey,
    turns: AtomicUsize,
}

fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> ApplicationError {
    ApplicationError::new(error)
}

impl Liar {
    pub(crate) fn new(
        honest: Arc<dyn Application>,
        store: &Store,
        lies: Vec<Lie>,
        signing: SigningKey,
    ) -> Self {
        Self { honest, store: store.clone(), lies, signing, turns: AtomicUsize::new(0) }
    }

    fn read(&self, bytes: &Bytes) -> Result<(Header, Vec<Arc<Transaction>>), ApplicationError> {
        let block = Block::decode(bytes).map_err(failed)?;
        let network = self.store.network();
        let transactions = block
            .transactions
            .into_iter()
            .map(|bytes| Transaction::decode(&network, bytes).map(Arc::new).map_err(failed))
            .collect::<Result<_, _>>()?;
        Ok((block.header, transactions))
    }

    /// A block under a header that commits to these transactions.
    fn bind(&self, mut header: Header, transactions: &[Arc<Transaction>]) -> Proposed {
        let mut frontier = self.store.tip().chain.frontier.clone();
        for transaction in transactions {
            frontier.push(transaction.leaf_hash());
        }
        (header.log_size, header.log_root) = (frontier.size(), frontier.root());
        seal(&header, transactions)
    }

    fn lie(&self, lie: Lie, slot: &Slot, honest: Proposed) -> Result<Proposed, ApplicationError> {
        let (mut header, mut transactions) = self.read(&honest.block)?;
        let network = self.store.network();
        Ok(match lie {
            Lie::Serve => honest,
            Lie::Roots => {
                header.state_root.0 = [7; 32];
                seal(&header, &transactions)
            }
            Lie::Clock => {
                header.time = UnixMillis(header.time.0.saturating_add(3_600_000));
                seal(&header, &transactions)
            }
            Lie::Replay => {
                let Some(logged) = self.store.entry(LeafIndex(0)).map_err(failed)? else {
                    return Ok(honest);
                };
                let again = Transaction::decode(&network, logged.into()).map_err(failed)?;
                transactions.push(Arc::new(again));
                self.bind(header, &transactions)
            }
            Lie::Signature => {
                let Some(logged) = self.store.entry(LeafIndex(0)).map_err(failed)? else {
                    return Ok(honest);
                };
                // The signature is the envelope's last field; its last byte stays below the order.
                let mut forged = logged;
                let middle = forged.len().saturating_sub(40);
                if let Some(byte) = forged.get_mut(middle) {
                    *byte ^= 1;
                }
                let forged = Transaction::decode(&network, forged.into()).map_err(failed)?;
                transactions.push(Arc::new(forged));
                self.bind(header, &transactions)
            }
            Lie::Oversized => Proposed { block: vec![0; OVERSIZED_BYTES].into(), ..honest },
            Lie::Garbled => Proposed { block: vec![0xff; 1_000].into(), ..honest },
            Lie::Withhold => Proposed { block: Bytes::new(), ..honest },
            Lie::Steal => match self.stolen(&mut transactions)? {
                0 => honest,
                stolen => {
                    tracing::info!(height = slot.height.0, stolen, "seals are stolen");
                    self.bind(header, &transactions)
                }
            },
            Lie::Censor(member) => self.censor(member, slot, transactions)?,
        })
    }

    /// What is left when one member's transactions are left out, executed and persisted as an
    /// honest proposer would.
    /// Signs others' events of lots as its own, seals and all; tells how many.
    fn stolen(&self, transactions: &mut [Arc<Transaction>]) -> Result<usize, ApplicationError> {
        let network = self.store.network();
        let mut stolen = 0_usize;
        for transaction in transactions {
            if matches!(transaction.payload(), Payload::LotEvent(_)) {
                let seals = transaction.cosignatures().to_vec();
                let own = transaction::sign(&network, &self.signing, transaction.body(), seals);
                *transaction = Arc::new(Transaction::decode(&network, own).map_err(failed)?);
                stolen = stolen.saturating_add(1);
            }
        }
        Ok(stolen)
    }

    fn censor(
        &self,
        member: MemberId,
        slot: &Slot,
        transactions: Vec<Arc<Transaction>>,
    ) -> Result<Proposed, ApplicationError> {
        let before = transactions.len();
        let left: Vec<Arc<Transaction>> = transactions
            .into_iter()
            .filter(|transaction| {
                let known = state::key_state(&self.store, &transaction.signer()).ok().flatten();
                known.is_none_or(|key| key.member != member.to_vec())
            })
            .collect();
        tracing::info!(
            height = slot.height.0,
            left_out = before.saturating_sub(left.len()),
            "censored"
        );
        let tip = self.store.tip();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.ok().and_then(|now| u64::try_from(now.as_millis()).ok()).unwrap_or_default();
        let proposal =
            block::propose(&self.store, &tip.chain, UnixMillis(now), left).map_err(failed)?;
        let proposed = seal(&proposal.block.header, &proposal.block.transactions);
        match self.honest.check(slot, proposed.block.clone(), Freshness::Fresh)? {
            Checked::Valid(_) => Ok(proposed),
            other => Err(failed(format!("the censored block is not valid: {other:?}"))),
        }
    }
}

fn seal(header: &Header, transactions: &[Arc<Transaction>]) -> Proposed {
    let block = Bytes::from(Block::encode(header, transactions));
    Proposed { header_hash: header.hash(), block }
}

impl Application for Liar {
    fn newest(&self) -> Result<Newest, ApplicationError> {
        self.honest.newest()
    }

    fn earliest(&self) -> Result<Height, ApplicationError> {
        self.honest.earliest()
    }

    fn validators(&self, height: Height) -> Result<Option<ValidatorSet>, ApplicationError> {
        self.honest.validators(height)
    }

    /// Nothing: what is sent ahead would be the truth.
    fn prepare(&self, _: &Slot) -> Result<Option<Proposed>, ApplicationError> {
        Ok(None)
    }

    fn propose(&self, slot: &Slot) -> Result<Proposed, ApplicationError> {
        let honest = self.honest.propose(slot)?;
        let turn = self.turns.fetch_add(1, Ordering::SeqCst);
        let Some(lie) = turn.checked_rem(self.lies.len()).and_then(|at| self.lies.get(at)) else {
            return Ok(honest);
        };
        let told = self.lie(*lie, slot, honest)?;
        tracing::info!(height = slot.height.0, round = slot.round.0, ?lie, "a lie is told");
        Ok(told)
    }

    fn check(
        &self,
        slot: &Slot,
        block: Bytes,
        freshness: Freshness,
    ) -> Result<Checked, ApplicationError> {
        self.honest.check(slot, block, freshness)
    }

    fn undecided(&self, height: Height) -> Result<Vec<Undecided>, ApplicationError> {
        self.honest.undecided(height)
    }

    fn undecided_block(
        &self,
        height: Height,
        header_hash: &HeaderHash,
    ) -> Result<Option<Bytes>, ApplicationError> {
        self.honest.undecided_block(height, header_hash)
    }

    fn commit(
        &self,
        height: Height,
        header_hash: &HeaderHash,
        certificate: &CommitCertificate,
    ) -> Result<Committed, ApplicationError> {
        self.honest.commit(height, header_hash, certificate)
    }

    fn finalize(
        &self,
        height: Height,
        certificate: &CommitCertificate,
    ) -> Result<(), ApplicationError> {
        self.honest.finalize(height, certificate)
    }

    fn certified(
        &self,
        heights: RangeInclusive<Height>,
        max_bytes: usize,
    ) -> Result<Vec<Certified>, ApplicationError> {
        let mut blocks = self.honest.certified(heights, max_bytes)?;
        if self.lies.iter().any(|lie| matches!(lie, Lie::Serve)) {
            for certified in &mut blocks {
                let mut bytes = certified.block.to_vec();
                let middle = bytes.len() / 2;
                if let Some(byte) = bytes.get_mut(middle) {
                    *byte ^= 1;
                }
                certified.block = bytes.into();
            }
            tracing::info!(blocks = blocks.len(), "lies are served");
        }
        Ok(blocks)
    }

    fn publisher(&self, validator: &[u8; 32]) -> Result<Option<[u8; 32]>, ApplicationError> {
        self.honest.publisher(validator)
    }

    fn keep_evidence(&self, evidence: &[Evidence]) -> Result<(), ApplicationError> {
        self.honest.keep_evidence(evidence)
    }

    fn wants_block(&self) -> watch::Receiver<bool> {
        self.honest.wants_block()
    }
}
