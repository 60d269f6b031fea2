//! The vault on real processes: kept through a kill and a loss of the disk, used by operators only
//! for what they were let in for, and destroyed where it must be.

use crate::town::{LONG, Town};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

fn certificates() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../devnet/certificates").display().to_string()
}

fn records(town: &Town) -> Vec<Value> {
    let listed = town.command(0, &["vault", "list", "--home", "mill"]);
    listed["records"].as_array().unwrap().clone()
}

fn deeds(town: &Town) -> Vec<(String, String)> {
    let log = town.command(0, &["vault", "log", "--limit", "1000", "--home", "mill"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entries = log["entries"].as_array().unwrap();
    entries.iter().map(|entry| (text(&entry["deed"]), text(&entry["name"]))).collect()
}

#[tokio::test]
async fn a_node_whose_vault_was_lost_and_restored_publishes_and_alerts_as_before() {
    let mut town = Town::up(&[]).await;
    let publish = ["cert", "publish", &certificates(), "--home", "mill"];
    assert_eq!(town.command(0, &publish)["new"], 5);
    let before = records(&town);
    let backup = town.command(0, &["vault", "backup", "mill.vault", "--home", "mill"]);
    assert_eq!(backup["records"], 5);
    town.command(2, &["vault", "backup", "mill.vault", "--home", "mill"]);
    let head = town.command(0, &["vault", "log", "--home", "mill"])["head"].clone();
    town.devnet.kill("mill").await.unwrap();

    let vault = town.devnet.node("mill").unwrap().home.join("data/vault");
    let taken = town.command(2, &["vault", "restore", "mill.vault", "--home", "mill"]);
    assert!(taken["error"]["why"].as_str().unwrap().contains("not overwritten"), "{taken}");
    fs::remove_dir_all(&vault).unwrap();
    let whole = fs::read(town.path("mill.vault")).unwrap();
    let refused = |bytes: &[u8], why: &str| {
        fs::write(town.path("bent.vault"), bytes).unwrap();
        let said = town.command(1, &["vault", "restore", "bent.vault", "--home", "mill"]);
        assert!(said["error"]["why"].as_str().unwrap().contains(why), "{said}");
        let left: Vec<_> = fs::read_dir(vault.parent().unwrap())
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains("vault"))
            .collect();
        assert_eq!(left, Vec::<String>::new());
    };
    refused(&whole[..whole.len() - 9], "changed");
    refused(&whole[..100], "truncated");
    let mut bent = whole.clone();
    bent[whole.len() / 2] ^= 4;
    refused(&bent, "changed");
    let foreign = town.command(1, &["vault", "check", "mill.vault", "--home", "forge"]);
    assert!(foreign["error"]["why"].as_str().unwrap().contains("another vault key"), "{foreign}");
    assert_eq!(town.command(0, &["vault", "check", "mill.vault", "--home", "mill"])["records"], 5);
    let restored = town.command(0, &["vault", "restore", "mill.vault", "--home", "mill"]);
    assert_eq!(restored["records"], 5);
    let next = restored["next_alert_index"].as_u64().unwrap();
    assert!(next >= 1 << 32 && next.is_multiple_of(1 << 32), "{next}");

    town.devnet.restart("mill").await.unwrap();
    assert_eq!(records(&town), before);
    let again = town.command(0, &publish);
    assert_eq!((&again["new"], &again["already_published"]), (&0.into(), &5.into()));
    // The log goes on from where it was noted.
    let expected = head.as_str().unwrap();
    let log = town.command(0, &["vault", "log", "--expect", expected, "--home", "mill"]);
    assert_eq!(log["entries"].as_array().unwrap().last().unwrap()["deed"], "restore");
    let other = format!("{}:{}", expected.split_once(':').unwrap().0, "ab".repeat(32));
    town.command(1, &["vault", "log", "--expect", &other, "--home", "mill"]);
    let record = before[2]["record_id"].as_str().unwrap();
    let raise = ["alert", "raise", record, "--level", "recall", "--reason", "x", "--home", "mill"];
    let subject = town.command(0, &raise)["subject"].as_str().unwrap().to_owned();
    let leaves = town.devnet.client("mill").await.unwrap().header(None).await.unwrap();
    town.agree(&town.names_but(&[]), leaves.header.log_size.0).await;
    let status = ["alert", "status", &subject, "--home", "forge", "--out", "mill.alerts"];
    assert_eq!(town.command(1, &status)["level"], "recall");
    let genesis = town.devnet.genesis_path().display().to_string();
    town.down_keeping_files(|town| {
        let verify = ["alert", "verify", "mill.alerts", "--trust", &genesis];
        let offline = town.command(1, &verify);
        assert_eq!(
            (&offline["level"], &offline["alerts"][0]["level"]),
            (&"recall".into(), &"recall".into())
        );
        let mut bytes = fs::read(town.path("mill.alerts")).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(town.path("bent.alerts"), bytes).unwrap();
        let bent = town.command(1, &["alert", "verify", "bent.alerts", "--trust", &genesis]);
        assert_eq!(bent["ok"], false);
    })
    .await;
}

#[tokio::test]
async fn operators_do_what_they_were_let_in_for_and_nothing_else() {
    let town = Town::up(&[]).await;
    let key = town.command(0, &["vault", "key", "--out", "anna.key"]);
    let key = key["public"].as_str().unwrap().to_owned();
    let certificates = certificates();
    let publish = ["cert", "publish", &certificates, "--home", "mill", "--as", "anna.key"];
    let refused = |code: i32, arguments: &[&str]| {
        let said = town.command(code, arguments);
        said["error"]["code"].as_str().unwrap_or("none").to_owned()
    };
    assert_eq!(refused(1, &publish), "none", "a stranger's key does not even connect");
    let grant = |roles: &[&str]| {
        let mut arguments = vec!["vault", "grant", &key, "--name", "Anna Berg", "--home", "mill"];
        roles.iter().for_each(|role| arguments.extend(["--role", *role]));
        town.command(0, &arguments);
    };
    grant(&["publish"]);
    assert_eq!(town.command(0, &publish)["new"], 5);
    let record = records(&town)[0]["record_id"].as_str().unwrap().to_owned();
    let by_anna = ["--home", "mill", "--as", "anna.key"];
    let raise = ["alert", "raise", &record, "--level", "hold", "--reason", "x"];
    assert_eq!(refused(1, &[&raise[..], &by_anna].concat()), "role");
    for administers in [
        vec!["vault", "log"],
        vec!["vault", "grant", &key, "--name", "Anna Berg", "--role", "administer"],
        vec!["vault", "backup", "stolen.vault"],
        vec!["vault", "erase", &record, "--for-good"],
        vec!["vault", "hold", &record, "--reason", "x"],
    ] {
        assert_eq!(refused(1, &[&administers[..], &by_anna].concat()), "role", "{administers:?}");
    }
    assert!(!town.path("stolen.vault").exists());
    grant(&["alert", "inspect"]);
    town.command(0, &[&raise[..], &by_anna].concat());
    assert_eq!(refused(1, &publish), "role");
    // Members' keys are no operators, and operators are nobody at another member's node.
    let forge = town.devnet.key("forge", heatmark::keys::KeyKind::P2p).unwrap();
    let forge = hex::encode(forge.verifying_key().to_bytes());
    let registered =
        ["vault", "grant", &forge, "--name", "Forge", "--role", "alert", "--home", "mill"];
    assert_eq!(refused(1, &registered), "registered-key");
    let elsewhere = ["member", "list", "--home", "forge", "--as", "anna.key"];
    assert_eq!(refused(1, &elsewhere), "none");
    town.command(0, &["vault", "revoke", &key, "--home", "mill"]);
    assert_eq!(refused(1, &[&raise[..], &by_anna].concat()), "none");
    let said = deeds(&town);
    let anna: Vec<&str> = said
        .iter()
        .filter(|(_, name)| name == "Anna Berg")
        .map(|(deed, _)| deed.as_str())
        .collect();
    assert_eq!(anna, ["publish", "publish", "publish", "publish", "publish", "alert"]);
    town.down().await;
}

#[tokio::test]
async fn what_is_past_its_date_is_destroyed_unless_on_hold_and_alerts_remain() {
    let mut town = Town::up(&[]).await;
    town.command(0, &["cert", "publish", &certificates(), "--home", "mill"]);
    let all = records(&town);
    let id = |at: usize| all[at]["record_id"].as_str().unwrap().to_owned();
    let (gone, held, kept, by_hand) = (id(0), id(1), id(2), id(3));
    let keep = |code: i32, arguments: &[&str]| {
        town.command(code, &[arguments, &["--home", "mill"]].concat())
    };
    keep(0, &["vault", "hold", &held, "--reason", "claim"]);
    keep(0, &["vault", "retain", &held, "--until", "1990-01-01"]);
    keep(0, &["vault", "retain", &kept, "--until", "2190-01-01"]);
    let early = keep(1, &["vault", "erase", &kept, "--for-good"]);
    assert_eq!(early["error"]["code"], "retained", "{early}");
    assert_eq!(keep(1, &["vault", "erase", &held, "--for-good"])["error"]["code"], "on-hold");
    keep(2, &["vault", "erase", &by_hand]);
    assert_eq!(keep(0, &["vault", "erase", &by_hand, "--for-good"])["purged"], true);
    assert_eq!(keep(1, &["vault", "erase", &by_hand, "--for-good"])["error"]["code"], "erased");
    keep(2, &["vault", "retain", &gone, "--until", "yesterday"]);
    keep(0, &["vault", "retain", &gone, "--until", "1990-01-01"]);
    let begun = Instant::now();
    let erased = |town: &Town| -> Vec<bool> {
        let rows = records(town);
        let find = |id: &String| rows.iter().find(|row| row["record_id"] == **id).unwrap().clone();
        [&gone, &held, &kept, &by_hand].map(|id| find(id)["erased_at_ms"] != 0).to_vec()
    };
    while erased(&town) != [true, false, false, true] {
        assert!(begun.elapsed() < LONG, "{:?}", erased(&town));
        std::thread::sleep(Duration::from_millis(100));
    }
    town.devnet.kill("mill").await.unwrap();
    town.devnet.restart("mill").await.unwrap();
    assert_eq!(erased(&town), [true, false, false, true]);
    let raise = ["alert", "raise", &gone, "--level", "revoke", "--reason", "x", "--home", "mill"];
    town.command(0, &raise);
    town.command(0, &["vault", "release", &held, "--home", "mill"]);
    while erased(&town) != [true, true, false, true] {
        assert!(begun.elapsed() < LONG, "{:?}", erased(&town));
        std::thread::sleep(Duration::from_millis(100));
    }
    let said = deeds(&town);
    let destroyed = said.iter().filter(|(deed, _)| deed == "destroy").count();
    assert_eq!(destroyed, 3);
    town.down().await;
}

#[tokio::test]
async fn the_vault_opens_with_the_key_that_the_settings_name_and_says_so_otherwise() {
    let mut town = Town::up(&[]).await;
    town.command(0, &["cert", "publish", &certificates(), "--home", "mill"]);
    let running = town.command(2, &["vault", "rekey", "--to", "file", "--home", "mill"]);
    assert!(running["error"]["what"].as_str().unwrap().contains("running node"), "{running}");
    town.devnet.stop("mill").await.unwrap();
    town.command(2, &["vault", "rekey", "--to", "environment", "--home", "mill"]);
    town.command(0, &["vault", "rekey", "--to", "file", "--home", "mill"]);
    let wrong = town.devnet.program().run(&["node", "run", "--home", "mill"]).unwrap();
    assert_eq!(wrong.code, Some(3), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("vault.key"), "{}", wrong.stderr);
    let settings = town.devnet.node("mill").unwrap().home.join("heatmark.toml");
    let text = fs::read_to_string(&settings).unwrap();
    assert!(text.contains("key = \"seed\""), "{text}");
    fs::write(&settings, text.replace("key = \"seed\"", "key = \"file\"")).unwrap();
    town.devnet.restart("mill").await.unwrap();
    assert_eq!(records(&town).len(), 5);
    assert_eq!(deeds(&town).last().unwrap().0, "rekey");
    town.down().await;
}
