//! A heat is recalled: it went from the mill to the forge, and rings of it to the assembler. Every company finds by itself what
//! it has of it, through a kill -9; notices are written, and totals come back to the mill hop by hop.

use crate::town::{LONG, Town};
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

const HEAT: &str = r#"{"Heatmark":"1","certificate/number":"H7","certificate/issued":"2026-01-02",
    "manufacturer/name":"Kesselbach","product/name":"billet","heat":"H7","product/mass":"5 t","melt/shop":"Witten 2",
    "melt/country":"DE"}"#;

/// Sends lots from one to the other, and waits until they are the other's.
async fn hand_over(town: &Town, (from, to): (&str, &str), lot: &str) {
    let receiver = town.devnet.member(to).unwrap().to_string();
    let ship = ["lot", "ship", lot, "--to", &receiver, "--show", "heat,melt/*"];
    town.command(0, &[&ship[..], &["--onward", "heat,melt/*", "--home", from]].concat());
    let parcel = awaited(|| {
        let letters = town.command(0, &["post", "list", "--home", to]);
        let arrived = letters["arrived"].as_array().unwrap().iter();
        let mut parcels = arrived.filter(|row| row["name"].as_str().unwrap().ends_with("-parcel"));
        parcels.next().map(|row| row["letter"].as_str().unwrap().to_owned())
    })
    .await;
    town.command(0, &["lot", "receive", &parcel, "--home", to]);
}

async fn awaited<T>(look: impl Fn() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(since.elapsed() < LONG, "it never came");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

fn named(trace: &Value) -> Vec<&str> {
    let lots = trace["lots"].as_array().unwrap().iter();
    lots.map(|lot| lot["name"].as_str().unwrap()).filter(|name| !name.is_empty()).collect()
}

#[tokio::test]
async fn a_recalled_heat_is_found_at_every_company_and_totals_come_back_to_the_mill() {
    let mut town = Town::up(&[]).await;
    fs::write(town.path("heat.json"), HEAT).unwrap();
    let published = town.command(0, &["cert", "publish", "heat.json", "--home", "mill"]);
    let record = published["files"][0]["record_id"].as_str().unwrap().to_owned();
    let make = ["lot", "commission", &record, "--make", "B1=3 t,10", "--make", "B2=2 t,10"];
    town.command(0, &[&make[..], &["--home", "mill"]].concat());
    hand_over(&town, ("mill", "forge"), "B1").await;
    let rings = ["lot", "transform", "B1", "--make", "R1=1 t,100", "--make", "R2=1.9 t,190"];
    town.command(0, &[&rings[..], &["--scrap", "100 kg", "--home", "forge"]].concat());
    hand_over(&town, ("forge", "assembler"), "R1").await;

    let trace = town.command(0, &["lot", "trace", "R1", "--up", "--home", "assembler"]);
    assert_eq!(
        trace["reached"], 4,
        "as received, as made, as received by the forge, as commissioned"
    );
    assert_eq!(trace["lots"][3]["heat"], "H7");
    let origin = town.command(0, &["origin", "report", "--home", "assembler"]);
    let mut shares = origin["shares"].as_array().unwrap().iter();
    let shop = shares.find(|share| share["by"] == "melt shop").unwrap();
    assert_eq!(
        (shop["value"].as_str(), shop["permille"].as_u64()),
        (Some("Witten 2"), Some(1_000))
    );
    town.command(0, &["recall", "list", "--home", "assembler"]);
    let drill = town.command(0, &["recall", "drill", "--letters", "--home", "forge"]);
    assert_eq!(drill["drills"][0]["acknowledged"]["nodes"], 1);

    let raise = ["alert", "raise", &record, "--level", "recall", "--reason", "retest"];
    town.command(0, &[&raise[..], &["--home", "mill"]].concat());
    town.devnet.kill("forge").await.unwrap();
    town.devnet.restart("forge").await.unwrap();
    for home in ["mill", "forge", "assembler"] {
        let found = awaited(|| {
            let listed = town.devnet.program().run(&["recall", "list", "--home", home, "--json"]);
            let listed: Value = serde_json::from_str(&listed.ok()?.stdout).ok()?;
            listed["recalls"].as_array()?.first().cloned()
        })
        .await;
        assert_eq!(
            (found["level"].as_str(), found["heat"].as_str()),
            (Some("recall"), Some("H7")),
            "{home}"
        );
    }
    let shown = town.command(1, &["lot", "affected", "--heat", "H7", "--home", "forge"]);
    assert_eq!(shown["stock"]["lots"][0], "R2");
    assert_eq!(shown["customers"][0]["pieces"], 100);
    let down = town.command(0, &["lot", "trace", "B1", "--down", "--home", "forge"]);
    assert_eq!(down["lots"][0]["alert"], "recall");
    assert!(named(&down).contains(&"R2"));
    town.command(0, &["lot", "trace", "B1", "--down", "--svg", "b1.svg", "--home", "forge"]);
    assert!(fs::read_to_string(town.path("b1.svg")).unwrap().contains("RECALL"));

    let notices = ["recall", "notices", "H7", "--out", "notices", "--send", "--home", "forge"];
    let written = town.command(0, &notices);
    assert_eq!(
        (written["files"].as_array().unwrap().len(), written["sent"].as_array().unwrap().len()),
        (3, 1)
    );
    let text = fs::read_to_string(town.path(written["files"][0].as_str().unwrap())).unwrap();
    assert!(text.contains("R1") && !text.contains("R2"), "a customer reads of its own lots only");
    awaited(|| {
        let letters = town.command(0, &["post", "list", "--home", "assembler"]);
        let mut arrived = letters["arrived"].as_array().unwrap().iter();
        arrived.any(|row| row["name"].as_str().unwrap().starts_with("recall-")).then_some(())
    })
    .await;

    // The forge answers before its customer does, and once more when that has.
    town.command(0, &["recall", "acknowledge", "H7", "--home", "forge"]);
    town.command(0, &["recall", "acknowledge", "H7", "--home", "assembler"]);
    let totals = awaited(|| {
        let shown = town.command(1, &["recall", "show", "H7", "--home", "mill"]);
        let answer = shown["holders"][0]["answer"].clone();
        (answer["holders"] == 2).then_some(answer)
    })
    .await;
    assert_eq!(totals["mass_mg"], 2_900_000_000_u64);
    assert_eq!((totals["pieces"].as_u64(), totals["awaited"].as_u64()), (Some(290), Some(0)));
    town.down().await;
}
