//! A town of desks on one log that write letters to each other, stop and start again.

use crate::post::Carrier;
use crate::tests::chain::TestChain;
use crate::tests::{publish, records_of, vault_of};
use crate::{
    CertificateFile, DealPlan, DealView, DepositPlan, Desk, DeskParts, Lengths, RetentionClasses,
    SectionPlan, Seed,
};
use ed25519_dalek::SigningKey;
use heatmark_escrow::Policy;
use heatmark_escrow::files::Pieces;
use heatmark_evidence::Selection;
use heatmark_evidence::transfer::SignedFile as _;
use heatmark_exchange::{Answer, Letter, LetterError};
use heatmark_ledger::ids::{MemberId, NetworkId};
use heatmark_ledger::receipt::TrustRoot;
use heatmark_proto::exchange::v1 as pb;
use heatmark_records::RecordId;
use heatmark_vault::{DealRole, Vault};
use prost::Message as _;
use prost::bytes::Bytes;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub(super) const PATIENCE: Duration = Duration::from_secs(120);
pub(super) const OWNER: usize = 0;
pub(super) const BUYER: usize = 6;
pub(super) const ARBITER: usize = 7;

type Boxes = Arc<Mutex<BTreeMap<MemberId, mpsc::Sender<Letter>>>>;

/// Members that send other ciphertext than what they hold.
type Liars = Arc<Mutex<BTreeSet<MemberId>>>;

/// Carries letters between the desks that are up.
struct Wire {
    from: MemberId,
    signing: SigningKey,
    network: NetworkId,
    liars: Liars,
    boxes: Boxes,
    up: watch::Sender<Vec<MemberId>>,
}

impl Carrier for Wire {
    fn post(
        &self,
        to: MemberId,
        letter: Bytes,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, LetterError>> + Send + '_>> {
        let there = self.boxes.lock().unwrap().get(&to).cloned();
        let lies = self.liars.lock().unwrap().contains(&self.from);
        let letter = if lies { self.falsified(letter) } else { letter };
        Box::pin(async move {
            let there = there.ok_or(LetterError::Away)?;
            let (answer, heard) = oneshot::channel();
            let letter = Letter { from: self.from, content: letter, answer };
            there.send(letter).await.map_err(|_| LetterError::Away)?;
            heard.await.map_err(|_| LetterError::Unanswered)
        })
    }

    fn connected(&self) -> watch::Receiver<Vec<MemberId>> {
        self.up.subscribe()
    }
}

impl Wire {
    /// The letter, with a bit of every piece of ciphertext in it turned.
    fn falsified(&self, letter: Bytes) -> Bytes {
        let mut read = pb::Letter::decode(letter.clone()).unwrap();
        if read.name != "pieces.heatmark-pieces" {
            return letter;
        }
        let mut file = Pieces::decode(read.content.as_slice()).unwrap();
        file.pieces.iter_mut().for_each(|piece| piece[0] ^= 1);
        read.content = file.signed(&self.network, &self.signing);
        read.encode_to_vec().into()
    }
}

struct Running {
    desk: Desk,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Eight companies: an owner, five agents, a buyer, an arbiter.
pub(super) struct Town {
    pub(super) chain: Arc<TestChain>,
    pub(super) vaults: Vec<Arc<Vault>>,
    pub(super) liars: Liars,
    boxes: Boxes,
    up: watch::Sender<Vec<MemberId>>,
    running: Mutex<BTreeMap<usize, Running>>,
    /// What the owner deposits at publication, from its next start on.
    pub(super) classes: Mutex<RetentionClasses>,
}

impl Town {
    pub(super) fn new() -> Self {
        let chain = TestChain::new(8);
        chain.keep_producing();
        let beating = Arc::downgrade(&chain);
        // As a network's heartbeats: time passes on the log though nothing is sent to it.
        tokio::spawn(async move {
            while let Some(chain) = beating.upgrade() {
                let _ = tokio::task::spawn_blocking(move || chain.produce(None)).await;
                tokio::time::sleep(Duration::from_millis(700)).await;
            }
        });
        let vaults = (0..8).map(|at| vault_of(&chain, &format!("escrow-{at}"))).collect();
        let (boxes, up) = (Boxes::default(), watch::Sender::new(Vec::new()));
        let (liars, running, classes) = (Liars::default(), Mutex::default(), Mutex::default());
        let town = Self { chain, vaults, liars, boxes, up, running, classes };
        (0..8).for_each(|at| town.start(at));
        town
    }

    pub(super) fn start(&self, at: usize) {
        let member = &self.chain.members[at];
        let desk = Desk::new(DeskParts {
            store: self.chain.store.clone(),
            intake: Arc::clone(&self.chain.intake),
            vault: Arc::clone(&self.vaults[at]),
            member: member.id,
            signing: member.signing.clone(),
            trust: TrustRoot::from_genesis(&self.chain.genesis),
            seed: Seed::new([u8::try_from(at).unwrap() + 60; 32]),
            acknowledged_through: self.chain.dir.path().join(format!("acknowledged-{at}")),
        })
        .telling(self.outbox(at));
        let desk = match at {
            OWNER => desk.retaining(self.classes.lock().unwrap().clone()),
            _ => desk,
        };
        let (stop, stopping) = watch::channel(false);
        let (letters, arriving) = mpsc::channel(8);
        let wire = Wire {
            from: member.id,
            signing: member.signing.clone(),
            network: self.chain.intake.network(),
            liars: Arc::clone(&self.liars),
            boxes: Arc::clone(&self.boxes),
            up: self.up.clone(),
        };
        let mut tasks = desk.start(&stopping);
        tasks.extend(desk.correspond(Arc::new(wire), arriving, &stopping));
        self.boxes.lock().unwrap().insert(member.id, letters);
        self.up.send_modify(|up| up.push(member.id));
        self.running.lock().unwrap().insert(at, Running { desk, stop, tasks });
    }

    /// Stops a company's desk in whatever it does.
    pub(super) fn stop(&self, at: usize) {
        let id = self.chain.members[at].id;
        self.boxes.lock().unwrap().remove(&id);
        self.up.send_modify(|up| up.retain(|member| *member != id));
        if let Some(running) = self.running.lock().unwrap().remove(&at) {
            running.stop.send_replace(true);
            running.tasks.iter().for_each(JoinHandle::abort);
        }
    }

    pub(super) fn desk(&self, at: usize) -> Desk {
        self.running.lock().unwrap()[&at].desk.clone()
    }

    pub(super) fn id(&self, at: usize) -> MemberId {
        self.chain.members[at].id
    }

    pub(super) fn outbox(&self, at: usize) -> std::path::PathBuf {
        self.chain.dir.path().join(format!("outbox-{at}"))
    }

    /// Publishes a certificate whose assay has a report.
    pub(super) async fn certificate(&self, report: &[u8]) -> RecordId {
        let file = CertificateFile {
            name: "magnets.json".into(),
            content: self.certificate_text(report).into(),
            beside: Vec::new(),
            attests: None,
        };
        records_of(&publish(&self.desk(OWNER), vec![file]).await).0[0]
    }

    /// Its text.
    pub(super) fn certificate_text(&self, report: &[u8]) -> String {
        let digest = hex::encode(Sha256::digest(report));
        format!(
            r#"{{"Heatmark":"1","certificate/number":"M-41","certificate/issued":"2026-03-02",
            "manufacturer/name":"Lanthan","heat":"M41","product/name":"magnet blocks","product/mass":"40 kg",
            "assay":{{"Nd":"29.4 %","Dy":"1.7 %","report":{{"sha256":"{digest}","length":{},"media-type":"application/pdf"}}}},
            "chemistry":{{"Fe":"66.1 %","Dy":"1.7 %"}}}}"#,
            report.len()
        )
    }

    /// Deposits the assay with the agents named, and waits until all have signed.
    pub(super) async fn deposit(
        &self,
        record: RecordId,
        (agents, threshold): (&[usize], u32),
        policy: &str,
        report: &[u8],
    ) {
        let section = SectionPlan {
            name: "assay".into(),
            fields: Selection::new(vec!["assay/*".into(), "chemistry/Dy".into()]).unwrap(),
            documents: vec![("report.pdf".into(), report.to_vec())],
        };
        let plan = DepositPlan {
            record,
            sections: vec![section],
            agents: agents.iter().map(|at| self.id(*at)).collect(),
            threshold,
            policy: Policy::parse(policy).unwrap(),
        };
        self.desk(OWNER).deposit(plan).await.unwrap();
        self.until("all agents have signed", async || {
            let deposits = self.desk(OWNER).deposits().await.unwrap();
            deposits[0].agents.iter().all(|agent| agent.state == "signed")
        })
        .await;
    }

    /// A deal that the arbiter holds the money of, once the shares are there.
    pub(super) async fn funded(&self, record: RecordId, clause: &str) -> [u8; 32] {
        let deal = self.desk(BUYER).open_deal(plan(record, clause)).await.unwrap();
        self.until_phase(deal, "accepted").await;
        self.until("the arbiter has the terms", async || {
            self.desk(ARBITER).agree_to_deal(deal, DealRole::Arbiter).await.is_ok()
        })
        .await;
        self.until_phase(deal, "delivered").await;
        deal
    }

    /// Waits for offers of a record to come to the buyer.
    pub(super) async fn offers(&self, record: RecordId, agents: usize) {
        self.desk(BUYER).ask_offers(record).await.unwrap();
        self.until("offers have come", async || {
            let offers = self.desk(BUYER).offers(record).await.unwrap();
            offers.first().is_some_and(|offer| offer.told_by >= agents)
        })
        .await;
    }

    pub(super) async fn until(&self, what: &str, mut done: impl AsyncFnMut() -> bool) {
        let waiting = async {
            while !done().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(timeout(PATIENCE, waiting).await.is_ok(), "waited in vain until {what}");
    }

    pub(super) async fn view(&self, at: usize, deal: [u8; 32], role: DealRole) -> DealView {
        let views = self.desk(at).deal(hex::encode(deal)).await.unwrap();
        views.into_iter().find(|view| view.role == role).unwrap()
    }

    /// Waits until a deal is in a phase, as the buyer's copy of the log has it.
    pub(super) async fn until_phase(&self, deal: [u8; 32], phase: &str) {
        let waiting = async {
            loop {
                let view = self.view(BUYER, deal, DealRole::Buyer).await;
                if view.phase == phase {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if timeout(PATIENCE, waiting).await.is_err() {
            let view = self.view(BUYER, deal, DealRole::Buyer).await;
            panic!("never {phase}: {view:?}");
        }
    }
}

pub(super) fn plan(record: RecordId, clause: &str) -> DealPlan {
    DealPlan {
        record,
        sections: Vec::new(),
        clause: clause.to_owned(),
        purpose: "audit".to_owned(),
        agreement: None,
        base: None,
        arbiter: None,
        orders: Vec::new(),
        standing: None,
        retain_until_ms: None,
        lengths: Lengths::all(90_000),
        confirm_by_hand: false,
        inspection: None,
    }
}
