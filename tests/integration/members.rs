//! Who may talk to a node and write to the log.

use crate::town::{LONG, Town};
use ed25519_dalek::SigningKey;
use heatmark::keys::KeyKind;
use heatmark_client::tls::Identity;
use heatmark_client::{ClientError, LedgerClient};
use heatmark_ledger::receipt::TrustRoot;
use std::time::Instant;

async fn connect(town: &Town, key: SigningKey, to: &str) -> Result<LedgerClient, ClientError> {
    let identity = Identity::new(key, &town.devnet.member("mill").unwrap()).unwrap();
    let trust = TrustRoot::from_genesis(&town.devnet.genesis().unwrap());
    LedgerClient::connect(&town.devnet.target(to).unwrap(), &identity, trust).await
}

#[tokio::test]
async fn strangers_and_suspended_members_are_refused() {
    let town = Town::up(&["governance_delay_ms=0"]).await;
    let stranger = SigningKey::from_bytes(&rand::random());
    let refused = connect(&town, stranger.clone(), "mill").await;
    assert!(matches!(refused, Err(ClientError::NotAdmitted)), "{refused:?}");

    // A member's connection does not make a stranger's transaction acceptable.
    let mill = town.devnet.client("mill").await.unwrap();
    let refused = mill.submit(town.anchor_signed(&stranger)).await.unwrap_err();
    assert_eq!(refused.refusal_code(), Some("unknown-key"));

    // The server, too, must be who it should be.
    let p2p = town.devnet.key("mill", KeyKind::P2p).unwrap();
    let mut target = town.devnet.target("forge").unwrap();
    target.server_key = town.devnet.target("lab").unwrap().server_key;
    let identity = Identity::new(p2p, &town.devnet.member("mill").unwrap()).unwrap();
    let trust = TrustRoot::from_genesis(&town.devnet.genesis().unwrap());
    let refused = LedgerClient::connect(&target, &identity, trust).await;
    assert!(matches!(refused, Err(ClientError::WrongServer)), "{refused:?}");

    suspend_lab(&town);
    let begun = Instant::now();
    loop {
        let anchor = town.anchor("lab");
        match mill.submit(anchor).await {
            Err(error) if error.refusal_code() == Some("member-not-active") => break,
            _ => assert!(begun.elapsed() < LONG, "the lab still writes"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    town.commit("forge").await.unwrap();
    town.down().await;
}

fn suspend_lab(town: &Town) {
    let lab = town.devnet.member("lab").unwrap().to_string();
    let arguments = ["member", "suspend", &lab, "--reason", "key lost", "--home", "mill"];
    let proposed = town.command(0, &arguments);
    // Whoever proposes approves with it.
    let proposal = proposed["proposal"].as_str().unwrap().to_owned();
    for home in ["forge", "assembler", "regulator"] {
        // The vote that decides closes the proposal; those after it are refused.
        let arguments = ["vote", &proposal, "approve", "--home", home];
        let ran = town.devnet.program().run(&arguments).unwrap();
        assert!(matches!(ran.code, Some(0 | 1)), "{}", ran.stderr);
    }
}
