//! What the mill keeps to itself and leaves with agents, and how it opens to somebody who pays while the mill is away.

use super::dock::{codes, lines};
use super::scenes::{AGREE_LIMIT, LOOK_INTERVAL, Story, number, text};
use super::stage::{tell, typed};
use crate::output::{lasted, short};
use anyhow::{Context as _, Result, ensure};
use heatmark_devnet::Program;
use serde_json::Value;
use std::fs;
use std::time::Instant;

/// The paper that the certificate names by its digest and its length.
pub(super) const ASSAY: &str = "\
Kesselbach Edelstahl AG, works laboratory: full assay of heat 481516
Oxygen, inert gas fusion, ASTM E1019: 7 ppm (mean of three)
Titanium, spark emission, ASTM E415: 12 ppm
Inclusions, ISO 4967 method A, worst field: A 0.5, B 0.5, C 0, D 0.5, DS 0.5
";
const PAPER: &str = "assay-481516.txt";
const CLEANLINESS: &str = "standard = \"Aldermoor turbine bearings 7\"\nsample = \"heat\"\nrounding = \"absolute\"\n\
    [[limit]]\nproperty = \"chemistry/O\"\nunit = \"%\"\nmaximum = \"0.0010\"\n\
    [[limit]]\nproperty = \"chemistry/Ti\"\nunit = \"%\"\nmaximum = \"0.0015\"\n";
const AGENTS: [&str; 3] =
    ["Laboratoire Essais Chamonix SAS", "Office for Material Safety", "Treuhand Marbach AG"];
const SCAN: &str = "(01)09506000134352(10)BEARINGS-3";

impl Story {
    /// Three agents get a share each; two are enough.
    pub(crate) async fn deposit(&mut self) -> Result<()> {
        let trustee = self.member("escrow-agent")?;
        self.file(PAPER, ASSAY)?;
        self.file(
            "escrow.toml",
            &format!(
                "[[clause]]\nname = \"qualification\"\nsections = [\"assay\"]\nroles = [\"assembler\"]\n\
                 price = \"250.00 EUR\"\narbiters = [\"{trustee}\"]\n"
            ),
        )?;
        let heat = self.heat.clone();
        let paper = format!("assay={PAPER}");
        let mut deposit = vec!["escrow", "deposit", "--record", &heat, "--policy", "escrow.toml"];
        deposit.extend(["--section", "assay=chemistry/O,chemistry/Ti,assay/*"]);
        deposit.extend(["--document", &paper]);
        deposit.extend(AGENTS.iter().flat_map(|agent| ["--agent", *agent]));
        deposit.extend(["--threshold", "2", "--home", "mill"]);
        self.command(0, &deposit)?;
        let begun = Instant::now();
        typed(&Program::line(&["escrow", "status", "--home", "mill"]));
        loop {
            let status = self.ask(0, &["escrow", "status", "--home", "mill", "--json"])?;
            if number(&status, "/deposits/0/signed")? == 3 {
                break;
            }
            ensure!(begun.elapsed() < AGREE_LIMIT, "not all agents signed: {status}");
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        tell(&format!(
            "After {} all three have signed for their shares. One share tells nothing; any two open the assay.",
            lasted(begun.elapsed())
        ));
        tell("Who may open it, for what and at what price, the agents hold the buyer to.");
        Ok(())
    }

    /// Inspects what was accepted once more, by a customer's stricter policy.
    fn qualify(&self, code: i32, more: &[&str]) -> Result<Value> {
        let given = ["--policy", "qualified.toml", "--order", "po-4711.json"];
        let home = ["--home", "assembler"];
        self.command(code, &[&["inspect", SCAN][..], &given, more, &home].concat())
    }

    /// What is demanded is not shown.
    pub(crate) async fn hold(&mut self) -> Result<()> {
        self.file("cleanliness.toml", CLEANLINESS)?;
        let incoming = fs::read_to_string(self.directory.join("incoming.toml"))?;
        let limits = "[[limits]]\nspecification = \"cleanliness.toml\"\nas = \"shown\"\n";
        self.file("qualified.toml", &format!("{incoming}{limits}"))?;
        let seen = self.qualify(3, &["--keep"])?;
        ensure!(text(&seen, "/verdict")? == "hold", "it is not held: {seen}");
        let only_that = codes(&seen).iter().all(|code| code == "not-shown");
        ensure!(only_that, "held for something else: {seen}");
        for line in lines(&seen, "hold") {
            tell(&format!("  {line}"));
        }
        self.held = text(&seen, "/kept/inspection")?;
        ensure!(text(&seen, "/kept/verdict")? == "hold", "its node judges otherwise: {seen}");
        let record = text(&seen, "/kept/deals/0/record_id")?;
        ensure!(record == self.heat, "another deal would help: {seen}");
        let (clause, price) =
            (text(&seen, "/kept/deals/0/clause")?, text(&seen, "/kept/deals/0/price")?);
        tell(
            "HOLD: for its turbines the assembler needs the oxygen content itself, and nobody on the way has it.",
        );
        ensure!(clause == "qualification", "another clause would help: {seen}");
        tell(&format!(
            "Its node knows what would help: the mill's assay, under {clause:?}, for {price}."
        ));
        Ok(())
    }

    /// The assay is paid for and opens.
    pub(crate) async fn deal(&mut self) -> Result<()> {
        let devnet = self.devnet()?;
        let process = devnet.node("mill")?.process.context("the mill is down")?;
        typed(&format!("kill {process}"));
        ensure!(!devnet.stop("mill").await?.killed, "the mill's node did not stop by itself");
        tell("The mill's node is off, and its office closed.");
        let offers = ["escrow", "offers", "--lot", "BEARINGS-3", "--home", "assembler"];
        let offers = self.command(0, &offers)?;
        ensure!(text(&offers, "/offers/0/record_id")? == self.heat, "another offer: {offers}");
        let heat = self.heat.clone();
        let open = ["deal", "open", "--record", &heat, "--clause", "qualification"];
        let held = self.held.clone();
        let rest = ["--purpose", "bearings of turbine 14", "--inspection", &held];
        let rest = [&rest[..], &["--home", "assembler"]].concat();
        let begun = Instant::now();
        let opened = self.command(0, &[&open[..], &rest].concat())?;
        let deal = text(&opened, "/deal")?;
        self.await_deal(&deal, "escrow-agent", |view| is(view, "/phase", "accepted")).await?;
        let funded = self.command(0, &["deal", "fund", &deal, "--home", "escrow-agent"])?;
        ensure!(number(&funded, "/amount")? == 25_000, "another price: {funded}");
        tell(
            "The trustee has 250 EUR in its account, and says so on the log; no money moves there.",
        );
        typed(&Program::line(&["deal", "watch", &short(&deal), "--home", "assembler"]));
        let has_it = |view: &Value| {
            let opened = view.get("opened") == Some(&Value::Bool(true));
            let again = is(view, "/inspection/verdict_after", "accept");
            is(view, "/phase", "settled") && opened && again
        };
        let view = self.await_deal(&deal, "assembler", has_it).await?;
        tell(&format!(
            "Settled after {}: {} agents released their shares, each on its own, sealed to the assembler.",
            lasted(begun.elapsed()),
            number(&view, "/released")?
        ));
        ensure!(is(&view, "/inspection/before", &self.held), "of another inspection: {view}");
        tell("The inspection that asked for it has turned by itself: it was HOLD, and is ACCEPT.");
        self.read_paper(&deal)
    }

    fn read_paper(&self, deal: &str) -> Result<()> {
        let write = ["deal", "document", deal, "--section", "assay", "--name", PAPER];
        self.command(0, &[&write[..], &["--out", "bought.txt", "--home", "assembler"]].concat())?;
        let paper = fs::read_to_string(self.directory.join("bought.txt"))?;
        ensure!(paper == ASSAY, "another paper came out");
        let oxygen = paper.lines().nth(1).unwrap_or_default();
        tell(&format!("The paper that the certificate names, byte for byte: \"{oxygen}\"."));
        Ok(())
    }

    async fn await_deal(
        &self,
        deal: &str,
        home: &str,
        done: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let begun = Instant::now();
        loop {
            let ran = self.ran(&["deal", "show", deal, "--home", home, "--json"])?;
            let answer: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
            let parts = answer.pointer("/parts").and_then(Value::as_array);
            if let Some(view) = parts.into_iter().flatten().find(|view| done(view)) {
                return Ok(view.clone());
            }
            ensure!(begun.elapsed() < AGREE_LIMIT, "the deal does not go on at {home}: {answer}");
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// The same inspection has what was missing.
    pub(crate) async fn qualified(&mut self) -> Result<()> {
        let kept = self.command(0, &["inspect", "list", "--home", "assembler"])?;
        let (first, again) = (text(&kept, "/kept/1/inspection")?, text(&kept, "/kept/0/repeats")?);
        ensure!(first == self.held && again == self.held, "inspected otherwise: {kept}");
        let seen = self.qualify(0, &[])?;
        ensure!(text(&seen, "/verdict")? == "accept", "it is not accepted: {seen}");
        tell(
            "ACCEPT: what the deal opened is held against the record that the mill anchored, like all else.",
        );
        typed("heatmark node run --home mill");
        self.devnet()?.restart("mill").await?;
        let deposits = self.ask(0, &["escrow", "status", "--home", "mill", "--json"])?;
        ensure!(number(&deposits, "/deposits/0/signed")? == 3, "the deposit is gone: {deposits}");
        tell("The mill is back. It sold an assay over night, and nobody had to wake it.");
        Ok(())
    }
}

fn is(view: &Value, pointer: &str, wanted: &str) -> bool {
    view.pointer(pointer).and_then(Value::as_str) == Some(wanted)
}
