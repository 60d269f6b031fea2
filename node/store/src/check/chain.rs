//! The chain and the log: every header follows from the one before and is certified by the right
//! set, every entry and every tile is what the log roots say, every index leads where it should.

use super::report::{Findings, Place, Remedy};
use super::{CheckOptions, Progress};
use crate::disk::{Disk, DiskError, Entries, Family, Walk};
use crate::error::StoreError;
use crate::restart::Kept;
use crate::schema::{
    ENTRIES, HEADERS, IDS, LEAVES, META, SETS, StoredHeader, TILES, number, read_number, tile_key,
};
use crate::store::{parts, read_set};
use heatmark_ledger::certificate::CommitCertificate;
use heatmark_ledger::genesis::Genesis;
use heatmark_ledger::header::Header;
use heatmark_ledger::ids::{Era, Height, KeyId, NetworkId, UnixMillis};
use heatmark_ledger::restart::Eras;
use heatmark_ledger::validators::ValidatorSet;
use heatmark_ledger::{Hash, LeafIndex, TreeSize, transaction, wire};
use heatmark_merkle::tiles::{self, TileId};
use heatmark_merkle::tree::{Frontier, HashReader};
use prost::Message;
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

/// Certificates verified at a time, on all cores.
const BATCH: usize = 256;

/// Blocks between two words of progress.
const TELL_EVERY: u64 = 64;

/// Bytes of a full tile.
const FULL_TILE_BYTES: usize = 256 * 32;

/// What later parts of the check need of the chain.
pub(super) struct Chain {
    /// The newest header, with the map version of its state.
    pub(super) newest: Option<(Header, u64)>,
    /// State root and map version of every height, ascending.
    pub(super) states: Vec<(Height, u64, Hash)>,
}

struct Job {
    header: Header,
    certificate: CommitCertificate,
    set: Arc<ValidatorSet>,
    era: Era,
}

struct Walker<'d> {
    disk: &'d dyn Disk,
    findings: &'d mut Findings,
    signatures: bool,
    network: NetworkId,
    /// Restarts that were applied; they were verified then.
    restarts: Vec<Kept>,
    eras: Eras,
    entries: Peekable<Entries<'d>>,
    /// One more than the last leaf that has an entry.
    entries_end: u64,
    /// Hash of the last header read; none after one that could not be.
    previous: Option<Hash>,
    height: Height,
    time: UnixMillis,
    /// The set of the next height; none where it is not known.
    set: Option<Arc<ValidatorSet>>,
    frontier: Frontier,
    /// Tiles at the right edge.
    edge: Edge,
    /// Blocks that hold an entry.
    filled: u64,
    found_ids: u64,
    jobs: Vec<Job>,
    chain: Chain,
}

pub(super) fn check(
    disk: &dyn Disk,
    genesis: &Genesis,
    options: CheckOptions,
    progress: &mut dyn FnMut(Progress),
    findings: &mut Findings,
) -> Chain {
    let of = last_of(disk, HEADERS).unwrap_or(0);
    let restarts = crate::restart::all(disk).unwrap_or_else(|_| {
        findings.at(Place::Family(META.name()), "the restarts cannot be read", Remedy::Computed);
        Vec::new()
    });
    let eras = Eras::new(genesis.network(), restarts.iter().map(Kept::point));
    let mut walker = Walker {
        disk,
        findings,
        signatures: options.signatures,
        network: genesis.network(),
        restarts,
        eras,
        entries: disk.walk(ENTRIES, Walk::First).peekable(),
        entries_end: last_of(disk, ENTRIES).map_or(0, |last| last.saturating_add(1)),
        previous: Some(genesis.network().0),
        height: Height(0),
        time: UnixMillis(genesis.document().time_ms),
        set: Some(Arc::new(genesis.validators().clone())),
        frontier: Frontier::new(),
        edge: Edge::default(),
        filled: 0,
        found_ids: 0,
        jobs: Vec::new(),
        chain: Chain { newest: None, states: Vec::new() },
    };
    for item in disk.walk(HEADERS, Walk::First) {
        match item {
            Ok((key, value)) => walker.block(&key, &value),
            Err(error) => {
                walker.findings.unreadable(&error, "headers cannot be read", Remedy::Fetched);
                break;
            }
        }
        if walker.height.0.is_multiple_of(TELL_EVERY) {
            progress(Progress { blocks: walker.height.0, of: of.max(walker.height.0) });
        }
    }
    walker.finish()
}

impl Walker<'_> {
    fn block(&mut self, key: &[u8], value: &[u8]) {
        let Ok(height) = read_number(key, "headers").map(Height) else {
            let place = Place::Key { family: HEADERS.name(), key: hex(key) };
            return self.findings.at(place, "no height", Remedy::LeftOut);
        };
        let expected = self.height.next();
        for missing in expected.0..height.0.min(expected.0.saturating_add(64)) {
            let place = Place::Height(Height(missing));
            self.findings.at(place, "the header is missing", Remedy::Fetched);
        }
        if height != expected {
            self.previous = None;
            self.set = self.stored_set(height);
        }
        self.height = height;
        let read = StoredHeader::decode(value).map_err(|_| StoreError::Damaged("header"));
        let read = read.and_then(|stored| parts(&stored).map(|parts| (stored, parts)));
        let Ok((stored, (header, certificate))) = read else {
            self.previous = None;
            self.set = self.stored_set(height.next());
            let place = Place::Height(height);
            return self.findings.at(place, "the header does not decode", Remedy::Fetched);
        };
        self.check_header(&header, &stored);
        self.check_certificate(&header, certificate);
        self.check_entries(&header, &stored);
        self.previous = Some(header.hash().0);
        self.time = header.time;
        self.chain.states.push((height, stored.map_version, header.state_root));
        self.chain.newest = Some((header, stored.map_version));
        self.findings.report.height = height;
    }

    fn check_header(&mut self, header: &Header, stored: &StoredHeader) {
        let size = self.frontier.size().0;
        let faults = [
            (header.network != self.network, "the header is another network's"),
            (header.height != self.height, "the header is of another height"),
            (
                self.previous.is_some_and(|previous| previous != header.previous),
                "the header does not follow the one before",
            ),
            (header.time <= self.time, "its time is not after the block's before"),
            (
                self.previous.is_some() && stored.first_leaf != size,
                "its first leaf is not where the log ended",
            ),
        ];
        for (_, what) in faults.iter().filter(|(fault, _)| *fault) {
            self.findings.at(Place::Height(self.height), what, Remedy::Fetched);
        }
    }

    /// Follows the set, and leaves the signatures to be verified in a batch.
    fn check_certificate(&mut self, header: &Header, certificate: CommitCertificate) {
        let Some(set) = self.set.take() else {
            self.set = self.stored_set(header.height.next());
            return;
        };
        if header.next_validators == set.hash() {
            self.set = Some(Arc::clone(&set));
        } else {
            // Where a restart follows, the store has its set in the place of the one named.
            let replaced = self.restarts.iter().find(|kept| kept.header == *header);
            let next = match replaced {
                Some(_) => crate::restart::replaced_at(self.disk, header.height),
                None => self.stored_set(header.height.next()),
            };
            let right = next.filter(|next| next.hash() == header.next_validators);
            if right.is_none() {
                let place = Place::Height(header.height.next());
                let what = "the validator set from here on is missing or another";
                self.findings.at(place, what, Remedy::Computed);
            }
            self.set = right;
        }
        if let Some(restart) = self.restarts.iter().find(|kept| kept.header == *header) {
            self.set = Some(Arc::new(restart.next.clone()));
        }
        let era = self.eras.at(header.height);
        self.jobs.push(Job { header: *header, certificate, set, era });
        if self.jobs.len() >= BATCH {
            self.verify();
        }
    }

    fn verify(&mut self) {
        let jobs = std::mem::take(&mut self.jobs);
        if !self.signatures {
            return;
        }
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let share = jobs.len().div_ceil(threads).max(1);
        let wrong = thread::scope(|scope| {
            let parts: Vec<_> = jobs
                .chunks(share)
                .map(|part| {
                    scope.spawn(move || {
                        part.iter()
                            .filter(|job| {
                                job.certificate.verify_in(&job.era, &job.header, &job.set).is_err()
                            })
                            .map(|job| job.header.height)
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            let join = |part: thread::ScopedJoinHandle<'_, Vec<Height>>| {
                part.join().expect("verifying signatures does not panic")
            };
            parts.into_iter().flat_map(join).collect::<Vec<_>>()
        });
        for height in wrong {
            let what = "the certificate does not verify";
            self.findings.at(Place::Height(height), what, Remedy::Fetched);
        }
        let count: usize = jobs.iter().map(|job| job.certificate.signatures.len()).sum();
        let signatures = &mut self.findings.report.signatures;
        *signatures = signatures.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// The set that the store has for a height.
    fn stored_set(&self, height: Height) -> Option<Arc<ValidatorSet>> {
        let from = number(height.0);
        let (_, value) = self.disk.walk(SETS, Walk::Before(&from)).next()?.ok()?;
        read_set(&value).ok().map(Arc::new)
    }

    fn check_entries(&mut self, header: &Header, stored: &StoredHeader) {
        let first = self.frontier.size().0;
        // A header that says too much must not be followed for ever.
        let end = header.log_size.0.min(self.entries_end.max(first));
        if end < header.log_size.0 {
            let what = "the entries from here on are missing";
            self.findings.at(Place::Leaf(LeafIndex(end)), what, Remedy::Fetched);
        }
        let mut hashes = Vec::new();
        for leaf in first..end {
            match self.take_entry(leaf) {
                Some(envelope) => {
                    hashes.push(transaction::leaf_hash(&envelope));
                    self.check_id(leaf, &envelope);
                }
                None => hashes.push(self.tile_hash(leaf).unwrap_or(Hash([0; 32]))),
            }
        }
        let leaves = &mut self.findings.report.leaves;
        *leaves = leaves.saturating_add(end.saturating_sub(first));
        let hashes = self.agree_with(header, first, hashes);
        self.check_tiles(first, &hashes);
        if end > first {
            self.filled = self.filled.saturating_add(1);
            let held = self.disk.get(LEAVES, &number(stored.first_leaf));
            let right = held.map(|held| held.as_deref() == Some(&number(self.height.0)[..]));
            let what = "the index from leaves to blocks is wrong";
            self.index(right, Place::Height(self.height), what);
        }
    }

    fn index(&mut self, right: Result<bool, DiskError>, place: Place, what: &'static str) {
        match right {
            Ok(true) => {}
            Ok(false) => self.findings.at(place, what, Remedy::Computed),
            Err(error) => self.findings.unreadable(&error, what, Remedy::Computed),
        }
    }

    /// The envelope on a leaf, read in order.
    fn take_entry(&mut self, leaf: u64) -> Option<Box<[u8]>> {
        let what = "an entry cannot be read";
        loop {
            let at = match self.entries.peek() {
                Some(Ok((key, _))) => read_number(key, "log entries").unwrap_or(u64::MAX),
                Some(Err(error)) => {
                    self.findings.unreadable(error, what, Remedy::Fetched);
                    // What lies beyond the damaged part may be sound.
                    let next = number(leaf.saturating_add(1));
                    self.entries = self.disk.walk(ENTRIES, Walk::From(&next)).peekable();
                    return self.sought(leaf);
                }
                None => u64::MAX,
            };
            if at > leaf {
                self.findings.at(
                    Place::Leaf(LeafIndex(leaf)),
                    "the entry is missing",
                    Remedy::Fetched,
                );
                return None;
            }
            let (_, envelope) = self.entries.next()?.ok()?;
            if at == leaf {
                return Some(envelope);
            }
        }
    }

    /// An entry that the walk did not give, looked for by its key.
    fn sought(&mut self, leaf: u64) -> Option<Box<[u8]>> {
        match self.disk.get(ENTRIES, &number(leaf)) {
            Ok(Some(envelope)) => Some(envelope.into_boxed_slice()),
            _ => {
                let place = Place::Leaf(LeafIndex(leaf));
                self.findings.at(place, "the entry cannot be read", Remedy::Fetched);
                None
            }
        }
    }

    fn check_id(&mut self, leaf: u64, envelope: &[u8]) {
        let Some(id) = wire::decode_envelope(envelope).ok().and_then(|message| {
            let signer = KeyId::try_from(message.signer.as_slice()).ok()?;
            Some(transaction::transaction_id(&self.network, &signer, &message.body))
        }) else {
            let place = Place::Leaf(LeafIndex(leaf));
            return self.findings.at(place, "the entry is no transaction", Remedy::Fetched);
        };
        let held = self.disk.get(IDS, id.as_bytes());
        let right = held.map(|held| held.as_deref() == Some(&number(leaf)[..]));
        self.found_ids = self.found_ids.saturating_add(u64::from(matches!(right, Ok(true))));
        let what = "the index of transaction ids is wrong";
        self.index(right, Place::Leaf(LeafIndex(leaf)), what);
    }

    /// Appends a block's leaves, so that the header's log root comes out. Where an entry is
    /// damaged its hash in the tiles may do.
    fn agree_with(&mut self, header: &Header, first: u64, hashes: Vec<Hash>) -> Vec<Hash> {
        let before = self.frontier.clone();
        let appended = |hashes: &[Hash]| {
            let mut frontier = before.clone();
            hashes.iter().for_each(|hash| frontier.push(*hash));
            frontier
        };
        let own = appended(&hashes);
        let is_right = |frontier: &Frontier| {
            frontier.size() == header.log_size && frontier.root() == header.log_root
        };
        if is_right(&own) {
            self.frontier = own;
            return hashes;
        }
        let stored: Vec<Hash> = (first..)
            .zip(&hashes)
            .map(|(leaf, hash)| self.tile_hash(leaf).unwrap_or(*hash))
            .collect();
        let by_tiles = appended(&stored);
        if is_right(&by_tiles) {
            for (leaf, (stored, hash)) in (first..).zip(stored.iter().zip(&hashes)) {
                if stored != hash {
                    let place = Place::Leaf(LeafIndex(leaf));
                    let what = "the entry is not the one that the log root covers";
                    self.findings.at(place, what, Remedy::Fetched);
                }
            }
            self.frontier = by_tiles;
            return stored;
        }
        let what = "neither entries nor tiles give the header's log root";
        self.findings.at(Place::Height(self.height), what, Remedy::Fetched);
        self.frontier = match Frontier::from_tiles(header.log_size, &Stored(self.disk)) {
            Ok(frontier) => frontier,
            Err(_) => own,
        };
        hashes
    }

    fn tile_hash(&self, leaf: u64) -> Option<Hash> {
        let key = tile_key(0, leaf.wrapping_div(256));
        let tile = self.disk.get(TILES, &key).ok()??;
        let place = usize::try_from(leaf.wrapping_rem(256)).ok()?;
        tile.as_chunks::<32>().0.get(place).copied().map(Hash)
    }

    fn check_tiles(&mut self, first: u64, hashes: &[Hash]) {
        match tiles::appended(TreeSize(first), hashes, &self.edge) {
            Ok(changed) => {
                for (tile, bytes) in changed {
                    if bytes.len() == FULL_TILE_BYTES {
                        self.edge.0.remove(&tile);
                        self.check_tile(tile, &bytes);
                    } else {
                        self.edge.0.insert(tile, bytes);
                    }
                }
            }
            Err(_) => {
                let what = "the tiles could not be followed beyond other damage";
                self.findings.at(Place::Height(self.height), what, Remedy::Computed);
            }
        }
    }

    fn check_tile(&mut self, tile: TileId, bytes: &[u8]) {
        let held = self.disk.get(TILES, &tile_key(tile.level, tile.index));
        let right = held.map(|held| held.as_deref() == Some(bytes));
        self.index(right, Place::Tile(tile), "the tile is not what the entries give");
    }

    fn finish(mut self) -> Chain {
        self.verify();
        for (tile, bytes) in std::mem::take(&mut self.edge.0) {
            self.check_tile(tile, &bytes);
        }
        let beyond = number(self.frontier.size().0);
        if self.disk.walk(ENTRIES, Walk::From(&beyond)).next().is_some() {
            let what = "there are entries beyond the newest header's log";
            self.findings.at(Place::Family(ENTRIES.name()), what, Remedy::LeftOut);
        }
        let leaves = self.findings.report.leaves;
        for (family, expected) in [(IDS, leaves), (LEAVES, self.filled)] {
            self.count(family, expected);
        }
        self.count_tiles();
        self.chain
    }

    /// Reads a whole index, so that every block of its files is checked.
    fn count(&mut self, family: Family, expected: u64) {
        let mut count = 0_u64;
        for item in self.disk.walk(family, Walk::First) {
            match item {
                Ok(_) => count = count.saturating_add(1),
                Err(error) => {
                    let what = "an index cannot be read";
                    return self.findings.unreadable(&error, what, Remedy::Computed);
                }
            }
        }
        if count > expected {
            let what = "an index has entries that lead nowhere";
            self.findings.at(Place::Family(family.name()), what, Remedy::Computed);
        }
    }

    fn count_tiles(&mut self) {
        let size = self.frontier.size();
        for item in self.disk.walk(TILES, Walk::First) {
            let tile = match item {
                Ok((key, _)) => tile_of(&key),
                Err(error) => {
                    let what = "tiles cannot be read";
                    return self.findings.unreadable(&error, what, Remedy::Computed);
                }
            };
            if tile.is_none_or(|tile| tiles::width_in(size, tile) == 0) {
                let what = "there are tiles beyond the newest header's log";
                return self.findings.at(Place::Family(TILES.name()), what, Remedy::LeftOut);
            }
        }
    }
}

/// The number under which a family ends.
fn last_of(disk: &dyn Disk, family: Family) -> Option<u64> {
    let (key, _) = disk.walk(family, Walk::Last).next()?.ok()?;
    read_number(&key, family.name()).ok()
}

fn tile_of(key: &[u8]) -> Option<TileId> {
    let (level, index) = key.split_first()?;
    Some(TileId { level: *level, index: read_number(index, "log tiles").ok()? })
}

/// Tiles that are not full yet.
#[derive(Default)]
struct Edge(BTreeMap<TileId, Vec<u8>>);

impl HashReader for Edge {
    type Error = StoreError;

    fn tile(&self, tile: TileId, _width: u16) -> Result<Vec<u8>, StoreError> {
        self.0.get(&tile).cloned().ok_or(StoreError::Damaged("log tiles"))
    }
}

/// Tiles as they are stored.
struct Stored<'d>(&'d dyn Disk);

impl HashReader for Stored<'_> {
    type Error = StoreError;

    fn tile(&self, tile: TileId, _width: u16) -> Result<Vec<u8>, StoreError> {
        let key = tile_key(tile.level, tile.index);
        self.0.get(TILES, &key)?.ok_or(StoreError::Damaged("log tiles"))
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
