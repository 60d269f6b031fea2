//! Capsules from the vault name what alerts on descriptions stand under, of own lots and of those that were received.

use super::lots::{KG, plan};
use super::{TestChain, desk_of, file, publish, records_of, vault_of};
use crate::{Desk, DeskParts, EventPlan, LotPlan, Receive, Seed, Shipped};
use heatmark_evidence::capsule::{Acceptance, Capsule, Verdict, inspect};
use heatmark_ledger::receipt::TrustRoot;
use heatmark_lots::Kind;
use heatmark_proto::desk::v1 as pb;
use std::sync::Arc;

fn lot(name: &str, product: &str, kg: u64, pieces: u64) -> LotPlan {
    let (name, product) = (name.to_owned(), product.to_owned());
    LotPlan { name, product, mass_mg: kg * KG, pieces, ..LotPlan::default() }
}

/// Another company than the first: with seals of its own.
fn customer(chain: &TestChain) -> Desk {
    Desk::new(DeskParts {
        store: chain.store.clone(),
        intake: Arc::clone(&chain.intake),
        vault: vault_of(chain, "customer"),
        member: chain.members[1].id,
        signing: chain.members[1].signing.clone(),
        trust: TrustRoot::from_genesis(&chain.genesis),
        seed: Seed::new([8; 32]),
        acknowledged_through: chain.dir.path().join("acknowledged-customer"),
    })
}

fn inspected(chain: &TestChain, bytes: &[u8]) -> (Capsule, Verdict) {
    let capsule = Capsule::decode(bytes).unwrap();
    let acceptance = Acceptance::at(chain.store.tip().time);
    let trust = TrustRoot::from_genesis(&chain.genesis);
    (capsule, inspect(bytes, &trust, &acceptance).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_description_on_the_way_is_named_once_from_mill_to_customer() {
    let chain = TestChain::new(2);
    chain.keep_producing();
    let (mill, forge) = (desk_of(&chain, 0, vault_of(&chain, "mill")), customer(&chain));
    let content = br#"{"Heatmark":"1","certificate/number":"1","certificate/issued":"2026-01-02",
        "manufacturer/name":"Kesselbach","product/name":"billet","heat":"H1","product/mass":"1 t"}"#;
    let certificate = crate::CertificateFile { content: content.to_vec(), ..file(1) };
    let record = records_of(&publish(&mill, vec![certificate]).await).0[0];
    let billets = vec![lot("B", "billet", 1_000, 10)];
    let commission =
        EventPlan { certificate: Some(record), ..plan(Kind::Commission, &[], billets) };
    mill.lot_event(commission).await.unwrap();
    // The billet's description, the bar's, which both halves keep, and how the bar was made.
    let bars = vec![lot("R", "bar", 1_000, 100)];
    let process = vec![("die".to_owned(), "D-77".to_owned())];
    mill.lot_event(EventPlan { process, ..plan(Kind::Transform, &["B"], bars) }).await.unwrap();
    let halves = vec![lot("R-1", "", 500, 50), lot("R-2", "", 500, 50)];
    mill.lot_event(plan(Kind::Split, &["R"], halves)).await.unwrap();
    for _ in 0..2 {
        let bytes = mill.capsule("R-1".to_owned(), Vec::new(), false).await.unwrap();
        let (capsule, verdict) = inspected(&chain, &bytes);
        assert_eq!(verdict.codes(), Vec::<&str>::new());
        assert_eq!(capsule.heads.len(), 3);
    }
    let to = *chain.members[1].id.as_bytes();
    let offer = forge.offer_seals(chain.members[0].id, 1, String::new(), false).await.unwrap();
    mill.take_offer(offer).await.unwrap();
    let request = pb::ShipLotsRequest {
        lots: vec!["R-1".to_owned()],
        to: to.to_vec(),
        as_file: true,
        ..pb::ShipLotsRequest::default()
    };
    let Shipped::Underway { parcel, .. } = mill.ship(request).await.unwrap() else {
        panic!("seals were offered")
    };
    let view = forge.read_parcel(parcel.clone()).await.unwrap();
    assert_eq!(view.lots[0].verdict.codes(), Vec::<&str>::new());
    forge.receive(Receive { parcel, ..Receive::default() }).await.unwrap();
    // The receiver has nothing but what the parcel showed, and its own.
    let rings = vec![lot("G", "ring", 500, 500)];
    forge.lot_event(plan(Kind::Transform, &["R-1"], rings)).await.unwrap();
    let bytes = forge.capsule("G".to_owned(), Vec::new(), false).await.unwrap();
    let (capsule, verdict) = inspected(&chain, &bytes);
    assert_eq!(verdict.codes(), Vec::<&str>::new());
    assert_eq!(capsule.heads.len(), 4);
    assert_eq!(verdict.history.len(), 5);
}
