//! Lots from certificate to scrap on a real store, and what a crash, a full plan or a used lot makes of an event.

use super::{TestChain, desk_of, file, publish, records_of, vault_of};
use crate::{CertificateFile, Desk, DeskError, EventPlan, LotPlan, Quantity};
use heatmark_ledger::messages as pb;
use heatmark_ledger::refusal::Refusal;
use heatmark_ledger::transaction;
use heatmark_lots::{Kind, MakeError};
use heatmark_records::RecordId;
use heatmark_vault::{LotState, VaultError};
use std::sync::Arc;
use std::time::Duration;

pub(super) const KG: u64 = 1_000_000;

pub(super) fn lot(name: &str, kg: u64, pieces: u64) -> LotPlan {
    LotPlan {
        name: name.to_owned(),
        product: "billet".to_owned(),
        mass_mg: kg * KG,
        pieces,
        ..LotPlan::default()
    }
}

pub(super) fn plan(kind: Kind, inputs: &[&str], outputs: Vec<LotPlan>) -> EventPlan {
    let inputs = inputs.iter().map(|name| (*name).to_owned()).collect();
    EventPlan::new(kind, inputs, outputs)
}

pub(super) fn commission(record: RecordId, outputs: Vec<LotPlan>) -> EventPlan {
    EventPlan { certificate: Some(record), ..plan(Kind::Commission, &[], outputs) }
}

/// A certificate of so many kilograms.
pub(super) fn heat(kg: u64) -> CertificateFile {
    let content = format!(
        r#"{{"Heatmark":"1","certificate/number":"{kg}","certificate/issued":"2026-01-02",
            "manufacturer/name":"Kesselbach","product/name":"billet","heat":"H{kg}","product/mass":"{kg} kg"}}"#
    );
    CertificateFile {
        name: "heat.json".to_owned(),
        content: content.into_bytes(),
        beside: vec![],
        attests: None,
    }
}

pub(super) async fn certified(desk: &Desk, kg: u64) -> RecordId {
    records_of(&publish(desk, vec![heat(kg)]).await).0[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn material_goes_from_its_certificate_through_lots_to_scrap() {
    let chain = TestChain::new(1);
    chain.keep_producing();
    let desk = desk_of(&chain, 0, vault_of(&chain, "vault"));
    let record = certified(&desk, 1_000).await;
    let made = desk.lot_event(commission(record, vec![lot("B1", 600, 6), lot("B2", 400, 4)])).await;
    let made = made.unwrap();
    assert_eq!(made.lots.len(), 2);
    assert_eq!((made.lots[0].made_by, made.lots[0].certificate), ("commission", Some(record)));
    let rings = LotPlan { product: "ring".to_owned(), ..lot("R", 550, 50) };
    let scrap = Quantity { mass_mg: 50 * KG, pieces: 0 };
    let forge = EventPlan { scrap, ..plan(Kind::Transform, &["B1"], vec![rings]) };
    let made = desk.lot_event(forge).await.unwrap();
    assert_eq!(
        (made.lots[0].from.as_slice(), made.lots[0].product.as_str()),
        (&["B1".to_owned()][..], "ring")
    );
    let split = plan(Kind::Split, &["R"], vec![lot("R-1", 330, 30), lot("R-2", 220, 20)]);
    let made = desk.lot_event(split).await.unwrap();
    assert_eq!(made.lots[1].product, "ring");
    let merge = plan(Kind::Merge, &["R-1", "R-2"], vec![lot("R-all", 550, 50)]);
    desk.lot_event(merge).await.unwrap();
    let scrap =
        EventPlan { reason: "cracked".to_owned(), ..plan(Kind::Dispose, &["R-all"], vec![]) };
    desk.lot_event(scrap).await.unwrap();
    let standing: Vec<String> = desk
        .lots(None, 99)
        .await
        .unwrap()
        .into_iter()
        .filter(|lot| lot.state == LotState::Standing)
        .map(|lot| lot.name)
        .collect();
    assert_eq!(standing, ["B2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_plan_makes_more_than_there_is() {
    let chain = TestChain::new(1);
    chain.keep_producing();
    let desk = desk_of(&chain, 0, vault_of(&chain, "vault"));
    let record = certified(&desk, 1_000).await;
    let refused = |outcome: Result<crate::LotEventMade, DeskError>| match outcome {
        Err(DeskError::Lots(error)) => error,
        other => panic!("{other:?}"),
    };
    let over = commission(record, vec![lot("B1", 600, 6), lot("B2", 401, 4)]);
    assert_eq!(refused(desk.lot_event(over).await), MakeError::TooMuch);
    // What was refused left nothing behind: names and certificate are free.
    desk.lot_event(commission(record, vec![lot("B1", 600, 6)])).await.unwrap();
    let again = desk.lot_event(commission(record, vec![lot("B3", 1, 1)])).await;
    assert!(matches!(again, Err(DeskError::Vault(VaultError::Commissioned(_)))));
    let more = plan(Kind::Transform, &["B1"], vec![lot("R", 601, 1)]);
    assert_eq!(refused(desk.lot_event(more).await), MakeError::Unbalanced);
    let less = plan(Kind::Split, &["B1"], vec![lot("R", 300, 3), lot("S", 300, 2)]);
    assert_eq!(refused(desk.lot_event(less).await), MakeError::Unbalanced);
    let wrapped = LotPlan { mass_mg: 0_u64.wrapping_sub(KG), ..lot("S", 0, 3) };
    let wraps = plan(Kind::Split, &["B1"], vec![lot("R", 601, 3), wrapped]);
    assert_eq!(refused(desk.lot_event(wraps).await), MakeError::Unbalanced);
    let other = certified(&desk, 2_000).await;
    desk.lot_event(commission(other, vec![lot("C1", 2_000, 1)])).await.unwrap();
    let mixed = plan(Kind::Merge, &["B1", "C1"], vec![lot("M", 2_600, 7)]);
    assert!(matches!(refused(desk.lot_event(mixed).await), MakeError::Rule(_)));
    let unknown = desk.lot_event(plan(Kind::Dispose, &["nothing"], vec![])).await;
    assert!(matches!(unknown, Err(DeskError::Vault(VaultError::UnknownLot))));
    let transfer = desk.lot_event(plan(Kind::Transfer, &["B1"], vec![lot("R", 600, 6)])).await;
    assert!(matches!(transfer, Err(DeskError::LotKind)));
    let without_mass = records_of(&publish(&desk, vec![file(3)]).await).0[0];
    let nothing = desk.lot_event(commission(without_mass, vec![lot("N", 1, 1)])).await;
    assert!(matches!(
        nothing,
        Err(DeskError::CommissionsNothing(_)) | Err(DeskError::Lots(MakeError::TooMuch))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_lot_into_two_events_at_once_goes_into_one() {
    let chain = TestChain::new(1);
    chain.keep_producing();
    let desk = desk_of(&chain, 0, vault_of(&chain, "vault"));
    let record = certified(&desk, 1_000).await;
    desk.lot_event(commission(record, vec![lot("B", 1_000, 1)])).await.unwrap();
    let both = (0..4).map(|n| {
        let desk = desk.clone();
        let name = format!("R{n}");
        tokio::spawn(async move {
            desk.lot_event(plan(Kind::Transform, &["B"], vec![lot(&name, 1_000, 1)])).await
        })
    });
    let mut made = 0;
    for one in both.collect::<Vec<_>>() {
        match one.await.unwrap() {
            Ok(_) => made += 1,
            Err(error) => {
                assert!(matches!(error, DeskError::Vault(VaultError::LotUsed(_))), "{error}")
            }
        }
    }
    assert_eq!(made, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_a_crash_cut_off_is_posted_by_the_next_run() {
    let chain = TestChain::new(1);
    let vault = vault_of(&chain, "vault");
    {
        let producing = desk_of(&chain, 0, Arc::clone(&vault));
        chain.keep_producing();
        let record = certified(&producing, 1_000).await;
        // Made and kept, and the node dies before it submits anything.
        let desk = producing.clone();
        let commission = commission(record, vec![lot("B", 1_000, 1)]);
        tokio::task::spawn_blocking(move || {
            desk.keep_event(desk.make_event(&commission).unwrap()).map(drop)
        })
        .await
        .unwrap()
        .unwrap();
    }
    assert_eq!(vault.lot_named("B").unwrap().unwrap().state, LotState::Coming);
    let desk = desk_of(&chain, 0, Arc::clone(&vault));
    let (_stop, stopping) = tokio::sync::watch::channel(false);
    drop(desk.start(&stopping));
    let stands = tokio::time::timeout(Duration::from_secs(30), async {
        while vault.lot_named("B").unwrap().unwrap().state != LotState::Standing {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    stands.await.unwrap();
    assert!(vault.waiting_events().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_may_have_left_is_given_up_only_when_its_window_is_over() {
    let chain = TestChain::new(1);
    chain.keep_producing();
    let vault = vault_of(&chain, "vault");
    let desk = desk_of(&chain, 0, Arc::clone(&vault));
    let record = certified(&desk, 1_000).await;
    desk.lot_event(commission(record, vec![lot("B", 1_000, 1)])).await.unwrap();
    // A second node of the member, set up from a backup: it does not know what the first does from here on.
    let mut copy = Vec::new();
    vault.backup(&heatmark_vault::Actor::Node, &mut copy).unwrap();
    let (place, key) = (chain.dir.path().join("restored"), heatmark_vault::VaultKey::new([1; 32]));
    heatmark_vault::restore(&place, &key, &heatmark_vault::Actor::Node, &mut copy.as_slice())
        .unwrap();
    let restored = vault_of(&chain, "restored");
    let second = desk_of(&chain, 0, Arc::clone(&restored));
    let keeping = second.clone();
    let cut = plan(Kind::Transform, &["B"], vec![lot("R", 1_000, 1)]);
    let kept = move || keeping.keep_event(keeping.make_event(&cut).unwrap()).map(drop);
    tokio::task::spawn_blocking(kept).await.unwrap().unwrap();
    desk.lot_event(plan(Kind::Transform, &["B"], vec![lot("S", 1_000, 1)])).await.unwrap();
    let refused = second.resume_events_once().await;
    assert!(matches!(refused, Err(DeskError::Refused(Refusal::SealBroken))), "{refused:?}");
    assert_eq!(restored.waiting_events().unwrap().len(), 1);
    assert_eq!(restored.lot_named("B").unwrap().unwrap().state, LotState::Leaving);
    chain.produce(Some(super::chain::now_ms() + 3_600_000));
    second.resume_events_once().await.unwrap();
    assert!(restored.waiting_events().unwrap().is_empty());
    assert_eq!(restored.lot_named("B").unwrap().unwrap().state, LotState::Standing);
    assert!(restored.lot_named("R").unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_door_refuses_at_once_has_not_happened() {
    let chain = TestChain::new(1);
    chain.keep_producing();
    let vault = vault_of(&chain, "vault");
    let desk = desk_of(&chain, 0, Arc::clone(&vault));
    let record = certified(&desk, 1_000).await;
    desk.lot_event(commission(record, vec![lot("B", 1_000, 1)])).await.unwrap();
    let row = vault.lot_named("B").unwrap().unwrap();
    let seal = desk.parts.seed.seals(crate::keys::LOT_SEALS).key(row.seal_index);
    // Somebody who had the seal's key broke it, and this vault was not told.
    let elsewhere = pb::LotEvent {
        digest: vec![1; 32],
        outputs: vec![vec![2; 32]],
        carrier: chain.members[0].id.to_vec(),
    };
    let body = desk.body(pb::body::Payload::LotEvent(elsewhere)).unwrap();
    let network = chain.genesis.network();
    let bytes = prost::Message::encode_to_vec(&body);
    let broken = transaction::cosign(&network, pb::CoSigner::Seal, &seal, &bytes).unwrap();
    desk.commit(&desk.sign(&body, vec![broken])).await.unwrap();
    let refused = desk.lot_event(plan(Kind::Dispose, &["B"], vec![])).await;
    assert!(refused.is_err());
    let scrap = EventPlan { reason: "lost".to_owned(), ..plan(Kind::Dispose, &["B"], vec![]) };
    let refused = desk.lot_event(scrap).await;
    assert!(matches!(refused, Err(DeskError::Refused(Refusal::SealBroken))), "{refused:?}");
    assert!(vault.waiting_events().unwrap().is_empty());
    assert_eq!(vault.lot_named("B").unwrap().unwrap().state, LotState::Standing);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_caller_goes_away_goes_on() {
    let chain = TestChain::new(1);
    chain.keep_producing();
    let vault = vault_of(&chain, "vault");
    let desk = desk_of(&chain, 0, Arc::clone(&vault));
    let (_stop, stopping) = tokio::sync::watch::channel(false);
    drop(desk.start(&stopping));
    let record = certified(&desk, 1_000).await;
    let event = desk.lot_event(commission(record, vec![lot("B", 1_000, 1)]));
    // Gone as soon as it is on disk, or a little later.
    let kept = async {
        while vault.lot_named("B").unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! { _ = event => {}, () = kept => {} }
    let stands = tokio::time::timeout(Duration::from_secs(20), async {
        while vault.lot_named("B").unwrap().unwrap().state != LotState::Standing {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    stands.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_cannot_come_to_stand_once_what_it_uses_has_expired() {
    let chain = TestChain::new(1);
    chain.keep_producing();
    let desk = desk_of(&chain, 0, vault_of(&chain, "vault"));
    let record = certified(&desk, 1_000).await;
    let expires_ms = desk.tip().time.0 + 4_000;
    let short = LotPlan { expires_ms, ..lot("B1", 600, 6) };
    desk.lot_event(commission(record, vec![short, lot("B2", 400, 4)])).await.unwrap();
    let window = |kind, from: &str, out| {
        desk.make_event(&plan(kind, &[from], out)).unwrap().signed.not_after.0
    };
    assert_eq!(window(Kind::Transform, "B1", vec![lot("R", 600, 50)]), expires_ms);
    assert!(window(Kind::Transform, "B2", vec![lot("R", 400, 50)]) > expires_ms);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_is_older_than_its_log_gives_no_key_that_was_used() {
    let chain = TestChain::new(1);
    chain.keep_producing();
    let desk = desk_of(&chain, 0, vault_of(&chain, "vault"));
    assert!(!desk.skip_known_indices().unwrap());
    let record = certified(&desk, 1_000).await;
    desk.lot_event(commission(record, vec![lot("B1", 600, 6)])).await.unwrap();
    assert!(!desk.skip_known_indices().unwrap());
    // Put back as it was before, by whatever way.
    let older = desk_of(&chain, 0, vault_of(&chain, "older"));
    assert!(older.skip_known_indices().unwrap());
    let (alert, seal) = older.parts.vault.next_indices().unwrap();
    assert!(alert >= 1 << 32 && seal >= 1 << 32);
    assert!(!older.skip_known_indices().unwrap());
}
