//! The inspection that asked for a deal: run again once the deal has opened, exactly once, and gone with what was opened.

use super::rig::{BUYER, OWNER, Town, plan};
use super::{AGENTS, free, report};
use crate::tests::chain::now_ms;
use crate::tests::lots::{commission, lot};
use crate::{
    DealError, DealInspection, DealPlan, DeskError, InspectionView, LotPlan, Receive, Shipped,
};
use heatmark_proto::desk::v1 as pb;
use heatmark_records::RecordId;
use heatmark_vault::{Actor, DealRole};
use pb::delivered_goods::What;

const LOT: &str = "MAGNETS-1";
const LIMITS: &str = "standard = \"motor plant 7\"\nsample = \"heat\"\nrounding = \"absolute\"\n\
    [[limit]]\nproperty = \"chemistry/Dy\"\nunit = \"%\"\nmaximum = \"2.0\"\n";
const POLICY: &str = "[[limits]]\nspecification = \"limits.toml\"\nas = \"shown\"\n";

fn named(name: &str, content: &str) -> pb::NamedFile {
    pb::NamedFile { name: name.to_owned(), content: content.as_bytes().to_vec() }
}

fn given(what: What) -> pb::InspectionGiven {
    pb::InspectionGiven {
        goods: vec![pb::DeliveredGoods { name: LOT.to_owned(), what: Some(what) }],
        policy: Some(named("policy.toml", POLICY)),
        specifications: vec![named("limits.toml", LIMITS)],
        ..pb::InspectionGiven::default()
    }
}

impl Town {
    /// The owner makes a lot of a certificate, and the buyer receives it.
    async fn deliver(&self, record: RecordId) {
        let (owner, buyer) = (self.desk(OWNER), self.desk(BUYER));
        let magnets = LotPlan { product: "magnet blocks".to_owned(), ..lot(LOT, 40, 400) };
        owner.lot_event(commission(record, vec![magnets])).await.unwrap();
        let offer = buyer.offer_seals(self.id(OWNER), 1, "PO 1".into(), false).await.unwrap();
        owner.take_offer(offer).await.unwrap();
        let ship = pb::ShipLotsRequest {
            lots: vec![LOT.to_owned()],
            to: self.id(BUYER).to_vec(),
            as_file: true,
            ..pb::ShipLotsRequest::default()
        };
        let Shipped::Underway { parcel, .. } = owner.ship(ship).await.unwrap() else {
            panic!("there was a seal")
        };
        buyer.receive(Receive { parcel, ..Receive::default() }).await.unwrap();
    }

    async fn asked(&self, deal: [u8; 32]) -> DealInspection {
        self.view(BUYER, deal, DealRole::Buyer).await.inspection.unwrap()
    }

    /// Waits until the inspection has been run again.
    async fn until_repeated(&self, deal: [u8; 32]) -> DealInspection {
        self.until("it is run again", async || self.asked(deal).await.after.is_some()).await;
        self.asked(deal).await
    }

    async fn kept(&self) -> Vec<InspectionView> {
        self.desk(BUYER).inspections(String::new()).await.unwrap()
    }

    /// A certificate delivered and deposited, and an inspection that misses its assay.
    async fn held(&self, what: Option<What>) -> (RecordId, InspectionView) {
        let report = report(1_000);
        let record = self.certificate(&report).await;
        self.deliver(record).await;
        self.deposit(record, (&AGENTS, 3), &free(), &report).await;
        self.offers(record, 5).await;
        let what = what.unwrap_or_else(|| What::Lot(LOT.to_owned()));
        let held = self.desk(BUYER).keep_inspection(given(what)).await.unwrap();
        let found = self.desk(BUYER).inspection_found(held.id).await.unwrap().unwrap();
        assert!(held.verdict == "hold" && found.json.contains("not-shown"), "{}", found.text);
        (record, held)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_held_is_accepted_by_itself_once_the_deal_has_opened() {
    let town = Town::new();
    let (record, held) = town.held(None).await;
    let unknown = DealPlan { inspection: Some([9; 32]), ..plan(record, "audit") };
    let refused = town.desk(BUYER).open_deal(unknown).await;
    let none = matches!(refused, Err(DeskError::Deal(DealError::NoSuchInspection)));
    assert!(none, "{refused:?}");
    let asking = DealPlan { inspection: Some(held.id), ..plan(record, "audit") };
    let deal = town.desk(BUYER).open_deal(asking).await.unwrap();
    let asked = town.until_repeated(deal).await;
    assert_eq!(asked.before, (held.id, "hold".to_owned()));
    let (again, verdict) = asked.after.unwrap();
    let found = town.desk(BUYER).inspection_found(again).await.unwrap().unwrap();
    assert_eq!(verdict, "accept", "{}", found.text);
    assert_ne!(again, held.id);
    // The first one stays as it was.
    let first = town.desk(BUYER).inspection_found(held.id).await.unwrap().unwrap();
    assert!(first.json.contains("\"verdict\":\"hold\""), "{}", first.json);
    let kept = town.kept().await;
    assert_eq!((kept.len(), kept[0].repeats), (2, Some((held.id, deal))));
    town.until_phase(deal, "settled").await;
    town.stop(BUYER);
    town.start(BUYER);
    assert_eq!(town.kept().await, kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_between_opening_and_inspecting_again_leaves_one_inspection_to_be_found() {
    let town = Town::new();
    let (record, held) = town.held(None).await;
    let deal = town.desk(BUYER).open_deal(plan(record, "audit")).await.unwrap();
    town.until_phase(deal, "settled").await;
    town.stop(BUYER);
    // As the node leaves it that dies once the sections are open.
    let vault = &town.vaults[BUYER];
    let mut row = vault.deal(&deal, DealRole::Buyer).unwrap().unwrap();
    assert!(row.opened);
    row.inspection = held.id.to_vec();
    vault.put_deal(&Actor::Node, (&row, true), None, None).unwrap();
    assert_eq!(vault.inspections().unwrap().len(), 1);
    for _ in 0..3 {
        town.start(BUYER);
        let asked = town.until_repeated(deal).await;
        let (again, verdict) = asked.after.unwrap();
        assert_eq!(verdict, "accept");
        // Whoever dies while it notes what it found runs it once more, and what stands stays.
        let before = town.kept().await;
        town.desk(BUYER).inspect_again((&held.id, &deal), again).await.unwrap();
        assert_eq!(town.kept().await, before);
        assert_eq!(before.len(), 2);
        town.stop(BUYER);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_inspection_tells_of_what_was_opened_is_destroyed_with_it() {
    let town = Town::new();
    let (record, held) = town.held(None).await;
    let until = now_ms() + 20_000;
    let asking = DealPlan {
        inspection: Some(held.id),
        retain_until_ms: Some(until),
        ..plan(record, "audit")
    };
    let deal = town.desk(BUYER).open_deal(asking).await.unwrap();
    let (again, _) = town.until_repeated(deal).await.after.unwrap();
    let told = town.desk(BUYER).inspection_found(again).await.unwrap().unwrap();
    assert!(told.json.contains("1.7"), "it does not tell the dysprosium: {}", told.json);
    town.until("what it came to is destroyed", async || {
        town.desk(BUYER).inspection_found(again).await.unwrap().is_none()
    })
    .await;
    let kept = town.kept().await;
    let gone = kept.iter().find(|view| view.id == again).unwrap();
    assert_eq!((gone.destroyed, gone.verdict.as_str()), (true, "accept"));
    let first = town.desk(BUYER).inspection_found(held.id).await.unwrap();
    assert!(first.is_some(), "the inspection before told nothing of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capsule_file_is_judged_with_what_was_opened_and_keeps_its_name() {
    let town = Town::new();
    let report = report(1_000);
    let record = town.certificate(&report).await;
    town.deliver(record).await;
    let capsule = town.desk(BUYER).capsule(LOT.to_owned(), Vec::new(), true).await.unwrap();
    town.deposit(record, (&AGENTS, 3), &free(), &report).await;
    town.offers(record, 5).await;
    let given = given(What::Capsule(capsule.clone()));
    let held = town.desk(BUYER).keep_inspection(given).await.unwrap();
    assert_eq!(held.verdict, "hold");
    let asking = DealPlan { inspection: Some(held.id), ..plan(record, "audit") };
    let deal = town.desk(BUYER).open_deal(asking).await.unwrap();
    let (again, verdict) = town.until_repeated(deal).await.after.unwrap();
    let told = town.desk(BUYER).inspection_found(again).await.unwrap().unwrap();
    assert_eq!(verdict, "accept", "{}", told.text);
    let sha256 = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&capsule));
    assert!(told.json.contains(&sha256), "{}", told.json);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inspection_that_cannot_be_run_is_not_kept() {
    let town = Town::new();
    let lot = || What::Lot("NONE".to_owned());
    let order = pb::InspectionGiven { order: Some(named("po.toml", "x = ")), ..given(lot()) };
    let refused = town.desk(BUYER).keep_inspection(order).await;
    assert!(
        matches!(&refused, Err(DeskError::Inspection(name, _)) if name == "po.toml"),
        "{refused:?}"
    );
    let bare = pb::InspectionGiven { specifications: Vec::new(), ..given(lot()) };
    let refused = town.desk(BUYER).keep_inspection(bare).await;
    assert!(matches!(refused, Err(DeskError::Inspection(..))), "{refused:?}");
    let nothing = pb::InspectionGiven { goods: Vec::new(), ..given(lot()) };
    let refused = town.desk(BUYER).keep_inspection(nothing).await;
    assert!(matches!(refused, Err(DeskError::Deal(DealError::NothingDelivered))), "{refused:?}");
    let unknown = town.desk(BUYER).keep_inspection(given(lot())).await;
    assert!(matches!(unknown, Err(DeskError::Vault(_))), "{unknown:?}");
    assert_eq!(town.kept().await, []);
    let noise = town.desk(BUYER).keep_inspection(given(What::Capsule(vec![7; 99]))).await.unwrap();
    assert_eq!(noise.verdict, "reject");
}
