//! The capture plan at the desk: what it demands, who waives it until when, and what a report says of it.

use super::lots::{certified, commission, lot, plan};
use super::lots_kinds::{Shop, named};
use super::{TestChain, desk_of, vault_of};
use crate::{CapturePlan, Depth, DeskError, EventPlan, LotPlan, NewSerials, WaiverPlan};
use heatmark_lots::Kind;
use heatmark_vault::Actor;
use std::sync::Arc;

const PLAN: &str = r#"
    [[product]]
    name = "billet"
    depth = "batch"
    weighing_permille = 2
    [[product]]
    name = "ring*"
    depth = "item"
    expires = true
    [[product.point]]
    name = "forging"
    events = ["transform"]
    process = ["die", "station"]
    scan = true
    [[product.point]]
    name = "scrapping"
    events = ["dispose"]
    process = ["operator"]
"#;
const DAY_MS: u64 = 86_400_000;

fn shop() -> Shop {
    let shop = Shop::new();
    let desk = shop.desk.clone().capturing(CapturePlan::parse(PLAN).unwrap());
    Shop { desk, ..shop }
}

fn fields(names: &[&str]) -> Vec<(String, String)> {
    names.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect()
}

/// Rings of a billet, with nothing recorded that the plan demands.
fn bare(input: &str, name: &str) -> EventPlan {
    let ring = LotPlan { product: "ring 400".to_owned(), ..lot(name, 1, 1) };
    plan(Kind::Transform, &[input], vec![ring])
}

/// The same with everything.
fn whole(shop: &Shop, input: &str, name: &str) -> EventPlan {
    let expires_ms = shop.desk.now().0 + DAY_MS;
    let ring = LotPlan { product: "ring 400".to_owned(), expires_ms, ..lot(name, 1, 1) };
    EventPlan {
        process: fields(&["die", "station"]),
        scanned: vec![input.to_owned()],
        serials: Some(NewSerials::Pattern(format!("{name}-{{1}}"))),
        ..plan(Kind::Transform, &[input], vec![ring])
    }
}

fn waiver(shop: &Shop, points: &[&str]) -> Option<WaiverPlan> {
    Some(WaiverPlan {
        points: points.iter().map(|point| (*point).to_owned()).collect(),
        reason: "scanner broken".to_owned(),
        until_ms: shop.desk.now().0 + DAY_MS,
    })
}

fn skipped(error: DeskError) -> (String, String) {
    match error {
        DeskError::PointSkipped { point, missing, .. } => (point, missing),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_skips_a_point_is_refused_until_everything_is_recorded() {
    let shop = shop();
    shop.stock(&["B1", "B2"]).await;
    let refused = shop.refused(bare("B1", "R1")).await;
    assert_eq!(skipped(refused), ("forging".to_owned(), "die, station, scan".to_owned()));
    let plan = whole(&shop, "B1", "R1");
    let unscanned = EventPlan { scanned: vec![], ..plan.clone() };
    assert_eq!(skipped(shop.refused(unscanned).await).1, "scan");
    let other = EventPlan { scanned: vec!["B2".to_owned()], ..plan.clone() };
    let other = shop.refused(other).await;
    assert!(matches!(other, DeskError::ScannedOther(name) if name == "B2"));
    let no_die = EventPlan { process: fields(&["station"]), ..plan.clone() };
    assert_eq!(skipped(shop.refused(no_die).await).1, "die");
    let no_serials = EventPlan { serials: None, ..plan.clone() };
    assert_eq!(skipped(shop.refused(no_serials).await).0, "serials");
    let mut lasting = plan.clone();
    lasting.outputs[0].expires_ms = 0;
    assert_eq!(skipped(shop.refused(lasting).await).0, "expiry");
    shop.make(plan).await;
    let scrap = EventPlan {
        reason: "cracked".to_owned(),
        ..super::lots::plan(Kind::Dispose, &["R1"], vec![])
    };
    assert_eq!(skipped(shop.refused(scrap.clone()).await).1, "operator");
    shop.make(EventPlan { process: fields(&["operator"]), ..scrap }).await;
    // What the plan does not name, nothing is demanded of.
    let other = LotPlan { product: "bar".to_owned(), ..lot("BAR", 1, 1) };
    shop.make(super::lots::plan(Kind::Transform, &["B2"], vec![other])).await;
    // Batch genealogy begins with a certificate.
    let bought = super::lots::plan(Kind::Commission, &[], vec![lot("X", 1, 1)]);
    assert_eq!(skipped(shop.refused(bought).await).0, "certificate");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiver_says_who_why_and_until_when_and_stands_until_then() {
    let shop = shop();
    shop.stock(&["B1", "B2", "B3", "B4"]).await;
    let now = shop.desk.now().0;
    let point = |input: &str| EventPlan { scanned: vec![], ..whole(&shop, input, "R1") };
    let asked = |change: fn(&mut WaiverPlan, u64)| {
        let mut waiver = waiver(&shop, &["forging"]).unwrap();
        change(&mut waiver, now);
        EventPlan { waiver: Some(waiver), ..point("B1") }
    };
    let wrong: [fn(&mut WaiverPlan, u64); 6] = [
        |waiver, _| waiver.reason = String::new(),
        |waiver, _| waiver.reason = " ".to_owned(),
        |waiver, _| waiver.reason = "x".repeat(513),
        |waiver, now| waiver.until_ms = now - 1,
        |waiver, now| waiver.until_ms = now + 400 * DAY_MS,
        |waiver, _| waiver.points.clear(),
    ];
    for change in wrong {
        assert!(matches!(shop.refused(asked(change)).await, DeskError::Waiver));
    }
    let idle = EventPlan { waiver: waiver(&shop, &["forging", "expiry"]), ..point("B1") };
    let idle = shop.refused(idle).await;
    assert!(matches!(idle, DeskError::NothingToWaive(point) if point == "expiry"));
    assert!(shop.vault.waivers().unwrap().is_empty());
    let anna = Actor::Client { key: [7; 32], name: "anna".to_owned() };
    let desk = shop.desk.acting(anna);
    let soon = WaiverPlan { until_ms: now + 600_000, ..waiver(&shop, &["forging"]).unwrap() };
    desk.lot_event(EventPlan { waiver: Some(soon), ..point("B1") }).await.unwrap();
    let waivers = shop.vault.waivers().unwrap();
    let [given] = waivers.as_slice() else { panic!("{waivers:?}") };
    assert_eq!(given.by, ("anna".to_owned(), Some([7; 32])));
    assert_eq!((given.point.as_str(), given.product.as_str()), ("forging", "ring 400"));
    assert_eq!(given.reason, "scanner broken");
    assert_eq!(Some(given.event), shop.vault.lot_named("R1").unwrap().map(|lot| lot.event));
    // It stands for others at the same point and product, and for no other point.
    let second = EventPlan { scanned: vec![], ..whole(&shop, "B2", "R2") };
    shop.make(second).await;
    let other = EventPlan { serials: None, ..whole(&shop, "B3", "R3") };
    assert_eq!(skipped(shop.refused(other).await).0, "serials");
    shop.chain.produce(Some(now + 3_600_000));
    let late = EventPlan { scanned: vec![], ..whole(&shop, "B3", "R3") };
    assert_eq!(skipped(shop.refused(late).await).0, "forging");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_counts_scans_delays_points_and_origins() {
    let shop = shop();
    let from = shop.desk.now().0 - DAY_MS;
    shop.stock(&["B1", "B2"]).await;
    let happened = shop.desk.now().0 - 5_000;
    let told = EventPlan { time_ms: (happened - 9, happened), ..whole(&shop, "B1", "R1") };
    shop.make(told).await;
    let waived =
        EventPlan { waiver: waiver(&shop, &["forging", "serials", "expiry"]), ..bare("B2", "R2") };
    shop.make(waived).await;
    let free = LotPlan { product: "wire".to_owned(), ..lot("W", 2, 1) };
    shop.make(plan(Kind::Commission, &[], vec![free])).await;
    shop.make(plan(Kind::Relabel, &["W"], vec![named("W2")])).await;
    let report = shop.desk.capture_report(from, from + 2 * DAY_MS).await.unwrap();
    assert_eq!((report.events, report.inputs, report.scanned), (5, 3, 1));
    let latency = report.latency.unwrap();
    assert_eq!(latency.events, 1);
    assert!((5_000..60_000).contains(&latency.median_ms), "{latency:?}");
    let points: Vec<(&str, &str, u64, u64)> = report
        .points
        .iter()
        .map(|count| (count.product.as_str(), count.point.as_str(), count.demanded, count.waived))
        .collect();
    assert_eq!(
        points,
        [
            ("billet", "certificate", 1, 0),
            ("ring 400", "expiry", 2, 1),
            ("ring 400", "forging", 2, 1),
            ("ring 400", "serials", 2, 1),
        ]
    );
    let products: Vec<(&str, Option<Depth>, u64, u64, u64)> = report
        .products
        .iter()
        .map(|c| (c.product.as_str(), c.depth, c.lots, c.complete, c.serialised))
        .collect();
    assert_eq!(
        products,
        [
            ("billet", Some(Depth::Batch), 2, 2, 0),
            ("ring 400", Some(Depth::Item), 2, 2, 1),
            ("wire", None, 2, 0, 0),
        ]
    );
    assert_eq!(report.waivers.len(), 3);
    let before = shop.desk.capture_report(0, from).await.unwrap();
    assert_eq!((before.events, before.points.len(), before.products.len()), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weighing_keeps_to_the_plan_whatever_is_asked() {
    let shop = shop();
    shop.stock(&["B1"]).await;
    let weigh = |mass_mg, tolerance_permille| EventPlan {
        reason: "scale 4".to_owned(),
        tolerance_permille,
        ..plan(Kind::Adjust, &["B1"], vec![LotPlan { mass_mg, pieces: 1, ..named("") }])
    };
    for asked in [0, 5, 1_000] {
        let error = shop.refused(weigh(1_002_001, asked)).await;
        assert!(matches!(error, DeskError::BeyondTolerance(2)), "{error}");
    }
    let error = shop.refused(weigh(1_002_000, 1)).await;
    assert!(matches!(error, DeskError::BeyondTolerance(1)), "{error}");
    shop.make(weigh(1_002_000, 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_is_there_after_a_restart() {
    let chain = TestChain::new(1);
    chain.keep_producing();
    let vault = vault_of(&chain, "vault");
    let desk = desk_of(&chain, 0, Arc::clone(&vault));
    let record = certified(&desk, 1_000).await;
    desk.lot_event(commission(record, vec![lot("B", 1, 1)])).await.unwrap();
    let event = vault.lot_named("B").unwrap().unwrap().event;
    let before = vault.captured(&event).unwrap().unwrap();
    assert_eq!(before.products, ["billet"]);
    drop((desk, vault));
    // The desk's tasks hold nothing: the vault opens again.
    let again = vault_of(&chain, "vault");
    assert_eq!(again.captured(&event).unwrap(), Some(before));
}
