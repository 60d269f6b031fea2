//! Validators that lie, on real engines over real sockets: what they propose, withhold, publish in
//! others' names, shout, and serve. The honest go on, hold one chain, and do bounded work.

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

use heatmark_ledger::certificate::VoteKind;
use heatmark_ledger::evidence::{Equivocation, Signed, Statement};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use support::cluster::{Cluster, NEVER, PATIENCE};
use support::memory::Serves;
use support::rogue::{self, Rogue, Topic};

/// The validator that lies in each of these tests.
const LIAR: usize = 3;

fn honest(cluster: &Cluster) -> Vec<usize> {
    (0..cluster.nodes.len()).filter(|index| *index != LIAR).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withheld_block_costs_a_round_and_no_more() {
    let mut cluster = Cluster::new(4, 0, NEVER);
    cluster.nodes[LIAR].memory.withholds.store(true, Ordering::SeqCst);
    cluster.start_all().await;
    let begun = Instant::now();
    // The liar's turn comes twice in eight heights; whoever withholds also goes without.
    cluster.drive_only(&[0, 1, 2], 8).await;
    println!("8 heights, two of them withheld, in {:?}", begun.elapsed());
    let chain = cluster.nodes[0].memory.chain();
    let late = chain.iter().filter(|stored| stored.certificate.round.0 > 0).count();
    assert!(late >= 1, "a turn of the liar's went by");
    assert!(chain.iter().all(|stored| stored.certificate.round.0 <= 1), "one round each");
    cluster.nodes[LIAR].memory.withholds.store(false, Ordering::SeqCst);
    cluster.drive(10).await;
    cluster.verify();
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lies_served_to_a_node_that_catches_up_do_not_keep_it_from_the_truth() {
    for serves in
        [Serves::Flipped, Serves::Shifted, Serves::Unsigned, Serves::Another, Serves::Nothing]
    {
        let mut cluster = Cluster::new(4, 1, NEVER);
        for index in 0..4 {
            cluster.start(index).await;
        }
        cluster.drive_only(&[0, 1, 2, 3], 12).await;
        // Two of the four lie, so that the newcomer is bound to ask one of them.
        for index in [0, LIAR] {
            *cluster.nodes[index].memory.serves.lock().unwrap() = serves;
        }
        cluster.start(4).await;
        cluster.reach(4, 12).await;
        cluster.verify();
        cluster.shutdown().await;
    }
}

/// Another validator's part of a block that executes, under other bytes each time.
fn forged_block(cluster: &Cluster, filler: u32) -> (Vec<u8>, [u8; 32]) {
    let memory = &cluster.nodes[0].memory;
    memory.imagine(&[format!("forged {filler}").into_bytes()])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_in_anothers_name_are_neither_executed_nor_do_they_wake_an_idle_network() {
    let mut cluster = Cluster::new(4, 0, NEVER);
    cluster.know_publishers();
    for index in 0..3 {
        cluster.start(index).await;
    }
    let mut rogue = Rogue::join(&cluster, LIAR).await;
    cluster.drive_only(&[0, 1, 2], 4).await;
    cluster.settle(&[0, 1, 2]).await;
    let height = cluster.nodes[0].memory.chain().len() as u64;
    let before: Vec<usize> =
        (0..3).map(|at| cluster.nodes[at].memory.executed.load(Ordering::SeqCst)).collect();
    for filler in 0..50 {
        let (block, hash) = forged_block(&cluster, filler);
        let proposer = cluster.proposer_of(height + 1, 0);
        let part = rogue::part((height + 1, 0), proposer, hash, (0, 1, &block));
        rogue.say(Topic::Parts, part).await;
        // Word of heights far ahead as well.
        let part = rogue::part((height + 2, 0), proposer, hash, (0, 1, &block));
        rogue.say(Topic::Parts, part).await;
    }
    rogue.run_for(Duration::from_secs(2)).await;
    for (node, before) in cluster.nodes.iter().zip(before) {
        let executed = node.memory.executed.load(Ordering::SeqCst);
        let length = node.memory.chain().len() as u64;
        assert_eq!(length, height, "nothing wakes an idle network but work");
        assert_eq!(executed, before, "nothing is executed for whoever is not the proposer");
    }
    cluster.drive_only(&[0, 1, 2], height + 3).await;
    cluster.verify_only(&[0, 1, 2]);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposer_gets_few_of_its_blocks_executed_in_a_round() {
    let mut cluster = Cluster::new(4, 0, NEVER);
    cluster.know_publishers();
    for index in 0..3 {
        cluster.start(index).await;
    }
    let mut rogue = Rogue::join(&cluster, LIAR).await;
    cluster.drive_only(&[0, 1, 2], 2).await;
    // Up to a height whose next is the liar's turn.
    let own = cluster.validator(LIAR);
    let mut height = cluster.settle(&[0, 1, 2]).await;
    while cluster.proposer_of(height + 1, 0) != own {
        cluster.drive_only(&[0, 1, 2], height + 1).await;
        height = cluster.settle(&[0, 1, 2]).await;
    }
    let before = cluster.nodes[0].memory.executed.load(Ordering::SeqCst);
    for valid_round in [0, 7] {
        // As if proposed again, which would spare it the check against the clock.
        let (block, hash) = forged_block(&cluster, 100 + valid_round);
        let named = (own, hash);
        let part = rogue::part_again((height + 1, 0), Some(valid_round), named, (0, 1, &block));
        rogue.say(Topic::Parts, part).await;
    }
    rogue.run_for(Duration::from_secs(1)).await;
    let executed = cluster.nodes[0].memory.executed.load(Ordering::SeqCst);
    assert_eq!(executed, before, "in a first round nothing is proposed again");
    for filler in 0..40 {
        let (block, hash) = forged_block(&cluster, filler);
        let part = rogue::part((height + 1, 0), own, hash, (0, 1, &block));
        rogue.say(Topic::Parts, part).await;
    }
    rogue.run_for(Duration::from_secs(1)).await;
    cluster.submit(b"after the flood");
    for at in 0..3 {
        cluster.reach(at, height + 1).await;
    }
    rogue.run_for(Duration::from_millis(200)).await;
    let executed = cluster.nodes[0].memory.executed.load(Ordering::SeqCst) - before;
    // Two of the rogue's, and those of the rounds that the height then takes.
    assert!((3..=8).contains(&executed), "{executed} blocks of 40 were executed");
    cluster.verify_only(&[0, 1, 2]);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_votes_do_not_wake_an_idle_network() {
    let mut cluster = Cluster::new(4, 0, NEVER);
    for index in 0..3 {
        cluster.start(index).await;
    }
    let mut rogue = Rogue::join(&cluster, LIAR).await;
    cluster.drive_only(&[0, 1, 2], 3).await;
    let height = cluster.settle(&[0, 1, 2]).await;
    for number in 0..400_u32 {
        // In the names of all validators, and of many that are none.
        let voter = match number % 5 {
            4 => [number as u8; 32],
            index => cluster.validator(index as usize),
        };
        let vote = rogue::forged_vote((height + 1 + u64::from(number % 2), 0), voter);
        rogue.say(Topic::Consensus, vote).await;
    }
    rogue.run_for(Duration::from_secs(2)).await;
    for at in 0..3 {
        assert_eq!(cluster.nodes[at].memory.chain().len() as u64, height);
    }
    cluster.drive_only(&[0, 1, 2], height + 3).await;
    cluster.verify_only(&[0, 1, 2]);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_and_floods_on_every_topic_stop_nobody() {
    let mut cluster = Cluster::new(4, 0, NEVER);
    for index in 0..3 {
        cluster.start(index).await;
    }
    let mut rogue = Rogue::join(&cluster, LIAR).await;
    let own = cluster.validator(LIAR);
    let mut height = 0;
    for round in 0..6_u32 {
        for number in 0..60_u32 {
            let noise: Vec<u8> =
                (0..200 + number * 7).map(|at| (at * number + round) as u8).collect();
            rogue.say(Topic::Consensus, noise.clone()).await;
            rogue.say(Topic::Liveness, noise.clone()).await;
            rogue.say(Topic::Parts, noise).await;
            let far = u64::from(number) * 1_000_000 + 100;
            rogue.say(Topic::Consensus, rogue::forged_vote((far, number), own)).await;
        }
        // Full parts of blocks that never become whole, for rounds to come.
        for number in 0..4_u8 {
            let chunk = vec![number; rogue::PART_BYTES];
            let place = (height + 1, u32::from(number));
            let part = rogue::part(place, own, [round as u8 * 16 + number; 32], (0, 8, &chunk));
            rogue.say(Topic::Parts, part).await;
        }
        height += 2;
        cluster.drive_only(&[0, 1, 2], height).await;
    }
    cluster.verify_only(&[0, 1, 2]);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_votes_of_one_validator_become_evidence_that_verifies() {
    let mut cluster = Cluster::new(4, 0, NEVER);
    for index in 0..3 {
        cluster.start(index).await;
    }
    let mut rogue = Rogue::join(&cluster, LIAR).await;
    cluster.drive_only(&[0, 1, 2], 2).await;
    let begun = Instant::now();
    while cluster.nodes[0].memory.evidence().is_empty() {
        assert!(begun.elapsed() < PATIENCE, "no evidence is kept");
        let height = cluster.settle(&[0, 1, 2]).await;
        for value in [[1; 32], [2; 32]] {
            let key = support::cluster::key(LIAR as u8 + 1);
            let kind = VoteKind::Prevote;
            let vote = rogue::vote(&cluster.network, &key, (height + 1, 0), (kind, value));
            rogue.say(Topic::Consensus, vote).await;
        }
        rogue.run_for(Duration::from_millis(300)).await;
        cluster.drive_only(&[0, 1, 2], height + 1).await;
    }
    let evidence = cluster.nodes[0].memory.evidence().remove(0);
    assert!(evidence.verifies(&cluster.network));
    assert_eq!(evidence.validator, cluster.validator(LIAR));
    let heatmark_consensus::Conflict::Votes { votes, .. } = evidence.conflict else {
        panic!("{evidence:?}")
    };
    let signed =
        votes.map(|vote| Signed { value: vote.value, lock_round: None, signature: vote.signature });
    let place = (evidence.height, evidence.round);
    let statement = Statement::Prevote;
    let portable =
        Equivocation::new(cluster.network, evidence.validator, place, statement, signed).unwrap();
    let position = cluster.set.position(&evidence.validator).unwrap();
    portable
        .verify_signatures(
            &heatmark_ledger::ids::Era::of(portable.network),
            &cluster.set.validators()[position].key,
        )
        .unwrap();
    assert!(honest(&cluster).len() == 3);
    cluster.verify_only(&[0, 1, 2]);
    cluster.shutdown().await;
}
