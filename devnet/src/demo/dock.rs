//! Material on its way from the mill to the assembler's receiving dock, what is judged there, and the recall that reaches it.

use super::scenes::{AGREE_LIMIT, LOOK_INTERVAL, Story, number, text};
use super::stage::{tell, typed};
use crate::output::{lasted, short};
use anyhow::{Context as _, Result, bail, ensure};
use heatmark_devnet::Program;
use serde_json::Value;
use std::fs;
use std::time::Instant;

const HEAT: &str = r#"{
  "Heatmark": "1",
  "certificate/number": "KB-2026-06001", "certificate/issued": "2026-10-12", "certificate/type": "3.1",
  "manufacturer/name": "Kesselbach Edelstahl AG", "melt/country": "DE",
  "product/name": "billet 100Cr6", "heat": "481516", "product/mass": "5 t",
  "chemistry": { "C": "0.99 %", "Cr": "1.47 %", "Mn": "0.34 %", "S": "0.003 %",
    "O": "0.0007 %", "Ti": "0.0012 %" },
  "assay": { "report": { "media-type": "text/plain", "length": 250,
    "sha256": "2b166d0ca30adf048039e3f039c5b302dc6b10081e9bb8f6c81bbd9ceeeb3273" } }
}"#;
const LIMITS: &str = "standard = \"ISO 683-17\"\nsample = \"heat\"\nrounding = \"absolute\"\n\
    [[limit]]\nproperty = \"chemistry/C\"\nunit = \"%\"\nminimum = \"0.93\"\nmaximum = \"1.05\"\n\
    [[limit]]\nproperty = \"chemistry/S\"\nunit = \"%\"\nmaximum = \"0.015\"\n";
const REPORT: &str = r#"{
  "Heatmark": "1",
  "certificate": { "number": "LEC-9917", "issued": "2026-11-02" },
  "sample": { "id": "S-17/3", "type": "heat" },
  "test": { "method": "ASTM E415-21", "date": "2026-10-20" },
  "accreditation": { "body": "COFRAC", "number": "1-0815", "valid-from": "2024-01-01", "valid-until": "2027-12-31",
    "scope": [{ "method": "ASTM E415-21", "property": "chemistry/*" }] },
  "chemistry": { "C": "0.98 %" }
}"#;

impl Story {
    pub(super) fn member(&mut self, name: &str) -> Result<String> {
        Ok(self.devnet()?.member(name)?.to_string())
    }

    pub(super) fn file(&self, name: &str, text: &str) -> Result<()> {
        fs::write(self.directory.join(name), text).with_context(|| format!("writing {name}"))
    }

    /// A certificate of an own file, and the one lot that is made of it.
    fn commission(&self, home: &str, file: &str, make: &str) -> Result<String> {
        let published = self.command(0, &["cert", "publish", file, "--home", home])?;
        let record = text(&published, "/files/0/record_id")?;
        let product = ["--product", "billet 100Cr6", "--home", home];
        self.command(0, &[&["lot", "commission", &record, "--make", make][..], &product].concat())?;
        Ok(record)
    }

    /// Ships a lot and has its receiver take it, over the network.
    async fn hand_over(&mut self, lot: &str, from: &str, to: &str, told: &[&str]) -> Result<()> {
        let member = self.member(to)?;
        let ship = ["lot", "ship", lot, "--to", &member, "--home", from];
        self.command(0, &[&ship[..], told].concat())?;
        let begun = Instant::now();
        let letter = loop {
            let underway = self.ask(0, &["lot", "underway", "--home", to, "--json"])?;
            if let Ok(letter) = text(&underway, "/arrived/0/letter") {
                break letter;
            }
            ensure!(begun.elapsed() < AGREE_LIMIT, "{lot} never arrived at {to}: {underway}");
            tokio::time::sleep(LOOK_INTERVAL).await;
        };
        self.command(0, &["lot", "receive", &letter, "--home", to])?;
        Ok(())
    }

    /// A laboratory measures a sample of the heat, and says so.
    fn attested(&mut self) -> Result<()> {
        let (lab, mill) = (self.member("lab")?, self.member("mill")?);
        self.file("report.json", REPORT)?;
        let heat = self.heat.clone();
        let show = ["cert", "show", &heat, "--fields", "heat,chemistry/C", "--to", &lab];
        let rest = ["--purpose", "retest", "--out", "to-lab.disclosure", "--home", "mill"];
        self.command(0, &[&show[..], &rest].concat())?;
        let attest = ["cert", "attest", &heat, "--results", "report.json"];
        let rest = ["--shown", "to-lab.disclosure", "--confirm", "heat", "--home", "lab"];
        let made = self.command(0, &[&attest[..], &rest].concat())?;
        let record = text(&made, "/record_id")?;
        let show = ["cert", "show", &record, "--fields", "attestation", "--to", &mill];
        let rest = ["--purpose", "deliveries", "--out", "lab.disclosure", "--home", "lab"];
        self.command(0, &[&show[..], &rest].concat())?;
        Ok(())
    }

    /// From heat to bearings through three companies.
    pub(crate) async fn lots(&mut self) -> Result<()> {
        self.file("heat.json", HEAT)?;
        self.file("iso-683-17.toml", LIMITS)?;
        self.heat = self.commission("mill", "heat.json", "BILLET-1=5 t,20")?;
        self.attested()?;
        tell(
            "The mill proves the limits to all who will get the steel, and lets the country go on; the numbers stay with it.",
        );
        let told = ["--limits", "iso-683-17.toml", "--onward", "melt/country"];
        let told = [&told[..], &["--with", "lab.disclosure"]].concat();
        self.hand_over("BILLET-1", "mill", "forge", &told).await?;
        let rings = ["lot", "transform", "BILLET-1", "--make", "RINGS-9=4700 kg,400"];
        let rest = ["--scrap", "300 kg", "--product", "ring 100Cr6", "--home", "forge"];
        self.command(0, &[&rings[..], &rest].concat())?;
        self.hand_over("RINGS-9", "forge", "bearing-maker", &[]).await?;
        let bearings = ["lot", "transform", "RINGS-9", "--make", "BEARINGS-3=2100 kg,200"];
        let rest = ["--make", "BEARINGS-4=2100 kg,200", "--scrap", "500 kg"];
        let product = ["--product", "bearing 6312", "--home", "bearing-maker"];
        self.command(0, &[&bearings[..], &rest, &product].concat())?;
        let order = ["--order", "PO-4711", "--despatch", "DA-12"];
        self.hand_over("BEARINGS-3", "bearing-maker", "assembler", &order).await?;
        tell("Three companies, six events; on the log stand digests, hashes and broken seals.");
        Ok(())
    }

    fn policy(&mut self) -> Result<()> {
        let (mill, lab) = (self.member("mill")?, self.member("lab")?);
        self.file(
            "incoming.toml",
            &format!(
                "issuers = [\"{mill}\"]\nattested_by = [\"{lab}\"]\nconcerns = [\"{lab}\"]\nmax_age_hours = 24\n\
                 [origin]\nmelt_country = [\"DE\", \"SE\"]\n[[limits]]\nspecification = \"iso-683-17.toml\"\nas = \"proved\"\n"
            ),
        )?;
        for (name, pieces) in [("po-4711.json", 200), ("po-4712.json", 250)] {
            let number = name.trim_end_matches(".json").to_uppercase();
            let order = serde_json::json!({
                "number": number, "line": 1, "product": "bearing 6312",
                "mass": "2100 kg", "mass_tolerance": "1 %", "pieces": pieces,
            });
            self.file(name, &order.to_string())?;
        }
        Ok(())
    }

    /// Scans a lot at the assembler's dock.
    fn inspect(&self, code: i32, lot: &str, more: &[&str]) -> Result<Value> {
        let scan = format!("(01)09506000134352(10){lot}");
        let given = ["--policy", "incoming.toml", "--home", "assembler"];
        self.command(code, &[&["inspect", &scan][..], &given, more].concat())
    }

    /// An honest delivery.
    pub(crate) async fn accept(&mut self) -> Result<()> {
        self.policy()?;
        let begun = Instant::now();
        let more = ["--order", "po-4711.json", "--report", "dock.html", "--by", "Anna Berg"];
        let more = [&more[..], &["--dispose", "accept"]].concat();
        let seen = self.inspect(0, "BEARINGS-3", &more)?;
        let took = lasted(begun.elapsed());
        ensure!(text(&seen, "/verdict")? == "accept", "it is not accepted: {seen}");
        for line in lines(&seen, "accept").iter().take(10) {
            tell(&format!("  {line}"));
        }
        tell(&format!(
            "ACCEPT after {took}, signed by Anna Berg, recorded and anchored; dock.html is the paper for the file."
        ));
        for carbon in ["0.99", "0.98"] {
            ensure!(!seen.to_string().contains(carbon), "the assembler sees the carbon: {seen}");
        }
        tell(
            "That carbon is within its limits is proved to the assembler; how much there is, it never saw.",
        );
        Ok(())
    }

    /// The forge publishes a copy of the mill's certificate as its own.
    pub(crate) async fn forged(&mut self) -> Result<()> {
        self.file("copy.json", &HEAT.replace("KB-2026-06001", "KB-2026-06002"))?;
        self.commission("forge", "copy.json", "CHEAP-1=2 t,200")?;
        let told =
            ["--limits", "iso-683-17.toml", "--onward", "melt/country", "--order", "PO-4711"];
        self.hand_over("CHEAP-1", "forge", "assembler", &told).await?;
        let seen = self.inspect(1, "CHEAP-1", &[])?;
        ensure!(codes(&seen).contains(&"issuer".to_owned()), "not refused for its issuer: {seen}");
        for line in lines(&seen, "reject") {
            tell(&format!("  {line}"));
        }
        tell("REJECT: the paper says Kesselbach, the log says who published it.");
        Ok(())
    }

    /// More is claimed than there is: of a certificate, and of a delivery.
    pub(crate) async fn over_claimed(&mut self) -> Result<()> {
        self.file(
            "small.json",
            &HEAT.replace("KB-2026-06001", "KB-2026-06003").replace("5 t", "1 t"),
        )?;
        let published = self.command(0, &["cert", "publish", "small.json", "--home", "mill"])?;
        let record = text(&published, "/files/0/record_id")?;
        let make = ["lot", "commission", &record, "--make", "MUCH-1=2 t,8", "--home", "mill"];
        self.command(1, &make)?;
        tell(
            "Two tonnes of a certificate of one: its own node refuses, and no proof of it can be made.",
        );
        let order = ["--order", "PO-4712", "--note", "250 pieces"];
        self.hand_over("BEARINGS-4", "bearing-maker", "assembler", &order).await?;
        let seen = self.inspect(1, "BEARINGS-4", &["--order", "po-4712.json"])?;
        ensure!(codes(&seen).contains(&"pieces-differ".to_owned()), "not refused: {seen}");
        for line in lines(&seen, "reject") {
            tell(&format!("  {line}"));
        }
        tell("REJECT: 250 pieces stand on the delivery note, and 200 in the sealed lot.");
        Ok(())
    }

    /// A recall reaches the dock.
    pub(crate) async fn recall(&mut self) -> Result<()> {
        let heat = self.heat.clone();
        let raise = ["alert", "raise", &heat, "--level", "recall", "--reason"];
        let rest = ["inclusions found in ultrasonic retest", "--home", "mill"];
        let begun = Instant::now();
        self.command(0, &[&raise[..], &rest].concat())?;
        typed(&Program::line(&["recall", "list", "--home", "assembler", "--json"]));
        loop {
            let ran = self.ran(&["recall", "list", "--home", "assembler", "--json"])?;
            if ran.code == Some(1) {
                let told: Value = serde_json::from_str(&ran.stdout)?;
                tell(&format!(
                    "The assembler's own node has matched it after {}: {} lots, {} of them in stock.",
                    lasted(begun.elapsed()),
                    number(&told, "/recalls/0/own_lots")?,
                    number(&told, "/recalls/0/stock_lots")?
                ));
                break;
            }
            if begun.elapsed() > AGREE_LIMIT {
                bail!("the recall never reached the assembler: {}{}", ran.stdout, ran.stderr);
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        let seen = self.inspect(1, "BEARINGS-3", &["--order", "po-4711.json"])?;
        ensure!(codes(&seen).contains(&"recalled".to_owned()), "not recalled at the dock: {seen}");
        tell("REJECT: what was accepted an hour ago is not any more.");
        let shown =
            self.command(1, &["recall", "show", &short_of(&heat), "--home", "bearing-maker"])?;
        let customers = shown.pointer("/holders").and_then(Value::as_array).map_or(0, Vec::len);
        ensure!(customers > 0, "the bearing maker does not find its customer: {shown}");
        let notices =
            ["recall", "notices", &short_of(&heat), "--out", "notices", "--send", "--reason"];
        self.command(
            0,
            &[&notices[..], &["ultrasonic retest", "--home", "bearing-maker"]].concat(),
        )?;
        tell(
            "The bearing maker's node names the customer and has written the notice; the mill learns sums only.",
        );
        Ok(())
    }
}

fn short_of(hex: &str) -> String {
    short(hex).chars().filter(char::is_ascii_hexdigit).collect()
}

/// The codes of what is not accepted.
pub(super) fn codes(inspection: &Value) -> Vec<String> {
    let lines = inspection.pointer("/lines").and_then(Value::as_array);
    let open =
        lines.into_iter().flatten().filter(|line| line.get("outcome") != Some(&"accept".into()));
    open.filter_map(|line| line.get("code")?.as_str().map(str::to_owned)).collect()
}

/// The words of the lines with one outcome.
pub(super) fn lines(inspection: &Value, outcome: &str) -> Vec<String> {
    let lines = inspection.pointer("/lines").and_then(Value::as_array);
    let such =
        lines.into_iter().flatten().filter(|line| line.get("outcome") == Some(&outcome.into()));
    let words = |line: &Value| {
        let text =
            |name: &str| line.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let told =
            if outcome == "accept" { text("evidence").or(text("words")) } else { text("words") };
        Some(format!("{}: {}", text("check")?, told?))
    };
    such.filter_map(words).collect()
}
