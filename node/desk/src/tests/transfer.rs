//! Lots between two companies' desks on one log: offered, sent, received, refused, taken back, lapsed, and on to a third with
//! no more than may go on.

use super::lots::plan;
use super::{TestChain, publish, records_of, vault_of};
use crate::{
    CertificateFile, Desk, DeskError, DeskParts, EventPlan, LotPlan, Quantity, Receive, Seed,
    Shipped,
};
use heatmark_evidence::capsule::{Acceptance, Capsule, Mine, Outcome, inspect};
use heatmark_evidence::transfer::{Parcel, SignedFile as _};
use heatmark_ledger::Hash;
use heatmark_ledger::receipt::TrustRoot;
use heatmark_ledger::refusal::Refusal;
use heatmark_lots::Kind;
use heatmark_proto::desk::v1 as pb;
use heatmark_records::{FieldProof, RecordId, Said};
use heatmark_vault::{LotState, ParcelState, VaultError};
use prost::Message as _;
use std::sync::Arc;

const HEAT: &str = r#"{"Heatmark":"1","certificate/number":"H7","certificate/issued":"2026-01-02",
    "manufacturer/name":"Kesselbach","melt/country":"DE","product/name":"billet","heat":"H7","product/mass":"5 t",
    "chemistry":{"C":"0.11 %","Mn":"1.2 %"}}"#;

struct Company {
    desk: Desk,
    member: usize,
}

/// Companies with seeds and vaults of their own.
fn companies(chain: &Arc<TestChain>, count: usize) -> Vec<Company> {
    let company = |member: usize| {
        let vault = vault_of(chain, &format!("vault-{member}"));
        let seed = [u8::try_from(member).unwrap() + 40; 32];
        let desk = Desk::new(DeskParts {
            store: chain.store.clone(),
            intake: Arc::clone(&chain.intake),
            vault,
            member: chain.members[member].id,
            signing: chain.members[member].signing.clone(),
            trust: TrustRoot::from_genesis(&chain.genesis),
            seed: Seed::new(seed),
            acknowledged_through: chain.dir.path().join(format!("acknowledged-{member}")),
        });
        Company { desk, member }
    };
    (0..count).map(company).collect()
}

fn lot(name: &str, mass_mg: u64, pieces: u64) -> LotPlan {
    LotPlan { name: name.to_owned(), mass_mg, pieces, ..LotPlan::default() }
}

impl Company {
    /// Publishes the heat and makes a lot of it.
    async fn billet(&self, name: &str) -> RecordId {
        let heat = CertificateFile {
            name: "heat.json".into(),
            content: HEAT.into(),
            beside: Vec::new(),
            attests: None,
        };
        let record = records_of(&publish(&self.desk, vec![heat]).await).0[0];
        let commission = EventPlan {
            certificate: Some(record),
            ..plan(Kind::Commission, &[], vec![lot(name, 1_000, 4)])
        };
        self.desk.lot_event(commission).await.unwrap();
        record
    }

    async fn offer(&self, chain: &TestChain, to: &Self, seals: u32) {
        let sender = chain.members[to.member].id;
        let offer = self.desk.offer_seals(sender, seals, "PO 1".into(), false).await.unwrap();
        to.desk.take_offer(offer).await.unwrap();
    }

    async fn ship(&self, request: pb::ShipLotsRequest) -> ([u8; 32], Vec<u8>) {
        match self.desk.ship(request).await.unwrap() {
            Shipped::Underway { transfer, parcel } => (transfer, parcel),
            Shipped::Waiting { .. } => panic!("there were seals"),
        }
    }

    fn state(&self, lot: &str) -> Option<LotState> {
        self.desk.parts.vault.lot_named(lot).unwrap().map(|lot| lot.state)
    }

    fn parcel(&self, transfer: &[u8; 32]) -> ParcelState {
        self.desk.parts.vault.parcel(transfer).unwrap().unwrap().state
    }

    /// What a lot's capsule proves to whoever received it.
    async fn verdict(&self, chain: &TestChain, lot: &str) -> (Outcome, Vec<&'static str>) {
        let capsule = self.desk.capsule(lot.to_owned(), Vec::new(), true).await.unwrap();
        let row = self.desk.parts.vault.lot_named(lot).unwrap().unwrap();
        let open = heatmark_lots::OpenLot::decode(&row.open).unwrap();
        let mine = Mine { seals: vec![open.lot().seal], ..Mine::default() };
        let now = chain.store.tip().time;
        let acceptance = Acceptance { mine: Some(mine), ..Acceptance::at(now) };
        let verdict =
            inspect(&capsule, &TrustRoot::from_genesis(&chain.genesis), &acceptance).unwrap();
        (verdict.outcome(), verdict.codes())
    }
}

fn request(chain: &TestChain, lots: &[&str], to: usize) -> pb::ShipLotsRequest {
    pb::ShipLotsRequest {
        lots: lots.iter().map(|lot| (*lot).to_owned()).collect(),
        to: chain.members[to].id.to_vec(),
        as_file: true,
        ..pb::ShipLotsRequest::default()
    }
}

fn receive(parcel: &[u8]) -> Receive {
    Receive { parcel: parcel.to_vec(), ..Receive::default() }
}

/// The values that a capsule shows of a record, by path.
fn shown(capsule: &[u8], record: &RecordId) -> Vec<String> {
    let capsule = Capsule::decode(capsule).unwrap();
    let of = capsule.records.iter().find(|known| known.record == record.0).unwrap();
    let fields = of.fields.iter().map(|field| FieldProof::decode(field).unwrap());
    let shown = fields.filter(|field| matches!(field.said, Said::Shown { .. }));
    shown.map(|field| field.path.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lot_goes_to_its_receiver_and_on_with_what_may_go_on() {
    let chain = TestChain::new(3);
    chain.keep_producing();
    let [mill, forge, buyer] = companies(&chain, 3).try_into().ok().unwrap();
    let record = mill.billet("B").await;
    forge.offer(&chain, &mill, 2).await;
    let shipped = pb::ShipLotsRequest {
        show: vec!["chemistry/*".into()],
        onward: vec!["melt/country".into()],
        ..request(&chain, &["B"], 1)
    };
    let (transfer, parcel) = mill.ship(shipped).await;
    assert_eq!(mill.state("B"), Some(LotState::Leaving));
    let view = forge.desk.read_parcel(parcel.clone()).await.unwrap();
    assert_eq!((view.lots[0].mass_mg, view.lots[0].pieces), (1_000, 4));
    assert_eq!(view.lots[0].verdict.outcome(), Outcome::Accept, "{:?}", view.lots[0].verdict);
    let made = forge.desk.receive(receive(&parcel)).await.unwrap();
    assert_eq!((made.lots[0].name.as_str(), made.lots[0].mass_mg), ("B", 1_000));
    mill.desk.settle_parcels_once().await.unwrap();
    assert_eq!(mill.state("B"), Some(LotState::Used));
    assert_eq!(mill.parcel(&transfer), ParcelState::Accepted);
    assert_eq!(forge.verdict(&chain, "B").await, (Outcome::Accept, vec![]));
    let own = forge.desk.capsule("B".into(), Vec::new(), true).await.unwrap();
    assert_eq!(shown(&own, &record), ["chemistry/C", "chemistry/Mn", "melt/country"]);
    let for_anybody = forge.desk.capsule("B".into(), Vec::new(), false).await.unwrap();
    assert_eq!(shown(&for_anybody, &record), ["melt/country"]);
    // Worked on and sent on: the buyer sees what the mill let go on, and checks all of it.
    let rings = plan(Kind::Transform, &["B"], vec![lot("R", 900, 9)]);
    forge
        .desk
        .lot_event(EventPlan { scrap: Quantity { mass_mg: 100, pieces: 0 }, ..rings })
        .await
        .unwrap();
    buyer.offer(&chain, &forge, 1).await;
    let (_, parcel) = forge.ship(request(&chain, &["R"], 2)).await;
    buyer.desk.receive(receive(&parcel)).await.unwrap();
    assert_eq!(buyer.verdict(&chain, "R").await, (Outcome::Accept, vec![]));
    let capsule = buyer.desk.capsule("R".into(), Vec::new(), false).await.unwrap();
    assert_eq!(shown(&capsule, &record), ["melt/country"]);
    // Nothing that the buyer was given opens the billet's quantities.
    let billet = forge.desk.parts.vault.lot_named("B").unwrap().unwrap();
    assert!(!parcel.windows(32).any(|at| billet.open[billet.open.len() - 32..] == *at));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_liar_sends_spoils_no_other_capsule() {
    let chain = TestChain::new(3);
    chain.keep_producing();
    let [mill, forge, buyer] = companies(&chain, 3).try_into().ok().unwrap();
    mill.billet("B").await;
    forge.offer(&chain, &mill, 1).await;
    let (_, parcel) = mill.ship(request(&chain, &["B"], 1)).await;
    forge.desk.receive(receive(&parcel)).await.unwrap();
    let halves = ["R", "S", "T"].map(|name| lot(name, 250, 1)).to_vec();
    let halves = [halves, vec![lot("U", 250, 1)]].concat();
    forge.desk.lot_event(plan(Kind::Split, &["B"], halves)).await.unwrap();
    buyer.offer(&chain, &forge, 3).await;
    let (_, good) = forge.ship(request(&chain, &["R"], 2)).await;
    buyer.desk.receive(receive(&good)).await.unwrap();
    // Each lie is in a parcel that its receiver takes against its node's advice.
    type Lie = fn(&mut Capsule);
    let lies: [(&str, Lie); 2] = [
        ("S", |capsule| capsule.events[0].blinds[3] ^= 1),
        ("T", |capsule| capsule.records[0].path[3] ^= 1),
    ];
    for (name, lie) in lies {
        let (_, parcel) = forge.ship(request(&chain, &[name], 2)).await;
        let mut parcel = Parcel::decode(parcel.as_slice()).unwrap();
        let mut capsule = Capsule::decode(&parcel.lots[0].capsule).unwrap();
        lie(&mut capsule);
        parcel.lots[0].capsule = capsule.encode_to_vec();
        let network = chain.intake.network();
        let parcel = parcel.signed(&network, &chain.members[1].signing);
        let refused = buyer.desk.receive(receive(&parcel)).await;
        assert!(matches!(refused, Err(DeskError::Rejected(..))), "{name}: {refused:?}");
        let anyway = Receive { anyway: true, ..receive(&parcel) };
        buyer.desk.receive(anyway).await.unwrap();
        assert_eq!(buyer.verdict(&chain, "R").await, (Outcome::Accept, vec![]), "after {name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_lot_to_two_receivers_is_accepted_by_one() {
    let chain = TestChain::new(3);
    chain.keep_producing();
    let [mill, forge, buyer] = companies(&chain, 3).try_into().ok().unwrap();
    mill.billet("B").await;
    forge.offer(&chain, &mill, 1).await;
    buyer.offer(&chain, &mill, 1).await;
    let (first, to_forge) = mill.ship(request(&chain, &["B"], 1)).await;
    let second = mill.desk.ship(request(&chain, &["B"], 2)).await;
    assert!(matches!(second, Err(DeskError::Vault(VaultError::LotUsed(_)))));
    // A mill that forgets on purpose: its vault frees the lot while the first parcel is underway.
    mill.desk.parts.vault.parcel_lapsed(&first).unwrap();
    let (_, to_buyer) = mill.ship(request(&chain, &["B"], 2)).await;
    buyer.desk.receive(receive(&to_buyer)).await.unwrap();
    let late = forge.desk.receive(receive(&to_forge)).await;
    assert!(matches!(late, Err(DeskError::Refused(Refusal::SealBroken))), "{late:?}");
    assert!(forge.state("B").is_none() && buyer.state("B") == Some(LotState::Standing));
    assert_eq!(forge.parcel(&first), ParcelState::Lapsed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_posted_is_taken_back_or_lapses() {
    let chain = TestChain::new(2);
    chain.keep_producing();
    let [mill, forge] = companies(&chain, 2).try_into().ok().unwrap();
    mill.billet("B").await;
    forge.offer(&chain, &mill, 3).await;
    let (transfer, parcel) = mill.ship(request(&chain, &["B"], 1)).await;
    let back = mill.desk.cancel_parcel(transfer).await.unwrap();
    assert_eq!((back.lots[0].name.as_str(), mill.state("B")), ("B", Some(LotState::Standing)));
    assert_eq!(mill.parcel(&transfer), ParcelState::Cancelled);
    let late = forge.desk.receive(receive(&parcel)).await;
    assert!(matches!(late, Err(DeskError::Refused(Refusal::SealBroken))), "{late:?}");
    assert!(forge.state("B").is_none());
    // Its seal under the first parcel is spent; the next parcel goes under the next one.
    let (transfer, parcel) = mill.ship(request(&chain, &["B"], 1)).await;
    chain.produce(Some(super::chain::now_ms() + 31 * 86_400_000));
    mill.desk.settle_parcels_once().await.unwrap();
    assert_eq!(mill.parcel(&transfer), ParcelState::Lapsed);
    assert_eq!(mill.state("B"), Some(LotState::Standing));
    assert!(forge.desk.receive(receive(&parcel)).await.is_err());
    assert!(forge.state("B").is_none());
    let gone = mill.desk.cancel_parcel(transfer).await;
    assert!(matches!(gone, Err(DeskError::Vault(VaultError::NotUnderway))), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parcel_is_for_its_receiver_from_its_sender_and_whole() {
    let chain = TestChain::new(3);
    chain.keep_producing();
    let [mill, forge, buyer] = companies(&chain, 3).try_into().ok().unwrap();
    mill.billet("B").await;
    forge.offer(&chain, &mill, 1).await;
    let (_, parcel) = mill.ship(request(&chain, &["B"], 1)).await;
    let stranger = buyer.desk.receive(receive(&parcel)).await;
    assert!(matches!(stranger, Err(DeskError::NotForUs)), "{stranger:?}");
    for at in (0..parcel.len()).step_by(7) {
        let mut changed = parcel.clone();
        changed[at] ^= 1;
        assert!(forge.desk.read_parcel(changed).await.is_err(), "byte {at} does not matter");
    }
    assert!(forge.desk.read_parcel(parcel[..parcel.len() - 1].to_vec()).await.is_err());
    forge.desk.receive(receive(&parcel)).await.unwrap();
    let again = forge.desk.receive(receive(&parcel)).await;
    assert!(again.is_err());
    assert_eq!(forge.desk.parts.vault.lots(None, 9).unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_counts_for_its_sender_alone() {
    let chain = TestChain::new(3);
    chain.keep_producing();
    let [mill, forge, buyer] = companies(&chain, 3).try_into().ok().unwrap();
    mill.billet("B").await;
    let mill_id = chain.members[0].id;
    let offer = forge.desk.offer_seals(mill_id, 1, String::new(), false).await.unwrap();
    assert!(matches!(buyer.desk.take_offer(offer.clone()).await, Err(DeskError::NotForUs)));
    for at in (0..offer.len()).step_by(3) {
        let mut changed = offer.clone();
        changed[at] ^= 1;
        assert!(mill.desk.take_offer(changed).await.is_err(), "byte {at} does not matter");
    }
    let early = mill.desk.ship(request(&chain, &["B"], 1)).await;
    assert!(matches!(early, Err(DeskError::NoSeals(_))), "{early:?}");
    mill.desk.take_offer(offer.clone()).await.unwrap();
    mill.desk.take_offer(offer).await.unwrap();
    let (_, parcel) = mill.ship(request(&chain, &["B"], 1)).await;
    forge.desk.receive(receive(&parcel)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_cut_off_while_receiving_is_finished_by_the_next_run() {
    let chain = TestChain::new(2);
    chain.keep_producing();
    let [mill, forge] = companies(&chain, 2).try_into().ok().unwrap();
    mill.billet("B").await;
    forge.offer(&chain, &mill, 1).await;
    let (transfer, parcel) = mill.ship(request(&chain, &["B"], 1)).await;
    // Cut off as soon as the lots are on disk.
    {
        let receiving = forge.desk.receive(receive(&parcel));
        let kept = async {
            while forge.state("B").is_none() {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        };
        tokio::select! { _ = receiving => {}, () = kept => {} }
    }
    forge.desk.resume_events_once().await.unwrap();
    assert_eq!(forge.state("B"), Some(LotState::Standing));
    mill.desk.settle_parcels_once().await.unwrap();
    assert_eq!(mill.parcel(&transfer), ParcelState::Accepted);
    assert_eq!(forge.parcel(&transfer), ParcelState::Accepted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capsule_with_an_event_left_out_or_a_recalled_heat_is_refused_at_the_door() {
    let chain = TestChain::new(2);
    chain.keep_producing();
    let [mill, forge] = companies(&chain, 2).try_into().ok().unwrap();
    let record = mill.billet("B").await;
    forge.offer(&chain, &mill, 2).await;
    let recall = heatmark_ledger::messages::AlertLevel::Recall;
    mill.desk
        .alert(crate::AlertOn::OwnRecord(Hash(record.0)), recall, "cracks".into())
        .await
        .unwrap();
    let (_, parcel) = mill.ship(request(&chain, &["B"], 1)).await;
    let view = forge.desk.read_parcel(parcel.clone()).await.unwrap();
    assert_eq!(view.lots[0].verdict.codes(), ["recalled"]);
    let refused = forge.desk.receive(receive(&parcel)).await;
    assert!(
        matches!(&refused, Err(DeskError::Rejected(lot, codes)) if lot == "B" && codes == "recalled"),
        "{refused:?}"
    );
    assert!(forge.state("B").is_none());
    let answer = forge.desk.refuse(parcel.clone(), "recalled".into()).await.unwrap();
    let forge_id = chain.members[1].id;
    let said = mill.desk.consider(forge_id, "lots.heatmark-answer", &answer).await;
    said.unwrap().unwrap();
    let stranger = mill.desk.consider(chain.members[0].id, "lots.heatmark-answer", &answer).await;
    assert!(stranger.unwrap().is_err());
    let row = mill.desk.parcels().await.unwrap().0.remove(0);
    assert_eq!(row.state, ParcelState::Refused);
    assert_eq!(mill.desk.answer_in(&row).unwrap().text, "recalled");
    // It can be taken for what it is.
    let anyway = Receive { anyway: true, ..receive(&parcel) };
    assert!(forge.desk.receive(anyway).await.is_err(), "it was refused, and is not received too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_was_received_is_taken_apart_by_its_receiver() {
    let chain = TestChain::new(3);
    chain.keep_producing();
    let [mill, forge, buyer] = companies(&chain, 3).try_into().ok().unwrap();
    mill.billet("B").await;
    let rings = vec![lot("R1", 400, 1), lot("R2", 300, 1), lot("R3", 300, 2)];
    mill.desk.lot_event(plan(Kind::Split, &["B"], rings)).await.unwrap();
    let pallet = plan(Kind::Aggregate, &["R1", "R2"], vec![lot("PALLET", 0, 0)]);
    mill.desk.lot_event(pallet).await.unwrap();
    let box_of_it = plan(Kind::Aggregate, &["PALLET", "R3"], vec![lot("BOX", 0, 0)]);
    mill.desk.lot_event(box_of_it).await.unwrap();
    forge.offer(&chain, &mill, 1).await;
    let (_, parcel) = mill.ship(request(&chain, &["BOX"], 1)).await;
    forge.desk.receive(receive(&parcel)).await.unwrap();
    // Unopened to another, who opens it, and what is in it.
    buyer.offer(&chain, &forge, 1).await;
    let (_, parcel) = forge.ship(request(&chain, &["BOX"], 2)).await;
    buyer.desk.receive(receive(&parcel)).await.unwrap();
    buyer.desk.lot_event(plan(Kind::Disaggregate, &["BOX"], vec![])).await.unwrap();
    buyer.desk.lot_event(plan(Kind::Disaggregate, &["PALLET"], vec![])).await.unwrap();
    for (name, mass_mg) in [("R1", 400), ("R2", 300), ("R3", 300)] {
        assert_eq!(buyer.desk.lot_named(name.to_owned()).await.unwrap().mass_mg, mass_mg);
        assert_eq!(buyer.verdict(&chain, name).await, (Outcome::Accept, vec![]), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn components_that_are_not_a_containers_are_refused() {
    let chain = TestChain::new(2);
    chain.keep_producing();
    let [mill, forge] = companies(&chain, 2).try_into().ok().unwrap();
    mill.billet("B").await;
    let rings = vec![lot("R1", 400, 1), lot("R2", 600, 3)];
    mill.desk.lot_event(plan(Kind::Split, &["B"], rings)).await.unwrap();
    let pallet = plan(Kind::Aggregate, &["R1", "R2"], vec![lot("PALLET", 0, 0)]);
    mill.desk.lot_event(pallet).await.unwrap();
    forge.offer(&chain, &mill, 1).await;
    let (_, parcel) = mill.ship(request(&chain, &["PALLET"], 1)).await;
    let honest = Parcel::decode(parcel.as_slice()).unwrap();
    let network = chain.genesis.network();
    let with = |change: &dyn Fn(&mut Parcel)| {
        let mut parcel = honest.clone();
        change(&mut parcel);
        parcel.signed(&network, &chain.members[0].signing)
    };
    let read = |parcel: Vec<u8>| forge.desk.read_parcel(parcel);
    let swap = with(&|parcel| parcel.assemblies[0].components.swap(0, 1));
    let fewer = with(&|parcel| drop(parcel.assemblies[0].components.pop()));
    let salted = with(&|parcel| parcel.assemblies[0].salt[0] ^= 1);
    let product = with(&|parcel| parcel.assemblies[0].product = true);
    let stranger = with(&|parcel| {
        parcel.assemblies[0].class = vec![7; 32];
    });
    for wrong in [swap, fewer, salted, product, stranger] {
        let refused = read(wrong).await;
        assert!(matches!(&refused, Err(DeskError::Transfer(_))), "{refused:?}");
    }
    read(with(&|_| ())).await.unwrap();
    // Not told, it is received all the same, and cannot be taken apart.
    let bare = with(&|parcel| parcel.assemblies.clear());
    forge.desk.receive(receive(&bare)).await.unwrap();
    let closed = forge.desk.lot_event(plan(Kind::Disaggregate, &["PALLET"], vec![])).await;
    assert!(matches!(closed, Err(DeskError::NotAssembled(_))), "{closed:?}");
}
