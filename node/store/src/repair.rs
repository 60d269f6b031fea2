//! Builds a damaged database anew, beside the old one: every block, from the old database where it
//! still verifies there and else from other nodes, is checked with the certificates and executed
//! again from genesis, which brings back tiles, indexes, state and sets. Believes neither the old
//! database nor a peer, and changes nothing of the old one: a crash leaves the old or the new.

mod install;
mod salvage;

pub use install::Rebuilt;

use crate::check::{Held, Progress, rest};
use crate::disk::{Batch, Disk, DiskError, Durability, Entries, Family, Walk};
use crate::error::StoreError;
use crate::rocks::RocksDisk;
use crate::schema::{EVIDENCE, HEADERS, PROPOSED, StoreOptions, UNDECIDED, number, read_number};
use crate::store::{Store, StoreTip};
use heatmark_ledger::block::{self, Block, BlockError};
use heatmark_ledger::certificate::CommitCertificate;
use heatmark_ledger::execute;
use heatmark_ledger::genesis::Genesis;
use heatmark_ledger::ids::Height;
use heatmark_ledger::transaction::Transaction;
use heatmark_merkle::tag;
use heatmark_proto::ledger::v1 as pb;
use salvage::Salvage;
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use thiserror::Error;

/// Blocks between two words of progress.
const TELL_EVERY: u64 = 64;

/// Why a database was not repaired. The old one is as it was.
#[derive(Debug, Error)]
pub enum RepairError {
    /// A block is sound neither here nor at any peer that was asked. Name a peer that has it.
    #[error("block {0} is damaged here, and no peer that was asked gave a sound one")]
    Missing(Height),
    /// Reading or writing failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The new database cannot be read while it is built, or a block needs a newer program.
    #[error("{0}")]
    Execution(BlockError),
    /// A file or directory could not be made, linked or renamed.
    #[error("{path}: {source}")]
    File {
        /// What it was.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl From<DiskError> for RepairError {
    fn from(error: DiskError) -> Self {
        Self::Store(error.into())
    }
}

/// What to aim at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepairOptions {
    /// Height that this node is known to have reached, from its consensus journal; 0 for unknown.
    pub reached: Height,
    /// Leaves blocks from the first damaged one on to be fetched by the running node.
    pub catch_up: bool,
}

/// Asks other nodes for a block; what they give is verified. Asked for the same block again, it is to
/// give another node's, and nothing once all were asked.
pub type Fetch<'f> = dyn FnMut(Height) -> Option<pb::CertifiedBlock> + 'f;

/// Builds the database in `path` anew beside it. Nothing takes its place before
/// [`Rebuilt::install`].
///
/// # Errors
/// See [`RepairError`]; [`StoreError::Database`] when another process holds the database.
pub fn repair(
    path: &Path,
    genesis: &Genesis,
    options: RepairOptions,
    fetch: &mut Fetch<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Rebuilt, RepairError> {
    let held = Held::take(path)?;
    let site = install::prepare(path)?;
    let old = Salvage::open(path, &site)?;
    let fresh = RocksDisk::open(&site.fresh, &StoreOptions::default())?;
    let store = Store::open_on(Box::new(Unsynced(fresh)), genesis)?;
    if let Some(old) = old.disk() {
        // Without them no block after one would verify; they were verified when applied.
        for kept in crate::restart::all(old).unwrap_or_default() {
            store.apply_restart(&kept.change)?;
        }
    }
    let mut builder = Builder { store, old, fetch, kept: 0, fetched: 0 };
    builder.blocks(options, progress)?;
    let votes_known = builder.copy_rest(options)?;
    builder.store.flush()?;
    let Builder { store, kept, fetched, old, .. } = builder;
    let height = store.tip().height;
    let salvaged = !matches!(old.how, salvage::How::Nothing);
    drop((store, old));
    Ok(Rebuilt { held, site, height, kept, fetched, votes_known, salvaged })
}

struct Builder<'f, 'g> {
    store: Store,
    old: Salvage,
    fetch: &'f mut Fetch<'g>,
    kept: u64,
    fetched: u64,
}

impl Builder<'_, '_> {
    fn blocks(
        &mut self,
        options: RepairOptions,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), RepairError> {
        let last = self.old.last_height();
        let known = last.unwrap_or_default().max(options.reached);
        // What this node once had and lost as a whole comes back when it runs.
        let left = last.filter(|_| self.old.is_whole());
        loop {
            let tip = self.store.tip();
            let height = tip.height.next();
            if self.take(&tip, self.old.block(height))? {
                self.kept = self.kept.saturating_add(1);
            } else if height > known && last.is_some() {
                return Ok(());
            } else if self.fetch(&tip, height)? {
                self.fetched = self.fetched.saturating_add(1);
            } else if options.catch_up
                || left.is_some_and(|left| height > left)
                || (height > known && self.fetched > 0)
            {
                return Ok(());
            } else {
                return Err(RepairError::Missing(height));
            }
            if height.0.is_multiple_of(TELL_EVERY) {
                progress(Progress { blocks: height.0, of: known.0.max(height.0) });
            }
        }
    }

    /// Asks peers until one gives a block that verifies, or none gives one.
    fn fetch(&mut self, tip: &StoreTip, height: Height) -> Result<bool, RepairError> {
        while let Some(block) = (self.fetch)(height) {
            if self.take(tip, Some(block))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Commits a block if it is certified and follows.
    fn take(
        &self,
        tip: &StoreTip,
        certified: Option<pb::CertifiedBlock>,
    ) -> Result<bool, RepairError> {
        let Some((block, certificate)) = certified.and_then(|block| read(&block)) else {
            return Ok(false);
        };
        let era = tip.chain.era();
        if certificate.verify_in(&era, &block.header, &tip.next_validators).is_err() {
            return Ok(false);
        }
        let network = self.store.network();
        let decode = |bytes| Transaction::decode(&network, bytes).map(Arc::new);
        let transactions: Result<Vec<_>, _> = block.transactions.into_iter().map(decode).collect();
        let Ok(transactions) = transactions else { return Ok(false) };
        verify_ahead(&self.store, &transactions, block.header.height);
        match block::check(&self.store, &tip.chain, &block.header, transactions) {
            Ok(executed) => {
                self.store.commit(&executed, &certificate)?;
                Ok(true)
            }
            Err(error) if error.is_proposers_fault() => Ok(false),
            Err(error) => Err(RepairError::Execution(error)),
        }
    }

    /// Copies what is not part of the chain, and says whether everything that this node may have
    /// voted for or proposed is there again.
    fn copy_rest(&self, options: RepairOptions) -> Result<bool, RepairError> {
        let tip = self.store.tip().height;
        let mut whole = self.old.is_whole();
        whole &= self.old.last_height().is_some_and(|last| tip >= last.max(options.reached));
        let from = number(tip.next().0);
        whole &= self.copy(UNDECIDED, Some(&from), rest::is_undecided)?;
        whole &= self
            .copy(PROPOSED, Some(&from), |key, value| key.len() == 12 && self.holds(key, value))?;
        self.copy(EVIDENCE, None, |key, value| {
            key.get(8..) == Some(tag::hash("evidence", &[value]).0.as_slice())
        })?;
        Ok(whole)
    }

    /// Whether the block that a proposal names was copied.
    fn holds(&self, slot: &[u8], hash: &[u8]) -> bool {
        let Some(height) = slot.get(..8).filter(|_| hash.len() == 32) else { return false };
        let found = self.store.shared.disk.get(UNDECIDED, &[height, hash].concat());
        found.is_ok_and(|found| found.is_some())
    }

    /// Copies the sound entries of a family; false when some are not, or cannot be read.
    fn copy(
        &self,
        family: Family,
        from: Option<&[u8]>,
        is_sound: impl Fn(&[u8], &[u8]) -> bool,
    ) -> Result<bool, RepairError> {
        let Some(old) = self.old.disk() else { return Ok(false) };
        let mut whole = true;
        for item in old.walk(family, from.map_or(Walk::First, Walk::From)) {
            match item {
                Ok((key, value)) if is_sound(&key, &value) => {
                    let mut batch = Batch::new();
                    batch.put(family, key, value);
                    self.store.shared.disk.write(batch, Durability::Buffered)?;
                }
                Ok(_) => whole = false,
                Err(_) => return Ok(false),
            }
        }
        Ok(whole)
    }
}

fn read(certified: &pb::CertifiedBlock) -> Option<(Block, CommitCertificate)> {
    let certificate = CommitCertificate::from_proto(certified.certificate.as_ref()?).ok()?;
    let block = Block::from_proto(certified.block.clone()?).ok()?;
    Some((block, certificate))
}

/// Verifies signatures on all cores; execution then finds them verified.
fn verify_ahead(store: &Store, transactions: &[Arc<Transaction>], height: Height) {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = transactions.len().div_ceil(threads).max(8);
    if transactions.len() <= share {
        return;
    }
    let network = store.network();
    thread::scope(|scope| {
        for part in transactions.chunks(share) {
            scope.spawn(move || {
                for transaction in part {
                    if let Ok((_, key)) = execute::signer(store, transaction, height) {
                        // Refused with its reason when it is executed.
                        let _ = transaction.verify(&network, &key);
                    }
                }
            });
        }
    });
}

/// A database under construction: synced once, at its end.
struct Unsynced(RocksDisk);

impl Disk for Unsynced {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        self.0.get(family, key)
    }

    fn walk(&self, family: Family, walk: Walk<'_>) -> Entries<'_> {
        self.0.walk(family, walk)
    }

    fn write(&self, batch: Batch, _durability: Durability) -> Result<(), DiskError> {
        self.0.write(batch, Durability::Buffered)
    }

    fn flush(&self) -> Result<(), DiskError> {
        self.0.flush()
    }
}

/// Height of the newest header; none when it cannot be told.
fn last_height(disk: &dyn Disk) -> Option<Height> {
    match disk.walk(HEADERS, Walk::Last).next() {
        Some(Ok((key, _))) => read_number(&key, "headers").ok().map(Height),
        Some(Err(_)) => None,
        None => Some(Height(0)),
    }
}
