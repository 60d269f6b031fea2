//! What mills have, through the real programs: mapped files, PDFs, transcribing, superseding, and a watched directory
//! whose watch and node are killed.

use crate::town::{LONG, Town};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn sample(name: &str) -> String {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node/reading/samples");
    samples.join(name).display().to_string()
}

fn certificate(number: usize) -> String {
    let plate =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../devnet/certificates/316l-plate.json");
    fs::read_to_string(plate).unwrap().replace("KB-2026-05102", &format!("KB-{number}"))
}

/// The layout of the sample template, as a PDF in Helvetica.
fn pdf() -> Vec<u8> {
    let texts = [
        (72, 800, "Kesselbach Edelstahl AG"),
        (330, 800, "Inspection certificate 3.1"),
        (72, 770, "Certificate No.: KB-5102"),
        (330, 770, "Date 06.10.2026"),
        (72, 750, "Product"),
        (140, 750, "Hot rolled plate 20 mm"),
        (330, 750, "Heat 553908"),
        (72, 730, "Net weight 1912.5 kg"),
    ];
    let mut content = "BT /F1 10 Tf ".to_owned();
    for (x, y, text) in texts {
        content.push_str(&format!("1 0 0 1 {x} {y} Tm ({text}) Tj "));
    }
    content.push_str("ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [4 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources << /Font << /F1 3 0 R >> >> >>".to_owned(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
    ];
    let mut file = "%PDF-1.4\n".to_owned();
    let mut offsets = String::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", index + 1));
    }
    let xref = file.len();
    file.push_str(&format!("xref\n0 6\n0000000000 65535 f \n{offsets}trailer << /Size 6 /Root 1 0 R >>\nstartxref\n{xref}\n%%EOF\n"));
    file.into_bytes()
}

#[tokio::test]
async fn mapped_files_pdfs_copies_and_successors_are_published() {
    let town = Town::up(&[]).await;
    let publish = |code: i32, more: &[&str]| {
        let mut arguments = vec!["cert", "publish", "--home", "mill"];
        arguments.extend(more);
        town.command(code, &arguments)
    };
    let mapped = ["--mapping", &sample("laboratory.toml"), &sample("laboratory.csv")];
    let published = publish(0, &mapped);
    assert_eq!(
        (&published["new"], &published["files"][0]["mass_mg"]),
        (&2.into(), &1_912_000_000_u64.into())
    );
    assert_eq!(publish(0, &mapped)["already_published"], 2);
    assert_eq!(publish(0, &["--mapping", &sample("erp.toml"), &sample("erp.json")])["new"], 1);
    assert_eq!(publish(1, &[&sample("laboratory.csv")])["refused"].as_array().unwrap().len(), 1);

    let paper = town.path("paper.pdf");
    fs::write(&paper, pdf()).unwrap();
    let paper = paper.display().to_string();
    let template = ["--template", &sample("kesselbach.toml"), &paper];
    let unconfirmed = publish(1, &template);
    assert!(unconfirmed["refused"][0]["faults"][0].as_str().unwrap().contains("nobody confirmed"));
    let read = publish(0, &[&template[..], &["--yes"]].concat());
    assert_eq!(read["new"], 1);
    assert_eq!(read["read_by_template"][0]["not_found"][0], "chemistry/C");
    let copied =
        publish(0, &[&template[..], &["--yes", "--transcribed-from", "Norra Stål AB"]].concat());
    assert_eq!(copied["files"][0]["form"], "transcribed Heatmark 1");
    assert!(copied["files"][0]["notes"][0].as_str().unwrap().starts_with("commissions nothing"));
    assert_eq!(publish(1, &[&paper])["refused"].as_array().unwrap().len(), 1);
    fs::write(town.path("damaged.pdf"), &pdf()[..200]).unwrap();
    let damaged = town.path("damaged.pdf").display().to_string();
    assert_eq!(publish(1, &["--template", &sample("kesselbach.toml"), &damaged])["new"], 0);

    let notes = "heat = \"H-1\"\n[certificate]\nnumber = \"S-1\"\nissued = 2026-10-06\n[manufacturer]\nname = \"Mill\"\n[product]\nname = \"Plate\"\nmass = \"2 t\"\n";
    fs::write(town.path("scan.pdf"), pdf()).unwrap();
    fs::write(town.path("scan.pdf.heatmark.toml"), notes).unwrap();
    let scan = publish(0, &[&town.path("scan.pdf").display().to_string()]);
    assert_eq!(scan["files"][0]["mass_mg"], 2_000_000_000_u64);
    let old = scan["files"][0]["record_id"].as_str().unwrap().to_owned();

    fs::write(town.path("new.json"), certificate(1)).unwrap();
    let new = town.path("new.json").display().to_string();
    let unknown = publish(1, &["--supersedes", &"ab".repeat(32), &new]);
    assert!(
        unknown["refused"][0]["faults"][0].as_str().unwrap().contains("published no such record")
    );
    let published = publish(0, &["--supersedes", &old, &new]);
    assert_eq!(published["new"], 1);
    superseded(&town, &old, published["files"][0]["record_id"].as_str().unwrap());
    town.down().await;
}

/// The old record is marked, the network knows, and who gets the alert file learns by which record, offline.
fn superseded(town: &Town, old: &str, new: &str) {
    let listed = |id: &str| {
        town.command(0, &["cert", "list", "--home", "mill", "--id", id])["records"][0].clone()
    };
    let (before, after) = (listed(old), listed(new));
    assert_eq!((&before["superseded_by"], &after["supersedes"]), (&json!(new), &json!(old)));
    assert_eq!(
        (&before["heat"], &before["commissions_mg"]),
        (&json!("H-1"), &json!(2_000_000_000))
    );
    assert_eq!((&after["superseded_by"], &before["supersedes"]), (&Value::Null, &Value::Null));
    let subject = before["alert_subject"].as_str().unwrap();
    let seen = town.command(1, &["alert", "status", subject, "--home", "forge"]);
    assert_eq!(
        (&seen["level"], &seen["alerts"][0]["reason"]),
        (&json!("superseded"), &Value::Null)
    );
    let mut tell =
        vec!["alert", "status", old, "--home", "mill", "--reason", "--out", "old.alerts"];
    let told = town.command(1, &tell);
    assert_eq!(told["alerts"][0]["superseded_by"], new);
    // Only who raised it knows why.
    (tell[2], tell[4]) = (subject, "forge");
    town.command(2, &tell);
    let genesis = town.devnet.genesis_path().display().to_string();
    let read = town.command(1, &["alert", "verify", "old.alerts", "--trust", &genesis]);
    assert_eq!(read["alerts"][0]["superseded_by"], new);
}

struct Watch(Child);

impl Watch {
    fn start(town: &Town, directory: &Path) -> Self {
        let child = Command::new(town.devnet.program().path())
            .args(["cert", "watch", "--settle", "1", "--every", "1", "--home"])
            .arg(town.path("mill"))
            .arg(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // SIGKILL, as the tests mean it; it may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn waits_for(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LONG, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn count(directory: PathBuf, ending: &str) -> usize {
    fs::read_dir(directory)
        .map(|entries| {
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.filter(|name| name.ends_with(ending)).count()
        })
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_publishes_once_whatever_is_killed() {
    let mut town = Town::up(&[]).await;
    let directory = town.path("drop");
    fs::create_dir(&directory).unwrap();
    let (published, refused) = (directory.join("published"), directory.join("refused"));
    let mut watch = Watch::start(&town, &directory);
    for number in 0..20 {
        fs::write(directory.join(format!("{number}.json")), certificate(number)).unwrap();
        if number % 5 == 4 {
            drop(watch);
            std::thread::sleep(Duration::from_millis(300 * (number as u64 % 4)));
            watch = Watch::start(&town, &directory);
        }
    }
    fs::write(directory.join("bad.json"), "{\"a\": 1}").unwrap();
    waits_for("twenty files are published", || count(published.clone(), ".record.json") == 20);
    waits_for("one is set aside", || count(refused.clone(), ".reason.txt") == 1);
    let reason = fs::read_to_string(refused.join("bad.json.reason.txt")).unwrap();
    assert!(reason.starts_with("not a certificate of a known form"), "{reason}");

    town.devnet.kill("mill").await.unwrap();
    fs::write(directory.join("later.json"), certificate(99)).unwrap();
    fs::write(directory.join("again.json"), certificate(3)).unwrap();
    std::thread::sleep(Duration::from_secs(4));
    assert!(directory.join("later.json").exists(), "a node that is down is no fault of a file");
    assert_eq!(count(refused.clone(), ".reason.txt"), 1);
    town.devnet.restart("mill").await.unwrap();
    waits_for("both are published", || count(published.clone(), ".record.json") == 22);
    drop(watch);
    let records = town.command(0, &["cert", "list", "--home", "mill"]);
    let records = records["records"].as_array().unwrap();
    assert_eq!(records.len(), 21, "the same file is one record");
    assert!(records.iter().all(|record| record["transaction_id"].as_str() != Some("")));
    let same = |name: &str| -> Value {
        let note = fs::read(published.join(format!("{name}.record.json"))).unwrap();
        serde_json::from_slice::<Value>(&note).unwrap()["records"][0]["record_id"].clone()
    };
    assert_eq!(same("again.json"), same("3.json"));
    town.down().await;
}
