//! A town in which an assay is for sale: the mill makes magnets, laboratory, regulator and trustee hold shares, the bearing maker
//! holds the money, the assembler buys, and the forge has nothing to do with it.

use crate::town::{LONG, Town};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::time::{Duration, Instant};

pub(super) const OWNER: &str = "mill";
pub(super) const BUYER: &str = "assembler";
pub(super) const ARBITER: &str = "bearing-maker";
pub(super) const AGENTS: [&str; 3] = ["lab", "regulator", "escrow-agent"];

/// Seven companies, all nodes up.
pub(super) async fn town(parameters: &[&str]) -> Town {
    let (mut town, held) = Town::founded_among(3, parameters, false, None).await;
    town.devnet.start(held).await.unwrap();
    town
}

/// A report of several pieces of ciphertext, of which none repeats another.
pub(super) fn report() -> Vec<u8> {
    let noise = |at: u32| hex::encode(Sha256::digest(at.to_be_bytes()));
    let page = |at: u32| format!("%PDF page {at:06}: {}\n", noise(at));
    (0..4_000).flat_map(|at| page(at).into_bytes()).collect()
}

/// A deposit that is complete.
pub(super) struct Sale {
    pub(super) record: String,
}

/// The mill publishes a certificate whose assay names a report: the record's id, and the policy under which the assay is for sale.
pub(super) fn published(town: &Town, report: &[u8]) -> (String, String) {
    let certificate = serde_json::json!({
        "Heatmark": "1", "certificate/number": "M-41", "certificate/issued": "2026-03-02",
        "manufacturer/name": "Kesselbach", "heat": "M41", "product/name": "magnet blocks N48SH",
        "product/mass": "40 kg", "chemistry": { "Fe": "66.1 %" },
        "assay": { "Nd": "29.4 %", "Dy": "1.7 %", "report": {
            "sha256": hex::encode(Sha256::digest(report)), "length": report.len(),
            "media-type": "application/pdf" } },
    });
    let (buyer, arbiter) = (member(town, BUYER), member(town, ARBITER));
    let policy = format!(
        "[[clause]]\nname = \"sale\"\nsections = [\"assay\"]\nmembers = [\"{buyer}\"]\n\
         price = \"250.00 EUR\"\narbiters = [\"{arbiter}\"]\n"
    );
    fs::write(town.path("report.pdf"), report).unwrap();
    fs::write(town.path("magnets.json"), certificate.to_string()).unwrap();
    fs::write(town.path("policy.toml"), &policy).unwrap();
    let published = town.command(0, &["cert", "publish", "magnets.json", "--home", OWNER]);
    (published["files"][0]["record_id"].as_str().unwrap().to_owned(), policy)
}

impl Sale {
    /// The mill deposits an assay 2 of 3, and all agents sign for it.
    pub(super) async fn deposited(town: &Town) -> Self {
        let (record, _) = published(town, &report());
        Self::entrusted(town, record).await
    }

    /// The same under another policy.
    pub(super) async fn deposited_under(town: &Town, policy: &str) -> Self {
        let (record, _) = published(town, &report());
        fs::write(town.path("policy.toml"), policy).unwrap();
        Self::entrusted(town, record).await
    }

    async fn entrusted(town: &Town, record: String) -> Self {
        let agents = AGENTS.map(|agent| member(town, agent));
        let mut deposit = vec!["escrow", "deposit", "--record", &record, "--policy", "policy.toml"];
        deposit.extend(["--section", "assay=assay/*", "--document", "assay=report.pdf"]);
        deposit.extend(agents.iter().flat_map(|agent| ["--agent", agent.as_str()]));
        deposit.extend(["--threshold", "2", "--home", OWNER]);
        town.command(0, &deposit);
        until("not all agents signed", || {
            let status = town.command(0, &["escrow", "status", "--home", OWNER]);
            let deposit = &status["deposits"][0];
            (deposit["anchored"] == true && deposit["signed"] == 3).then_some(())
        })
        .await;
        for agent in AGENTS {
            let holdings = town.command(0, &["escrow", "holdings", "--home", agent]);
            assert_eq!(holdings["holdings"][0]["state"], "signed", "{agent}: {holdings}");
        }
        Self { record }
    }

    /// The buyer asks what there is, and begins a deal: its id.
    pub(super) fn begun(&self, town: &Town, more: &[&str]) -> String {
        let ask = ["escrow", "offers", "--record", &self.record, "--home", BUYER];
        let offers = town.command(0, &ask);
        let mut clauses = offers["offers"][0]["clauses"].as_array().unwrap().iter();
        assert!(clauses.any(|clause| clause["name"] == "sale"), "{offers}");
        let open = ["deal", "open", "--record", &self.record, "--clause", "sale"];
        let rest = ["--purpose", "qualification", "--home", BUYER];
        let begun = town.command(0, &[&open[..], &rest, more].concat());
        begun["deal"].as_str().unwrap().to_owned()
    }

    /// As [`Self::begun`], until it stands on the log.
    pub(super) async fn opened(&self, town: &Town, more: &[&str]) -> String {
        let deal = self.begun(town, more);
        phase_is(town, &deal, BUYER, "accepted").await;
        deal
    }

    /// The arbiter says that it holds what is paid.
    pub(super) async fn funded(&self, town: &Town, deal: &str) {
        phase_is(town, deal, ARBITER, "accepted").await;
        town.command(0, &["deal", "fund", deal, "--home", ARBITER]);
    }
}

/// Waits until so many agents have the terms and need the buyer no more; gives those that have. A deal goes without agents that
/// were slow to give their keys.
pub(super) async fn informed(town: &Town, deal: &str, count: usize) -> Vec<&'static str> {
    let has_terms = |agent: &&str| {
        let ran = town.devnet.program().run(&["deal", "show", deal, "--home", agent, "--json"]);
        let shown: Value = serde_json::from_str(&ran.unwrap().stdout).unwrap_or_default();
        shown["parts"][0]["sections"][0] == "assay"
    };
    until("too few agents ever see the terms", || {
        let informed: Vec<&'static str> = AGENTS.into_iter().filter(has_terms).collect();
        (informed.len() >= count).then_some(informed)
    })
    .await
}

pub(super) fn member(town: &Town, name: &str) -> String {
    town.devnet.member(name).unwrap().to_string()
}

/// Asks until there is an answer.
pub(super) async fn until<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(since.elapsed() < LONG, "{what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until a party's node has a deal in a phase, and gives what it shows of it.
pub(super) async fn phase_is(town: &Town, deal: &str, home: &str, phase: &str) -> Value {
    let mut last = Value::Null;
    let since = Instant::now();
    loop {
        let ran = town.devnet.program().run(&["deal", "show", deal, "--home", home, "--json"]);
        let shown: Value = serde_json::from_str(&ran.unwrap().stdout).unwrap_or_default();
        let view = &shown["parts"][0];
        if view["phase"] == phase {
            return view.clone();
        }
        if !view.is_null() {
            last = view.clone();
        }
        assert!(since.elapsed() < LONG, "{home} never has it {phase}: {last}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
