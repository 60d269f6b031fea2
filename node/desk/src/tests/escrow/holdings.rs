//! How far what an agent holds for others is, as people see it.

use super::rig::{OWNER, Town};
use super::{free, report};
use heatmark_vault::HoldingRow;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holdings_are_told_newest_first_and_destroyed_ones_as_such() {
    let town = Town::new();
    let report = report(1_000);
    let record = town.certificate(&report).await;
    town.deposit(record, (&[1], 1), &free(), &report).await;
    let desk = town.desk(1);
    assert_eq!(desk.holdings().await.unwrap()[0].state, "signed");

    let vault = &town.vaults[1];
    let row = vault.holdings().unwrap().remove(0);
    let put = |later: u64, row: HoldingRow| {
        let digest = vec![u8::try_from(later).unwrap(); 32];
        let row = HoldingRow { digest, at_ms: row.at_ms + later, ..row };
        vault.put_holding(&row, None, None).unwrap();
    };
    put(3, HoldingRow { manifest: Vec::new(), signed: false, ..row.clone() });
    put(1, HoldingRow { signed: false, ..row.clone() });
    put(2, HoldingRow { destroyed: true, ..row.clone() });
    put(4, HoldingRow { manifest: Vec::new(), signed: false, destroyed: true, ..row });
    let holdings = desk.holdings().await.unwrap();
    let states: Vec<&str> = holdings.iter().map(|holding| holding.state).collect();
    assert_eq!(states, ["destroyed", "asked", "destroyed", "held", "signed"]);
    assert!(holdings.iter().all(|holding| holding.owner.0 == town.id(OWNER)));
    assert!(holdings[1].manifest.is_none() && holdings[3].manifest.is_some());
}
