//! Lots as a mill's people make them: from a certificate to rings and scrap, through a kill -9, and never more than was certified.

use crate::town::Town;
use serde_json::Value;
use std::fs;

const HEAT: &str = r#"{"Heatmark":"1","certificate/number":"H7","certificate/issued":"2026-01-02",
    "manufacturer/name":"Kesselbach","product/name":"billet","heat":"H7","product/mass":"5 t","chemistry":{"C":"0.11 %"}}"#;

fn names(lots: &Value) -> Vec<&str> {
    lots["lots"].as_array().unwrap().iter().map(|lot| lot["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_mill_makes_lots_of_its_heat_and_no_more_than_it_certified() {
    let mut town = Town::up(&[]).await;
    fs::write(town.path("heat.json"), HEAT).unwrap();
    let published = town.command(0, &["cert", "publish", "heat.json", "--home", "mill"]);
    let record = published["files"][0]["record_id"].as_str().unwrap().to_owned();
    let lot = |town: &Town, code: i32, arguments: &[&str]| {
        town.command(code, &[&["lot"], arguments, &["--home", "mill"]].concat())
    };
    let over = ["commission", &record, "--make", "B1=3 t,10", "--make", "B2=2000.000001 kg,10"];
    lot(&town, 1, &over);
    let commission = ["commission", &record, "--make", "B1=3 t,10", "--make", "B2=2 t,10"];
    let made = lot(&town, 0, &[&commission[..], &["--product", "billet 120"]].concat());
    assert_eq!(names(&made), ["B1", "B2"]);
    let again = ["commission", &record, "--make", "B3=1 kg"];
    lot(&town, 1, &again);
    let rings = ["transform", "B1", "--make", "R=2850 kg,250", "--product", "ring", "--scrap"];
    lot(&town, 1, &[&rings[..], &["100 kg"]].concat());
    lot(&town, 0, &[&rings[..], &["150 kg"]].concat());
    lot(&town, 1, &["transform", "B1", "--make", "R2=3 t"]);
    town.devnet.kill("mill").await.unwrap();
    town.devnet.restart("mill").await.unwrap();
    assert_eq!(names(&lot(&town, 0, &["list"])), ["B2", "R"]);
    assert_eq!(names(&lot(&town, 0, &["list", "--all"])), ["B1", "B2", "R"]);
    let shown = lot(&town, 0, &["show", "R"]);
    assert_eq!((shown["product"].as_str(), shown["pieces"].as_u64()), (Some("ring"), Some(250)));
    assert_eq!(shown["from"][0], "B1");
    lot(&town, 0, &["scrap", "R", "--reason", "cracked"]);
    assert_eq!(names(&lot(&town, 0, &["list"])), ["B2"]);
    lot(&town, 1, &["show", "nothing"]);
    // Every member's log has the events, and nothing of what they are about.
    town.agree(&town.devnet.names(), 4).await;
    town.down_keeping_files(|town| {
        for name in town.devnet.names() {
            if name != "mill" {
                search(&town.path(&name));
            }
        }
    })
    .await;
}

/// No file below holds a lot's name or what it is.
pub(crate) fn search(directory: &std::path::Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path);
        } else if let Ok(bytes) = fs::read(&path) {
            for needle in [&b"billet 120"[..], b"R=2850", b"cracked", b"0.11 %"] {
                assert!(!bytes.windows(needle.len()).any(|at| at == needle), "{}", path.display());
            }
        }
    }
}
