//! Opening the database, following its end, and reading blocks, sets and tiles from it.

use crate::awaited::Awaited;
use crate::disk::{Batch, Disk, Durability, Walk};
use crate::error::StoreError;
use crate::fault::Noticing;
use crate::rocks::RocksDisk;
use crate::schema::{
    self, ENTRIES, EVIDENCE, FORMAT, FORMAT_KEY, HEADERS, IDS, META, NETWORK_KEY, SETS,
    StoreOptions, StoredHeader, TILES, number, read_number,
};
use heatmark_ledger::block;
use heatmark_ledger::certificate::CommitCertificate;
use heatmark_ledger::genesis::Genesis;
use heatmark_ledger::header::Header;
use heatmark_ledger::ids::{Height, NetworkId, TransactionId, UnixMillis};
use heatmark_ledger::restart;
use heatmark_ledger::validators::ValidatorSet;
use heatmark_ledger::{Hash, LeafIndex, TreeSize, transaction};
use heatmark_merkle::tiles::{TileId, width_in};
use heatmark_merkle::tree::{Frontier, TileCache};
use heatmark_proto::ledger::v1 as pb;
use prost::Message;
use prost::bytes::Bytes;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// Where the log ends.
#[derive(Debug, Clone)]
pub struct StoreTip {
    /// Height of the newest block; 0 at genesis.
    pub height: Height,
    /// Its header; none at genesis.
    pub header: Option<Header>,
    /// Its time; the genesis time at genesis.
    pub time: UnixMillis,
    /// Leaves on the log.
    pub log_size: TreeSize,
    /// The set that certifies the next height.
    pub next_validators: Arc<ValidatorSet>,
    /// What the next block is built on.
    pub chain: Arc<block::Tip>,
}

impl StoreTip {
    pub(crate) fn new(chain: block::Tip, header: Option<Header>) -> Self {
        Self {
            height: chain.height,
            header,
            time: chain.time,
            log_size: chain.frontier.size(),
            next_validators: Arc::clone(&chain.validators),
            chain: Arc::new(chain),
        }
    }
}

/// Log tiles held for receipts: at most 8 MiB, enough for all upper levels and the newest leaves.
const CACHED_TILES: usize = 512;

/// The database of one node. Clones share it.
#[derive(Clone)]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) disk: Box<dyn Disk>,
    pub(crate) faults: watch::Sender<Option<String>>,
    pub(crate) network: NetworkId,
    pub(crate) genesis_validators: Arc<ValidatorSet>,
    pub(crate) tip: watch::Sender<StoreTip>,
    pub(crate) writing: Mutex<Swept>,
    pub(crate) tiles: Mutex<TileCache>,
    pub(crate) awaited: Awaited,
    /// The newest block's header as it is stored: what most receipts are made against.
    pub(crate) newest: Mutex<Option<(Height, StoredHeader)>>,
    /// First height of the newest set that was ever voted for; 0 while it is that of genesis.
    pub(crate) newest_set: AtomicU64,
}

/// Where deleting begins: before it everything is gone. Seeking there spares a walk over the
/// tombstones of all earlier blocks. Zero after a start, so that the first block sweeps all.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Swept {
    /// Height of the oldest undecided block there may be.
    pub(crate) undecided: u64,
    /// Version of the oldest stale entry there may be.
    pub(crate) stale: u64,
}

impl Store {
    /// Opens the database in `path`, creating it with the genesis state where there is none.
    ///
    /// # Errors
    /// When it cannot be opened, is damaged, or belongs to another network or format.
    pub fn open(
        path: &Path,
        genesis: &Genesis,
        options: &StoreOptions,
    ) -> Result<Self, StoreError> {
        Self::open_on(Box::new(RocksDisk::open(path, options)?), genesis)
    }

    /// Opens what is on a disk, writing the genesis state to an empty one. Nodes use
    /// [`Store::open`]; this is for disks that fail on purpose.
    ///
    /// # Errors
    /// When it is damaged, or belongs to another network or format.
    pub fn open_on(disk: Box<dyn Disk>, genesis: &Genesis) -> Result<Self, StoreError> {
        let faults = watch::Sender::new(None);
        let disk: Box<dyn Disk> = Box::new(Noticing::new(disk, faults.clone()));
        let network = genesis.network();
        match disk.get(META, NETWORK_KEY)? {
            None => crate::commit::write_genesis(disk.as_ref(), genesis)?,
            Some(found) => {
                let found = NetworkId::try_from(found.as_slice())
                    .map_err(|_| StoreError::Damaged("network"))?;
                if found != network {
                    return Err(StoreError::OtherNetwork { found, expected: network });
                }
                let format = disk.get(META, FORMAT_KEY)?.unwrap_or_default();
                match read_number(&format, "format")? {
                    FORMAT => {}
                    other => return Err(StoreError::Format(other)),
                }
            }
        }
        let genesis_validators = Arc::new(genesis.validators().clone());
        let tip = read_tip(disk.as_ref(), genesis, &genesis_validators)?;
        let (tip, _) = watch::channel(tip);
        let (writing, tiles) = (Mutex::default(), Mutex::new(TileCache::new(CACHED_TILES)));
        let newest_set = match disk.walk(SETS, Walk::Last).next().transpose()? {
            None => AtomicU64::new(0),
            Some((first, _)) => AtomicU64::new(read_number(&first, "validator sets")?),
        };
        let (awaited, newest) = (Awaited::default(), Mutex::default());
        let shared = Shared {
            disk,
            faults,
            network,
            genesis_validators,
            tip,
            writing,
            tiles,
            awaited,
            newest,
            newest_set,
        };
        let shared = Arc::new(shared);
        Ok(Self { shared })
    }

    /// The network that the database belongs to.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        self.shared.network
    }

    /// Where the log ends now.
    #[must_use]
    pub fn tip(&self) -> StoreTip {
        self.shared.tip.borrow().clone()
    }

    /// Follows the end of the log: changes after each commit, once it is synced.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<StoreTip> {
        self.shared.tip.subscribe()
    }

    /// A header with its certificate.
    ///
    /// # Errors
    /// When the database fails or is damaged.
    pub fn header(
        &self,
        height: Height,
    ) -> Result<Option<(Header, CommitCertificate)>, StoreError> {
        self.stored_header(height)?.map(|stored| parts(&stored)).transpose()
    }

    /// A block with its certificate.
    ///
    /// # Errors
    /// When the database fails or is damaged.
    pub fn certified_block(
        &self,
        height: Height,
    ) -> Result<Option<pb::CertifiedBlock>, StoreError> {
        let Some(stored) = self.stored_header(height)? else { return Ok(None) };
        let header = stored.header.ok_or(StoreError::Damaged("header"))?;
        let count = header.log_size.saturating_sub(stored.first_leaf);
        let transactions = self.entries(LeafIndex(stored.first_leaf), count)?;
        let block = pb::Block { header: Some(header), transactions };
        Ok(Some(pb::CertifiedBlock { block: Some(block), certificate: stored.certificate }))
    }

    /// The set that certifies `height`, as far as decided: at most the next height's.
    ///
    /// # Errors
    /// When the database fails or is damaged.
    pub fn validators(&self, height: Height) -> Result<Option<Arc<ValidatorSet>>, StoreError> {
        let tip = self.tip();
        if height == tip.height.next() {
            return Ok(Some(tip.next_validators));
        }
        if height.0 == 0 || height > tip.height {
            return Ok(None);
        }
        let from = number(height.0);
        let newest = self.shared.disk.walk(SETS, Walk::Before(&from)).next();
        match newest {
            None => Ok(Some(Arc::clone(&self.shared.genesis_validators))),
            Some(item) => Ok(Some(Arc::new(read_set(&item?.1)?))),
        }
    }

    /// Changes of the validator set in headers strictly between the two heights, ascending, and a
    /// restart from the first of them.
    ///
    /// # Errors
    /// When the database fails or is damaged.
    pub fn set_changes(
        &self,
        after: Height,
        before: Height,
    ) -> Result<Vec<pb::SetChange>, StoreError> {
        // A set is stored under the first height it certifies: one above the header naming it.
        if after.next().0 > self.shared.newest_set.load(Ordering::Acquire) {
            return Ok(Vec::new());
        }
        let mut changes = Vec::new();
        if let Some(own) = self.restart_at(after)?.filter(|_| after < before) {
            changes.push(restart::from_own_header(&own));
        }
        let first = number(after.next().next().0);
        for item in self.shared.disk.walk(SETS, Walk::From(&first)) {
            let (key, value) = item?;
            let height = Height(read_number(&key, "validator sets")?).previous();
            if height >= before {
                break;
            }
            if let Some(restart) = self.restart_at(height)? {
                changes.push(restart);
                continue;
            }
            let stored =
                self.stored_header(height)?.ok_or(StoreError::Damaged("validator sets"))?;
            changes.push(pb::SetChange {
                header: stored.header,
                certificate: stored.certificate,
                next: Some(read_set(&value)?.to_proto()),
                restart: None,
            });
        }
        Ok(changes)
    }

    /// Where a transaction stands.
    ///
    /// # Errors
    /// When the database fails or is damaged.
    pub fn find(&self, id: &TransactionId) -> Result<Option<LeafIndex>, StoreError> {
        let found = self.shared.disk.get(IDS, id.as_bytes())?;
        found.map(|bytes| read_number(&bytes, "transaction ids").map(LeafIndex)).transpose()
    }

    /// The envelope on a leaf.
    ///
    /// # Errors
    /// When the database fails.
    pub fn entry(&self, leaf: LeafIndex) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.shared.disk.get(ENTRIES, &number(leaf.0))?)
    }

    /// A C2SP tile, or with level `None` an entry bundle, of `width` entries; 0 asks for all 256.
    ///
    /// # Errors
    /// When the database fails or is damaged.
    pub fn tile(
        &self,
        level: Option<u8>,
        index: u64,
        width: u8,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let size = self.tip().log_size;
        let width = if width == 0 { 256 } else { u16::from(width) };
        let tile = TileId { level: level.unwrap_or(0), index };
        if width_in(size, tile) < width {
            return Ok(None);
        }
        if level.is_some() {
            return self.tile_hashes(tile, width).map(Some);
        }
        let entries = self.entries(LeafIndex(index.saturating_mul(256)), u64::from(width))?;
        let mut bundle = Vec::new();
        for entry in entries {
            let leaf = transaction::leaf_data(&entry);
            let length =
                u16::try_from(leaf.len()).map_err(|_| StoreError::Damaged("log entries"))?;
            bundle.extend_from_slice(&length.to_be_bytes());
            bundle.extend_from_slice(&leaf);
        }
        Ok(Some(bundle))
    }

    pub(crate) fn tile_hashes(&self, tile: TileId, width: u16) -> Result<Vec<u8>, StoreError> {
        let key = schema::tile_key(tile.level, tile.index);
        let mut bytes =
            self.shared.disk.get(TILES, &key)?.ok_or(StoreError::Damaged("log tiles"))?;
        let length = usize::from(width).saturating_mul(32);
        if bytes.len() < length {
            return Err(StoreError::Damaged("log tiles"));
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    fn entries(&self, first: LeafIndex, count: u64) -> Result<Vec<Bytes>, StoreError> {
        let from = number(first.0);
        let iterator = self.shared.disk.walk(ENTRIES, Walk::From(&from));
        let limit = usize::try_from(count).map_err(|_| StoreError::Damaged("log size"))?;
        let mut entries = Vec::new();
        for (offset, item) in (0_u64..).zip(iterator.take(limit)) {
            let (key, value) = item?;
            if read_number(&key, "log entries")? != first.0.saturating_add(offset) {
                return Err(StoreError::Damaged("log entries"));
            }
            entries.push(Bytes::from(value.into_vec()));
        }
        if entries.len() == limit { Ok(entries) } else { Err(StoreError::Damaged("log entries")) }
    }

    /// Keeps portable evidence of misbehaviour at a height; the same evidence is kept once.
    ///
    /// # Errors
    /// When the database fails.
    pub fn keep_evidence(&self, height: Height, evidence: &[u8]) -> Result<(), StoreError> {
        let digest = heatmark_merkle::tag::hash("evidence", &[evidence]);
        let key = schema::slot_key(height.0, &digest.0);
        let mut batch = Batch::new();
        batch.put(EVIDENCE, key, evidence);
        Ok(self.shared.disk.write(batch, Durability::Synced)?)
    }

    /// Evidence kept, oldest height first, at most `limit` items.
    ///
    /// # Errors
    /// When the database fails.
    pub fn evidence(&self, limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        self.shared
            .disk
            .walk(EVIDENCE, Walk::First)
            .take(limit)
            .map(|item| Ok(item?.1.into_vec()))
            .collect()
    }

    /// Writes everything to its files, so that the next start replays nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub fn flush(&self) -> Result<(), StoreError> {
        Ok(self.shared.disk.flush()?)
    }

    /// Whoever writes to the log holds this, so that what is read before a write still holds in it.
    /// A panicked writer left nothing half done: the database is written in one batch and the
    /// bounds move after it.
    pub(crate) fn writing(&self) -> MutexGuard<'_, Swept> {
        self.shared.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The tiles held for receipts; dropped when a thread panicked over them.
    pub(crate) fn cached_tiles(&self) -> MutexGuard<'_, TileCache> {
        self.shared.tiles.lock().unwrap_or_else(|poisoned| {
            let mut tiles = poisoned.into_inner();
            *tiles = TileCache::new(CACHED_TILES);
            self.shared.tiles.clear_poison();
            tiles
        })
    }

    pub(crate) fn newest(&self) -> MutexGuard<'_, Option<(Height, StoredHeader)>> {
        // Replaced whole, never changed.
        self.shared.newest.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Forgets the tiles held for receipts, so that the next one reads the database.
    pub(crate) fn drop_cached_tiles(&self) {
        *self.cached_tiles() = TileCache::new(CACHED_TILES);
    }

    pub(crate) fn stored_header(&self, height: Height) -> Result<Option<StoredHeader>, StoreError> {
        if let Some((newest, stored)) = &*self.newest()
            && *newest == height
        {
            return Ok(Some(stored.clone()));
        }
        read_header(self.shared.disk.as_ref(), height)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store(network {}, height {})", self.shared.network, self.tip().height)
    }
}

pub(crate) fn parts(stored: &StoredHeader) -> Result<(Header, CommitCertificate), StoreError> {
    let damaged = StoreError::Damaged("header");
    let (Some(header), Some(certificate)) = (&stored.header, &stored.certificate) else {
        return Err(damaged);
    };
    match (Header::from_proto(header), CommitCertificate::from_proto(certificate)) {
        (Ok(header), Ok(certificate)) => Ok((header, certificate)),
        _ => Err(damaged),
    }
}

pub(crate) fn read_set(bytes: &[u8]) -> Result<ValidatorSet, StoreError> {
    let damaged = || StoreError::Damaged("validator sets");
    let message = pb::ValidatorSet::decode(bytes).map_err(|_| damaged())?;
    ValidatorSet::from_proto(&message).map_err(|_| damaged())
}

fn read_header(disk: &dyn Disk, height: Height) -> Result<Option<StoredHeader>, StoreError> {
    disk.get(HEADERS, &number(height.0))?
        .map(|bytes| {
            StoredHeader::decode(bytes.as_slice()).map_err(|_| StoreError::Damaged("header"))
        })
        .transpose()
}

fn read_tip(
    disk: &dyn Disk,
    genesis: &Genesis,
    genesis_validators: &Arc<ValidatorSet>,
) -> Result<StoreTip, StoreError> {
    let newest = disk.walk(HEADERS, Walk::Last).next().transpose()?;
    let Some((key, value)) = newest else {
        let (_, tip) = heatmark_ledger::audit::MemoryLedger::new(genesis)?;
        return Ok(StoreTip::new(tip, None));
    };
    let height = Height(read_number(&key, "headers")?);
    let stored = StoredHeader::decode(&*value).map_err(|_| StoreError::Damaged("header"))?;
    let (header, _) = parts(&stored)?;
    let reader = TileReader { disk };
    let frontier = Frontier::from_tiles(header.log_size, &reader)?;
    if header.height != height || frontier.root() != header.log_root {
        return Err(StoreError::Damaged("the log's root is not the newest header's"));
    }
    let sets = disk.walk(SETS, Walk::Last).next().transpose()?;
    let validators = match sets {
        None => Arc::clone(genesis_validators),
        Some((_, value)) => Arc::new(read_set(&value)?),
    };
    let restart = crate::restart::all(disk)?.into_iter().rfind(|kept| kept.header.height <= height);
    let replacing = restart.as_ref().filter(|restart| restart.header.height == height);
    let named = replacing.map_or(header.next_validators, |restart| restart.next.hash());
    if validators.hash() != named {
        return Err(StoreError::Damaged("validator sets"));
    }
    let chain = block::Tip {
        network: header.network,
        height,
        time: header.time,
        hash: Hash(header.hash().0.0),
        frontier,
        state_root: header.state_root,
        map_version: stored.map_version,
        validators,
        restart: restart.map(|restart| restart.point()),
    };
    Ok(StoreTip::new(chain, Some(header)))
}

struct TileReader<'d> {
    disk: &'d dyn Disk,
}

impl heatmark_merkle::tree::HashReader for TileReader<'_> {
    type Error = StoreError;

    fn tile(&self, tile: TileId, _width: u16) -> Result<Vec<u8>, StoreError> {
        let key = schema::tile_key(tile.level, tile.index);
        self.disk.get(TILES, &key)?.ok_or(StoreError::Damaged("log tiles"))
    }
}
