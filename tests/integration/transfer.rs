//! Lots from company to company on real nodes: a mill's material through a forge to an assembler, with the receiver's node
//! down while it is sent, the sender's killed while it waits, one parcel refused and taken back, one handed over as a file.

use crate::town::{LONG, Town};
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

const HEAT: &str = r#"{"Heatmark":"1","certificate/number":"H7","certificate/issued":"2026-01-02",
    "manufacturer/name":"Kesselbach","melt/country":"DE","product/name":"billet","heat":"H7","product/mass":"5 t","chemistry":{"C":"0.11 %"}}"#;

fn lot(town: &Town, code: i32, arguments: &[&str], home: &str) -> Value {
    town.command(code, &[&["lot"], arguments, &["--home", home]].concat())
}

/// Asks until the answer is as it is to be.
async fn until(what: &str, mut answer: impl FnMut() -> Option<Value>) -> Value {
    let since = Instant::now();
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(since.elapsed() < LONG, "{what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The newest parcel that arrived and is not received yet.
async fn arrived(town: &Town, home: &str) -> String {
    let letter = until("the parcel never arrived", || {
        let rows = lot(town, 0, &["underway"], home);
        rows["arrived"].as_array().unwrap().first().cloned()
    });
    letter.await["letter"].as_str().unwrap().to_owned()
}

async fn sent_is(town: &Town, home: &str, lot_name: &str, state: &str) {
    until(&format!("{lot_name} of {home} never was {state}"), || {
        let rows = lot(town, 0, &["underway", "--all"], home);
        let is = |row: &&Value| {
            row["sent"] == true
                && row["state"] == state
                && row["lots"].as_array().unwrap().iter().any(|lot| lot == lot_name)
        };
        rows["parcels"].as_array().unwrap().iter().find(is).cloned()
    })
    .await;
}

fn names(lots: &Value) -> Vec<&str> {
    lots["lots"].as_array().unwrap().iter().map(|lot| lot["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn material_goes_from_the_mill_to_the_assembler_through_outages() {
    let mut town = Town::up(&[]).await;
    fs::write(town.path("heat.json"), HEAT).unwrap();
    let published = town.command(0, &["cert", "publish", "heat.json", "--home", "mill"]);
    let record = published["files"][0]["record_id"].as_str().unwrap().to_owned();
    let (forge, assembler) = (
        town.devnet.member("forge").unwrap().to_string(),
        town.devnet.member("assembler").unwrap().to_string(),
    );
    let made =
        ["commission", &record, "--make", "B1=3 t,10", "--make", "B2=1 t,4", "--make", "B3=1 t,4"];
    lot(&town, 0, &made, "mill");
    // To a forge whose node is down: asked for seals once it is back, with the mill's node killed meanwhile.
    town.devnet.kill("forge").await.unwrap();
    let ship = ["ship", "B1", "--to", &forge, "--order", "PO 1", "--onward", "melt/country"];
    let waiting = lot(&town, 0, &ship, "mill");
    assert_ne!(waiting["waiting"], "");
    town.devnet.kill("mill").await.unwrap();
    town.devnet.restart("mill").await.unwrap();
    assert_eq!(lot(&town, 0, &["underway"], "mill")["waiting"].as_array().unwrap().len(), 1);
    town.devnet.restart("forge").await.unwrap();
    let letter = arrived(&town, "forge").await;
    let seen = lot(&town, 0, &["receive", &letter, "--look"], "forge");
    assert_eq!((&seen["order"], &seen["lots"][0]["outcome"]), (&"PO 1".into(), &"accept".into()));
    assert!(names(&lot(&town, 0, &["list"], "forge")).is_empty());
    let counted = ["--counted", "B1=2999 kg,10", "--discrepancy", "1 kg short"];
    let received = lot(
        &town,
        0,
        &[&["receive", &letter, "--name", "B1=KB-B1"], &counted[..]].concat(),
        "forge",
    );
    assert_eq!(names(&received), ["KB-B1"]);
    sent_is(&town, "mill", "B1", "accepted, differs").await;
    assert_eq!(names(&lot(&town, 0, &["list"], "mill")), ["B2", "B3"]);
    // The same parcel again is nothing.
    lot(&town, 1, &["receive", &letter], "forge");
    // Refused, and taken back by the mill.
    lot(&town, 0, &["ship", "B2", "--to", &forge], "mill");
    let letter = arrived(&town, "forge").await;
    lot(&town, 0, &["refuse", &letter, "--reason", "crate broken"], "forge");
    sent_is(&town, "mill", "B2", "refused").await;
    assert_eq!(lot(&town, 1, &["overdue"], "mill")["parcels"].as_array().unwrap().len(), 1);
    lot(&town, 0, &["cancel", "B2"], "mill");
    assert_eq!(names(&lot(&town, 0, &["list"], "mill")), ["B3", "B2"]);
    sent_is(&town, "mill", "B2", "taken back").await;
    // Worked on, and handed over as files.
    let rings =
        ["transform", "KB-B1", "--make", "R=2850 kg,250", "--product", "ring", "--scrap", "150 kg"];
    lot(&town, 0, &rings, "forge");
    let offer = ["offer", "--to", &forge, "--out", "po.offer"];
    lot(&town, 0, &offer, "assembler");
    let ship = ["ship", "R", "--to", &assembler, "--offer", "po.offer", "--out", "r.parcel"];
    lot(&town, 0, &ship, "forge");
    lot(&town, 1, &["receive", "r.parcel"], "lab");
    let received = lot(&town, 0, &["receive", "r.parcel"], "assembler");
    assert_eq!(received["lots"][0]["mass_mg"], 2_850_000_000_u64);
    sent_is(&town, "forge", "R", "accepted").await;
    // What the assembler holds proves itself.
    let written = lot(&town, 0, &["capsule", "R", "--out", "r.capsule"], "assembler");
    assert_eq!((&written["events"], &written["records"]), (&4.into(), &1.into()));
    lot(&town, 1, &["capsule", "R", "--out", "r2.capsule"], "mill");
    town.agree(&town.devnet.names(), 5).await;
    town.down_keeping_files(|town| {
        // Nobody but those who traded has a name or a quantity of it on disk.
        for name in town.devnet.names().iter().filter(|name| *name == "lab") {
            crate::lots::search(&town.path(name));
        }
    })
    .await;
}
