//! Lots on their way: reserved while they are, gone once accepted, free again once lapsed, and never both when they are taken
//! back while the receiver posts them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use super::*;
use crate::LotState;
use crate::vault::tests::open;
use tempfile::TempDir;

const PEER: [u8; 32] = [200; 32];

fn lot(number: u8, name: &str) -> NewLot {
    NewLot {
        hash: [number; 32],
        name: name.to_owned(),
        open: Zeroizing::new(vec![number]),
        description: Zeroizing::new(vec![number]),
        seal_index: number.into(),
        output: 0,
    }
}

fn event(number: u8, inputs: &[u8], outputs: &[u8]) -> LotEventRow {
    let hashes = |numbers: &[u8]| numbers.iter().map(|number| [*number; 32]).collect();
    LotEventRow {
        digest: [number; 32],
        kind: 15,
        event: vec![number],
        proofs: vec![],
        blinds: hashes(inputs),
        transaction_id: [number; 32],
        envelope: vec![number; 3],
        inputs: hashes(inputs),
        outputs: hashes(outputs),
        origin: None,
        leaf_index: None,
        at_ms: 5,
    }
}

fn new_parcel<'a>(event: &'a LotEventRow, seals: &'a [[u8; 32]]) -> NewParcel<'a> {
    NewParcel {
        event,
        to: PEER,
        seals,
        not_after_ms: 9,
        advice: b"",
        content: b"the parcel",
        shipment: None,
        letter: true,
    }
}

fn states(vault: &Vault) -> Vec<(u8, LotState)> {
    vault.lots(None, 99).unwrap().iter().map(|lot| (lot.hash[0], lot.state)).collect()
}

/// A vault with lot 1 standing and sent under seal 50.
fn with_a_parcel(home: &TempDir) -> Vault {
    let vault = open(home.path());
    vault.put_event(&Actor::Node, &event(100, &[], &[1]), &[lot(1, "billet")]).unwrap();
    vault.event_stands(&[100; 32], 7).unwrap();
    vault.offer_arrived(&PEER, &[[50; 32], [51; 32]]).unwrap();
    let transfer = event(101, &[1], &[2]);
    vault.put_parcel(&Actor::Node, &new_parcel(&transfer, &[[50; 32]])).unwrap();
    vault
}

fn cancel(vault: &Vault) -> Result<(), VaultError> {
    let event = event(102, &[1], &[3]);
    vault.put_cancel(&Actor::Node, &[101; 32], (&event, &[lot(3, "billet")]))
}

fn bearer(vault: &Vault) -> u8 {
    vault.lot_named("billet").unwrap().unwrap().hash[0]
}

#[test]
fn a_parcel_is_underway_until_it_is_accepted_across_restarts() {
    let home = TempDir::new().unwrap();
    drop(with_a_parcel(&home));
    let vault = open(home.path());
    assert_eq!(states(&vault), [(1, LotState::Leaving)]);
    assert_eq!(vault.stranger_seals(&PEER, 9).unwrap().len(), 1);
    let parcel = vault.open_parcels().unwrap().remove(0);
    assert!(parcel.letter_waits && parcel.sent && parcel.state == ParcelState::Underway);
    assert_eq!(&**vault.parcel_content(&[101; 32]).unwrap().unwrap(), b"the parcel");
    vault.parcel_letter_written(&[101; 32]).unwrap();
    assert_eq!(vault.open_parcels().unwrap().len(), 1);
    vault.parcel_accepted(&[101; 32], 8).unwrap();
    assert_eq!(states(&vault), [(1, LotState::Used)]);
    assert!(vault.open_parcels().unwrap().is_empty());
    assert!(vault.parcel_content(&[101; 32]).unwrap().is_none());
    assert_eq!(vault.parcel(&[101; 32]).unwrap().unwrap().state, ParcelState::Accepted);
    // The same offer again brings no used seal back.
    vault.offer_arrived(&PEER, &[[50; 32]]).unwrap();
    assert_eq!(vault.stranger_seals(&PEER, 9).unwrap().len(), 1);
}

#[test]
fn no_lot_is_sent_twice_and_no_seal_used_twice() {
    let home = TempDir::new().unwrap();
    let vault = with_a_parcel(&home);
    let again = event(103, &[1], &[4]);
    let again = vault.put_parcel(&Actor::Node, &new_parcel(&again, &[[51; 32]]));
    assert!(matches!(again, Err(VaultError::LotUsed(name)) if name == "billet"));
    vault.put_event(&Actor::Node, &event(104, &[], &[5]), &[lot(5, "bloom")]).unwrap();
    vault.event_stands(&[104; 32], 9).unwrap();
    let bloom = event(105, &[5], &[6]);
    for seals in [[[50; 32]], [[99; 32]]] {
        let used = vault.put_parcel(&Actor::Node, &new_parcel(&bloom, &seals));
        assert!(matches!(used, Err(VaultError::SealUsed)));
    }
    assert_eq!(vault.lot_named("bloom").unwrap().unwrap().state, LotState::Standing);
}

#[test]
fn a_parcel_that_lapsed_frees_its_lots() {
    let home = TempDir::new().unwrap();
    let vault = with_a_parcel(&home);
    vault.parcel_lapsed(&[101; 32]).unwrap();
    assert_eq!(states(&vault), [(1, LotState::Standing)]);
    assert!(vault.open_parcels().unwrap().is_empty());
    assert!(matches!(cancel(&vault), Err(VaultError::NotUnderway)));
}

#[test]
fn what_is_taken_back_is_there_under_its_name_once() {
    let home = TempDir::new().unwrap();
    let vault = with_a_parcel(&home);
    cancel(&vault).unwrap();
    assert_eq!((bearer(&vault), states(&vault)[0].1), (3, LotState::Leaving));
    assert!(matches!(cancel(&vault), Err(VaultError::NotUnderway)));
    vault.event_stands(&[102; 32], 8).unwrap();
    assert_eq!(states(&vault), [(1, LotState::Used), (3, LotState::Standing)]);
    assert_eq!(vault.parcel(&[101; 32]).unwrap().unwrap().state, ParcelState::Cancelled);
    assert!(vault.open_parcels().unwrap().is_empty());
    assert!(vault.lot_event(&[101; 32]).unwrap().is_none());
}

#[test]
fn a_receiver_that_posts_first_has_the_lot() {
    let home = TempDir::new().unwrap();
    let vault = with_a_parcel(&home);
    cancel(&vault).unwrap();
    vault.parcel_accepted(&[101; 32], 8).unwrap();
    assert_eq!(states(&vault), [(1, LotState::Used)]);
    assert_eq!(bearer(&vault), 1);
    assert!(vault.lot_event(&[102; 32]).unwrap().is_none());
    assert!(vault.waiting_events().unwrap().is_empty());
}

#[test]
fn taking_back_that_lapses_leaves_the_parcel_underway() {
    let home = TempDir::new().unwrap();
    let vault = with_a_parcel(&home);
    cancel(&vault).unwrap();
    vault.event_lapsed(&[102; 32]).unwrap();
    assert_eq!((bearer(&vault), states(&vault)), (1, vec![(1, LotState::Leaving)]));
    assert_eq!(vault.open_parcels().unwrap().len(), 1);
    cancel(&vault).unwrap();
    vault.parcel_lapsed(&[101; 32]).unwrap();
    assert_eq!(states(&vault)[0].1, LotState::Leaving);
    vault.event_lapsed(&[102; 32]).unwrap();
    assert_eq!((bearer(&vault), states(&vault)), (1, vec![(1, LotState::Standing)]));
}

#[test]
fn an_answer_counts_from_its_receiver_alone() {
    let home = TempDir::new().unwrap();
    let vault = with_a_parcel(&home);
    assert!(!vault.answer_arrived((&[101; 32], &[9; 32]), true, b"no").unwrap());
    assert!(!vault.answer_arrived((&[77; 32], &PEER), true, b"no").unwrap());
    assert!(vault.answer_arrived((&[101; 32], &PEER), true, b"no").unwrap());
    assert_eq!(vault.parcel(&[101; 32]).unwrap().unwrap().state, ParcelState::Refused);
    // Refused is not settled: the lots are reserved until it is taken back or its window is over.
    assert_eq!(states(&vault), [(1, LotState::Leaving)]);
    cancel(&vault).unwrap();
    vault.event_stands(&[102; 32], 8).unwrap();
    assert_eq!(bearer(&vault), 3);
}

fn receive(vault: &Vault, digest: u8, seal: u8, from: [u8; 32]) -> Result<(), VaultError> {
    let event = event(digest, &[9], &[digest]);
    let received = Received {
        event: &event,
        lots: &[lot(digest, &format!("ring {digest}"))],
        from,
        seals: &[[seal; 32]],
        events: &[UpstreamEvent {
            leaf: 4,
            event: vec![1],
            proofs: vec![2],
            blinds: [[digest; 32], [0; 32]].concat(),
        }],
        records: &[UpstreamRecord {
            record: [1; 32].into(),
            content: vec![3],
            onward: vec!["heat".to_owned()],
            attests: Some([2; 32].into()),
        }],
        named: &[NamedRecord { record: [3; 32].into(), head: vec![4], root: [5; 32] }],
        advice: b"",
        not_after_ms: 9,
        answer: Some(vec![7]),
    };
    vault.put_received(&Actor::Node, &received)
}

#[test]
fn lots_are_received_under_seals_offered_to_their_sender_once() {
    let home = TempDir::new().unwrap();
    {
        let vault = open(home.path());
        vault.put_offer(&Actor::Node, &PEER, &[([60; 32], 5), ([61; 32], 6)]).unwrap();
        assert_eq!(vault.open_offers(&PEER).unwrap(), 2);
        assert!(matches!(receive(&vault, 110, 60, [9; 32]), Err(VaultError::SealUsed)));
        assert!(matches!(receive(&vault, 110, 99, PEER), Err(VaultError::SealUsed)));
        assert!(vault.waiting_events().unwrap().is_empty());
        receive(&vault, 110, 60, PEER).unwrap();
        assert!(matches!(receive(&vault, 111, 60, PEER), Err(VaultError::SealUsed)));
    }
    let vault = open(home.path());
    assert_eq!(vault.waiting_events().unwrap().len(), 1);
    assert_eq!(states(&vault), [(110, LotState::Coming)]);
    vault.event_stands(&[110; 32], 12).unwrap();
    assert_eq!(states(&vault), [(110, LotState::Standing)]);
    assert_eq!(vault.lot_event_at(12).unwrap().unwrap().digest, [110; 32]);
    let parcel = vault.open_parcels().unwrap().remove(0);
    assert!(parcel.state == ParcelState::Accepted && parcel.letter_waits && !parcel.sent);
    vault.parcel_letter_written(&[110; 32]).unwrap();
    assert!(vault.open_parcels().unwrap().is_empty());
    assert_eq!(vault.attesting(&[2; 32].into()).unwrap(), [[1; 32].into()]);
}

#[test]
fn lots_that_never_came_to_stand_are_gone_and_what_was_shown_stays() {
    let home = TempDir::new().unwrap();
    let vault = open(home.path());
    vault.put_offer(&Actor::Node, &PEER, &[([60; 32], 5), ([61; 32], 6)]).unwrap();
    receive(&vault, 110, 60, PEER).unwrap();
    vault.event_lapsed(&[110; 32]).unwrap();
    assert!(states(&vault).is_empty());
    assert_eq!(vault.parcel(&[110; 32]).unwrap().unwrap().state, ParcelState::Lapsed);
    assert!(vault.open_parcels().unwrap().is_empty());
    receive(&vault, 111, 61, PEER).unwrap();
    // The blinds of the one event that both showed are those that were shown last, and what only one showed stays.
    let known = vault.upstream_event(4).unwrap().unwrap();
    assert_eq!(known.blinds, [[111; 32], [0; 32]].concat());
    let blinds = [[0; 32], [9; 32]].concat();
    vault.put_upstream(&[UpstreamEvent { blinds, ..known }], &[]).unwrap();
    let known = vault.upstream_event(4).unwrap().unwrap();
    assert_eq!(known.blinds, [[111; 32], [9; 32]].concat());
    assert_eq!(vault.upstream_events(0, 9).unwrap().len(), 1);
}
