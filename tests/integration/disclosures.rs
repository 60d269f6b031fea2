//! What a mill shows and proves of its certificates, as people do it, and what the receiver makes of the file offline.

use crate::town::Town;
use std::fs;
use std::path::Path;

const SPECIFICATION: &str = "
standard = 'ASTM A240'
grade = '316L'
sample = 'heat'
rounding = 'astm-e29'
[[limit]]
property = 'chemistry/C'
unit = '%'
maximum = '0.030'
[[limit]]
property = 'chemistry/Cr'
unit = '%'
minimum = '16.0'
maximum = '18.0'
";
const POLICY: &str = "[[require]]\nproperty = 'chemistry/C'\nas = 'shown'\n";

#[tokio::test]
async fn a_receiver_checks_offline_what_it_was_shown_and_what_was_proved() {
    let town = Town::up(&[]).await;
    let plate =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../devnet/certificates/316l-plate.json");
    let plate = plate.display().to_string();
    let published = town.command(0, &["cert", "publish", &plate, "--home", "mill"]);
    let record = published["files"][0]["record_id"].as_str().unwrap().to_owned();
    let forge = town.devnet.member("forge").unwrap().to_string();
    let about = ["--home", "mill", "--to", &forge, "--purpose", "order 4711"];
    let with = |more: &[&str]| -> Vec<String> {
        let all = more.iter().chain(&about);
        all.map(|argument| (*argument).to_owned()).collect()
    };
    let run = |code: i32, arguments: Vec<String>| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        town.command(code, &arguments)
    };
    run(0, with(&["cert", "show", &record, "--fields", "heat,grade", "--out", "shown.disclosure"]));
    fs::write(town.path("spec.toml"), SPECIFICATION).unwrap();
    let prove = ["cert", "prove", &record, "--spec", "spec.toml"];
    run(0, with(&[&prove[..], &["--out", "proved.disclosure"]].concat()));
    let narrower = SPECIFICATION.replace("0.030", "0.020");
    fs::write(town.path("narrower.toml"), narrower).unwrap();
    let again = ["cert", "prove", &record, "--spec", "narrower.toml", "--out", "none.disclosure"];
    run(1, with(&again));
    assert!(!town.path("none.disclosure").exists());
    // What stands against the record, fetched by the receiver from its own node, at three moments.
    let listed = town.command(0, &["cert", "list", "--home", "mill"]);
    let subject = listed["records"][0]["alert_subject"].as_str().unwrap().to_owned();
    let fetch = |code: i32, file: &str| {
        town.command(code, &["alert", "status", &subject, "--out", file, "--home", "forge"]);
    };
    let raise = |level: &str| {
        let arguments = ["alert", "raise", &record, "--level", level, "--reason", "retest"];
        town.command(0, &[&arguments[..], &["--home", "mill"]].concat());
    };
    fetch(0, "clear.alerts");
    raise("hold");
    fetch(1, "hold.alerts");
    raise("recall");
    fetch(1, "recall.alerts");
    let genesis = town.devnet.genesis_path().display().to_string();
    fs::write(town.path("policy.toml"), POLICY).unwrap();
    town.down_keeping_files(|town| {
        let verify = |code: i32, home: &str, more: &[&str]| {
            let first = ["verify", "--trust", &genesis, "--home", home];
            town.command(code, &[&first[..], more].concat())
        };
        let shown = verify(0, "forge", &["shown.disclosure"]);
        let shown = &shown["disclosures"][0];
        assert_eq!(shown["verdict"], "verified");
        assert_eq!(shown["purpose"], "order 4711");
        let fields = shown["fields"].as_array().unwrap();
        assert!(fields.iter().any(|field| field["path"] == "heat" && field["shown"] == "553908"));
        assert!(
            fields.iter().all(|field| !field["path"].as_str().unwrap().starts_with("chemistry"))
        );
        let with = |code: i32, more: &[&str]| {
            verify(code, "forge", &[&["shown.disclosure"], more].concat())["disclosures"][0].clone()
        };
        assert_eq!(with(0, &[])["alerts"], serde_json::Value::Null);
        assert_eq!(with(3, &["--max-age", "999999"])["verdict"], "hold");
        let clear = with(0, &["--alerts", "clear.alerts", "--max-age", "999999"]);
        assert_eq!(clear["alerts"]["level"], "clear");
        assert_eq!(with(3, &["--alerts", "hold.alerts"])["verdict"], "hold");
        assert_eq!(with(1, &["--alerts", "recall.alerts"])["verdict"], "refused");
        // The newest of several counts, whatever their order.
        let all =
            ["--alerts", "recall.alerts", "--alerts", "clear.alerts", "--alerts", "hold.alerts"];
        assert_eq!(with(1, &all)["alerts"]["level"], "recall");
        let proved = verify(0, "forge", &["proved.disclosure"]);
        let limits = &proved["disclosures"][0]["conformity"]["limits"];
        assert_eq!(limits.as_array().unwrap().len(), 2);
        assert_eq!(proved["disclosures"][0]["fields"][0]["shown"], serde_json::Value::Null);
        // A proof does not take the place of a value that the buyer demands.
        let lacking = verify(3, "forge", &["--policy", "policy.toml", "proved.disclosure"]);
        assert_eq!(lacking["disclosures"][0]["verdict"], "hold");
        let other = verify(1, "lab", &["shown.disclosure"]);
        assert_eq!(other["disclosures"][0]["code"], "wrong-receiver");
        let mut bytes = fs::read(town.path("shown.disclosure")).unwrap();
        for at in (0..bytes.len()).step_by(bytes.len() / 8) {
            bytes[at] ^= 0x10;
            fs::write(town.path("bent.disclosure"), &bytes).unwrap();
            verify(1, "forge", &["bent.disclosure"]);
            bytes[at] ^= 0x10;
        }
    })
    .await;
}
