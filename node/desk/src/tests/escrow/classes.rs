//! Records of a retention class: deposited at publication, once, whatever crashes, and by nobody but agents.

use super::rig::{BUYER, OWNER, Town, plan};
use super::{free, report};
use crate::tests::{file, publish};
use crate::{CertificateFile, DealError, DeskError, PublishEvent, RetentionClasses};
use heatmark_ledger::ids::MemberId;
use heatmark_records::RecordId;

/// A class of the magnets' assays.
fn classes(agents: &[MemberId], threshold: u32) -> RetentionClasses {
    let agents: Vec<String> =
        agents.iter().map(|agent| format!("{:?}", agent.to_string())).collect();
    let text = format!(
        "[[class]]\nname = \"assays\"\nagents = [{}]\nthreshold = {threshold}\npolicy = \"policy.toml\"\n\
         [class.records]\nproduct = [\"magnet*\"]\n[[class.section]]\nname = \"assay\"\nfields = [\"assay/*\"]\n",
        agents.join(", ")
    );
    RetentionClasses::parse(&text, &mut |_| Ok(free())).unwrap()
}

impl Town {
    /// Has the owner deposit magnets' assays from now on.
    fn retain(&self, agents: &[MemberId], threshold: u32) {
        self.stop(OWNER);
        *self.classes.lock().unwrap() = classes(agents, threshold);
        self.start(OWNER);
    }

    /// How many agents have signed for each deposit of the owner's.
    async fn signed(&self) -> Vec<usize> {
        let deposits = self.desk(OWNER).deposits().await.unwrap();
        let signed = |agents: &[crate::AgentView]| {
            agents.iter().filter(|agent| agent.state == "signed").count()
        };
        deposits.iter().map(|deposit| signed(&deposit.agents)).collect()
    }

    /// Why the one deposit that is due is not made.
    async fn trouble(&self) -> String {
        let due = self.desk(OWNER).due_deposits().await.unwrap();
        due.first().map(|due| due.trouble.0.clone()).unwrap_or_default()
    }

    async fn give(&self, record: RecordId, report: &[u8]) -> Result<(), DeskError> {
        self.desk(OWNER).keep_document(record, ("report.pdf".to_owned(), report.to_vec())).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_of_a_class_is_deposited_by_itself_and_what_is_not_is_not() {
    let town = Town::new();
    town.retain(&[town.id(1), town.id(2), town.id(3)], 2);
    let report = report(300_000);
    let record = town.certificate(&report).await;
    town.until("the document is missed", async || town.trouble().await == "document-missing").await;
    assert_eq!(town.signed().await, [] as [usize; 0]);
    for other in [&report[1..], b""] {
        let refused = town.give(record, other).await;
        assert!(
            matches!(refused, Err(DeskError::Deal(DealError::DocumentUnwanted))),
            "{refused:?}"
        );
    }
    // The same file again is the same record, and its publisher is told what is still missing.
    let text = town.certificate_text(&report);
    let again = CertificateFile {
        name: "again.json".to_owned(),
        content: text.into(),
        beside: Vec::new(),
        attests: None,
    };
    let events = publish(&town.desk(OWNER), vec![again.clone()]).await;
    let Some(PublishEvent::Read { deposits, already_published: true, .. }) = events.first() else {
        panic!("{events:?}")
    };
    assert_eq!((deposits[0].class.as_str(), deposits[0].wanted[0].bytes), ("assays", 300_000));
    town.give(record, &report).await.unwrap();
    town.until("all agents have signed", async || town.signed().await == [3]).await;
    assert_eq!(town.desk(OWNER).due_deposits().await.unwrap(), []);
    let late = town.give(record, &report).await;
    assert!(matches!(late, Err(DeskError::Deal(DealError::DocumentUnwanted))), "{late:?}");

    // Another product, and the same file once more.
    let events = publish(&town.desk(OWNER), vec![file(7), again]).await;
    let planned = |event: &PublishEvent| match event {
        PublishEvent::Read { deposits, .. } => deposits.len(),
        _ => 0,
    };
    assert_eq!(events.iter().map(planned).sum::<usize>(), 0);
    town.stop(OWNER);
    town.start(OWNER);
    town.offers(record, 3).await;
    let deal = town.desk(BUYER).open_deal(plan(record, "audit")).await.unwrap();
    town.until_phase(deal, "settled").await;
    let opened = town.desk(BUYER).opened_document(deal, "assay".into(), "report.pdf".into()).await;
    assert_eq!(opened.unwrap(), report);
    assert_eq!(town.signed().await, [3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_between_publication_and_deposit_makes_one_deposit() {
    let town = Town::new();
    town.retain(&[town.id(1), town.id(2)], 1);
    let report = report(2_000);
    let record = town.certificate(&report).await;
    // Before anything was tried.
    town.stop(OWNER);
    town.start(OWNER);
    let row = town.vaults[OWNER].due_deposit(&record).unwrap().unwrap();
    // What the document's arrival wakes must not be quicker than this test.
    let desk = town.desk(OWNER);
    town.stop(OWNER);
    desk.keep_document(record, ("report.pdf".to_owned(), report.clone())).await.unwrap();
    // The deposit is on disk, and that nothing is due any more is not.
    let stored = town.vaults[OWNER].record(&record).unwrap().unwrap();
    assert!(desk.try_due(&record, &stored, &row.deposits[0]).unwrap());
    assert!(town.vaults[OWNER].due_deposit(&record).unwrap().is_some());
    assert!(!desk.try_due(&record, &stored, &row.deposits[0]).unwrap(), "deposited twice");
    drop(desk);
    town.start(OWNER);
    town.until("nothing is due", async || {
        town.desk(OWNER).due_deposits().await.unwrap().is_empty()
    })
    .await;
    town.until("both agents have signed", async || town.signed().await == [2]).await;
    let sha256 = heatmark_ledger::Hash(<sha2::Sha256 as sha2::Digest>::digest(&report).into());
    assert!(!town.vaults[OWNER].has_document(&record, &sha256.0).unwrap(), "kept for nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_none_is_told_of_until_the_class_names_one() {
    let town = Town::new();
    town.retain(&[town.id(1), MemberId::from([9; 32])], 1);
    let report = report(500);
    let record = town.certificate(&report).await;
    town.give(record, &report).await.unwrap();
    town.until("the agent is missed", async || town.trouble().await == "unknown-member").await;
    assert_eq!(town.signed().await, [] as [usize; 0]);
    town.retain(&[town.id(1), town.id(OWNER)], 1);
    town.until("both agents have signed", async || town.signed().await == [2]).await;
    assert_eq!(town.desk(OWNER).due_deposits().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_class_that_is_gone_and_of_a_destroyed_record_nothing_is_deposited() {
    let town = Town::new();
    town.retain(&[town.id(1), town.id(2)], 1);
    let report = report(500);
    let record = town.certificate(&report).await;
    town.stop(OWNER);
    *town.classes.lock().unwrap() = RetentionClasses::default();
    town.start(OWNER);
    town.until("the class is missed", async || town.trouble().await == "no-such-class").await;
    let (bytes, owner) = (report.clone(), town.desk(OWNER));
    town.give(record, &bytes).await.unwrap();
    owner.parts.vault.erase(&heatmark_vault::Actor::Node, &record).unwrap();
    town.until("nothing is due", async || {
        town.desk(OWNER).due_deposits().await.unwrap().is_empty()
    })
    .await;
    assert_eq!(town.signed().await, [] as [usize; 0]);
    let sha256 = <sha2::Sha256 as sha2::Digest>::digest(&report).into();
    assert!(
        !town.vaults[OWNER].has_document(&record, &sha256).unwrap(),
        "its report is still here"
    );
}
