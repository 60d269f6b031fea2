//! What a lot is, in its capsule: the whole of its description, for whoever may know its quantities too. A description has no anchor
//! of its own; the event that first names it vouches for it.

use super::capsule::Shelf;
use crate::DeskError;
use heatmark_evidence::capsule::{Capsule, CapsuleRecord, Holdings};
use heatmark_ledger::ids::{AlertSubject, MemberId};
use heatmark_ledger::state;
use heatmark_records::Opening;
use heatmark_vault::LotRow;

/// Adds a lot's description to its capsule, with the entries that a verifier asks for about it.
pub(super) fn describe(
    capsule: &mut Capsule,
    lot: &LotRow,
    shelf: &Shelf<'_>,
) -> Result<(), DeskError> {
    let description = Opening::decode(&lot.description)?;
    let tree = description.tree()?;
    let id = tree.id().0.to_vec();
    let Err(place) = capsule.records.binary_search_by(|record| record.record.cmp(&id)) else {
        return Ok(());
    };
    let shown = description.fields().iter().map(|(path, _)| Ok(tree.show(path)?.encode()));
    let fields = shown.collect::<Result<Vec<_>, DeskError>>()?;
    let head = description.head();
    let record =
        CapsuleRecord { record: id, head: head.encode(), fields, ..CapsuleRecord::default() };
    capsule.records.insert(place, record);
    // What is shown needs no head.
    capsule.heads.retain(|head| head.named().is_ok_and(|(named, _)| named != tree.id()));
    let subject = AlertSubject::from(head.heading().alert_subject);
    let issuer = MemberId::from(head.heading().issuer);
    for key in [state::alert_key(&subject), state::member_key(&issuer)] {
        if let Err(place) = capsule.entries.binary_search_by(|entry| entry.key.cmp(&key)) {
            capsule.entries.insert(place, shelf.entry(key)?);
        }
    }
    Ok(())
}
