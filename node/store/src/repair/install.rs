//! Where a database is built anew, and how it takes the old one's place: in one step, and only
//! when it is whole and synced. The old one is kept under another name.

use super::RepairError;
use crate::check::Held;
use heatmark_ledger::ids::Height;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// In a directory whose database is not whole yet.
const UNFINISHED: &str = "UNFINISHED";

/// The directories of a repair.
#[derive(Debug)]
pub(super) struct Site {
    /// Where the database belongs.
    pub(super) path: PathBuf,
    /// Where it is built.
    pub(super) fresh: PathBuf,
    /// Where a copy of the old one is put in order.
    pub(super) copy: PathBuf,
}

/// A database built anew that has not taken its place yet.
#[derive(Debug)]
pub struct Rebuilt {
    pub(super) held: Held,
    pub(super) site: Site,
    /// Height of its newest block.
    pub height: Height,
    /// Blocks taken from the old database.
    pub kept: u64,
    /// Blocks taken from peers.
    pub fetched: u64,
    /// Whether every block that this node may have voted for or proposed, and that is not decided,
    /// is in it. If not, a validator must not vote before later heights are certified.
    pub votes_known: bool,
    /// Whether anything of the old database could be read.
    pub salvaged: bool,
}

impl Rebuilt {
    /// Puts it in the old database's place, and says where that is now.
    ///
    /// # Errors
    /// [`RepairError::File`]; then the old one is where it was, or the new one is.
    pub fn install(self) -> Result<PathBuf, RepairError> {
        let Site { path, fresh, copy } = &self.site;
        remove(copy)?;
        named(&fresh.join(UNFINISHED), |file| fs::remove_file(file))?;
        named(fresh, sync)?;
        let old = beside(path, "damaged");
        match renameat_with(CWD, fresh, CWD, path, RenameFlags::EXCHANGE) {
            Ok(()) => named(fresh, |fresh| fs::rename(fresh, &old))?,
            Err(_) => {
                // A file system that cannot exchange two names: for a moment there is none.
                named(path, |path| fs::rename(path, &old))?;
                named(fresh, |fresh| fs::rename(fresh, path))?;
            }
        }
        named(path.parent().unwrap_or(Path::new(".")), sync)?;
        drop(self.held);
        Ok(old)
    }
}

/// Makes room beside a database; what an interrupted repair left is removed, unless it is whole.
pub(super) fn prepare(path: &Path) -> Result<Site, RepairError> {
    let site = Site {
        path: path.to_owned(),
        fresh: with_suffix(path, "repairing"),
        copy: with_suffix(path, "salvage"),
    };
    remove(&site.copy)?;
    if site.fresh.exists() && !site.fresh.join(UNFINISHED).exists() {
        let kept = beside(path, "damaged");
        named(&site.fresh, |fresh| fs::rename(fresh, kept))?;
    }
    remove(&site.fresh)?;
    named(&site.fresh, |fresh| fs::create_dir(fresh))?;
    named(&site.fresh.join(UNFINISHED), |file| File::create(file).map(|_| ()))?;
    Ok(site)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{suffix}"));
    path.with_file_name(name)
}

/// The first free name of its kind beside the database.
fn beside(path: &Path, kind: &str) -> PathBuf {
    let names = (1_u32..).map(|n| with_suffix(path, &format!("{kind}-{n}")));
    names.into_iter().find(|name| !name.exists()).unwrap_or_else(|| with_suffix(path, kind))
}

fn remove(path: &Path) -> Result<(), RepairError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|source| RepairError::File { path: path.to_owned(), source }),
    }
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn named<T>(path: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> Result<T, RepairError> {
    act(path).map_err(|source| RepairError::File { path: path.to_owned(), source })
}
