//! What a check finds, and what a repair brings back: damage done to a real database's files, and
//! to entries under sound checksums.

use crate::world::{World, bytes32};
use heatmark_ledger::block::Block;
use heatmark_ledger::genesis::Genesis;
use heatmark_ledger::ids::{Height, Round};
use heatmark_ledger::messages as pb;
use heatmark_store::{
    Batch, CheckOptions, Disk, DiskError, Durability, Entries, Family, Rebuilt, Remedy,
    RepairError, RepairOptions, Report, Store, StoreOptions, UndecidedBlock, Walk, check,
    check_disk, repair,
};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tempfile::{TempDir, tempdir};

const ALL: CheckOptions = CheckOptions { signatures: true };
const KNOWN: RepairOptions = RepairOptions { reached: Height(0), catch_up: false };

/// A disk in memory, so that single entries can be changed under sound checksums.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<Located, Vec<u8>>>);

type Located = (Family, Vec<u8>);

struct Shared(std::sync::Arc<Memory>);

impl Disk for Memory {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        Ok(self.0.lock().unwrap().get(&(family, key.to_vec())).cloned())
    }

    fn walk(&self, family: Family, walk: Walk<'_>) -> Entries<'_> {
        let all = self.0.lock().unwrap();
        let mut entries: Vec<_> = all
            .iter()
            .filter(|((of, key), _)| {
                *of == family
                    && match walk {
                        Walk::From(from) => key.as_slice() >= from,
                        Walk::Before(last) => key.as_slice() <= last,
                        Walk::First | Walk::Last => true,
                    }
            })
            .map(|((_, key), value)| {
                Ok((key.clone().into_boxed_slice(), value.clone().into_boxed_slice()))
            })
            .collect();
        if matches!(walk, Walk::Last | Walk::Before(_)) {
            entries.reverse();
        }
        Box::new(entries.into_iter())
    }

    fn write(&self, batch: Batch, _durability: Durability) -> Result<(), DiskError> {
        let mut all = self.0.lock().unwrap();
        for (family, key, value) in batch.operations() {
            match value {
                Some(value) => all.insert((family, key.to_vec()), value.to_vec()),
                None => all.remove(&(family, key.to_vec())),
            };
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), DiskError> {
        Ok(())
    }
}

impl Disk for Shared {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        self.0.get(family, key)
    }
    fn walk(&self, family: Family, walk: Walk<'_>) -> Entries<'_> {
        self.0.walk(family, walk)
    }
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), DiskError> {
        self.0.write(batch, durability)
    }
    fn flush(&self) -> Result<(), DiskError> {
        self.0.flush()
    }
}

fn keep_undecided(world: &World) -> UndecidedBlock {
    let block = world.propose(&[]);
    let undecided = UndecidedBlock {
        round: Round(2),
        proposer: [7; 32],
        header_hash: block.header.hash(),
        block: Block::encode(&block.header, &block.transactions).into(),
    };
    world.store.put_undecided(block.header.height, &undecided, true).unwrap();
    undecided
}

fn checked(path: &Path, genesis: &Genesis) -> Report {
    check(path, genesis, ALL, &mut |_| {}).unwrap()
}

fn repaired(
    path: &Path,
    genesis: &Genesis,
    peers: &BTreeMap<u64, pb::CertifiedBlock>,
) -> Result<Rebuilt, RepairError> {
    let mut asked = Height(0);
    let mut fetch = |height: Height| {
        if std::mem::replace(&mut asked, height) == height {
            return None;
        }
        peers.get(&height.0).cloned()
    };
    repair(path, genesis, KNOWN, &mut fetch, &mut |_| {})
}

/// A database with something in every family, closed, and its blocks as peers have them.
struct Written {
    directory: TempDir,
    genesis: Genesis,
    peers: BTreeMap<u64, pb::CertifiedBlock>,
    undecided: UndecidedBlock,
    end: heatmark_store::StoreTip,
}

fn written(flushed: bool) -> Written {
    let directory = tempdir().unwrap();
    let path = directory.path().join("log");
    let mut world = World::new(&path, 1_000);
    world.varied_chain();
    world.store.keep_evidence(Height(3), b"proof").unwrap();
    let undecided = keep_undecided(&world);
    if flushed {
        world.store.flush().unwrap();
    }
    let end = world.store.tip();
    let peers = (1..=end.height.0)
        .map(|at| (at, world.store.certified_block(Height(at)).unwrap().unwrap()))
        .collect();
    let World { genesis, store, .. } = world;
    drop(store);
    Written { directory, genesis, peers, undecided, end }
}

impl Written {
    fn path(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn files(&self, extension: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(self.path()).unwrap().map(|file| file.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|e| e == extension)).collect()
    }

    fn open(&self) -> Store {
        Store::open(&self.path(), &self.genesis, &StoreOptions::default()).unwrap()
    }

    /// The repaired database is the old one again, with nothing damaged.
    fn assert_whole(&self) {
        let report = checked(&self.path(), &self.genesis);
        assert!(report.is_sound(), "{:?}", report.damages);
        let store = self.open();
        assert_eq!(store.tip().header, self.end.header);
        for (height, block) in &self.peers {
            assert_eq!(store.certified_block(Height(*height)).unwrap().as_ref(), Some(block));
        }
    }
}

#[test]
fn a_sound_database_is_found_sound_and_stays_as_it_is() {
    for flushed in [false, true] {
        let written = written(flushed);
        let report = checked(&written.path(), &written.genesis);
        assert!(report.is_sound(), "{:?}", report.damages);
        assert_eq!(report.height, written.end.height);
        assert_eq!(report.leaves, written.end.log_size.0);
        assert_eq!(report.signatures, 9 * 4);
        assert!(report.values > 10 && report.nodes > 10, "{report:?}");
        written.assert_whole();
    }
    let directory = tempdir().unwrap();
    let genesis = World::new(directory.path(), 10).genesis;
    assert!(checked(directory.path(), &genesis).is_sound(), "nothing but genesis");
}

#[test]
fn a_database_in_use_is_neither_checked_nor_repaired() {
    let written = written(true);
    // The lock is a record lock, which one process does not deny itself: another has to hold it.
    let holder = std::process::Command::new("python3")
        .args(["-c", "import fcntl,sys\nf=open(sys.argv[1],'w')\nfcntl.lockf(f,fcntl.LOCK_EX)\nprint('held',flush=True)\nsys.stdin.read()"])
        .arg(written.path().join("LOCK"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let Ok(mut holder) = holder else {
        eprintln!("skipped: there is no python3 to hold the lock");
        return;
    };
    let mut line = String::new();
    let mut said = std::io::BufReader::new(holder.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    let refused = check(&written.path(), &written.genesis, ALL, &mut |_| {}).unwrap_err();
    assert!(refused.to_string().contains("While lock file"), "{refused}");
    let refused = repaired(&written.path(), &written.genesis, &written.peers).unwrap_err();
    assert!(refused.to_string().contains("While lock file"), "{refused}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    written.assert_whole();
}

#[test]
fn every_changed_entry_of_every_family_is_found() {
    let disk = std::sync::Arc::new(Memory::default());
    let genesis = crate::world::genesis("Town", 1_000);
    let store = Store::open_on(Box::new(Shared(disk.clone())), &genesis).unwrap();
    let mut world = World::on(genesis, store);
    world.varied_chain();
    world.store.keep_evidence(Height(3), b"proof").unwrap();
    keep_undecided(&world);
    let look = || check_disk(disk.as_ref(), &world.genesis, ALL, &mut |_| {});
    assert!(look().unwrap().is_sound(), "{:?}", look().unwrap().damages);
    let all: Vec<_> = disk.0.lock().unwrap().clone().into_iter().collect();
    let mut families = std::collections::BTreeSet::new();
    let mut turns: BTreeMap<Family, usize> = BTreeMap::new();
    for ((family, key), value) in all {
        // Entries of the large families are alike: a share of them does.
        let turn = turns.entry(family).or_default();
        *turn += 1;
        let many = matches!(family.name(), "entries" | "ids" | "nodes" | "values" | "state");
        if many && *turn % 13 != 1 || family.name() == "stale" {
            continue;
        }
        families.insert(family);
        let place = (family, key);
        let what = format!("{} {:?}", family.name(), place.1);
        if !value.is_empty() {
            let mut changed = value.clone();
            // Nothing else says in what round and by whom a block was proposed.
            let from = if family.name() == "undecided" { changed.len() - 40 } else { 0 };
            let at = from + bytes32(&what)[0] as usize % (changed.len() - from);
            changed[at] ^= 0x04;
            disk.0.lock().unwrap().insert(place.clone(), changed);
            let found = look();
            assert!(found.is_err() || !found.unwrap().is_sound(), "changed {what} at {at}");
        }
        disk.0.lock().unwrap().remove(&place);
        // Undecided blocks, evidence and the newest block come and go: their absence is no damage
        // that a check can see. Values may be those of versions that are not served any more.
        let newest =
            family.name() == "headers" && place.1 == world.store.tip().height.0.to_be_bytes();
        let silent = matches!(family.name(), "proposed" | "evidence" | "values");
        if !newest && !silent && family.name() != "undecided" {
            let found = look();
            assert!(found.is_err() || !found.unwrap().is_sound(), "removed {what}");
        }
        disk.0.lock().unwrap().insert(place, value);
    }
    assert!(look().unwrap().is_sound(), "everything is back");
    assert_eq!(families.len(), 13, "{families:?}");
}

#[test]
fn a_flipped_byte_in_any_table_is_found_and_repaired_from_peers() {
    let tables = written(true).files("sst").len();
    assert!(tables >= 8, "{tables} tables");
    let mut fetched = 0;
    for table in 0..tables {
        let written = written(true);
        let file = written.files("sst").swap_remove(table);
        let mut bytes = fs::read(&file).unwrap();
        bytes[20] ^= 1;
        fs::write(&file, bytes).unwrap();
        let report = checked(&written.path(), &written.genesis);
        assert!(!report.is_sound(), "{} is damaged", file.display());
        let name = file.file_name().unwrap().to_str().unwrap();
        let named = report.damages.iter().any(|damage| damage.to_string().contains(name));
        assert!(named, "{name} is not among {:?}", report.damages);
        let rebuilt = repaired(&written.path(), &written.genesis, &written.peers).unwrap();
        assert_eq!(rebuilt.height, written.end.height);
        fetched += rebuilt.fetched;
        let votes_known = rebuilt.votes_known;
        let aside = rebuilt.install().unwrap();
        assert!(aside.join(file.file_name().unwrap()).exists(), "the damaged one is kept");
        written.assert_whole();
        let next = written.end.height.next();
        let proposed = written.open().proposed(next, Round(2)).unwrap();
        if votes_known {
            assert_eq!(proposed, Some(written.undecided.clone()));
        }
    }
    assert!(fetched > 0, "nothing came from peers");
}

#[test]
fn a_flipped_byte_in_the_write_ahead_log_is_refused_found_and_repaired() {
    let whole = fs::read(&written(false).files("log")[0]).unwrap();
    for tenth in 1..10 {
        let written = written(false);
        let file = written.files("log").remove(0);
        let mut bytes = fs::read(&file).unwrap();
        bytes[whole.len() * tenth / 10] ^= 0x20;
        fs::write(&file, bytes).unwrap();
        let refused = Store::open(&written.path(), &written.genesis, &StoreOptions::default());
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("Corruption"), "{refused}");
        let report = checked(&written.path(), &written.genesis);
        assert!(report.damages.iter().any(|damage| damage.remedy == Remedy::Anew), "{report:?}");
        let options = RepairOptions { reached: written.end.height, catch_up: false };
        let mut last = Height(0);
        let mut fetch = |height: Height| {
            (std::mem::replace(&mut last, height) != height)
                .then(|| written.peers.get(&height.0).cloned())
                .flatten()
        };
        let rebuilt =
            repair(&written.path(), &written.genesis, options, &mut fetch, &mut |_| {}).unwrap();
        assert!(!rebuilt.votes_known, "what followed the damage may have been a vote");
        rebuilt.install().unwrap();
        written.assert_whole();
    }
}

#[test]
fn a_database_of_which_nothing_opens_comes_back_from_peers_whole() {
    let written = written(true);
    for name in ["CURRENT", "MANIFEST"] {
        for file in fs::read_dir(written.path()).unwrap() {
            let file = file.unwrap().path();
            if file.file_name().unwrap().to_str().unwrap().starts_with(name) {
                fs::write(file, b"nothing").unwrap();
            }
        }
    }
    assert!(!checked(&written.path(), &written.genesis).is_sound());
    let options = RepairOptions { reached: written.end.height, catch_up: false };
    let mut last = Height(0);
    let mut fetch = |height: Height| {
        (std::mem::replace(&mut last, height) != height)
            .then(|| written.peers.get(&height.0).cloned())
            .flatten()
    };
    let rebuilt =
        repair(&written.path(), &written.genesis, options, &mut fetch, &mut |_| {}).unwrap();
    assert!(!rebuilt.votes_known);
    rebuilt.install().unwrap();
    written.assert_whole();
}

#[test]
fn peers_that_lie_are_believed_in_nothing_and_without_a_sound_one_all_stays_as_it_was() {
    let written = written(true);
    // The entries' table: blocks with transactions are damaged.
    for file in written.files("sst") {
        let mut bytes = fs::read(&file).unwrap();
        bytes[20] ^= 1;
        fs::write(&file, bytes).unwrap();
    }
    let before: BTreeMap<PathBuf, Vec<u8>> = fs::read_dir(written.path())
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "sst"))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    let mut lies = written.peers.clone();
    let (two, three) = (lies[&2].clone(), lies[&3].clone());
    lies.insert(2, three.clone());
    lies.insert(3, two);
    let options = RepairOptions { reached: written.end.height, catch_up: false };
    for (at, peers) in [(1_u64, BTreeMap::new()), (2, lies)] {
        let mut last = Height(0);
        let mut fetch = |height: Height| {
            (std::mem::replace(&mut last, height) != height)
                .then(|| peers.get(&height.0).cloned())
                .flatten()
        };
        let rebuilt = repair(&written.path(), &written.genesis, options, &mut fetch, &mut |_| {});
        match rebuilt {
            Err(RepairError::Missing(height)) => assert!(height.0 >= at, "{height}"),
            other => panic!("{other:?}"),
        }
    }
    for (path, bytes) in before {
        assert_eq!(fs::read(&path).unwrap(), bytes, "{}", path.display());
    }
}

#[test]
fn an_interrupted_repair_leaves_the_old_database_and_nothing_in_the_way_of_the_next() {
    let written = written(true);
    let rebuilt = repaired(&written.path(), &written.genesis, &written.peers).unwrap();
    drop(rebuilt);
    written.assert_whole();
    let again = repaired(&written.path(), &written.genesis, &written.peers).unwrap();
    assert_eq!((again.kept, again.fetched, again.votes_known), (9, 0, true));
    again.install().unwrap();
    written.assert_whole();
    let next = written.end.height.next();
    let kept = written.open().proposed(next, Round(2)).unwrap();
    assert_eq!(kept, Some(written.undecided.clone()));
    assert_eq!(written.open().evidence(9).unwrap(), [b"proof".to_vec()]);
    let names: Vec<_> = fs::read_dir(written.directory.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.iter().all(|name| name == "log" || name == "log.damaged-1"), "{names:?}");
}

#[test]
fn a_fault_that_a_reader_meets_is_told_to_whoever_stops_the_node() {
    let written = written(true);
    for file in written.files("sst") {
        let mut bytes = fs::read(&file).unwrap();
        bytes[20] ^= 1;
        fs::write(&file, bytes).unwrap();
    }
    let Ok(store) = Store::open(&written.path(), &written.genesis, &StoreOptions::default()) else {
        return;
    };
    assert_eq!(*store.faults().borrow(), None);
    let failed = (1..=9).any(|height| store.certified_block(Height(height)).is_err());
    assert!(failed);
    let fault = store.faults().borrow().clone().unwrap();
    assert!(fault.contains("Corruption"), "{fault}");
}
