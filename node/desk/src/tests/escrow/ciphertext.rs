//! Ciphertext that rots, that a liar sends, or that is not what its owner promised.

use super::rig::{ARBITER, BUYER, OWNER, Town, plan};
use super::{AGENTS, free, paid, report};
use crate::escrow::{DepositSecrets, SectionSecrets};
use crate::{DepositPlan, SectionPlan};
use heatmark_envelopes::{Encryptor, SectionSecret, split};
use heatmark_escrow::purpose::content_context;
use heatmark_escrow::{Clause, Policy, SectionEntry};
use heatmark_evidence::Selection;
use heatmark_records::RecordId;
use heatmark_vault::{Actor, DealRole, DepositAgent, DepositRow, Vault};
use prost::Message as _;

fn root_in(vault: &Vault) -> [u8; 32] {
    let row = vault.newest_holdings(0, 1).unwrap().remove(0);
    row.roots[0].as_slice().try_into().unwrap()
}

/// Turns a bit of a piece as it lies on the disk.
fn rot(vault: &Vault, root: &[u8; 32], number: u32) {
    let mut piece = vault.piece(root, number).unwrap().unwrap().to_vec();
    piece[7] ^= 1;
    vault.put_pieces(root, number, &[piece]).unwrap();
}

/// The ciphertext as a vault holds it; none where a piece is missing.
fn content_in(vault: &Vault, root: &[u8; 32], pieces: u32) -> Option<Vec<Vec<u8>>> {
    (0..pieces)
        .map(|number| vault.piece(root, number).unwrap().map(|piece| piece.to_vec()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn liars_and_rot_keep_nobody_from_opening() {
    let town = Town::new();
    let report = report(7_000_000);
    let record = town.certificate(&report).await;
    town.deposit(record, (&AGENTS, 3), &free(), &report).await;
    town.stop(OWNER);
    let root = root_in(&town.vaults[1]);
    let pieces =
        town.desk(1).holdings().await.unwrap()[0].manifest.clone().unwrap().sections[0].pieces;
    let sound = content_in(&town.vaults[1], &root, pieces).unwrap();
    // Two lie, one has lost what it held, one has a bit turned; the last one alone has it all.
    town.liars.lock().unwrap().extend([town.id(1), town.id(3)]);
    town.vaults[2].drop_pieces(&root, pieces).unwrap();
    rot(&town.vaults[4], &root, 60);
    town.offers(record, 5).await;
    let deal = town.desk(BUYER).open_deal(plan(record, "audit")).await.unwrap();
    town.until_phase(deal, "settled").await;
    town.until("it is open", async || town.view(BUYER, deal, DealRole::Buyer).await.opened.0).await;
    let buyer = town.desk(BUYER);
    let read = async || buyer.opened_document(deal, "assay".into(), "report.pdf".into()).await;
    assert_eq!(read().await.unwrap(), report);

    // Who was asked and had it no more has fetched it again, from the others.
    town.until("the agents are whole again", async || {
        [2, 4].iter().all(|at| {
            content_in(&town.vaults[*at], &root, pieces).is_some_and(|held| held == sound)
        })
    })
    .await;
    // What rots where nobody asks is found by looking through.
    rot(&town.vaults[5], &root, 3);
    town.desk(5).look_through_next().unwrap();
    town.until("the ciphertext is mended and signed for", async || {
        content_in(&town.vaults[5], &root, pieces).is_some_and(|held| held == sound)
            && town.vaults[5].newest_holdings(0, 1).unwrap()[0].signed
    })
    .await;

    // And what rots at the buyer is fetched again when somebody wants it.
    rot(&town.vaults[BUYER], &root, 20);
    assert!(read().await.is_err());
    town.until("the buyer has it again", async || read().await.is_ok_and(|read| read == report))
        .await;
}

/// Deposits ciphertext that is not what the record promises, as a dishonest owner might.
async fn deposit_garbage(town: &Town, record: RecordId, policy: &str) {
    let owner = town.desk(OWNER);
    let mut rng = rand::rng();
    let plan = DepositPlan {
        record,
        sections: vec![SectionPlan {
            name: "assay".into(),
            fields: Selection::new(vec!["assay/*".into()]).unwrap(),
            documents: Vec::new(),
        }],
        agents: AGENTS.map(|at| town.id(at)).to_vec(),
        threshold: 3,
        policy: Policy::parse(policy).unwrap(),
    };
    let clauses = plan.policy.salted(&mut rng);
    let mut manifest = owner.frame_of(&plan, &clauses).unwrap();
    let secret = SectionSecret::generate(&mut rng);
    let mut encryptor = Encryptor::new(&secret, &content_context(&manifest, "assay"));
    let mut pieces = encryptor.push(&vec![0x5a; 3_500_000]).unwrap();
    let (last, content) = encryptor.finish().unwrap();
    pieces.push(last);
    let root = content.root();
    town.vaults[OWNER].put_pieces(&root.0, 0, &pieces).unwrap();
    let (commitments, shares) = split(&secret, 3, 5, &mut rng).unwrap();
    manifest.sections.push(SectionEntry {
        name: "assay".into(),
        root: root.0.to_vec(),
        bytes: content.bytes(),
        pieces: content.pieces(),
        commitments: commitments.encode(),
        fields: vec!["assay/Dy".into(), "assay/Nd".into()],
        documents: Vec::new(),
    });
    manifest.check().unwrap();
    let secrets = DepositSecrets {
        sections: vec![SectionSecrets {
            secret: secret.to_bytes().to_vec(),
            shares: shares.iter().map(|share| share.encode().to_vec()).collect(),
        }],
    };
    let agent = |at: usize| DepositAgent { member: town.id(at).to_vec(), ..Default::default() };
    let row = DepositRow {
        id: vec![9; 32],
        record: record.0.to_vec(),
        at_ms: manifest.deposited_ms,
        manifest: manifest.to_bytes(),
        clauses: clauses.iter().map(Clause::to_bytes).collect(),
        agents: AGENTS.map(agent).to_vec(),
        nonce: vec![8; 16],
        digest: manifest.digest().0.to_vec(),
        roots: vec![root.0.to_vec()],
        ..DepositRow::default()
    };
    town.vaults[OWNER].put_deposit(&Actor::Node, &row, Some(&secrets.encode_to_vec())).unwrap();
    // It finds what it has to do, as after a start.
    town.stop(OWNER);
    town.start(OWNER);
    town.until("all agents have signed", async || {
        let deposits = town.desk(OWNER).deposits().await.unwrap();
        deposits[0].agents.iter().all(|agent| agent.state == "signed")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_garbage_the_money_goes_back_though_agents_lie_to_the_arbiter() {
    let town = Town::new();
    let record = town.certificate(&report(1_000)).await;
    deposit_garbage(&town, record, &paid(&town).replace("accept = \"by hand\"\n", "")).await;
    town.offers(record, 5).await;
    let deal = town.funded(record, "sale").await;
    town.until("the buyer finds that it is not what was promised", async || {
        town.view(BUYER, deal, DealRole::Buyer).await.trouble.0.starts_with("payload-")
    })
    .await;
    // The arbiter fetches and judges for itself, from whoever does not lie.
    town.liars.lock().unwrap().extend([town.id(1), town.id(2)]);
    town.desk(BUYER).dispute(deal).await.unwrap();
    town.until_phase(deal, "disputed").await;
    town.until("the arbiter has the claim and the ciphertext", async || {
        town.desk(ARBITER).judge_claim(deal).await.is_ok_and(|found| found.is_some())
    })
    .await;
    let (code, refund) = town.desk(ARBITER).judge_claim(deal).await.unwrap().unwrap();
    assert!(refund && code.starts_with("payload-"), "{code}");
    town.desk(ARBITER).rule(deal, true, "nothing of it was there".into()).await.unwrap();
    town.until_phase(deal, "refunded").await;
    let told = town.outbox(ARBITER).join(format!("{}-refund.json", hex::encode(deal)));
    town.until("the arbiter is told to refund", async || told.exists()).await;
    // What the claim showed is kept no longer than it was needed.
    for (at, role) in [(BUYER, DealRole::Buyer), (ARBITER, DealRole::Arbiter)] {
        town.until("the claim is forgotten", async || {
            town.vaults[at].deal(&deal, role).unwrap().unwrap().claim.is_empty()
        })
        .await;
    }
}
