//! The scenarios of `heatmark-devnet scenario`, short, and what an idle network must not miss.

use crate::town::{LONG, Town};
use heatmark_devnet::scenarios::{self, Extent, FakeClock, Scenario};
use heatmark_ledger::messages as pb;
use heatmark_ledger::state;
use heatmark_store::{Store, StoreOptions};
use std::fs;
use std::time::{Duration, Instant};

const SHORT: Extent =
    Extent { lasting: Duration::from_secs(2), kills: 10, clients: 2, seed: 20_261_121 };

async fn play(scenario: Scenario, extent: Extent) {
    let log = Some(scenarios::LOG_FILTER);
    let (mut town, held) = Town::founded_with(&[], scenario.needs_links(), log).await;
    town.devnet.start(held).await.unwrap();
    let mut told = Vec::new();
    let mut tell = |sentence: &str| told.push(sentence.to_owned());
    let played = scenarios::play(scenario, &mut town.devnet, extent, &mut tell).await;
    if let Err(error) = played {
        panic!("{error}\nafter: {told:#?}");
    }
    town.down_keeping_files(no_evidence).await;
}

/// What nodes keep against validators that signed twice is empty on each of them.
fn no_evidence(town: &Town) {
    let genesis = town.devnet.genesis().unwrap();
    for node in town.devnet.nodes() {
        let log = node.home.join("data").join("log");
        let store = Store::open(&log, &genesis, &StoreOptions::default()).unwrap();
        assert_eq!(store.evidence().unwrap().len(), 0, "{} holds evidence", node.name);
    }
}

#[tokio::test]
async fn nodes_killed_at_any_moment_lose_nothing_that_was_acknowledged() {
    play(Scenario::KillLoop, SHORT).await;
}

#[tokio::test]
async fn all_nodes_killed_at_once_go_on_where_they_were() {
    play(Scenario::Blackout, Extent { kills: 2, ..SHORT }).await;
}

#[tokio::test]
async fn three_of_four_go_on_without_waiting_for_the_dead_ones_turns() {
    play(Scenario::OneDown, SHORT).await;
}

#[tokio::test]
async fn half_of_the_validators_decide_nothing_and_three_go_on_by_themselves() {
    play(Scenario::TwoDown, SHORT).await;
}

#[tokio::test]
async fn frozen_validators_catch_up_once_thawed() {
    play(Scenario::Pause, SHORT).await;
}

#[tokio::test]
async fn a_parted_town_heals_by_itself() {
    play(Scenario::Partition, SHORT).await;
}

#[tokio::test]
async fn a_town_spread_over_the_world_goes_on() {
    play(Scenario::Delay, SHORT).await;
}

#[tokio::test]
async fn lost_segments_and_broken_connections_lose_no_transaction() {
    play(Scenario::Loss, SHORT).await;
}

#[tokio::test]
async fn a_validator_with_a_wrong_clock_harms_nobody_and_knows() {
    if FakeClock::library().is_none() {
        eprintln!("SKIPPED: libfaketime is not here (Debian: apt-get install faketime)");
        return;
    }
    play(Scenario::Clock, SHORT).await;
}

#[tokio::test]
async fn an_adopted_proposal_takes_effect_in_an_idle_network_without_waiting_for_the_heartbeat() {
    // No heartbeat within the test.
    let town = Town::up(&["governance_delay_ms=2000", "heartbeat_ms=600000"]).await;
    let lab = town.devnet.member("lab").unwrap().to_string();
    let proposed = town.command(0, &["member", "power", "--home", "mill", &lab, "7"]);
    let proposal = proposed["proposal"].as_str().unwrap().to_owned();
    for home in ["forge", "assembler", "regulator", "lab"] {
        // The vote that decides closes the proposal; those after it are refused.
        let ran = town.devnet.program().run(&["vote", &proposal, "approve", "--home", home]);
        assert!(matches!(ran.unwrap().code, Some(0 | 1)));
    }
    let client = town.devnet.client("mill").await.unwrap();
    let begun = Instant::now();
    loop {
        let pending = client.state(&state::pending_key(), None).await.unwrap().value;
        let newest = client.header(None).await.unwrap();
        let changed = newest.next.validators().iter().any(|validator| validator.power == 7);
        if changed {
            use prost::Message as _;
            let pending = pb::PendingProposals::decode(&*pending.unwrap_or_default()).unwrap();
            assert!(pending.proposals.is_empty(), "{pending:?}");
            break;
        }
        assert!(begun.elapsed() < LONG, "it waits for the heartbeat");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    town.commit("lab").await.unwrap();
    town.down().await;
}

#[tokio::test]
async fn a_node_that_missed_everything_catches_up_with_an_idle_network() {
    let town = Town::linked(&["heartbeat_ms=600000"]).await;
    town.commit("mill").await.unwrap();
    town.agree(&town.names_but(&[]), 1).await;
    town.devnet.partition(&[vec!["lab".to_owned()]]).await.unwrap();
    for name in ["mill", "forge", "assembler"] {
        town.commit(name).await.unwrap();
    }
    town.agree(&town.names_but(&["lab"]), 4).await;
    // What was under way to it is lost, and nobody will say it again.
    town.devnet.disturb(None, |condition| condition.resets += 1).await.unwrap();
    town.devnet.heal().await.unwrap();
    town.agree(&town.names_but(&[]), 4).await;
    town.down().await;
}

#[tokio::test]
async fn a_node_that_stops_in_order_logs_no_error() {
    let mut town = Town::up(&[]).await;
    town.commit("mill").await.unwrap();
    // One alone, with its peers up: when all go, they also lose each other.
    let stopped = town.devnet.stop("lab").await.unwrap();
    assert_eq!((stopped.killed, stopped.code), (false, Some(0)));
    let log = fs::read_to_string(&town.devnet.node("lab").unwrap().log).unwrap();
    // While it starts, peers may not listen yet, which the engine calls an error.
    let (_, log) = log.split_once("heatmark::run: stopping").unwrap();
    let errors: Vec<&str> = log.lines().filter(|line| line.contains("ERROR")).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    town.down().await;
}
