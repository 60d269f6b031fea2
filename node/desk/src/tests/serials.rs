//! Serials at the desk: every piece has one, none is given twice, and a label proves one of a lot's own.

use super::lots::{KG, certified, commission, lot, plan};
use super::lots_kinds::{Shop, named, rule};
use crate::{DeskError, EventPlan, LotPlan, NewSerials, Quantity};
use heatmark_lots::{Kind, LotError, OpenLot, SerialProof, Serials};
use heatmark_vault::VaultError;
use std::time::Instant;

impl Shop {
    /// A lot of so many rings with serials …, of a kilogram each.
    async fn rings(&self, name: &str, count: u64) {
        let kg = 2_000 + self.vault.records(&[], 99).unwrap().len() as u64;
        let record = certified(&self.desk, kg).await;
        let plan = numbered(commission(record, vec![lot(name, count, count)]), "R-{01}");
        self.make(plan).await;
    }

    fn serials(&self, name: &str) -> Option<Serials> {
        let row = self.vault.lot_named(name).unwrap().unwrap();
        OpenLot::decode(&row.open).unwrap().lot().content.serials.clone()
    }

    async fn proof(&self, name: &str, serial: &str) -> Result<SerialProof, DeskError> {
        self.desk.prove_serial(name.to_owned(), serial.to_owned()).await
    }
}

fn numbered(plan: EventPlan, pattern: &str) -> EventPlan {
    EventPlan { serials: Some(NewSerials::Pattern(pattern.to_owned())), ..plan }
}

fn texts(serials: &[&str]) -> Vec<String> {
    serials.iter().map(|serial| (*serial).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_proves_its_serial_of_its_lot_and_of_no_other() {
    let shop = Shop::new();
    shop.rings("RINGS", 10).await;
    let split = plan(Kind::Split, &["RINGS"], vec![lot("A", 4, 4), lot("B", 6, 6)]);
    shop.make(split).await;
    let (a, b) = (shop.serials("A").unwrap(), shop.serials("B").unwrap());
    let proof = shop.proof("A", "R-04").await.unwrap();
    assert_eq!((proof.serial.as_str(), proof.place), ("R-04", 3));
    proof.verify(&a).unwrap();
    assert_eq!(proof.verify(&b), Err(LotError::WrongSerial));
    for (lot, serial) in [("A", "R-05"), ("B", "R-04"), ("A", "R-4"), ("A", "R-11")] {
        let error = shop.proof(lot, serial).await.unwrap_err();
        assert!(matches!(error, DeskError::UnknownSerial(_)), "{lot} {serial}");
    }
    shop.stock(&["BARE"]).await;
    assert!(matches!(shop.proof("BARE", "R-01").await, Err(DeskError::NoSerials)));
    let view = shop.named("B").await.serials.unwrap();
    assert_eq!((view.pieces, view.tree, view.runs), (6, 10, vec![(4, 6)]));
    assert_eq!(view.ends, Some(("R-05".to_owned(), "R-10".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_serial_is_given_twice() {
    let shop = Shop::new();
    shop.rings("RINGS", 10).await;
    let record = certified(&shop.desk, 3_000).await;
    let more = |lots| commission(record, lots);
    let again = shop.refused(numbered(more(vec![lot("X", 1, 1)]), "R-{10}")).await;
    assert!(matches!(again, DeskError::Vault(VaultError::SerialTaken(serial)) if serial == "R-10"));
    let listed = shop.desk.keep_serials(texts(&["Q", "R-01"])).await.unwrap_err();
    assert!(
        matches!(listed, DeskError::Vault(VaultError::SerialTaken(serial)) if serial == "R-01")
    );
    let twice = shop.desk.keep_serials(texts(&["Q", "Q"])).await.unwrap_err();
    assert!(matches!(twice, DeskError::Vault(VaultError::SerialTaken(_))));
    for wrong in [texts(&[]), texts(&["a b"]), texts(&[""]), vec!["x".repeat(65)]] {
        let error = shop.desk.keep_serials(wrong).await.unwrap_err();
        assert!(matches!(error, DeskError::SerialPattern));
    }
    // A list that nothing was made with is given again.
    shop.desk.keep_serials(texts(&["S-1", "S-2", "S-3"])).await.unwrap();
    let root = shop.desk.keep_serials(texts(&["S-1", "S-2"])).await.unwrap();
    let kept = |root| Some(NewSerials::Kept(root));
    let few = EventPlan { serials: kept(root), ..more(vec![lot("X", 3, 3)]) };
    let few = shop.refused(few).await;
    assert!(matches!(few, DeskError::SerialCount { serials: 2, pieces: 3 }), "{few}");
    let both = vec![lot("X", 1, 1), lot("Y", 1, 1)];
    shop.make(EventPlan { serials: kept(root), ..more(both) }).await;
    shop.proof("Y", "S-2").await.unwrap();
    let other = certified(&shop.desk, 3_001).await;
    let spent = EventPlan { serials: kept(root), ..commission(other, vec![lot("Z", 2, 2)]) };
    let spent = shop.refused(spent).await;
    assert!(matches!(spent, DeskError::Vault(VaultError::SerialsUnknown)));
    for pattern in ["R", "{}", "{x}", "R-{1", "R-{1234567890123456789}", ""] {
        let plan = numbered(commission(other, vec![lot("Z", 2, 2)]), pattern);
        assert!(matches!(shop.refused(plan).await, DeskError::SerialPattern), "{pattern}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serials_follow_their_pieces_and_lost_ones_are_named() {
    let shop = Shop::new();
    shop.rings("RINGS", 10).await;
    let rework = |lost: &[&str], outputs| EventPlan {
        scrap: Quantity { mass_mg: 2 * KG, pieces: 2 },
        lost_serials: texts(lost),
        ..plan(Kind::Rework, &["RINGS"], outputs)
    };
    let silent = shop.refused(rework(&[], vec![lot("", 8, 8)])).await;
    assert!(matches!(silent, DeskError::SerialsLeft(2)), "{silent}");
    let few = shop.refused(rework(&["R-03"], vec![lot("", 8, 8)])).await;
    assert!(matches!(few, DeskError::SerialsLeft(1)), "{few}");
    for lost in [&["R-03", "R-03"][..], &["R-03", "R-99"]] {
        let error = shop.refused(rework(lost, vec![lot("", 8, 8)])).await;
        assert!(matches!(error, DeskError::UnknownSerial(_)), "{error}");
    }
    shop.make(rework(&["R-03", "R-07"], vec![lot("", 8, 8)])).await;
    let view = shop.named("RINGS").await.serials.unwrap();
    assert_eq!(view.runs, [(0, 2), (3, 3), (7, 3)]);
    assert!(shop.proof("RINGS", "R-03").await.is_err());
    // Some are picked, the others go on in their order.
    let picked = LotPlan { serials: texts(&["R-10", "R-01"]), ..lot("PICKED", 2, 2) };
    let split = vec![lot("REST", 6, 6), picked.clone()];
    let wrong = LotPlan { serials: texts(&["R-10"]), ..lot("PICKED", 2, 2) };
    let wrong = plan(Kind::Split, &["RINGS"], vec![lot("REST", 6, 6), wrong]);
    assert!(matches!(shop.refused(wrong).await, DeskError::SerialCount { serials: 1, pieces: 2 }));
    shop.make(plan(Kind::Split, &["RINGS"], split)).await;
    shop.proof("PICKED", "R-10").await.unwrap();
    assert_eq!(shop.named("REST").await.serials.unwrap().runs, [(1, 1), (3, 3), (7, 2)]);
    let merge = plan(Kind::Merge, &["PICKED", "REST"], vec![lot("ALL", 8, 8)]);
    shop.make(merge).await;
    assert_eq!(shop.named("ALL").await.serials.unwrap().runs, [(0, 2), (3, 3), (7, 3)]);
    // New serials for the same pieces; the old ones are of nothing any more.
    let relabel = numbered(plan(Kind::Relabel, &["ALL"], vec![named("NEW")]), "N{1}");
    shop.make(relabel).await;
    shop.proof("ALL", "N8").await.unwrap();
    assert!(shop.proof("NEW", "R-01").await.is_err());
    shop.make(plan(Kind::Service, &["NEW"], vec![])).await;
    shop.proof("NEW", "N1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn lots_of_different_trees_stay_apart() {
    let shop = Shop::new();
    let record = certified(&shop.desk, 1_000).await;
    shop.make(commission(record, vec![lot("ALL", 10, 10)])).await;
    shop.make(plan(Kind::Split, &["ALL"], vec![lot("A", 5, 5), lot("B", 5, 5)])).await;
    for (name, pattern) in [("A", "A{1}"), ("B", "B{1}")] {
        shop.make(numbered(plan(Kind::Rework, &[name], vec![lot("", 5, 5)]), pattern)).await;
    }
    let merge = plan(Kind::Merge, &["A", "B"], vec![lot("AB", 10, 10)]);
    assert!(matches!(shop.refused(merge).await, DeskError::SerialTrees));
    let apart = plan(Kind::Rework, &["A", "B"], vec![lot("A2", 5, 5), lot("B2", 5, 5)]);
    shop.make(apart).await;
    shop.proof("B2", "B5").await.unwrap();
    // No kind but those that number begins a tree.
    let split = plan(Kind::Split, &["A2"], vec![lot("C", 2, 2), lot("D", 3, 3)]);
    assert_eq!(rule(&shop.refused(numbered(split, "C{1}")).await), Some(LotError::Serials));
    let scattered = plan(Kind::Transform, &["A2"], vec![lot("E", 5, 5)]);
    let lost = EventPlan { lost_serials: texts(&["A1"]), ..scattered };
    assert!(matches!(shop.refused(lost).await, DeskError::NoSerials));
}

/// Slow: `cargo test -p heatmark-desk -- --ignored --nocapture a_million`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement of half a minute"]
async fn a_million_serials_cost_one_anchor() {
    let shop = Shop::new();
    let record = certified(&shop.desk, 1_000).await;
    let before = size(shop.chain.dir.path());
    let began = Instant::now();
    let million = LotPlan { pieces: 1_000_000, ..lot("BALLS", 1_000, 0) };
    shop.make(numbered(commission(record, vec![million]), "KB-{0000001}")).await;
    let made = began.elapsed();
    let began = Instant::now();
    let proof = shop.proof("BALLS", "KB-0777777").await.unwrap();
    let proved = began.elapsed();
    proof.verify(&shop.serials("BALLS").unwrap()).unwrap();
    let again = numbered(
        commission(certified(&shop.desk, 1_001).await, vec![lot("X", 1, 1)]),
        "KB-{0999999}",
    );
    assert!(matches!(shop.refused(again).await, DeskError::Vault(VaultError::SerialTaken(_))));
    eprintln!(
        "made in {made:?}, one proved in {proved:?} with {} bytes, {} bytes more on disk",
        proof.encode().len(),
        size(shop.chain.dir.path()) - before,
    );
}

fn size(directory: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(directory).unwrap();
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            match entry.metadata().unwrap() {
                data if data.is_dir() => size(&entry.path()),
                data => data.len(),
            }
        })
        .sum()
}
