//! Records that are named on the way to the lot and not shown: of what was done, and of what came of it. A head and the root of
//! its tree give the record's id, and with it the subject of its alerts; that nobody anchored it changes nothing about that.
//! Refuses heads that are not canonical, of another network, or out of order.

use heatmark_ledger::header::Header;
use heatmark_ledger::ids::AlertSubject;
use heatmark_merkle::Hash;
use heatmark_records::{Head, RecordId};
use std::collections::BTreeMap;

use super::{CapsuleError, CapsuleHead};

/// The subjects of alerts on records, by the records' ids.
pub(super) type Named = BTreeMap<RecordId, AlertSubject>;

impl CapsuleHead {
    /// The id of the record, and its head as it is read.
    ///
    /// # Errors
    /// `NotCanonical`.
    pub fn named(&self) -> Result<(RecordId, Head), CapsuleError> {
        let head = Head::decode(&self.head).map_err(|_| CapsuleError::NotCanonical)?;
        let root = Hash::try_from(self.root.as_slice()).map_err(|_| CapsuleError::NotCanonical)?;
        Ok((head.record_id(&root), head))
    }
}

pub(super) fn verify_heads(heads: &[CapsuleHead], header: &Header) -> Result<Named, CapsuleError> {
    let mut named = Named::new();
    for head in heads {
        let (record, head) = head.named()?;
        let heading = head.heading();
        if &heading.network != header.network.as_bytes() {
            return Err(CapsuleError::WrongNetwork);
        }
        if named.last_key_value().is_some_and(|(last, _)| *last >= record) {
            return Err(CapsuleError::Order);
        }
        named.insert(record, AlertSubject::from(heading.alert_subject));
    }
    Ok(named)
}
