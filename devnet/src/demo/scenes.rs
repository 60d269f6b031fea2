//! What happens on the stage. Each scene checks what it claims and fails otherwise.

use super::samples;
use super::stage::{tell, typed};
use super::verifier::{self, Python};
use crate::output::{lasted, short, table};
use anyhow::{Context as _, Result, bail, ensure};
use heatmark_devnet::{Agreement, Devnet, Plan, Program, Ran};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub(super) const AGREE_LIMIT: Duration = Duration::from_secs(45);
pub(super) const LOOK_INTERVAL: Duration = Duration::from_millis(200);
const GENESIS: &str = "genesis.note";
const RECALLED: &str = "ti-6al-4v-bar.json";

/// The story so far.
pub(crate) struct Story {
    program: Program,
    plan: Option<Plan>,
    pub(super) directory: PathBuf,
    devnet: Option<Devnet>,
    leaves: u64,
    receipt: String,
    recalled: String,
    python: Option<Python>,
    /// The certificate that the assembler's bearings are made of.
    pub(super) heat: String,
    /// The inspection that the assembler's node keeps.
    pub(super) held: String,
}

impl Story {
    pub(crate) fn new(program: Program, plan: Plan) -> Self {
        Self {
            program,
            directory: plan.directory.clone(),
            plan: Some(plan),
            devnet: None,
            leaves: 0,
            receipt: String::new(),
            recalled: String::new(),
            python: None,
            heat: String::new(),
            held: String::new(),
        }
    }

    pub(super) fn devnet(&mut self) -> Result<&mut Devnet> {
        self.devnet.as_mut().context("there is no network")
    }

    /// Runs a command as a person would, shows it, and reads what it answered.
    pub(super) fn command(&self, code: i32, arguments: &[&str]) -> Result<Value> {
        let mut all = arguments.to_vec();
        all.push("--json");
        typed(&Program::line(&all));
        self.ask(code, &all)
    }

    pub(super) fn ask(&self, code: i32, arguments: &[&str]) -> Result<Value> {
        let ran = self.program.run_expecting(code, arguments)?;
        serde_json::from_str(&ran.stdout).with_context(|| format!("the answer of `{}`", ran.line))
    }

    /// Runs a command whose exit code is not known beforehand.
    pub(super) fn ran(&self, arguments: &[&str]) -> Result<Ran> {
        Ok(self.program.run(arguments)?)
    }

    /// Keys, one document, seven signatures, seven nodes.
    pub(crate) async fn found(&mut self) -> Result<()> {
        let plan = self.plan.take().context("the network is founded once")?;
        let mut ceremony = Ceremony::default();
        let founded = Devnet::found(&self.program, plan, &mut |ran| ceremony.hear(ran));
        let (devnet, held) = founded?;
        let devnet = self.devnet.insert(devnet);
        let names = devnet.names();
        let fingerprint = devnet.record().network.clone();
        for name in &names {
            let copy = format!("{name}/{GENESIS}");
            let shown = self.program.run_expecting(0, &["network", "show", &copy, "--json"])?;
            let shown: Value = serde_json::from_str(&shown.stdout)?;
            ensure!(
                shown.get("network").and_then(Value::as_str) == Some(fingerprint.as_str()),
                "{name} holds another founding document"
            );
        }
        tell(&format!("All seven compare the fingerprint: {}", grouped(&fingerprint)));
        let begun = Instant::now();
        typed("heatmark node run --home mill");
        tell("  … and so do the others");
        devnet.start(held).await?;
        tell(&format!("All seven nodes are ready after {}.", lasted(begun.elapsed())));
        Ok(())
    }

    /// Five certificates become one batch; all nodes hold the same log.
    pub(crate) async fn publish(&mut self) -> Result<()> {
        samples::write(&self.directory.join("certificates"))?;
        let arguments =
            ["cert", "publish", "certificates/", "--receipts", "receipts/", "--home", "mill"];
        let begun = Instant::now();
        let answer = self.command(0, &arguments)?;
        let took = begun.elapsed();
        ensure!(number(&answer, "/new")? == samples::COUNT, "not all were published: {answer}");
        self.receipt = text(&answer, "/anchors/0/receipt_file")?;
        let files = answer.pointer("/files").and_then(Value::as_array).context("no files")?;
        for file in files {
            if text(file, "/name")?.ends_with(RECALLED) {
                self.recalled = text(file, "/record_id")?;
            }
        }
        ensure!(!self.recalled.is_empty(), "{RECALLED} was not published: {answer}");
        tell(&format!(
            "Published after {}: {} records in one transaction.",
            lasted(took),
            samples::COUNT
        ));
        tell("On the log stands a salted commitment; the contents stay with the mill.");
        self.leaves = 1;
        self.all_agree().await
    }

    /// The receipt needs the founding document and nothing else.
    pub(crate) async fn verify(&mut self) -> Result<()> {
        let arguments = ["receipt", "verify", "--trust", GENESIS, &self.receipt];
        let answer = self.command(0, &arguments)?;
        ensure!(text(&answer, "/receipts/0/verdict")? == "verified", "not verified: {answer}");
        let says = text(&answer, "/receipts/0/receipt/says")?;
        let bytes = fs::metadata(self.directory.join(&self.receipt))?.len();
        tell(&format!("Verified: {says}. {bytes} bytes of evidence, no connection opened."));
        Ok(())
    }

    /// Another program in another language agrees.
    pub(crate) async fn verify_again(&mut self, python: Python) -> Result<()> {
        Python::prepare(&self.directory)?;
        let line = format!("receipt --trust {GENESIS} {}", self.receipt);
        typed(&format!("{} {} {line}", python.name(), verifier::NAME));
        let output = python.verify(&self.directory, GENESIS, &self.receipt)?;
        ensure!(
            output.status.code() == Some(0),
            "it does not agree: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        tell("Verified: written from the specification alone, without our code.");
        self.python = Some(python);
        Ok(())
    }

    /// A changed byte is refused by both.
    pub(crate) async fn tamper(&mut self) -> Result<()> {
        let mut bytes = fs::read(self.directory.join(&self.receipt))?;
        let middle = bytes.len() / 2;
        let byte = bytes.get_mut(middle).context("the receipt is empty")?;
        *byte ^= 0x01;
        fs::write(self.directory.join("tampered.receipt"), &bytes)?;
        let arguments = ["receipt", "verify", "--trust", GENESIS, "tampered.receipt"];
        let answer = self.command(1, &arguments)?;
        ensure!(text(&answer, "/receipts/0/verdict")? == "refused", "not refused: {answer}");
        let why = text(&answer, "/receipts/0/why")?;
        tell(&format!("Refused, exit code 1: {why}."));
        if let Some(python) = &self.python {
            let output = python.verify(&self.directory, GENESIS, "tampered.receipt")?;
            ensure!(output.status.code() == Some(1), "the second verifier does not refuse it");
            tell("The Python program refuses it as well.");
        }
        Ok(())
    }

    /// Three of four go on.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        let devnet = self.devnet()?;
        let process = devnet.node("forge")?.process.context("the forge is down")?;
        typed(&format!("kill -9 {process}"));
        devnet.kill("forge").await?;
        samples::write_another(&self.directory.join("later.json"), "KB-2026-05103")?;
        let begun = Instant::now();
        let answer = self.command(0, &["cert", "publish", "later.json", "--home", "mill"])?;
        ensure!(number(&answer, "/new")? == 1, "it was not published: {answer}");
        let took = lasted(begun.elapsed());
        tell(&format!("Published after {took}, with three of four votes."));
        self.leaves = self.leaves.saturating_add(1);
        let names = self.names_but("forge")?;
        self.agree(&names).await?;
        Ok(())
    }

    /// Who was away holds the same log in the end.
    pub(crate) async fn catch_up(&mut self) -> Result<()> {
        typed("heatmark node run --home forge");
        self.devnet()?.restart("forge").await?;
        self.all_agree().await
    }

    /// An alert is seen and acknowledged by all.
    pub(crate) async fn alert(&mut self) -> Result<()> {
        let reason = "retest of two tensile specimens failed";
        let arguments = [
            "alert",
            "raise",
            &self.recalled,
            "--level",
            "recall",
            "--reason",
            reason,
            "--home",
            "mill",
        ];
        let answer = self.command(0, &arguments)?;
        let subject = text(&answer, "/subject")?;
        let names = self.names_but("")?;
        let begun = Instant::now();
        typed(&Program::line(&["alert", "status", &subject, "--home", "forge", "--json"]));
        tell("  … and so do the others");
        for name in &names {
            self.await_acknowledged(&subject, name, names.len(), begun).await?;
        }
        let took = lasted(begun.elapsed());
        tell(&format!(
            "All seven see the recall, proved, and all seven have acknowledged it after {took}."
        ));
        tell("The reason is not on the log, only a salted digest of it.");
        Ok(())
    }

    async fn await_acknowledged(
        &self,
        subject: &str,
        name: &str,
        members: usize,
        begun: Instant,
    ) -> Result<()> {
        loop {
            // Exit code 1 is the answer that something stands against the record.
            let ran = self.program.run(&["alert", "status", subject, "--home", name, "--json"])?;
            let answer: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
            let recalled = text(&answer, "/alerts/0/level").is_ok_and(|level| level == "recall");
            let by = answer.pointer("/alerts/0/acknowledged_by").and_then(Value::as_array);
            if ran.code == Some(1) && recalled && by.is_some_and(|by| by.len() == members) {
                return Ok(());
            }
            if begun.elapsed() > AGREE_LIMIT {
                bail!(
                    "{name} does not see the recall acknowledged by all: {}{}",
                    ran.stdout,
                    ran.stderr
                );
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// The observer believes nobody.
    pub(crate) async fn audit(&mut self) -> Result<()> {
        let answer = self.command(0, &["log", "audit", "--home", "regulator"])?;
        ensure!(answer.get("ok") == Some(&Value::Bool(true)), "the audit does not hold: {answer}");
        let count = |name: &str| number(&answer, &format!("/checked/{name}"));
        tell(&format!(
            "Every one of {} blocks, {} validator signatures, {} transactions and {} member signatures",
            count("blocks")?,
            count("certificate_signatures")?,
            count("transactions")?,
            count("transaction_signatures")?,
        ));
        tell(&format!(
            "verified again from the fingerprint on, to the root {}.",
            short(&text(&answer, "/log_root")?)
        ));
        Ok(())
    }

    /// Nothing is left behind.
    pub(crate) async fn down(&mut self) -> Result<()> {
        let devnet = self.devnet()?;
        let stopped = devnet.down().await?;
        for node in &stopped {
            ensure!(
                !node.killed && node.code == Some(0),
                "{} ended with {:?}",
                node.name,
                node.code
            );
        }
        ensure!(stopped.len() == devnet.nodes().len(), "a node had ended before");
        ensure!(!devnet.record().is_running(), "a node still runs");
        tell("Each node finished its work and ended with exit code 0; no process is left.");
        Ok(())
    }

    fn names_but(&mut self, but: &str) -> Result<Vec<String>> {
        Ok(self.devnet()?.names().into_iter().filter(|name| name != but).collect())
    }

    async fn all_agree(&mut self) -> Result<()> {
        let names = self.names_but("")?;
        let agreement = self.agree(&names).await?;
        let header = agreement.header;
        let rows: Vec<Vec<String>> = names
            .iter()
            .map(|name| {
                vec![
                    name.clone(),
                    header.height.to_string(),
                    header.log_size.0.to_string(),
                    short(&header.log_root.to_string()),
                    short(&header.state_root.to_string()),
                ]
            })
            .collect();
        say_table(&rows);
        Ok(())
    }

    async fn agree(&mut self, names: &[String]) -> Result<Agreement> {
        let leaves = self.leaves;
        Ok(self.devnet()?.agree(names, leaves, AGREE_LIMIT).await?)
    }
}

/// Shows the commands of the first organisation and sums up the others.
#[derive(Default)]
struct Ceremony {
    shown: BTreeSet<String>,
}

impl Ceremony {
    fn hear(&mut self, ran: &Ran) {
        let what: Vec<&str> =
            ran.line.split(' ').filter(|word| *word != "--json").take(3).collect();
        if self.shown.insert(what.join(" ")) {
            typed(&ran.line);
            if !ran.line.contains("network init") {
                tell("  … and so do the others");
            }
        }
    }
}

fn say_table(rows: &[Vec<String>]) {
    crate::output::say(&table(4, &["NODE", "BLOCK", "LEAVES", "LOG ROOT", "STATE ROOT"], rows));
}

/// A fingerprint in groups that can be read aloud.
fn grouped(hex: &str) -> String {
    let digits: Vec<char> = hex.chars().collect();
    let groups: Vec<String> = digits.chunks(4).take(6).map(String::from_iter).collect();
    format!("{} …", groups.join(" "))
}

pub(super) fn text(answer: &Value, pointer: &str) -> Result<String> {
    let found = answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    found.with_context(|| format!("no {pointer} in {answer}"))
}

pub(super) fn number(answer: &Value, pointer: &str) -> Result<u64> {
    let found = answer.pointer(pointer).and_then(Value::as_u64);
    found.with_context(|| format!("no {pointer} in {answer}"))
}
