//! What can still be read of a damaged database. Where RocksDB does not open it as it is, damaged
//! records of its write-ahead log are passed over, and then a copy of its files is put in order by
//! RocksDB's own repair. What comes out is believed in nothing.

use super::install::Site;
use super::{RepairError, last_height};
use crate::disk::Disk;
use crate::rocks::RocksDisk;
use crate::schema::{ENTRIES, HEADERS, StoredHeader, number};
use heatmark_ledger::ids::Height;
use heatmark_proto::ledger::v1 as pb;
use prost::Message;
use prost::bytes::Bytes;
use rocksdb::{DB, DBRecoveryMode, Options};
use std::fs;
use std::io;
use std::path::Path;

/// More entries than any block has.
const MAX_BLOCK_ENTRIES: u64 = 1 << 20;

/// How much of the old database was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// As it is: what cannot be read gives an error.
    Whole,
    /// With parts left out, nobody knows which.
    InPart,
    /// Not at all.
    Nothing,
}

/// The old database.
pub(super) struct Salvage {
    disk: Option<RocksDisk>,
    pub(super) how: How,
}

impl Salvage {
    pub(super) fn open(path: &Path, site: &Site) -> Result<Self, RepairError> {
        let sound_log = matches!(heatmark_wal::damaged_file(path), Ok(None));
        let whole = DBRecoveryMode::TolerateCorruptedTailRecords;
        if sound_log && let Ok(disk) = RocksDisk::open_to_read(path, whole) {
            return Ok(Self { disk: Some(disk), how: How::Whole });
        }
        let in_part = DBRecoveryMode::SkipAnyCorruptedRecord;
        if let Ok(disk) = RocksDisk::open_to_read(path, in_part) {
            return Ok(Self { disk: Some(disk), how: How::InPart });
        }
        copy_files(path, &site.copy)
            .map_err(|source| RepairError::File { path: site.copy.clone(), source })?;
        let repaired = DB::repair(&Options::default(), &site.copy);
        let opened = repaired.ok().and_then(|()| RocksDisk::open_to_read(&site.copy, in_part).ok());
        let how = if opened.is_some() { How::InPart } else { How::Nothing };
        Ok(Self { disk: opened, how })
    }

    pub(super) fn disk(&self) -> Option<&dyn Disk> {
        self.disk.as_ref().map(|disk| disk as &dyn Disk)
    }

    /// Whether what is not there was never there.
    pub(super) fn is_whole(&self) -> bool {
        self.how == How::Whole
    }

    /// Height of the newest header; none when it cannot be told.
    pub(super) fn last_height(&self) -> Option<Height> {
        self.disk().and_then(last_height)
    }

    /// A block, if it can be read; nothing in it is verified.
    pub(super) fn block(&self, height: Height) -> Option<pb::CertifiedBlock> {
        let disk = self.disk()?;
        let stored = disk.get(HEADERS, &number(height.0)).ok()??;
        let stored = StoredHeader::decode(stored.as_slice()).ok()?;
        let end = stored.header.as_ref()?.log_size;
        let count = end.saturating_sub(stored.first_leaf);
        if count > MAX_BLOCK_ENTRIES {
            return None;
        }
        let mut transactions = Vec::new();
        for leaf in stored.first_leaf..end {
            transactions.push(Bytes::from(disk.get(ENTRIES, &number(leaf)).ok()??));
        }
        let block = Some(pb::Block { header: stored.header, transactions });
        Some(pb::CertifiedBlock { block, certificate: stored.certificate })
    }
}

/// Tables are never written again, so that a link does; everything else is copied.
fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for file in fs::read_dir(from)? {
        let file = file?;
        let (source, target) = (file.path(), to.join(file.file_name()));
        if !file.file_type()?.is_file() || file.file_name() == "LOCK" {
            continue;
        }
        let table = source.extension().is_some_and(|extension| extension == "sst");
        if !table || fs::hard_link(&source, &target).is_err() {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}
