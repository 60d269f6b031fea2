//! Watches the disks under a node's data while it runs: whether there is room, and whether they
//! still take writes. A node stops before its disk is full, so that no write is ever cut short.

use crate::config::Config;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rustix::fs::StatVfsMountFlags;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// How often free space is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A write is tried at every so many looks: an idle node would learn of a failing disk only from
/// its next vote, which the engine then never finishes.
const TRY_AT_EVERY: u32 = 10;

/// Operators are warned below so many times the least free space.
const WARN_BELOW_TIMES: u64 = 4;

const TRIAL: &str = ".write-trial";

/// Why a disk cannot be used.
#[derive(Debug, Error)]
pub enum DiskError {
    /// There is less room than the settings ask for. Make room or enlarge the disk.
    #[error(
        "{path} has {free_bytes} bytes free, less than the {min_free_bytes} of \
         store.min_free_bytes (Disk full)"
    )]
    Low {
        /// Directory on that disk.
        path: PathBuf,
        /// Bytes free to this user.
        free_bytes: u64,
        /// Bytes that the settings ask for.
        min_free_bytes: u64,
    },
    /// Its file system went read-only, as most do when the device fails.
    #[error("{0} takes no writes any more (Read-only file system)")]
    ReadOnly(PathBuf),
    /// A write or a look failed.
    #[error("{path}: {source}")]
    Io {
        /// What was tried.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The disks under a node's data.
pub(super) struct Disks {
    places: Vec<PathBuf>,
    min_free_bytes: u64,
    free: Gauge,
}

impl Disks {
    /// The disks that the settings name; their directories must be there.
    pub(super) fn new(config: &Config) -> Self {
        Self {
            places: vec![config.log_dir(), config.wal_dir(), config.vault_dir()],
            min_free_bytes: config.store.min_free_bytes,
            free: Gauge::default(),
        }
    }

    /// Registers the metric.
    pub(super) fn register(&self, registry: &mut Registry) {
        let what = "Bytes free on the fullest disk under the node's data";
        registry.sub_registry_with_prefix("heatmark").register(
            "disk_free_bytes",
            what,
            self.free.clone(),
        );
    }

    /// Looks once, and tries a write on each.
    pub(super) fn try_all(&self) -> Result<(), DiskError> {
        self.look()?;
        self.places.iter().try_for_each(|place| try_write(place))
    }

    /// Free bytes on the fullest disk.
    fn look(&self) -> Result<u64, DiskError> {
        let mut least = u64::MAX;
        for path in self.places.iter().filter(|path| path.exists()) {
            let stat = rustix::fs::statvfs(path)
                .map_err(|errno| DiskError::Io { path: path.clone(), source: errno.into() })?;
            if stat.f_flag.contains(StatVfsMountFlags::RDONLY) {
                return Err(DiskError::ReadOnly(path.clone()));
            }
            let free_bytes = stat.f_bavail.saturating_mul(stat.f_frsize);
            if free_bytes < self.min_free_bytes {
                let min_free_bytes = self.min_free_bytes;
                return Err(DiskError::Low { path: path.clone(), free_bytes, min_free_bytes });
            }
            least = least.min(free_bytes);
        }
        self.free.set(i64::try_from(least).unwrap_or(i64::MAX));
        Ok(least)
    }

    /// Resolves when a disk can no longer be used.
    pub(super) async fn fail(&self) -> DiskError {
        let mut looks = 0_u32;
        let mut warned = false;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            looks = looks.wrapping_add(1);
            let least = match self.look() {
                Ok(least) => least,
                Err(error) => return error,
            };
            let low = least < self.min_free_bytes.saturating_mul(WARN_BELOW_TIMES);
            if low && !warned {
                let min_free_bytes = self.min_free_bytes;
                tracing::warn!(
                    free_bytes = least,
                    min_free_bytes,
                    "the disk is filling up; the node stops when less than min_free_bytes is left"
                );
            }
            warned = low;
            if looks.is_multiple_of(TRY_AT_EVERY) {
                let places = self.places.clone();
                let tried = tokio::task::spawn_blocking(move || {
                    places.iter().try_for_each(|place| try_write(place))
                });
                if let Ok(Err(error)) = tried.await {
                    return error;
                }
            }
        }
    }
}

/// Writes a block and syncs it, as a vote does.
fn try_write(place: &Path) -> Result<(), DiskError> {
    let path = place.join(TRIAL);
    let tried = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file: File = options.write(true).create(true).truncate(true).open(&path)?;
        file.write_all(&[0x5a; 4096])?;
        file.sync_all()?;
        fs::remove_file(&path)
    };
    if !place.exists() {
        return Ok(());
    }
    tried().map_err(|source| DiskError::Io { path, source })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    fn disks(place: &Path, min_free_bytes: u64) -> Disks {
        Disks { places: vec![place.to_owned()], min_free_bytes, free: Gauge::default() }
    }

    #[test]
    fn a_disk_with_less_room_than_asked_for_is_refused_before_it_is_full() {
        let directory = tempfile::tempdir().unwrap();
        disks(directory.path(), 1).try_all().unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "the trial leaves nothing");
        let refused = disks(directory.path(), u64::MAX).try_all().unwrap_err();
        assert!(matches!(refused, DiskError::Low { .. }), "{refused}");
    }

    #[test]
    fn a_place_that_takes_no_writes_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("log");
        fs::create_dir(&place).unwrap();
        fs::create_dir(place.join(TRIAL)).unwrap();
        let refused = disks(&place, 1).try_all().unwrap_err();
        assert!(matches!(refused, DiskError::Io { .. }), "{refused}");
    }
}
