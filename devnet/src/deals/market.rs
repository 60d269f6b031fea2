//! A town in which documents are for sale: the mill deposits them with five agents, the assembler buys, the forge holds the
//! money. Set up by the commands that people type; bought over the API, so that no start of a program is measured.

use crate::town::directory;
use anyhow::{Context as _, Result, bail, ensure};
use heatmark_client::{ClientError, DealLengths, DeskClient, OpenDealRequest};
use heatmark_devnet::{Devnet, Keeping, Plan, Program};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(super) const OWNER: &str = "mill";
pub(super) const BUYER: &str = "assembler";
pub(super) const ARBITER: &str = "forge";
pub(super) const AGENTS: [&str; 5] =
    ["lab", "escrow-agent", "regulator", "regulator-2", "regulator-3"];
pub(super) const THRESHOLD: u32 = 3;
const SECTION: &str = "assay";
const DOCUMENT: &str = "report.pdf";
/// Longest wait for something that must happen.
pub(super) const LONG: Duration = Duration::from_secs(600);
/// How often a deal is asked for what it opened; a node takes so many refusals and more.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const SETTLE_EVERY: Duration = Duration::from_millis(500);
const DAY_MS: u64 = 86_400_000;

/// A town, with a connection to its buyer's node.
pub(super) struct Market {
    pub(super) devnet: Devnet,
    pub(super) buyer: DeskClient,
    _place: TempDir,
}

/// A record whose assay is for sale.
#[derive(Debug, Clone)]
pub(super) struct Lot {
    pub(super) record: [u8; 32],
    digest: [u8; 32],
}

/// How long a deal took from the request on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bought {
    pub(super) deal: [u8; 32],
    /// Until the buyer's node had read all of it against the anchored record.
    pub(super) opened: Duration,
    /// Until the document had been given out as well.
    pub(super) in_hand: Duration,
}

impl Market {
    /// A town of eight nodes, up and ready.
    pub(super) async fn found(heatmark: Option<&Path>) -> Result<Self> {
        let place = tempfile::Builder::new().prefix("heatmark-deals-").tempdir()?;
        let directory = directory(place.path())?;
        let program = Program::find(heatmark, &directory)?;
        let plan = Plan {
            directory,
            validators: 5,
            observers: 3,
            parameters: Vec::new(),
            log_filter: Some("warn".to_owned()),
            keeping: Keeping::Kept,
        };
        let (mut devnet, held) = Devnet::found(&program, plan, &mut |_| {})?;
        devnet.start(held).await?;
        let buyer = devnet.desk(BUYER).await?;
        Ok(Self { devnet, buyer, _place: place })
    }

    /// Names of the nodes.
    pub(super) fn names(&self) -> Vec<String> {
        self.devnet.names()
    }

    /// Connects to the buyer's node anew, as after its restart.
    pub(super) async fn connect(&mut self) -> Result<()> {
        self.buyer = self.devnet.desk(BUYER).await?;
        Ok(())
    }

    /// Stops the town.
    pub(super) async fn end(&mut self) -> Result<()> {
        self.devnet.down().await?;
        Ok(())
    }

    /// Publishes and deposits so many documents, and waits until all agents have signed for all of them.
    pub(super) async fn deposit(&self, name: &str, count: u32, bytes: u64) -> Result<Vec<Lot>> {
        self.write("policy.toml", self.policy()?.as_bytes())?;
        let mut lots = Vec::new();
        for number in 0..count {
            let document = document(&format!("{name}-{number}"), bytes);
            let digest: [u8; 32] = Sha256::digest(&document).into();
            self.write(DOCUMENT, &document)?;
            let file = format!("{name}-{number}.json");
            let text = certificate(&file, &hex::encode(digest), document.len());
            self.write(&file, text.as_bytes())?;
            let published = self.command(&["cert", "publish", &file, "--home", OWNER])?;
            let record = text_at(&published, "/files/0/record_id")?;
            self.deposit_one(&record)?;
            let record: [u8; 32] = hex::decode(&record)?.try_into().ok().context("a record id")?;
            lots.push(Lot { record, digest });
        }
        self.signed().await?;
        for lot in &lots {
            let offers = self.buyer.ask_offers(&[lot.record], Duration::from_secs(10)).await?;
            ensure!(!offers.offers.is_empty(), "no agent offers what was deposited");
        }
        Ok(lots)
    }

    fn policy(&self) -> Result<String> {
        let arbiter = self.devnet.member(ARBITER)?;
        Ok(format!(
            "[[clause]]\nname = \"audit\"\nsections = [\"{SECTION}\"]\nroles = [\"assembler\"]\nprice = \"free\"\n\
             [[clause]]\nname = \"sale\"\nsections = [\"{SECTION}\"]\nroles = [\"assembler\"]\nprice = \"250.00 EUR\"\n\
             arbiters = [\"{arbiter}\"]\n"
        ))
    }

    fn deposit_one(&self, record: &str) -> Result<()> {
        let agents: Result<Vec<String>, _> =
            AGENTS.iter().map(|agent| Ok(self.devnet.member(agent)?.to_string())).collect();
        let agents: Vec<String> = agents.map_err(|error: heatmark_devnet::DevnetError| error)?;
        let threshold = THRESHOLD.to_string();
        let (section, paper) = (format!("{SECTION}=assay/*"), format!("{SECTION}={DOCUMENT}"));
        let mut deposit = vec!["escrow", "deposit", "--record", record, "--policy", "policy.toml"];
        deposit.extend(["--section", &section, "--document", &paper, "--threshold", &threshold]);
        deposit.extend(agents.iter().flat_map(|agent| ["--agent", agent.as_str()]));
        self.command(&[&deposit[..], &["--home", OWNER]].concat())?;
        Ok(())
    }

    async fn signed(&self) -> Result<()> {
        let owner = self.devnet.desk(OWNER).await?;
        let begun = Instant::now();
        loop {
            let deposits = owner.deposits().await?;
            let states = deposits.iter().flat_map(|deposit| &deposit.agents);
            if states.into_iter().all(|agent| agent.state == "signed") {
                return Ok(());
            }
            ensure!(begun.elapsed() < LONG, "not all agents signed for the deposits");
            tokio::time::sleep(SETTLE_EVERY).await;
        }
    }

    /// What asks for a record: free and at once, or for money that never comes.
    pub(super) fn request(lot: &Lot, clause: &str) -> OpenDealRequest {
        OpenDealRequest {
            record_id: lot.record.to_vec(),
            clause: clause.to_owned(),
            purpose: "measured".to_owned(),
            lengths: Some(DealLengths {
                accept_ms: DAY_MS,
                fund_ms: DAY_MS.saturating_mul(30),
                ready_ms: DAY_MS,
                release_ms: DAY_MS,
                confirm_ms: DAY_MS,
                rule_ms: DAY_MS,
            }),
            ..OpenDealRequest::default()
        }
    }

    /// Buys, reads, takes the document, and compares it.
    pub(super) async fn buy(&self, lot: &Lot) -> Result<Bought> {
        let begun = Instant::now();
        let deal = self.buyer.open_deal(Self::request(lot, "audit")).await?;
        loop {
            match self.buyer.opened_sections(deal).await {
                Ok(_) => break,
                Err(error) if error.refusal_code() == Some("not-opened") => {}
                Err(error) => return Err(error.into()),
            }
            if begun.elapsed() > LONG {
                let views = self.buyer.deal(hex::encode(deal)).await?;
                bail!("a deal opens nothing: {views:?}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let opened = begun.elapsed();
        self.take(deal, lot).await?;
        Ok(Bought { deal, opened, in_hand: begun.elapsed() })
    }

    /// Takes a deal's document and compares it with what was deposited.
    pub(super) async fn take(&self, deal: [u8; 32], lot: &Lot) -> Result<()> {
        let mut hasher = Sha256::new();
        let which = (SECTION.to_owned(), DOCUMENT.to_owned());
        let taken = self.buyer.opened_document(deal, which, |piece| {
            hasher.update(piece);
            Ok::<(), ClientError>(())
        });
        taken.await?;
        ensure!(hasher.finalize().as_slice() == lot.digest, "another document came out");
        Ok(())
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.devnet.directory().join(name);
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))
    }

    fn command(&self, arguments: &[&str]) -> Result<Value> {
        let ran = self.devnet.program().run_expecting(0, &[arguments, &["--json"]].concat())?;
        Ok(serde_json::from_str(&ran.stdout)?)
    }
}

/// Bytes that do not repeat and differ by name.
fn document(name: &str, bytes: u64) -> Vec<u8> {
    let length = usize::try_from(bytes).unwrap_or(usize::MAX);
    let blocks = (0..=bytes.div_ceil(32))
        .flat_map(|block| Sha256::digest([name.as_bytes(), &block.to_be_bytes()].concat()));
    blocks.take(length).collect()
}

fn certificate(name: &str, digest: &str, length: usize) -> String {
    json!({
        "Heatmark": "1", "certificate/number": name, "certificate/issued": "2026-03-02",
        "manufacturer/name": "Kesselbach", "heat": name, "product/name": "magnet blocks N48SH",
        "product/mass": "40 kg", "chemistry": { "Fe": "66.1 %" },
        "assay": { "Nd": "29.4 %", "Dy": "1.7 %", "report": {
            "sha256": digest, "length": length, "media-type": "application/pdf" } },
    })
    .to_string()
}

fn text_at(value: &Value, pointer: &str) -> Result<String> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    Ok(text.with_context(|| format!("no {pointer} in {value}"))?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::document;

    #[test]
    fn documents_have_their_length_and_differ_by_name() {
        assert_eq!(document("one", 1_000).len(), 1_000);
        assert_eq!(document("one", 33).len(), 33);
        assert_ne!(document("one", 1_000), document("two", 1_000));
    }
}
