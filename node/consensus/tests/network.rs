//! Four validators and an observer, for real: engines, sockets and logs, in one process.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "tests fail loudly"
)]

mod support;

use heatmark_consensus::{Failure, StartError};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use support::cluster::{Cluster, NEVER, PATIENCE, set_of};
use support::memory::Memory;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_validators_and_an_observer_agree_on_every_header() {
    let mut cluster = Cluster::new(4, 1, NEVER);
    cluster.start_all().await;
    let began = Instant::now();
    cluster.drive(20).await;
    println!("20 heights in {:?}", began.elapsed());
    assert!(cluster.verify() >= 20);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_keep_an_idle_network_alive() {
    let mut cluster = Cluster::new(4, 0, Duration::from_millis(300));
    cluster.start_all().await;
    for index in 0..4 {
        cluster.reach(index, 5).await;
    }
    assert!(cluster.nodes[0].memory.chain().iter().all(|stored| stored.transactions == 0));
    cluster.verify();
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_network_writes_nothing_and_answers_the_next_transaction_at_once() {
    let mut cluster = Cluster::new(4, 1, NEVER);
    cluster.start_all().await;
    cluster.drive(3).await;
    // What is still under way when the last transaction is committed gets this long.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let idle_at = cluster.height_of_running();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(cluster.height_of_running(), idle_at, "an idle network writes nothing");
    let submitted = Instant::now();
    cluster.submit(b"after the silence");
    for index in 0..5 {
        cluster.reach(index, idle_at + 1).await;
    }
    println!("first commit after silence, on all five nodes: {:?}", submitted.elapsed());
    let chain = cluster.nodes[4].memory.chain();
    assert!(chain[idle_at as usize].transactions > 0, "the transaction is in the very next block");
    cluster.verify();
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_syncs_from_nothing() {
    let mut cluster = Cluster::new(4, 1, NEVER);
    for index in 0..4 {
        cluster.start(index).await;
    }
    cluster.drive(40).await;
    let began = Instant::now();
    cluster.start(4).await;
    cluster.reach(4, 40).await;
    println!("40 heights synced in {:?}", began.elapsed());
    cluster.drive(42).await;
    assert!(cluster.verify() >= 42);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_of_four_go_on_and_the_fourth_catches_up_after_a_crash() {
    let mut cluster = Cluster::new(4, 0, NEVER);
    cluster.start_all().await;
    cluster.drive(5).await;
    cluster.kill(2).await;
    let began = Instant::now();
    cluster.drive(13).await;
    println!("8 heights, two of them the dead one's turn, in {:?}", began.elapsed());
    cluster.start(2).await;
    cluster.reach(2, 13).await;
    cluster.drive(18).await;
    assert!(cluster.verify() >= 18);
    assert!(cluster.nodes.iter().all(|node| node.memory.evidence().is_empty()));
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_killed_at_once_resume_and_nobody_has_signed_twice() {
    let mut cluster = Cluster::new(4, 0, NEVER);
    cluster.start_all().await;
    for crash in 1..=4_u64 {
        cluster.drive(crash * 4).await;
        // In the middle of a height.
        cluster.submit(format!("before crash {crash}").as_bytes());
        for index in 0..4 {
            cluster.kill(index).await;
        }
        cluster.start_all().await;
    }
    cluster.drive(20).await;
    assert!(cluster.verify() >= 20);
    assert!(cluster.nodes.iter().all(|node| node.memory.evidence().is_empty()));
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_proposal_gets_nil_and_the_height_moves_on() {
    let mut cluster = Cluster::new(4, 0, NEVER);
    cluster.nodes[1].memory.lies.store(true, Ordering::SeqCst);
    cluster.start_all().await;
    // Its turn comes twice in eight heights.
    cluster.drive(8).await;
    assert!(*cluster.nodes[0].memory.invalid.borrow() > 0, "the invalid block was seen");
    assert!(cluster.verify() >= 8);
    let later_rounds = |round: u32| round > 0;
    let chain = cluster.nodes[0].memory.chain();
    assert!(chain.iter().any(|stored| later_rounds(stored.certificate.round.0)));
    // The liar trusts its own block, locks nothing and follows the others.
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_of_four_halt_and_resume_by_themselves() {
    let mut cluster = Cluster::new(4, 0, NEVER);
    cluster.start_all().await;
    cluster.drive(3).await;
    cluster.kill(0).await;
    cluster.kill(1).await;
    let halted_at = cluster.height_of_running();
    cluster.submit(b"while halted");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(cluster.height_of_running() <= halted_at + 1, "two of four decide nothing new");
    let halted_at = cluster.height_of_running();
    cluster.start(0).await;
    cluster.drive(halted_at + 3).await;
    cluster.start(1).await;
    cluster.reach(1, halted_at + 3).await;
    cluster.verify();
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_of_several_parts_is_agreed_on() {
    let mut cluster = Cluster::new(4, 0, NEVER);
    cluster.start_all().await;
    cluster.drive(2).await;
    let fillers: Vec<Vec<u8>> = (1..=4).map(|fill| vec![fill; 1_300_000]).collect();
    for node in &cluster.nodes {
        node.memory.submit_all(&fillers);
    }
    cluster.drive(6).await;
    assert!(cluster.nodes[3].memory.chain().iter().any(|stored| stored.block.len() > 5_000_000));
    cluster.verify();
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_that_joins_the_set_votes_from_that_height_on() {
    let (small, grown) = (set_of(1..=4), set_of(1..=5));
    let ledger = move |network, genesis: &_| {
        Memory::new(network, Clone::clone(genesis), NEVER).with_change(6, grown.clone())
    };
    let mut cluster = Cluster::with(small, 5, 0, ledger);
    cluster.start_all().await;
    cluster.drive(14).await;
    assert!(cluster.verify() >= 14);
    let chain = cluster.nodes[0].memory.chain();
    assert!(chain.iter().take(5).all(|stored| stored.validators.validators().len() == 4));
    let fifth = set_of(1..=5).position(&support::cluster::key(5).verifying_key().to_bytes());
    let fifth = fifth.unwrap() as u32;
    assert!(
        chain.iter().skip(5).any(|stored| {
            stored.certificate.signatures.iter().any(|(index, _)| *index == fifth)
        })
    );
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_fails_stops_the_node_for_good_and_the_others_go_on() {
    let mut cluster = Cluster::new(4, 0, NEVER);
    cluster.start_all().await;
    cluster.drive(2).await;
    cluster.nodes[3].memory.disk_full.store(true, Ordering::SeqCst);
    cluster.submit(b"too much");
    let finished = cluster.nodes[3].handle.as_ref().unwrap().finished();
    let failure = tokio::time::timeout(PATIENCE, finished).await.unwrap().unwrap_err();
    assert!(matches!(failure, Failure::Application { during: "committing a block", .. }));
    cluster.nodes[3].handle = None;
    cluster.drive(6).await;
    cluster.verify();
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_whose_store_lost_blocks_refuses_to_vote() {
    let mut cluster = Cluster::new(4, 0, NEVER);
    cluster.start_all().await;
    cluster.drive(4).await;
    cluster.kill(0).await;
    let empty = Memory::new(cluster.network, cluster.set.clone(), NEVER);
    let kept = std::mem::replace(&mut cluster.nodes[0].memory, std::sync::Arc::new(empty));
    let refused = cluster.try_start(0).await.unwrap_err();
    assert!(matches!(refused, StartError::StoreBehindLog { store: 0, .. }), "{refused}");
    cluster.nodes[0].memory = kept;
    std::fs::remove_file(cluster.nodes[0].home.path().join("consensus.wal")).unwrap();
    let refused = cluster.try_start(0).await.unwrap_err();
    assert!(matches!(refused, StartError::LogMissing { .. }), "{refused}");
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_without_a_pinned_identity_is_refused() {
    let cluster = Cluster::new(1, 0, NEVER);
    let mut config = cluster.config(0);
    config.peers = vec!["/ip4/127.0.0.1/tcp/1".parse().unwrap()];
    let started = heatmark_consensus::start(config, cluster.nodes[0].memory.clone()).await;
    assert!(matches!(started.err(), Some(StartError::UnpinnedPeer(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_is_not_connected_until_it_is_admitted() {
    let mut cluster = Cluster::new(4, 1, NEVER);
    for index in 0..4 {
        let mut config = cluster.config(index);
        config.peers.pop();
        let memory = cluster.nodes[index].memory.clone();
        let handle = heatmark_consensus::start(config, memory).await.unwrap();
        cluster.nodes[index].handle = Some(handle);
    }
    cluster.start(4).await;
    for index in 0..4 {
        cluster.reach(index, 1).await;
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(cluster.nodes[4].memory.chain().len(), 0, "a stranger learns nothing");
    // Under its identity alone, as a member behind NAT whose address nobody knows: it dials.
    let mut stranger = cluster.nodes[4].address.clone();
    let identity = stranger.pop().unwrap();
    let stranger = libp2p::Multiaddr::empty().with(identity);
    for index in 0..4 {
        let handle = cluster.nodes[index].handle.as_ref().unwrap();
        handle.add_peer(stranger.clone()).await.unwrap();
        handle.add_peer(stranger.clone()).await.unwrap();
    }
    cluster.reach(4, 1).await;
    cluster.drive(4).await;
    cluster.verify();
    cluster.shutdown().await;
}
