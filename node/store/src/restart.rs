//! Restarts by the members: kept from the moment they are applied, before or at their height, and
//! in force from the commit of their header on. Refuses one that comes after blocks above it, one
//! beside another at or above its height, and one that starts from a header that is not ours.
//! Specification: `proto/README.md`, section 6.

use crate::disk::{Batch, Disk, Durability, Walk};
use crate::error::StoreError;
use crate::schema::{META, PROPOSED, SETS, UNDECIDED, number, read_number};
use crate::store::{Store, StoreTip};
use heatmark_ledger::header::Header;
use heatmark_ledger::ids::{Era, Height};
use heatmark_ledger::restart::{self, RestartPoint};
use heatmark_ledger::validators::ValidatorSet;
use heatmark_proto::ledger::v1 as pb;
use prost::Message;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const RESTARTS: &[u8] = b"restart/";
const REPLACED: &[u8] = b"replaced/";

/// A restart as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) header: Header,
    pub(crate) next: ValidatorSet,
    pub(crate) era: Era,
    pub(crate) change: pb::SetChange,
}

impl Kept {
    fn read(bytes: &[u8]) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged("restarts");
        let change = pb::SetChange::decode(bytes).map_err(|_| damaged())?;
        Self::of(change).ok_or_else(damaged)
    }

    /// The change, when it is a restart's.
    pub(crate) fn of(change: pb::SetChange) -> Option<Self> {
        change.restart.as_ref()?;
        let header = Header::from_proto(change.header.as_ref()?).ok()?;
        let next = ValidatorSet::from_proto(change.next.as_ref()?).ok()?;
        let era = restart::era_of(&header, &next);
        Some(Self { header, next, era, change })
    }

    pub(crate) fn point(&self) -> RestartPoint {
        RestartPoint { height: self.header.height, era: self.era }
    }
}

/// What became of a restart that was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The next block is the new set's.
    InForce,
    /// It waits until this node has caught up with its header.
    Waiting,
    /// It was applied before.
    Already,
}

impl Store {
    /// Applies a restart that the caller has verified from genesis, synced: at its header what is
    /// undecided above it is forgotten, for it was the old set's.
    ///
    /// # Errors
    /// [`StoreError::RestartTooLate`], [`StoreError::OtherRestart`], [`StoreError::RestartElsewhere`],
    /// [`StoreError::Restart`]; otherwise when the database fails. Then nothing was written.
    pub fn apply_restart(&self, change: &pb::SetChange) -> Result<Applied, StoreError> {
        let mut swept = self.writing();
        let kept = Kept::of(change.clone()).ok_or(StoreError::NotAvailable("a restart"))?;
        let height = kept.header.height;
        let newest = all(self.shared.disk.as_ref())?.pop();
        if let Some(other) = self.kept_restart(height)? {
            let same = other.era == kept.era;
            return if same { Ok(Applied::Already) } else { Err(StoreError::OtherRestart(height)) };
        }
        if newest.is_some_and(|newest| newest.header.height > height) {
            return Err(StoreError::OtherRestart(height));
        }
        let tip = self.tip();
        if tip.height > height {
            return Err(StoreError::RestartTooLate { restart: height, tip: tip.height });
        }
        let mut batch = Batch::new();
        batch.put(META, key(RESTARTS, height), kept.change.encode_to_vec());
        let after = (tip.height == height).then(|| self.put_in_force(&mut batch, &kept, tip));
        let after = after.transpose()?;
        self.shared.disk.write(batch, Durability::Synced)?;
        let Some(tip) = after else { return Ok(Applied::Waiting) };
        swept.undecided = height.next().0;
        self.shared.tip.send_replace(tip);
        Ok(Applied::InForce)
    }

    fn put_in_force(
        &self,
        batch: &mut Batch,
        kept: &Kept,
        tip: StoreTip,
    ) -> Result<StoreTip, StoreError> {
        if tip.header.map(|header| header.hash()) != Some(kept.header.hash()) {
            return Err(StoreError::RestartElsewhere(kept.header.height));
        }
        restart::check_set(self, &kept.next)?;
        put_restarted_set(batch, kept, &tip.next_validators);
        self.shared.newest_set.store(kept.header.height.next().0, Ordering::Release);
        for family in [UNDECIDED, PROPOSED] {
            for item in self.shared.disk.walk(family, Walk::First) {
                batch.delete(family, item?.0);
            }
        }
        let chain = tip.chain.restarted(kept.era, Arc::new(kept.next.clone()));
        Ok(StoreTip::new(chain, tip.header))
    }

    pub(crate) fn kept_restart(&self, height: Height) -> Result<Option<Kept>, StoreError> {
        let found = self.shared.disk.get(META, &key(RESTARTS, height))?;
        found.map(|bytes| Kept::read(&bytes)).transpose()
    }

    /// All restarts that were applied, ascending, those that wait for their height included.
    ///
    /// # Errors
    /// When the database fails or is damaged.
    pub fn restarts(&self) -> Result<Vec<RestartPoint>, StoreError> {
        Ok(all(self.shared.disk.as_ref())?.iter().map(Kept::point).collect())
    }

    /// The restart from the header of this height, for whoever replays the blocks after it.
    ///
    /// # Errors
    /// When the database fails or is damaged.
    pub fn restart_at(&self, height: Height) -> Result<Option<pb::SetChange>, StoreError> {
        Ok(self.kept_restart(height)?.map(|kept| kept.change))
    }

    /// The set that the header of this height names as the next one's, which is not the next one's
    /// where a restart replaced it.
    ///
    /// # Errors
    /// When the database fails or is damaged.
    pub fn named_next(&self, height: Height) -> Result<Option<Arc<ValidatorSet>>, StoreError> {
        let replaced = self.shared.disk.get(META, &key(REPLACED, height))?;
        match replaced {
            Some(bytes) => Ok(Some(Arc::new(crate::store::read_set(&bytes)?))),
            None => self.validators(height.next()),
        }
    }
}

/// The set that a restart from this height replaced.
pub(crate) fn replaced_at(disk: &dyn Disk, height: Height) -> Option<Arc<ValidatorSet>> {
    let bytes = disk.get(META, &key(REPLACED, height)).ok()??;
    crate::store::read_set(&bytes).ok().map(Arc::new)
}

/// The set of the next height, and the one that the header names, which it replaces.
pub(crate) fn put_restarted_set(batch: &mut Batch, kept: &Kept, replaced: &ValidatorSet) {
    let height = kept.header.height;
    batch.put(SETS, number(height.next().0), kept.next.to_proto().encode_to_vec());
    batch.put(META, key(REPLACED, height), replaced.to_proto().encode_to_vec());
}

fn key(prefix: &[u8], height: Height) -> Vec<u8> {
    let mut key = prefix.to_vec();
    key.extend_from_slice(&number(height.0));
    key
}

/// All kept restarts, ascending.
pub(crate) fn all(disk: &dyn Disk) -> Result<Vec<Kept>, StoreError> {
    let mut found = Vec::new();
    for item in disk.walk(META, Walk::From(RESTARTS)) {
        let (key, value) = item?;
        let Some(height) = key.strip_prefix(RESTARTS) else { break };
        let kept = Kept::read(&value)?;
        if read_number(height, "restarts")? != kept.header.height.0 {
            return Err(StoreError::Damaged("restarts"));
        }
        found.push(kept);
    }
    Ok(found)
}
