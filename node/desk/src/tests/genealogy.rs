//! Genealogy and recalls on a real store: traces across two companies and a restart, alerts that mark and clear, totals that go
//! back to the mill, and what is refused of them.

use super::lots::{KG, certified, commission, lot, plan};
use super::{TestChain, desk_of, vault_of};
use crate::recall::TOTALS_NAME;
use crate::{
    Affecting, AlertOn, Desk, DeskError, DeskParts, DrillKind, EventPlan, LotPlace, Quantity,
    Receive, Seed, Shipped,
};
use heatmark_evidence::transfer::{HolderTotals, SignedFile};
use heatmark_ledger::messages as pb;
use heatmark_ledger::receipt::TrustRoot;
use heatmark_lots::Kind;
use heatmark_proto::desk::v1::ShipLotsRequest;
use heatmark_vault::{Vault, VaultError};
use std::sync::Arc;

/// A desk whose seals are not those of the other.
fn other_desk(chain: &TestChain, member: usize, vault: Arc<Vault>) -> Desk {
    Desk::new(DeskParts {
        store: chain.store.clone(),
        intake: Arc::clone(&chain.intake),
        vault,
        member: chain.members[member].id,
        signing: chain.members[member].signing.clone(),
        trust: TrustRoot::from_genesis(&chain.genesis),
        seed: Seed::new([8; 32]),
        acknowledged_through: chain.dir.path().join(format!("acknowledged-{member}")),
    })
}

async fn names(desk: &Desk, lot: &str, down: bool) -> Vec<String> {
    let trace = desk.trace(lot.to_owned(), down, 99).await.unwrap();
    let mut names: Vec<String> = trace.lots.into_iter().map(|lot| lot.name).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_the_same_after_a_restart_and_follows_what_comes() {
    let chain = TestChain::new(1);
    chain.keep_producing();
    let vault = vault_of(&chain, "vault");
    let desk = desk_of(&chain, 0, Arc::clone(&vault));
    let unknown = desk.trace("nothing".to_owned(), false, 9).await;
    assert!(matches!(unknown, Err(DeskError::Vault(VaultError::UnknownLot))));
    let record = certified(&desk, 1_000).await;
    desk.lot_event(commission(record, vec![lot("B1", 600, 6), lot("B2", 400, 4)])).await.unwrap();
    // Asked in between, so that the graph grows by single events as well.
    assert_eq!(names(&desk, "B1", true).await, ["B1"]);
    let forge = EventPlan {
        scrap: Quantity { mass_mg: 50 * KG, pieces: 0 },
        process: vec![("die".to_owned(), "D-77".to_owned())],
        ..plan(Kind::Transform, &["B1"], vec![lot("R", 550, 50)])
    };
    desk.lot_event(forge).await.unwrap();
    let split = plan(Kind::Split, &["R"], vec![lot("R-1", 330, 30), lot("R-2", 220, 20)]);
    desk.lot_event(split).await.unwrap();
    let again = desk_of(&chain, 0, vault);
    for desk in [&desk, &again] {
        assert_eq!(names(desk, "R-2", false).await, ["B1", "R", "R-2"]);
        assert_eq!(names(desk, "B1", true).await, ["B1", "R", "R-1", "R-2"]);
        assert_eq!(names(desk, "B2", true).await, ["B2"]);
        let trace = desk.trace("R-2".to_owned(), false, 2).await.unwrap();
        assert_eq!((trace.lots.len(), trace.reached), (2, 3));
        assert_eq!(trace.edges, [(1, 0)]);
        let source = desk.trace("B1".to_owned(), false, 9).await.unwrap();
        assert_eq!(
            (source.lots[0].certificate, source.lots[0].heat.as_str()),
            (Some(record), "H1000")
        );
        let heat = desk.affected(Affecting::Heat("h1000".to_owned())).await.unwrap();
        assert_eq!((heat.own.len(), heat.stock.len(), heat.stock_mg), (5, 3, u128::from(950 * KG)));
        assert!(heat.customers.is_empty());
        let die = desk.affected(Affecting::Die("d-77".to_owned())).await.unwrap();
        assert_eq!(die.own.len(), 3, "the ring and its halves");
        let found = desk.search_lots("r-".to_owned(), 9).await.unwrap();
        assert_eq!(found.lots.len(), 2);
        assert_eq!(desk.search_lots("h10".to_owned(), 9).await.unwrap().records.len(), 1);
    }
    let scrap = EventPlan { reason: "cracked".to_owned(), ..plan(Kind::Dispose, &["R-1"], vec![]) };
    again.lot_event(scrap).await.unwrap();
    let left = again.affected(Affecting::Record(record)).await.unwrap();
    assert_eq!(left.stock_mg, u128::from(620 * KG));
    let report = again.origin(String::new()).await.unwrap();
    assert_eq!((report.total.lots, report.total.mass_mg), (2, u128::from(620 * KG)));
    let share =
        |by, value: &str| report.shares.get(&(by, value.to_owned())).map(|share| share.lots);
    assert_eq!(share("issuer", "Member 0"), Some(2));
    assert_eq!(share("melt shop", ""), Some(2));
}

/// The mill ships a lot, and the forge makes rings of it.
async fn two_companies(chain: &Arc<TestChain>) -> (Desk, Desk, heatmark_records::RecordId) {
    let mill = desk_of(chain, 0, vault_of(chain, "mill"));
    let forge = other_desk(chain, 1, vault_of(chain, "forge"));
    let record = certified(&mill, 1_000).await;
    mill.lot_event(commission(record, vec![lot("B1", 600, 6), lot("B2", 400, 4)])).await.unwrap();
    let offer = forge.offer_seals(mill.member(), 1, String::new(), false).await.unwrap();
    mill.take_offer(offer).await.unwrap();
    let request = ShipLotsRequest {
        lots: vec!["B1".to_owned()],
        to: forge.member().to_vec(),
        show: vec!["heat".to_owned()],
        as_file: true,
        ..ShipLotsRequest::default()
    };
    let Shipped::Underway { parcel, .. } = mill.ship(request).await.unwrap() else {
        panic!("no parcel");
    };
    // What has left is the customer's to be told of, before it is posted.
    let underway = mill.affected(Affecting::Record(record)).await.unwrap();
    assert_eq!((underway.customers.len(), underway.stock_mg), (1, u128::from(400 * KG)));
    forge.receive(Receive { parcel, ..Receive::default() }).await.unwrap();
    mill.settle_parcels_once().await.unwrap();
    let rings = EventPlan {
        scrap: Quantity { mass_mg: 50 * KG, pieces: 0 },
        ..plan(Kind::Transform, &["B1"], vec![lot("RING", 550, 50)])
    };
    forge.lot_event(rings).await.unwrap();
    (mill, forge, record)
}

/// The letter that waits to go, and its name.
async fn letter(desk: &Desk) -> (String, Vec<u8>) {
    let (sent, _) = desk.letters().await.unwrap();
    let last = sent.iter().find(|row| row.name == TOTALS_NAME).unwrap();
    let content = desk.parts.vault.letter_to_send(&last.id).unwrap().unwrap().to_vec();
    desk.drop_letter(last.id).await.unwrap();
    (last.name.clone(), content)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_marks_what_is_made_of_the_heat_at_every_company_and_totals_come_back() {
    let chain = TestChain::new(3);
    chain.keep_producing();
    let (mill, forge, record) = two_companies(&chain).await;
    let trace = forge.trace("RING".to_owned(), false, 99).await.unwrap();
    assert_eq!((trace.reached, trace.lots[2].heat.as_str()), (3, "H1000"));
    assert_eq!(
        (trace.lots[2].company_name.as_str(), trace.lots[2].at.is_none()),
        ("Member 0", true)
    );
    assert!(forge.recalls(true).await.unwrap().is_empty());
    let recall = pb::AlertLevel::Recall;
    mill.alert(AlertOn::OwnRecord(record), recall, "retest".to_owned()).await.unwrap();
    let found = forge.recalls(false).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].heat.as_str(), found[0].counts, found[0].acknowledged),
        ("H1000", (2, 1, 0), false)
    );
    let marked = forge.trace("RING".to_owned(), false, 99).await.unwrap();
    assert!(marked.lots.iter().all(|lot| lot.alert == recall as u32));
    let listed = forge.lot_named("RING".to_owned()).await.unwrap();
    assert_eq!(listed.alert, recall as u32);
    let at_mill = mill.recall("H1000".to_owned()).await.unwrap();
    assert_eq!(at_mill.affected.stock_mg, u128::from(400 * KG));
    assert!(at_mill.free.lots.is_empty());
    assert_eq!((at_mill.holders.len(), &at_mill.holders[0].totals), (1, &None));
    assert!(matches!(forge.recall("ffff".to_owned()).await, Err(DeskError::NoRecall)));

    let told = forge.acknowledge_recall("H1000".to_owned()).await.unwrap();
    assert_eq!(told, ["Member 0"]);
    assert!(forge.recalls(false).await.unwrap()[0].acknowledged);
    let (name, content) = letter(&forge).await;
    let from = forge.member();
    let mut changed = content.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    for (from, content) in [(from, &changed), (chain.members[2].id, &content)] {
        assert!(mill.consider(from, &name, content).await.unwrap().is_err());
    }
    // Somebody who was never sent any of it has nothing to say, however well it signs.
    let network = chain.genesis.network();
    let stranger = HolderTotals {
        holder: chain.members[2].id.to_vec(),
        ..HolderTotals::read(&content, &network).map(|_| decoded(&content)).unwrap()
    };
    let stranger = stranger.signed(&network, &chain.members[2].signing);
    assert!(mill.consider(chain.members[2].id, &name, &stranger).await.unwrap().is_err());
    mill.consider(from, &name, &content).await.unwrap().unwrap();
    let totals = mill.recall("H1000".to_owned()).await.unwrap().holders[0].totals.clone().unwrap();
    assert_eq!((totals.mass_mg, totals.pieces), (550 * KG, 50));
    assert_eq!((totals.holders, totals.awaited), (1, 0));

    mill.alert(AlertOn::OwnRecord(record), pb::AlertLevel::Clear, "fine".to_owned()).await.unwrap();
    assert!(forge.recalls(false).await.unwrap().is_empty());
    assert_eq!(forge.recalls(true).await.unwrap().len(), 1);
    assert_eq!(forge.trace("RING".to_owned(), false, 9).await.unwrap().lots[0].alert, 0);
    // What was said of a recall that is over is not taken any more.
    assert!(mill.consider(from, &name, &content).await.unwrap().is_err());
}

fn decoded(content: &[u8]) -> HolderTotals {
    prost::Message::decode(content).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_from_before_the_material_came_is_found_when_it_comes_and_after_a_restart() {
    let chain = TestChain::new(2);
    chain.keep_producing();
    let mill = desk_of(&chain, 0, vault_of(&chain, "mill"));
    let record = certified(&mill, 1_000).await;
    mill.alert(AlertOn::OwnRecord(record), pb::AlertLevel::Hold, "doubt".to_owned()).await.unwrap();
    mill.match_alerts().unwrap();
    assert!(mill.recalls(true).await.unwrap().is_empty());
    mill.lot_event(commission(record, vec![lot("B1", 1_000, 6)])).await.unwrap();
    let trace = mill.trace("B1".to_owned(), false, 9).await.unwrap();
    assert_eq!(trace.lots[0].alert, pb::AlertLevel::Hold as u32);
    let again = desk_of(&chain, 0, Arc::clone(&mill.parts.vault));
    assert_eq!(again.recalls(false).await.unwrap().len(), 1);
    let trace = again.trace("B1".to_owned(), false, 9).await.unwrap();
    assert_eq!(trace.lots[0].alert, pb::AlertLevel::Hold as u32);
    // A concern is listed and marks nothing.
    let subject = again.recalls(false).await.unwrap()[0].row.subject;
    again.alert(AlertOn::OwnRecord(record), pb::AlertLevel::Clear, String::new()).await.unwrap();
    let worried = other_desk(&chain, 1, vault_of(&chain, "worried"));
    let concern = AlertOn::Concern(subject.into());
    worried.alert(concern, pb::AlertLevel::Recall, "soft".to_owned()).await.unwrap();
    let listed = again.recalls(false).await.unwrap();
    assert_eq!((listed.len(), listed[0].concerned.as_deref()), (1, Some("Member 1")));
    assert_eq!(again.trace("B1".to_owned(), false, 9).await.unwrap().lots[0].alert, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_finds_what_a_recall_would_and_raises_nothing() {
    let chain = TestChain::new(2);
    chain.keep_producing();
    let (mill, forge, _) = two_companies(&chain).await;
    let leaves = chain.store.tip().log_size;
    let drills = mill.drill().await.unwrap();
    let kinds: Vec<DrillKind> = drills.iter().map(|drill| drill.kind).collect();
    assert_eq!(kinds, DrillKind::ALL);
    assert_eq!(drills[0].about, "H1000");
    let returned = &drills[2].affected;
    assert_eq!((returned.customers.len(), returned.stock.len()), (1, 1));
    assert!(matches!(
        returned.own.iter().find(|lot| lot.name == "B1").unwrap().at,
        Some(LotPlace::Sent(..))
    ));
    assert_eq!(forge.drill().await.unwrap().len(), 2, "nobody returned anything to the forge");
    assert_eq!(chain.store.tip().log_size, leaves);
    assert!(mill.recalls(true).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn customers_that_are_no_members_are_found_by_what_disposals_say() {
    let chain = TestChain::new(1);
    chain.keep_producing();
    let desk = desk_of(&chain, 0, vault_of(&chain, "vault"));
    let record = certified(&desk, 1_000).await;
    let lots = vec![lot("B1", 500, 5), lot("B2", 300, 3), lot("B3", 100, 1), lot("B4", 100, 1)];
    desk.lot_event(commission(record, lots)).await.unwrap();
    let process = vec![("customer".to_owned(), "Smith & Sons, Leeds".to_owned())];
    for name in ["B1", "B3"] {
        let disposal = plan(Kind::Dispose, &[name], vec![]);
        let (reason, process) = ("delivered".to_owned(), process.clone());
        desk.lot_event(EventPlan { reason, process, ..disposal }).await.unwrap();
    }
    let scrapped = plan(Kind::Dispose, &["B4"], vec![]);
    desk.lot_event(EventPlan { reason: "cracked".to_owned(), ..scrapped }).await.unwrap();
    let affected = desk.affected(Affecting::Record(record)).await.unwrap();
    let [customer] = affected.customers.as_slice() else {
        panic!("one customer, and not {:?}", affected.customers)
    };
    assert!(customer.outside && customer.name == "Smith & Sons, Leeds");
    assert_eq!((customer.mass_mg, customer.pieces), (u128::from(600 * KG), 6));
    let names: Vec<&str> =
        customer.lots.iter().map(|place| affected.own[*place as usize].name.as_str()).collect();
    assert_eq!(names.len(), 2);
    assert!(names.contains(&"B1") && names.contains(&"B3"), "{names:?}");
    assert_eq!(affected.stock_mg, u128::from(300 * KG));
}
