//! Evidence against validators that signed twice: kept once and within bounds, and portable.

use crate::world::{World, key, twice};
use heatmark_ledger::evidence;
use heatmark_ledger::ids::{Era, Height};
use heatmark_ledger::receipt::TrustRoot;
use heatmark_store::{
    Kept, MAX_EVIDENCE, MAX_EVIDENCE_AT_HEIGHT, MAX_EVIDENCE_OF_VALIDATOR, StoreError,
};
use tempfile::tempdir;

#[test]
fn the_same_equivocation_is_kept_once_and_listed_in_order_of_height() {
    let directory = tempdir().unwrap();
    let world = World::new(directory.path(), 1_000);
    let network = world.genesis.network();
    let (mill, lab) = (key("Mill consensus"), key("Lab consensus"));
    let (late, early) =
        (twice(network, &mill, (300, 0), [1, 2]), twice(network, &lab, (2, 1), [1, 2]));
    for (one, expected) in
        [(&late, Kept::New), (&early, Kept::New), (&late, Kept::Known), (&early, Kept::Known)]
    {
        assert_eq!(world.store.keep_evidence(one).unwrap(), expected);
    }
    let world = world.reopen(directory.path());
    assert_eq!(world.store.evidence().unwrap(), [early, late]);
}

#[test]
fn a_liar_fills_neither_the_disk_nor_the_room_for_others() {
    let directory = tempdir().unwrap();
    let world = World::new(directory.path(), 1_000);
    let network = world.genesis.network();
    let liar = key("Mill consensus");
    let at_one_height = (0..20).filter(|round| {
        let one = twice(network, &liar, (7, *round), [1, 2]);
        world.store.keep_evidence(&one).unwrap() == Kept::New
    });
    assert_eq!(at_one_height.count(), MAX_EVIDENCE_AT_HEIGHT);
    for height in 8..300 {
        world.store.keep_evidence(&twice(network, &liar, (height, 0), [1, 2])).unwrap();
    }
    assert_eq!(world.store.evidence().unwrap().len(), MAX_EVIDENCE_OF_VALIDATOR);
    let other = twice(network, &key("Lab consensus"), (5, 0), [1, 2]);
    assert_eq!(world.store.keep_evidence(&other).unwrap(), Kept::New);
    assert_eq!(world.store.evidence().unwrap()[0], other);
    const { assert!(MAX_EVIDENCE_OF_VALIDATOR < MAX_EVIDENCE) };
}

#[test]
fn evidence_is_portable_from_genesis_and_from_pinned_headers_across_set_changes() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    world.varied_chain();
    let network = world.genesis.network();
    let genesis = TrustRoot::from_genesis(&world.genesis);
    let newest = world.store.tip().height;
    for height in 1..=newest.0 {
        let one = twice(network, &key("Lab consensus"), (height, 0), [1, 2]);
        let portable = world.store.portable_evidence(&one, Height(0)).unwrap();
        let said = evidence::verify(&portable, &genesis).unwrap();
        assert_eq!(said.equivocation, one);
        let holder = said.holder.unwrap();
        assert_eq!((holder.member, holder.legal_name.as_deref()), (world.id(3), Some("Lab")));
        let set = world.store.validators(Height(height)).unwrap().unwrap();
        let position = set.position(&one.validator).unwrap();
        assert_eq!(said.power, set.validators()[position].power);
        for pinned in 1..newest.0 {
            let (header, _) = world.store.header(Height(pinned)).unwrap().unwrap();
            let next = world.store.validators(Height(pinned + 1)).unwrap().unwrap();
            let era = Era::of(network);
            let pin = TrustRoot::pin(&header, &next, &era).unwrap();
            let pin = TrustRoot::from_pinned(&pin).unwrap();
            // Made for genesis, and still good for whoever starts later.
            let found = evidence::verify(&portable, &pin);
            if height > pinned {
                assert!(found.unwrap().holder.is_some());
            } else {
                assert!(found.unwrap_err().cannot_tell());
            }
            let made = world.store.portable_evidence(&one, Height(pinned));
            match made {
                Ok(made) => drop(evidence::verify(&made, &pin).unwrap()),
                Err(error) => {
                    assert!(height <= pinned && matches!(error, StoreError::NotAvailable(_)));
                }
            }
        }
    }
    let future = twice(network, &key("Lab consensus"), (newest.0 + 2, 0), [1, 2]);
    let refused = world.store.portable_evidence(&future, Height(0));
    assert!(matches!(refused, Err(StoreError::NotAvailable(_))));
}
