//! A laboratory attests a mill's record, and a buyer believes neither alone: the mill publishes and shows, the laboratory's
//! own software submits its report over gRPC, the buyer verifies both offline by its policy.

use crate::town::Town;
use heatmark::keys::KeyKind;
use heatmark_client::tls::Identity;
use heatmark_client::{AttestRequest, DeskClient, ReportFile};
use heatmark_ledger::receipt::TrustRoot;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn report(date: &str, carbon: &str) -> Value {
    json!({
        "Heatmark": "1",
        "certificate": {"number": format!("P-{date}"), "issued": "2026-11-02"},
        "sample": {"id": "S-17/3", "type": "product"},
        "test": {"method": "ASTM E415-21", "date": date},
        "accreditation": {
            "body": "COFRAC", "number": "1-0815",
            "valid-from": "2024-01-01", "valid-until": "2027-12-31",
            "scope": [{"method": "ASTM E415-21", "property": "chemistry/*"}],
        },
        "chemistry": {"C": carbon},
    })
}

fn policy(within: &str) -> String {
    format!(
        "[[require]]\nproperty = 'heat'\nas = 'shown'\n\
        [[require]]\nproperty = 'chemistry/C'\nas = 'attested'\n\
        attested_by = ['lab']\nsample = 'product'\nwithin = '{within}'\n"
    )
}

async fn desk(town: &Town, name: &str) -> DeskClient {
    let key = town.devnet.key(name, KeyKind::P2p).unwrap();
    let identity = Identity::new(key, &town.devnet.member(name).unwrap()).unwrap();
    let trust = TrustRoot::from_genesis(&town.devnet.genesis().unwrap());
    DeskClient::connect(&town.devnet.target(name).unwrap(), &identity, trust).await.unwrap()
}

/// Makes a file for a member with `cert show` or `cert agree`.
fn make(town: &Town, home: &str, to: &str, arguments: &[&str]) -> Value {
    let to = town.devnet.member(to).unwrap().to_string();
    let about = ["--home", home, "--to", &to, "--purpose", "order 4711"];
    town.command(0, &[arguments, &about].concat())
}

#[tokio::test]
async fn a_buyer_believes_a_laboratory_and_not_the_mill_alone() {
    let town = Town::up(&[]).await;
    let plate =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../devnet/certificates/316l-plate.json");
    let plate = plate.display().to_string();
    let published = town.command(0, &["cert", "publish", &plate, "--home", "mill"]);
    let record = published["files"][0]["record_id"].as_str().unwrap().to_owned();
    let fields = ["--fields", "heat,chemistry/C", "--out", "to-lab.disclosure"];
    let shown = make(&town, "mill", "lab", &[&["cert", "show", &record][..], &fields].concat());
    let carbon = shown["fields"].as_array().unwrap().iter();
    let carbon = carbon.clone().find(|field| field["path"] == "chemistry/C").unwrap();
    let carbon = carbon["shown"].as_str().unwrap().to_owned();

    // The laboratory's own software, over gRPC.
    let lab = desk(&town, "lab").await;
    let request = |report: &Value| AttestRequest {
        record_id: hex::decode(&record).unwrap(),
        file: Some(ReportFile {
            name: "report.json".to_owned(),
            content: report.to_string().into_bytes(),
            beside: Vec::new(),
        }),
        disclosures: vec![fs::read(town.path("to-lab.disclosure")).unwrap()],
        confirms: vec!["heat".to_owned()],
    };
    let good = request(&report("2026-10-20", &carbon));
    let (made, proven) = lab.attest(good.clone()).await.unwrap();
    assert_eq!(
        (made.warnings.len(), made.bound.as_slice()),
        (0, &["chemistry/C".to_owned(), "heat".to_owned()][..])
    );
    assert!(proven.verified.header.height.0 > 0);
    let (again, _) = lab.attest(good.clone()).await.unwrap();
    assert_eq!(
        (again.record_id.as_slice(), again.already_published),
        (made.record_id.as_slice(), true)
    );
    let mut faulty = report("2026-10-20", "101 %");
    faulty["sample"] = json!({"id": "S-1"});
    let refused = lab.attest(request(&faulty)).await.unwrap_err();
    assert_eq!(refused.refusal_code(), Some("faults"));
    // Nobody attests what it issued itself.
    let mut own = good;
    own.disclosures.clear();
    own.confirms.clear();
    let refused = desk(&town, "mill").await.attest(own).await.unwrap_err();
    assert_eq!(refused.refusal_code(), Some("own-record"));
    // A second report, after the accreditation had ended, by the command.
    fs::write(town.path("late.json"), report("2028-01-15", &carbon).to_string()).unwrap();
    let late = ["cert", "attest", &record, "--home", "lab", "--results", "late.json"];
    let late = town.command(0, &late);
    assert_eq!(late["warnings"].as_array().unwrap().len(), 1, "{late}");
    let late = late["record_id"].as_str().unwrap().to_owned();

    let attestation = hex::encode(&made.record_id);
    let show = |record: &str, home: &str, to: &str, fields: &str, out: &str| {
        make(&town, home, to, &["cert", "show", record, "--fields", fields, "--out", out]);
    };
    show(&record, "mill", "forge", "heat", "mill.disclosure");
    show(&attestation, "lab", "forge", "attestation", "lab.disclosure");
    show(&late, "lab", "forge", "attestation,chemistry/*", "late.disclosure");
    // Neither carbon content is shown to the buyer; that both agree is proved.
    show(&attestation, "lab", "mill", "chemistry/C", "to-mill.disclosure");
    let agree = ["cert", "agree", &record, "--with", "to-mill.disclosure", "--out", "c.agreement"];
    make(&town, "mill", "forge", &[&agree[..], &["--within", "chemistry/C=0.002%"]].concat());
    fs::write(town.path("policy.toml"), policy("0.002 %")).unwrap();
    fs::write(town.path("narrow.toml"), policy("0.001 %")).unwrap();
    let genesis = town.devnet.genesis_path().display().to_string();
    town.down_keeping_files(|town| {
        let verify = |code: i32, home: &str, policy: &str, files: &[&str]| {
            let first = ["verify", "--trust", &genesis, "--home", home, "--policy", policy];
            town.command(code, &[&first[..], files].concat())
        };
        let all = ["mill.disclosure", "lab.disclosure", "c.agreement"];
        let accepted = verify(0, "forge", "policy.toml", &all);
        let of_record = &accepted["records"][0];
        assert_eq!(of_record["record_id"], record.as_str());
        let attested = of_record["attested"].as_array().unwrap();
        let carbon = attested.iter().find(|a| a["property"] == "chemistry/C").unwrap();
        assert_eq!(carbon["by"]["legal_name"], "Laboratoire Essais Chamonix SAS");
        assert_eq!(carbon["accreditation"], "in-force");
        assert_eq!(carbon["agrees_within"], "0.002 %");
        assert_eq!(carbon["result"], Value::Null);
        assert!(attested.iter().any(|a| a["property"] == "heat" && a["how"] == "confirmed"));
        let lacks = |answer: &Value| answer["records"][0]["lacks"][0].as_str().unwrap().to_owned();
        let alone = verify(3, "forge", "policy.toml", &all[..1]);
        assert!(lacks(&alone).contains("nobody attests it"), "{alone}");
        let narrow = verify(3, "forge", "narrow.toml", &all);
        assert!(lacks(&narrow).contains("both results agree"), "{narrow}");
        let late = verify(3, "forge", "policy.toml", &["mill.disclosure", "late.disclosure"]);
        assert!(lacks(&late).contains("not in force on the day of the test"), "{late}");
        let other = verify(1, "assembler", "policy.toml", &["c.agreement"]);
        assert_eq!(other["disclosures"][0]["code"], "wrong-receiver");
        let mut bytes = fs::read(town.path("c.agreement")).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(town.path("bent.agreement"), &bytes).unwrap();
        verify(1, "forge", "policy.toml", &["mill.disclosure", "lab.disclosure", "bent.agreement"]);
    })
    .await;
}
