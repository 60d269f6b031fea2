//! A delivery at a real dock: inspected by file without a node and by scan through one, missing evidence asked of the mill's node,
//! disposed of by name, recorded, and turned by an alert.

use crate::town::{LONG, Town};
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

const HEAT: &str = r#"{"Heatmark":"1","certificate/number":"H7","certificate/issued":"2026-01-02",
    "manufacturer/name":"Kesselbach","melt/country":"DE","product/name":"billet","heat":"H7","product/mass":"5 t",
    "chemistry":{"C":"0.021 %","Cr":"17.01 %"}}"#;
const LIMITS: &str = "standard = 'works standard 7'\nsample = 'heat'\nrounding = 'absolute'\n\
    [[limit]]\nproperty = 'chemistry/C'\nunit = '%'\nmaximum = '0.030'\n";
const POLICY: &str = "[origin]\nmelt_country = ['DE']\n[[limits]]\nspecification = 'limits.toml'\nas = 'proved'\n\
    [[readings.within]]\nproperty = 'chemistry/Cr'\ntolerance = '0.2 %'\n";
const ORDER: &str =
    r#"{"number": "4711", "line": 1, "product": "billet 120 mm", "mass": "3 t", "pieces": 10}"#;
const READINGS: &str = "property,value,unit,instrument\nchemistry/Cr,16.95,%,PMI-3\n";

async fn until<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(since.elapsed() < LONG, "{what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Hands a lot of the mill's over to the forge, as files.
fn hand_over(town: &Town, lot: &str, told: &[&str]) {
    let mill = town.devnet.member("mill").unwrap().to_string();
    let forge = town.devnet.member("forge").unwrap().to_string();
    let (offer, parcel) = (format!("{lot}.offer"), format!("{lot}.parcel"));
    town.command(0, &["lot", "offer", "--to", &mill, "--out", &offer, "--home", "forge"]);
    let ship = ["lot", "ship", lot, "--to", &forge, "--offer", &offer, "--out", &parcel];
    town.command(0, &[&ship[..], told, &["--home", "mill"]].concat());
    town.command(0, &["lot", "receive", &parcel, "--home", "forge"]);
}

fn codes(inspection: &Value) -> Vec<String> {
    let lines = inspection["lines"].as_array().unwrap().iter();
    let open = lines.filter(|line| line["outcome"] != "accept");
    open.map(|line| line["code"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_delivery_is_inspected_asked_about_disposed_of_and_turned_by_an_alert() {
    let town = Town::up(&[]).await;
    for (name, text) in [
        ("heat.json", HEAT),
        ("limits.toml", LIMITS),
        ("policy.toml", POLICY),
        ("order.json", ORDER),
        ("readings.csv", READINGS),
    ] {
        fs::write(town.path(name), text).unwrap();
    }
    fs::write(town.path("other.json"), HEAT.replace("H7", "H8")).unwrap();
    let certified = |file: &str, make: &str| {
        let published = town.command(0, &["cert", "publish", file, "--home", "mill"]);
        let record = published["files"][0]["record_id"].as_str().unwrap().to_owned();
        let commission = ["lot", "commission", &record, "--make", make, "--home", "mill"];
        town.command(0, &[&commission[..], &["--product", "billet 120 mm"]].concat());
        record
    };
    let record = certified("heat.json", "B1=3 t,10");
    let other = certified("other.json", "B2=2 t,6");
    let told = ["--show", "melt/country,chemistry/Cr", "--limits", "limits.toml"];
    hand_over(&town, "B1", &told);
    hand_over(&town, "B2", &[]);

    // By scan, through the own node.
    let given = ["--order", "order.json", "--policy", "policy.toml", "--readings", "readings.csv"];
    let by_scan = |lot: &str, code: i32, more: &[&str]| {
        let scan = format!("(01)09506000134352(10){lot}");
        town.command(code, &[&["inspect", &scan, "--home", "forge"], &given[..], more].concat())
    };
    let inspection =
        by_scan("B1", 0, &["--report", "b1.html", "--report", "b1.pdf", "--out", "b1.json"]);
    assert_eq!(codes(&inspection), Vec::<String>::new());
    assert_eq!(inspection["lots"][0]["name"], "B1, billet 120 mm");
    let written: Value = serde_json::from_slice(&fs::read(town.path("b1.json")).unwrap()).unwrap();
    assert_eq!(written, inspection);
    assert!(fs::read_to_string(town.path("b1.html")).unwrap().contains("billet 120 mm"));
    assert!(fs::read(town.path("b1.pdf")).unwrap().starts_with(b"%PDF-"));
    by_scan("NONE", 1, &[]);

    // By file, with nothing but the genesis file.
    let write = ["lot", "capsule", "B1", "--quantities", "--out", "b1.capsule", "--home", "forge"];
    town.command(0, &write);
    let genesis = town.devnet.genesis_path().display().to_string();
    let by_file = |code: i32, more: &[&str]| {
        let what = ["inspect", "b1.capsule", "--trust", &genesis];
        town.command(code, &[&what[..], &given[..], more].concat())
    };
    let alone = by_file(0, &[]);
    let hash = alone["lots"][0]["capsule"].as_str().unwrap().to_owned();
    by_file(0, &[&format!("urn:heatmark:capsule:{hash}")]);
    by_file(1, &[&format!("urn:heatmark:capsule:{}", "ab".repeat(32))]);
    fs::write(town.path("order.json"), ORDER.replace("3 t", "3.1 t")).unwrap();
    assert_eq!(codes(&by_file(1, &[])), ["mass-differs"]);
    fs::write(town.path("order.json"), ORDER.replace("3 t", "2 t").replace("10", "6")).unwrap();

    // The other lot came without evidence: the mill's people are asked for it.
    let held = by_scan("B2", 3, &["--ask"]);
    let mill = town.devnet.member("mill").unwrap().to_string();
    assert_eq!(held["asked"]["to"][0], mill.as_str());
    let open = codes(&held);
    assert!(
        ["claim-missing", "not-proved"].iter().all(|code| open.contains(&(*code).to_owned())),
        "{open:?}"
    );
    let letter = until("the request never arrived", || {
        let letters = town.command(0, &["post", "list", "--home", "mill"]);
        let request = letters["arrived"]
            .as_array()
            .unwrap()
            .iter()
            .find(|letter| letter["name"].as_str().unwrap().starts_with("request-"));
        request.map(|letter| letter["letter"].as_str().unwrap().to_owned())
    })
    .await;
    town.command(0, &["post", "save", &letter, "--out", "request.txt", "--home", "mill"]);
    let request = fs::read_to_string(town.path("request.txt")).unwrap();
    for part in ["B2", &other, "melt/country", "works standard 7", "4711"] {
        assert!(request.contains(part), "{part}: {request}");
    }
    assert!(!request.contains("16.95"), "{request}");

    // Somebody decides; against the evidence with a reason only.
    let decide = ["--by", "Anna Berg", "--dispose", "accept"];
    by_scan("B2", 2, &decide);
    let listed = |town: &Town| town.command(0, &["inspect", "list", "--home", "forge"]);
    assert_eq!(listed(&town)["inspections"], Value::Array(Vec::new()));
    let reasoned = [&decide[..], &["--reason", "seen the paper"]].concat();
    let decided = by_scan("B2", 0, &reasoned);
    assert_eq!((&decided["verdict"], &decided["stands"]), (&"hold".into(), &"accept".into()));
    let inspections = listed(&town);
    assert_eq!(inspections["inspections"][0]["record_id"], decided["record"]["record_id"]);
    let what = inspections["inspections"][0]["what"].as_str().unwrap();
    assert!(what.starts_with("accept of B2, billet 120 mm by Anna Berg, evidence hold"), "{what}");
    let of_record = decided["record"]["record_id"].as_str().unwrap();
    let show = ["cert", "show", of_record, "--fields", "inspection/*", "--to", &mill];
    let rest = ["--purpose", "complaint", "--out", "i.disclosure", "--home", "forge"];
    let shown = town.command(0, &[&show[..], &rest].concat());
    assert_eq!(shown["form"], "inspection Heatmark 1");
    assert!(shown.to_string().contains("seen the paper"));

    // An alert turns what was accepted.
    fs::write(town.path("order.json"), ORDER).unwrap();
    let raise = ["alert", "raise", &record, "--level", "recall", "--reason", "mixed heats"];
    town.command(0, &[&raise[..], &["--home", "mill"]].concat());
    let recalled = until("the recall never reached the dock", || {
        let scan =
            ["inspect", "(01)09506000134352(10)B1", "--home", "forge", "--policy", "policy.toml"];
        let ran = town.devnet.program().run(&[&scan[..], &["--json"]].concat()).unwrap();
        let told: Value = serde_json::from_str(&ran.stdout).unwrap();
        (told["verdict"] == "reject").then_some(told)
    })
    .await;
    assert_eq!(codes(&recalled), ["recalled"]);
    // The file from before is as old as it is, and a policy says how old evidence may be.
    by_file(0, &[]);
    town.down().await;
}
