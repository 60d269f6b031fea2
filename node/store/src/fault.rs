//! Notices the first fault of a disk, wherever in the node it was met, so that the node stops
//! voting even when only a reader of old blocks met it.

use crate::disk::{Batch, Disk, DiskError, Durability, Entries, Family, Walk};
use crate::error::StoreError;
use crate::store::Store;
use tokio::sync::watch;

/// A disk whose faults are told.
pub(crate) struct Noticing {
    disk: Box<dyn Disk>,
    faults: watch::Sender<Option<String>>,
}

impl Noticing {
    pub(crate) fn new(disk: Box<dyn Disk>, faults: watch::Sender<Option<String>>) -> Self {
        Self { disk, faults }
    }

    fn note<T>(&self, outcome: Result<T, DiskError>) -> Result<T, DiskError> {
        note(&self.faults, outcome)
    }
}

fn note<T>(
    faults: &watch::Sender<Option<String>>,
    outcome: Result<T, DiskError>,
) -> Result<T, DiskError> {
    outcome.inspect_err(|error| tell(faults, &StoreError::told(error)))
}

/// The first fault is the one to look at; those after it mostly follow from it.
fn tell(faults: &watch::Sender<Option<String>>, fault: &str) {
    faults.send_if_modified(|known| {
        let first = known.is_none();
        if first {
            *known = Some(fault.to_owned());
        }
        first
    });
}

impl Disk for Noticing {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        self.note(self.disk.get(family, key))
    }

    fn walk(&self, family: Family, walk: Walk<'_>) -> Entries<'_> {
        let faults = &self.faults;
        Box::new(self.disk.walk(family, walk).map(move |entry| note(faults, entry)))
    }

    fn write(&self, batch: Batch, durability: Durability) -> Result<(), DiskError> {
        self.note(self.disk.write(batch, durability))
    }

    fn flush(&self) -> Result<(), DiskError> {
        self.note(self.disk.flush())
    }
}

impl StoreError {
    fn told(error: &DiskError) -> String {
        format!("database: {error}")
    }
}

impl Store {
    /// The first fault of the disk that anybody met, for whoever stops the node on it.
    #[must_use]
    pub fn faults(&self) -> watch::Receiver<Option<String>> {
        self.shared.faults.subscribe()
    }

    /// Notes an error that a reader got from this store, where it means that the database is
    /// damaged; what is only not there is no fault.
    pub fn note_fault(&self, error: &StoreError) {
        if matches!(error, StoreError::Damaged(_)) {
            tell(&self.shared.faults, &error.to_string());
        }
    }
}
