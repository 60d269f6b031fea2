//! Every kind of event at the desk: what each keeps, what it refuses, and under which name its lots are found again.

use super::lots::{KG, certified, commission, lot, plan};
use super::{TestChain, chain, desk_of, vault_of};
use crate::{Desk, DeskError, EventPlan, LotPlan, LotView, Quantity, process_fields};
use heatmark_lots::{Event, Kind, LotError, MakeError};
use heatmark_vault::{LotState, Vault, VaultError};
use std::sync::Arc;

pub(super) struct Shop {
    /// Keeps the chain's directory.
    pub(super) chain: Arc<TestChain>,
    pub(super) vault: Arc<Vault>,
    pub(super) desk: Desk,
}

impl Shop {
    pub(super) fn new() -> Self {
        let chain = TestChain::new(1);
        chain.keep_producing();
        let vault = vault_of(&chain, "vault");
        let desk = desk_of(&chain, 0, Arc::clone(&vault));
        Self { chain, vault, desk }
    }

    /// Lots of one kilogram and piece each, of a certificate of their own.
    pub(super) async fn stock(&self, names: &[&str]) {
        let kg = 1_000 + self.vault.records(&[], 99).unwrap().len() as u64;
        let record = certified(&self.desk, kg).await;
        let lots = names.iter().map(|name| lot(name, 1, 1)).collect();
        self.desk.lot_event(commission(record, lots)).await.unwrap();
    }

    pub(super) async fn make(&self, plan: EventPlan) -> Vec<LotView> {
        self.desk.lot_event(plan).await.unwrap().lots
    }

    pub(super) async fn refused(&self, plan: EventPlan) -> DeskError {
        self.desk.lot_event(plan).await.unwrap_err()
    }

    pub(super) async fn named(&self, name: &str) -> LotView {
        self.desk.lot_named(name.to_owned()).await.unwrap()
    }

    async fn standing(&self) -> Vec<String> {
        let lots = self.desk.lots(None, 99).await.unwrap();
        let standing = lots.into_iter().filter(|lot| lot.state == LotState::Standing);
        let mut names: Vec<String> = standing.map(|lot| lot.name).collect();
        names.sort();
        names
    }

    fn event_of(&self, name: &str) -> Event {
        let row = self.vault.lot_named(name).unwrap().unwrap();
        Event::decode(&self.vault.lot_event(&row.event).unwrap().unwrap().event).unwrap()
    }
}

pub(super) fn named(name: &str) -> LotPlan {
    LotPlan { name: name.to_owned(), ..LotPlan::default() }
}

pub(super) fn rule(error: &DeskError) -> Option<LotError> {
    match error {
        DeskError::Lots(MakeError::Rule(rule)) => Some(*rule),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blend_declares_what_has_no_certificate() {
    let shop = Shop::new();
    shop.stock(&["A"]).await;
    shop.stock(&["B"]).await;
    let silent = plan(Kind::Blend, &["A", "B"], vec![lot("M", 3, 1)]);
    let error = shop.refused(silent).await;
    assert!(matches!(error, DeskError::Lots(MakeError::Unbalanced)), "{error}");
    let added = Some(Quantity { mass_mg: KG, pieces: 0 });
    let told =
        EventPlan { uncertified: added, ..plan(Kind::Blend, &["A", "B"], vec![lot("M", 3, 1)]) };
    shop.make(told).await;
    assert_eq!(shop.event_of("M").uncertified.unwrap().permille, 334);
    // Two certificates go into one in no other way, and nothing else declares.
    shop.stock(&["C"]).await;
    let mixed = shop.refused(plan(Kind::Transform, &["M", "C"], vec![lot("X", 4, 1)])).await;
    assert_eq!(rule(&mixed), Some(LotError::Class));
    let smuggled =
        EventPlan { uncertified: added, ..plan(Kind::Transform, &["C"], vec![lot("X", 2, 1)]) };
    assert_eq!(rule(&shop.refused(smuggled).await), Some(LotError::WrongPart));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_gives_its_lots_back_under_their_names() {
    let shop = Shop::new();
    shop.stock(&["A", "B"]).await;
    shop.stock(&["C"]).await;
    let box_ = LotPlan { product: "pallet".to_owned(), ..named("BOX") };
    let made = shop.make(plan(Kind::Aggregate, &["A", "C"], vec![box_])).await;
    assert_eq!((made[0].mass_mg, made[0].pieces, made[0].product.as_str()), (2 * KG, 2, "pallet"));
    let outer = LotPlan { product: "container".to_owned(), ..named("SHIP") };
    shop.make(plan(Kind::Aggregate, &["BOX", "B"], vec![outer])).await;
    assert_eq!(shop.standing().await, ["SHIP"]);
    // Another seal does not keep a container closed for ever.
    shop.make(plan(Kind::Service, &["SHIP"], vec![])).await;
    let some = shop.refused(plan(Kind::Disaggregate, &["SHIP"], vec![named("only one")])).await;
    assert_eq!(rule(&some), Some(LotError::Components));
    let more = LotPlan { mass_mg: 2 * KG, ..named("") };
    let more = plan(Kind::Disaggregate, &["SHIP"], vec![named(""), more]);
    assert!(matches!(shop.refused(more).await, DeskError::LotKept));
    shop.make(plan(Kind::Disaggregate, &["SHIP"], vec![])).await;
    assert_eq!(shop.standing().await, ["B", "BOX"]);
    shop.make(plan(Kind::Disaggregate, &["BOX"], vec![named(""), named("C2")])).await;
    assert_eq!(shop.standing().await, ["A", "B", "C2"]);
    assert_eq!(shop.named("A").await.product, "billet");
    assert_eq!(shop.event_of("A").components.len(), 2);
    let plain = shop.refused(plan(Kind::Disaggregate, &["A"], vec![])).await;
    assert!(matches!(plain, DeskError::NotAssembled(name) if name == "A"));
    let product = shop.refused(plan(Kind::Remove, &["A"], vec![])).await;
    assert!(matches!(product, DeskError::NotAssembled(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_installed_comes_out_of_the_product_again() {
    let shop = Shop::new();
    shop.stock(&["PUMP", "BEARING", "SEAL", "SPARE"]).await;
    let made = shop.make(plan(Kind::Install, &["PUMP", "BEARING", "SEAL"], vec![])).await;
    assert_eq!((made[0].name.as_str(), made[0].mass_mg, made[0].pieces), ("PUMP", 3 * KG, 1));
    let remove = |names: &[&str], outputs| EventPlan {
        removed: names.iter().map(|name| (*name).to_owned()).collect(),
        ..plan(Kind::Remove, &["PUMP"], outputs)
    };
    for inside in ["SPARE", "PUMP"] {
        let error = shop.refused(remove(&[inside], vec![])).await;
        assert!(matches!(error, DeskError::NotInside(name) if name == inside));
    }
    assert!(shop.desk.lot_event(remove(&[], vec![])).await.is_err());
    shop.make(remove(&["BEARING"], vec![named("BEARING-OLD")])).await;
    assert_eq!(shop.named("PUMP").await.mass_mg, 2 * KG);
    assert_eq!(shop.event_of("PUMP").removed, [1]);
    shop.make(plan(Kind::Install, &["PUMP", "SPARE"], vec![])).await;
    shop.make(remove(&["SPARE"], vec![])).await;
    shop.make(remove(&["SEAL"], vec![])).await;
    assert_eq!(shop.standing().await, ["BEARING-OLD", "PUMP", "SEAL", "SPARE"]);
    let bare = shop.refused(remove(&["SEAL"], vec![])).await;
    assert!(matches!(bare, DeskError::NotAssembled(_)));
    // Repaired since, it is no longer what was put together.
    shop.make(plan(Kind::Install, &["PUMP", "SEAL"], vec![])).await;
    let scrap = Quantity { mass_mg: 1, pieces: 0 };
    shop.make(EventPlan { scrap, ..plan(Kind::Repair, &["PUMP"], vec![]) }).await;
    assert_eq!(rule(&shop.refused(remove(&["SEAL"], vec![])).await), Some(LotError::Components));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_keeps_pieces_and_declares_what_it_adds() {
    let shop = Shop::new();
    shop.stock(&["PUMP"]).await;
    let weld = EventPlan {
        scrap: Quantity { mass_mg: 30_000, pieces: 0 },
        uncertified: Some(Quantity { mass_mg: 50_000, pieces: 0 }),
        process: vec![("station".to_owned(), "W2".to_owned())],
        ..plan(Kind::Repair, &["PUMP"], vec![])
    };
    let counted = LotPlan { pieces: 2, ..named("") };
    let two = EventPlan { outputs: vec![counted], ..weld.clone() };
    assert!(matches!(shop.refused(two).await, DeskError::LotKept));
    let light = EventPlan { outputs: vec![LotPlan { mass_mg: KG, ..named("") }], ..weld.clone() };
    let error = shop.refused(light).await;
    assert!(matches!(error, DeskError::Lots(MakeError::Unbalanced)), "{error}");
    let made = shop.make(weld).await;
    assert_eq!((made[0].name.as_str(), made[0].mass_mg, made[0].pieces), ("PUMP", 1_020_000, 1));
    assert_eq!(made[0].process, [("station".to_owned(), "W2".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weighing_finds_little_more_and_any_less() {
    let shop = Shop::new();
    shop.stock(&["COIL"]).await;
    let weigh = |mass_mg, pieces| EventPlan {
        reason: "scale 4".to_owned(),
        ..plan(Kind::Adjust, &["COIL"], vec![LotPlan { mass_mg, pieces, ..named("") }])
    };
    let silent = EventPlan { reason: String::new(), ..weigh(KG, 1) };
    assert_eq!(rule(&shop.refused(silent).await), Some(LotError::WrongPart));
    let far = shop.refused(weigh(KG + 5_001, 1)).await;
    assert!(matches!(far, DeskError::BeyondTolerance(5)));
    let told = EventPlan { tolerance_permille: 4, ..weigh(KG + 5_000, 1) };
    assert!(matches!(shop.refused(told).await, DeskError::BeyondTolerance(4)));
    let more = shop.refused(weigh(KG, 2)).await;
    assert!(matches!(more, DeskError::Lots(MakeError::Unbalanced)), "{more}");
    let made = shop.make(weigh(KG + 5_000, 1)).await;
    assert_eq!((made[0].mass_mg, made[0].name.as_str()), (KG + 5_000, "COIL"));
    assert_eq!(shop.event_of("COIL").gain.unwrap().permille, 5);
    let declared = EventPlan {
        uncertified: Some(Quantity { mass_mg: KG, pieces: 1 }),
        ..weigh(2 * KG + 5_000, 2)
    };
    shop.make(declared).await;
    let made = shop.make(weigh(KG, 0)).await;
    assert_eq!((made[0].mass_mg, made[0].pieces), (KG, 0));
    assert_eq!(shop.named("COIL").await.from, ["COIL"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_name_leads_to_what_the_lot_is_now() {
    let shop = Shop::new();
    shop.stock(&["OLD"]).await;
    shop.make(plan(Kind::Relabel, &["OLD"], vec![named("MID")])).await;
    shop.make(plan(Kind::Relabel, &["MID"], vec![named("NEW")])).await;
    let old = shop.named("OLD").await;
    assert_eq!(
        (old.state, old.used_by, old.became),
        (LotState::Used, Some("relabel"), vec!["NEW".to_owned()])
    );
    // What is typed from the old label works on the lot that it is now.
    shop.make(plan(Kind::Transform, &["OLD"], vec![lot("RING", 1, 9)])).await;
    assert_eq!(shop.named("RING").await.from, ["NEW"]);
    assert_eq!(shop.named("MID").await.became, ["NEW"]);
    assert_eq!(shop.named("NEW").await.became, ["RING"]);
    // Nobody else gets an old name.
    shop.stock(&["X"]).await;
    let taken = shop.refused(plan(Kind::Relabel, &["X"], vec![named("OLD")])).await;
    assert!(matches!(taken, DeskError::Vault(VaultError::LotNameTaken(_))));
    let heavier = LotPlan { mass_mg: KG + 1, ..named("Y") };
    let heavier = shop.refused(plan(Kind::Relabel, &["X"], vec![heavier])).await;
    assert!(matches!(heavier, DeskError::LotKept));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_goes_back_when_the_event_that_took_it_lapses() {
    let shop = Shop::new();
    shop.stock(&["A", "B"]).await;
    let before = shop.vault.lot_named("A").unwrap().unwrap().hash;
    let desk = shop.desk.clone();
    let kept = tokio::task::spawn_blocking(move || {
        let install = plan(Kind::Install, &["A", "B"], vec![]);
        let made = desk.make_event(&install).unwrap();
        let digest = made.row.digest;
        desk.keep_event(made).map(|_| digest)
    });
    let digest = kept.await.unwrap().unwrap();
    let taken = shop.vault.lot_named("A").unwrap().unwrap();
    assert!(taken.hash != before && taken.state == LotState::Coming);
    let class = heatmark_lots::OpenLot::decode(&taken.open).unwrap().lot().content.class.0;
    assert!(shop.vault.parts(&class).unwrap().is_some());
    shop.vault.event_lapsed(&digest).unwrap();
    assert_eq!(shop.vault.lot_named("A").unwrap().unwrap().hash, before);
    assert!(shop.vault.parts(&class).unwrap().is_none());
    assert_eq!(shop.standing().await, ["A", "B"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_lot_is_used_for_a_reason_only() {
    let shop = Shop::new();
    let record = certified(&shop.desk, 1_000).await;
    let soon = chain::now_ms() - 1;
    let glue = LotPlan { expires_ms: soon, ..lot("GLUE", 2, 2) };
    shop.make(commission(record, vec![glue, lot("FILM", 1, 1)])).await;
    let cut = plan(Kind::Transform, &["GLUE", "FILM"], vec![lot("TAPE", 3, 3)]);
    let refused = shop.refused(cut.clone()).await;
    assert!(matches!(refused, DeskError::LotExpired(name) if name == "GLUE"));
    let longer = LotPlan { expires_ms: soon + 90_000, ..named("") };
    let silent = plan(Kind::Service, &["GLUE"], vec![longer.clone()]);
    assert!(matches!(shop.refused(silent.clone()).await, DeskError::LotExpired(_)));
    shop.make(EventPlan { reason: "tested again".to_owned(), ..silent }).await;
    assert_eq!(shop.named("GLUE").await.expires_ms, soon + 90_000);
    // What it is made into lasts no longer, unless somebody says so.
    shop.make(cut).await;
    assert_eq!(shop.named("TAPE").await.expires_ms, soon + 90_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_stands_in_the_event_and_opens_in_the_vault() {
    let shop = Shop::new();
    shop.stock(&["A"]).await;
    let told = [("die", "D-77"), ("load", "HT-9"), ("operator", "op-3")];
    let told: Vec<(String, String)> =
        told.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let forge =
        |process| EventPlan { process, ..plan(Kind::Transform, &["A"], vec![lot("R", 1, 10)]) };
    for (name, text) in
        [("Die", "x"), ("", "x"), ("a/b", "x"), ("die", ""), ("die", "a\nb"), ("die", " ")]
    {
        let error = shop.refused(forge(vec![(name.to_owned(), text.to_owned())])).await;
        assert!(matches!(error, DeskError::ProcessField), "{name}={text}: {error}");
    }
    let twice = shop.refused(forge([&told[..1], &told[..1]].concat())).await;
    assert!(matches!(twice, DeskError::ProcessField));
    let made = shop.make(forge(told.clone())).await;
    assert_eq!(made[0].process, told);
    let row = shop.vault.lot_named("R").unwrap().unwrap();
    let process = shop.vault.process(&row.event).unwrap().unwrap();
    assert_eq!(process_fields(&process), told);
    assert_eq!(shop.event_of("R").process, Some(process.check().unwrap()));
    let mut found = Vec::new();
    let each = shop.vault.each_process(|event, process| {
        found.push((event, process_fields(&process)));
        Ok(true)
    });
    each.unwrap();
    assert_eq!(found, [(row.event, told)]);
    // Nothing was told of what was commissioned.
    let billet = shop.vault.lot_named("A").unwrap().unwrap();
    assert!(shop.vault.process(&billet.event).unwrap().is_none());
    drop(shop.chain);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_within_the_house_keeps_everything_and_a_disposal_nothing() {
    let shop = Shop::new();
    shop.stock(&["A", "B"]).await;
    let back =
        EventPlan { reason: "wrong shop".to_owned(), ..plan(Kind::Return, &["A", "B"], vec![]) };
    shop.make(back).await;
    assert_eq!(shop.standing().await, ["A", "B"]);
    let other = plan(Kind::Return, &["A"], vec![LotPlan { expires_ms: 5, ..named("") }]);
    assert_eq!(rule(&shop.refused(other).await), Some(LotError::Changed));
    let less = vec![LotPlan { mass_mg: KG - 1, ..named("") }];
    let less = EventPlan { reason: "typed wrong".to_owned(), ..plan(Kind::Correct, &["A"], less) };
    let made = shop.make(less).await;
    assert_eq!((made[0].mass_mg, made[0].pieces), (KG - 1, 0));
}
