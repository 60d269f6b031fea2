//! Lots as a forge's people handle them all day: put together, taken apart, relabelled, weighed, with serials and a capture plan,
//! through a kill -9; and nothing of it on anybody else's disk.

use crate::town::Town;
use serde_json::Value;
use std::fs;

const HEAT: &str = r#"{"Heatmark":"1","certificate/number":"H7","certificate/issued":"2026-01-02",
    "manufacturer/name":"Kesselbach","product/name":"billet","heat":"H7","product/mass":"5 t","chemistry":{"C":"0.11 %"}}"#;
const PLAN: &str = r#"
[[product]]
name = "ring*"
depth = "item"
[[product.point]]
name = "forging"
events = ["transform"]
process = ["die", "station"]
scan = true
"#;

fn lot(town: &Town, code: i32, arguments: &[&str]) -> Value {
    town.command(code, &[&["lot"], arguments, &["--home", "mill"]].concat())
}

fn standing(town: &Town) -> Vec<String> {
    let lots = lot(town, 0, &["list"]);
    let mut names: Vec<String> = lots["lots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|lot| lot["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

async fn crash(town: &mut Town) {
    town.devnet.kill("mill").await.unwrap();
    town.devnet.restart("mill").await.unwrap();
}

#[tokio::test]
async fn a_day_on_the_shop_floor() {
    let mut town = Town::up(&[]).await;
    fs::write(town.path("heat.json"), HEAT).unwrap();
    let published = town.command(0, &["cert", "publish", "heat.json", "--home", "mill"]);
    let record = published["files"][0]["record_id"].as_str().unwrap().to_owned();
    // A plan that cannot be read keeps the node's people from starting it with none.
    let settings = town.path("mill/heatmark.toml");
    let told = fs::read_to_string(&settings).unwrap();
    assert!(told.contains("capture_plan = \"\""));
    fs::write(&settings, told.replace("capture_plan = \"\"", "capture_plan = \"plan.toml\""))
        .unwrap();
    town.command(1, &["config", "check", "--home", "mill"]);
    fs::write(town.path("mill/plan.toml"), PLAN).unwrap();
    town.command(0, &["config", "check", "--home", "mill"]);
    crash(&mut town).await;
    let makes = ["B1=1 t,1", "B2=1 t,1", "B3=1 t,1"].map(|make| ["--make", make]).concat();
    let commission = [&["commission", &record, "--product", "billet"], makes.as_slice()].concat();
    lot(&town, 0, &commission);
    forging(&town);
    assembling(&town);
    let glue = ["commission", "--uncertified", "--make", "GLUE=5 kg", "--product", "glue"];
    lot(&town, 0, &[&glue[..], &["--expires", "2020-12-31"]].concat());
    lot(&town, 1, &["transform", "GLUE", "--make", "TAPE=5 kg", "--product", "tape"]);
    lot(&town, 0, &["service", "GLUE", "--expires", "2099-12-31", "--reason", "tested again"]);
    crash(&mut town).await;
    assert_eq!(standing(&town), ["GLUE", "PUMP", "R1", "R2", "SEAL"]);
    let shown = lot(&town, 0, &["show", "B2"]);
    assert_eq!(
        (shown["state"].as_str(), shown["became"][0].as_str()),
        (Some("used"), Some("SEAL"))
    );
    reporting(&town);
    town.agree(&town.devnet.names(), 12).await;
    town.down_keeping_files(|town| {
        for name in town.devnet.names() {
            let own = name == "mill";
            search(&town.path(&name), own);
        }
    })
    .await;
}

/// Rings with serials: everything recorded, or a point waived by name.
fn forging(town: &Town) {
    let rings = ["transform", "B1", "--make", "R1=400 kg,40", "--make", "R2=600 kg,60"];
    let rings = [&rings[..], &["--product", "ring 400", "--serials", "K-{0001}"]].concat();
    lot(town, 1, &rings);
    let done = ["--die", "D-77", "--station", "ring mill 2", "--ended", "2026-01-02T10:00+01:00"];
    lot(town, 1, &[&rings[..], &done].concat());
    lot(town, 1, &[&rings[..], &done, &["--scan", "(01)09506000134352(10)B2"]].concat());
    let made = lot(town, 0, &[&rings[..], &done, &["--scan", "(01)09506000134352(10)B1"]].concat());
    assert_eq!(made["lots"].as_array().unwrap().len(), 2);
    let shown = lot(town, 0, &["show", "R2"]);
    assert_eq!(shown["process"]["die"], "D-77");
    assert_eq!(
        (shown["serials"]["first"].as_str(), shown["serials"]["last"].as_str()),
        (Some("K-0041"), Some("K-0100"))
    );
    let label = ["label", "R1", "--serial", "K-0040", "--gtin", "09506000134352"];
    let files = ["--out", "label.svg", "--proof", "k.serial"];
    lot(town, 0, &[&label[..], &files].concat());
    assert!(fs::metadata(town.path("label.svg")).unwrap().len() > 500);
    assert!(fs::metadata(town.path("k.serial")).unwrap().len() > 200);
    lot(town, 1, &["label", "R2", "--serial", "K-0040"]);
    // The same serials again, from a list: none of them, and nothing is made.
    fs::write(town.path("serials.txt"), "N-1\nK-0100\n").unwrap();
    let more = ["commission", "--uncertified", "--make", "X=2 kg,2", "--serials"];
    lot(town, 1, &[&more[..], &["serials.txt"]].concat());
    fs::write(town.path("serials.txt"), "N-1\nN-2\n").unwrap();
    lot(town, 0, &[&more[..], &["serials.txt"]].concat());
    lot(town, 0, &["scrap", "X", "--reason", "not needed"]);
    // A waiver opens one point until a day, and says who gave it.
    let bare =
        ["transform", "B3", "--make", "R3=1 t,10", "--product", "ring 500", "--serials", "L{1}"];
    let waive = ["--waive", "forging", "--waive-reason", "scanner broken", "--until"];
    lot(town, 1, &[&bare[..], &waive, &["2020-01-01"]].concat());
    lot(town, 0, &[&bare[..], &waive, &[&day(30)]].concat());
    lot(
        town,
        0,
        &["rework", "R3", "--make", "=900 kg,9", "--scrap", "100 kg,1", "--lost-serial", "L4"],
    );
    lot(town, 1, &["label", "R3", "--serial", "L4"]);
    lot(town, 0, &["scrap", "R3", "--reason", "cracked"]);
}

/// A pump of a billet, to have something to put into something.
fn assembling(town: &Town) {
    lot(
        town,
        0,
        &[
            "transform",
            "B2",
            "--make",
            "SEAL=10 kg,1",
            "--make",
            "PART=990 kg,1",
            "--product",
            "part",
        ],
    );
    lot(town, 0, &["relabel", "PART=PUMP"]);
    lot(town, 0, &["install", "PUMP", "SEAL", "--station", "A1"]);
    let shown = lot(town, 0, &["show", "PART"]);
    assert_eq!(shown["became"][0], "PUMP");
    lot(town, 1, &["remove", "PUMP", "R1"]);
    lot(town, 0, &["remove", "PUMP", "SEAL"]);
    lot(town, 0, &["aggregate", "PUMP", "SEAL", "--into", "BOX", "--product", "box"]);
    let boxed = lot(town, 0, &["show", "BOX"]);
    assert_eq!(boxed["mass_mg"].as_u64(), Some(1_000_000_000));
    lot(town, 0, &["disaggregate", "BOX"]);
    lot(town, 1, &["adjust", "PUMP", "1000 kg,1", "--reason", "scale 4"]);
    lot(town, 0, &["adjust", "PUMP", "991 kg,1", "--reason", "scale 4"]);
    lot(
        town,
        0,
        &["repair", "PUMP", "--scrap", "1 kg", "--uncertified", "2 kg", "--reason", "welded"],
    );
}

fn reporting(town: &Town) {
    let today = day(0);
    let report = ["report", "capture", "--from", &today, "--to", &day(1), "--csv", "report.csv"];
    let told = town.command(0, &[&report[..], &["--home", "mill"]].concat());
    let point = |name: &str| {
        let points = told["points"].as_array().unwrap();
        let of = |point: &&Value| point["product"] == name && point["point"] == "forging";
        let point = points.iter().find(of).unwrap();
        (point["demanded"].as_u64().unwrap(), point["waived"].as_u64().unwrap())
    };
    assert_eq!((point("ring 400"), point("ring 500")), ((1, 0), (1, 1)));
    assert_eq!(told["scanned"], 1);
    assert_eq!(told["latency"]["events"], 1);
    let waiver = &told["waivers"][0];
    assert_eq!(
        (waiver["point"].as_str(), waiver["reason"].as_str()),
        (Some("forging"), Some("scanner broken"))
    );
    assert_eq!(waiver["key"].as_str().unwrap().len(), 64);
    let csv = fs::read_to_string(town.path("report.csv")).unwrap();
    assert!(csv.contains("recorded,ring 400,forging,1,1\n"), "{csv}");
    let wrong = ["report", "capture", "--from", &day(1), "--to", "yesterday", "--home", "mill"];
    town.devnet.program().run_expecting(2, &wrong).unwrap();
}

/// A day so many days from now, as people write it.
fn day(ahead: u64) -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let mut days = since.as_secs() / 86_400 + ahead;
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while days >= if leap(year) { 366 } else { 365 } {
        days -= if leap(year) { 366 } else { 365 };
        year += 1;
    }
    let february = if leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}

/// No file below holds what only the mill knows.
fn search(directory: &std::path::Path, own: bool) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, own);
        } else if let Ok(bytes) = fs::read(&path) {
            let settings = own && path.extension().is_some_and(|extension| extension == "toml");
            for needle in
                [&b"D-77"[..], b"ring mill 2", b"K-0041", b"scanner broken", b"tested again"]
            {
                let there = bytes.windows(needle.len()).any(|at| at == needle);
                assert!(settings || !there, "{}", path.display());
            }
        }
    }
}
