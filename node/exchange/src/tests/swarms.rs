//! Real swarms on loopback.

use super::rig::{Node, PATIENCE, Rogue, Traits, garbled, ordinary};
use crate::batch;
use crate::config::PeerLimits;
use crate::letter::{Answer, LetterError, MAX_LETTER_BYTES};
use crate::members::member_peers;
use crate::network;
use crate::town::Town;
use bytes::Bytes;
use ed25519_dalek::SigningKey;
use futures::StreamExt;
use heatmark_ledger::ids::UnixMillis;
use heatmark_mempool::Limits;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use std::time::{Duration, Instant};
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_takes_reaches_all_four() {
    let town = Town::found(4);
    let mut nodes: Vec<Node> = Vec::new();
    for resident in 0..4 {
        let peers = nodes.iter().map(Node::address).collect();
        nodes.push(Node::start(&town, resident, ordinary(peers)).await);
    }
    for node in &nodes {
        node.sees_peers(3).await;
    }
    for n in 0..400 {
        nodes[n as usize % 4].submit(town.anchor(n as usize % 4, n));
    }
    for node in &nodes {
        node.holds(400).await;
    }
    for node in &nodes {
        node.exchange.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_only_dials_sends_and_receives_through_another() {
    let town = Town::found(3);
    let hub = Node::start(&town, 0, ordinary(Vec::new())).await;
    let behind_nat = Traits { listens: false, ..ordinary(vec![hub.address()]) };
    let first = Node::start(&town, 1, behind_nat.clone()).await;
    let second = Node::start(&town, 2, behind_nat).await;
    hub.sees_peers(2).await;
    first.sees_peers(1).await;
    second.sees_peers(1).await;
    assert!(first.exchange.listen_addresses().is_empty());
    first.submit(town.anchor(1, 1));
    second.holds(1).await;
    second.submit(town.concern(2, 2, 1));
    first.holds(2).await;
    hub.holds(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_cannot_connect_in_either_direction() {
    let town = Town::found(2);
    let node = Node::start(&town, 0, ordinary(Vec::new())).await;
    let stranger = SigningKey::from_bytes(&[99; 32]);
    assert!(!Rogue::dial(&town, &stranger, &node.address()).is_welcome().await);
    assert!(node.metrics().contains("exchange_refused_connections_total 1"));

    // A member is welcome in the same way, so that the refusal above has the right reason.
    let member = town.residents[1].p2p.clone();
    assert!(Rogue::dial(&town, &member, &node.address()).is_welcome().await);

    let mut listener = network::swarm(&stranger, &town.network, Duration::from_secs(1)).unwrap();
    listener.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    let address = loop {
        if let SwarmEvent::NewListenAddr { address, .. } = listener.select_next_some().await {
            break address.with(Protocol::P2p(*listener.local_peer_id()));
        }
    };
    let dialler = Node::start(&town, 1, ordinary(vec![address, node.address()])).await;
    dialler.sees_peers(1).await;
    assert_eq!(*dialler.exchange.connected().borrow(), vec![town.residents[0].id]);
    assert!(dialler.metrics().contains("exchange_dials_total 1"), "the stranger is never dialled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_member_is_cut_and_catches_up_when_it_returns() {
    let town = Town::found(2);
    let first = Node::start(&town, 0, ordinary(Vec::new())).await;
    let second = Node::start(&town, 1, ordinary(vec![first.address()])).await;
    first.sees_peers(1).await;
    let everyone = member_peers(&*town.state).unwrap();
    let mut rest = everyone.clone();
    rest.retain(|peer| peer.member == town.residents[0].id);
    first.exchange.set_members(rest).await.unwrap();
    first.sees_peers(0).await;
    second.sees_peers(0).await;
    first.submit(town.anchor(0, 1));
    second.submit(town.anchor(1, 2));
    first.exchange.set_members(everyone).await.unwrap();
    first.sees_peers(1).await;
    first.holds(2).await;
    second.holds(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_connects_and_takes_no_part_is_hung_up_on() {
    let town = Town::found(2);
    let traits = Traits { silent_for: Duration::from_secs(1), ..ordinary(Vec::new()) };
    let node = Node::start(&town, 0, traits).await;
    let mut rogue = Rogue::dial(&town, &town.residents[1].p2p, &node.address());
    assert!(rogue.swarm.behaviour_mut().gossip.unsubscribe(&network::topic(&town.network)));
    assert!(rogue.is_welcome().await);
    assert!(!rogue.is_welcome().await, "the connection is closed");
    assert!(node.metrics().contains("exchange_hung_up_on_silent_peers_total 1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_last_connection_still_stands_at_the_other_end_takes_part_again() {
    let town = Town::found(2);
    let hub = Node::start(&town, 0, ordinary(Vec::new())).await;
    let key = &town.residents[1].p2p;
    let mut before = Rogue::dial(&town, key, &hub.address());
    assert!(before.is_welcome().await);
    let silent_for = Duration::from_secs(1);
    let again = Traits { silent_for, ..ordinary(vec![hub.address()]) };
    let again = Node::start(&town, 1, again).await;
    // The hub takes both for one node and tells the new connection nothing.
    let hung_up = async {
        while !again.metrics().contains("exchange_hung_up_on_silent_peers_total 1") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, hung_up).await.unwrap();
    drop(before);
    again.sees_peers(1).await;
    again.submit(town.anchor(1, 1));
    hub.holds(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_registry_is_followed_when_told_so() {
    let town = Town::found(2);
    let first = Node::start(&town, 0, ordinary(Vec::new())).await;
    let second = Node::start(&town, 1, ordinary(vec![first.address()])).await;
    second.sees_peers(1).await;
    let left = heatmark_proto::ledger::v1::MemberStatus::Left;
    town.state.set_status(&town.residents[1].id, left);
    first.exchange.refresh_members().await.unwrap();
    second.sees_peers(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_not_passed_on_and_its_sender_is_cut_off() {
    let town = Town::found(3);
    let node = Node::start(&town, 0, ordinary(Vec::new())).await;
    let witness = Node::start(&town, 2, ordinary(vec![node.address()])).await;
    witness.sees_peers(1).await;
    let key = town.residents[1].p2p.clone();
    let mut rogue = Rogue::dial(&town, &key, &node.address());
    assert!(rogue.is_welcome().await);
    let said = rogue.says_until_cut(|n| format!("no batch {n}").into_bytes()).await;
    assert!(said >= 10, "cut off after {said} faults");
    assert!(node.metrics().contains("exchange_cut_off_peers_total 1"));
    assert!(!Rogue::dial(&town, &key, &node.address()).is_welcome().await, "stays cut off");
    node.submit(town.anchor(0, 1));
    witness.holds(1).await;
    assert!(!witness.metrics().contains("outcome=\"malformed\""), "garbage was passed on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_signatures_are_not_passed_on_and_their_sender_is_cut_off() {
    let town = Town::found(3);
    let node = Node::start(&town, 0, ordinary(Vec::new())).await;
    let witness = Node::start(&town, 2, ordinary(vec![node.address()])).await;
    witness.sees_peers(1).await;
    let key = town.residents[1].p2p.clone();
    let mut rogue = Rogue::dial(&town, &key, &node.address());
    assert!(rogue.is_welcome().await);
    let said = rogue
        .says_until_cut(|n| batch::encode(vec![garbled(&town.anchor(0, n)), town.anchor(1, n)]))
        .await;
    assert!(said >= 20, "cut off after {said} faults");
    assert!(node.intake.mempool().is_empty() && witness.intake.mempool().is_empty());
    assert!(!witness.metrics().contains("outcome=\"faulty\""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_others_verify_in_vain_is_cut_off() {
    let town = Town::found(3);
    let limits = PeerLimits { refusals_per_s: 50, ..PeerLimits::default() };
    let node = Node::start(&town, 0, Traits { limits, ..ordinary(Vec::new()) }).await;
    let key = town.residents[1].p2p.clone();
    let mut rogue = Rogue::dial(&town, &key, &node.address());
    assert!(rogue.is_welcome().await);
    // Signed well, and of no effect: no such sequence follows.
    let said = rogue.says_until_cut(|n| {
        let vain = (0..40).map(|at| town.concern(1, n * 100 + at, 9)).collect();
        batch::encode(vain)
    });
    assert!(said.await >= 100, "within the rate it is nobody's fault");
    assert!(node.metrics().contains("wasteful"));
    assert!(node.intake.mempool().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_transaction_goes_on_without_the_bad_rest_of_its_batch() {
    let town = Town::found(3);
    let node = Node::start(&town, 0, ordinary(Vec::new())).await;
    let witness = Node::start(&town, 2, ordinary(vec![node.address()])).await;
    witness.sees_peers(1).await;
    let key = town.residents[1].p2p.clone();
    let mut rogue = Rogue::dial(&town, &key, &node.address());
    assert!(rogue.is_welcome().await);
    rogue.say(batch::encode(vec![town.anchor(1, 1), town.concern(1, 2, 9)]));
    let swarm = tokio::spawn(async move {
        loop {
            rogue.swarm.select_next_some().await;
        }
    });
    witness.holds(1).await;
    swarm.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_ten_thousand_is_bounded_and_keeps_no_other_out() {
    let town = Town::found(3);
    let pool = Limits { max_member_transactions: 1_000, ..Limits::default() };
    let limits = PeerLimits { fault_points: u32::MAX, ..PeerLimits::default() };
    let node = Node::start(&town, 0, Traits { pool, limits, ..ordinary(Vec::new()) }).await;
    let other = Node::start(&town, 2, ordinary(vec![node.address()])).await;
    other.sees_peers(1).await;
    let mut rogue = Rogue::dial(&town, &town.residents[1].p2p, &node.address());
    assert!(rogue.is_welcome().await);
    let flood: Vec<Bytes> = (0..10_000).map(|n| town.anchor(1, n)).collect();
    for transactions in flood.chunks(50) {
        rogue.say(batch::encode(transactions.to_vec()));
    }
    let swarm = tokio::spawn(async move {
        loop {
            rogue.swarm.select_next_some().await;
        }
    });
    let mut waiting = node.intake.mempool().subscribe();
    timeout(PATIENCE, waiting.wait_for(|held| *held >= 1_000)).await.unwrap().unwrap();
    other.submit(town.anchor(2, 20_000));
    let arrived = timeout(PATIENCE, waiting.wait_for(|held| *held >= 1_001)).await;
    assert!(arrived.is_ok(), "the flood kept another member out");
    assert_eq!(node.intake.mempool().len(), 1_001);
    swarm.abort();
}

/// Prints what two nodes carry; run with `--nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_anchors_cross_between_two_nodes() {
    let town = Town::found(2);
    let first = Node::start(&town, 0, ordinary(Vec::new())).await;
    let second = Node::start(&town, 1, ordinary(vec![first.address()])).await;
    first.sees_peers(1).await;
    second.sees_peers(1).await;
    let anchors: Vec<Bytes> = (0..5_000).map(|n| town.anchor(0, n)).collect();
    let start = Instant::now();
    for anchor in anchors {
        first.submit(anchor);
    }
    let submitted = start.elapsed();
    second.holds(5_000).await;
    eprintln!("5,000 anchors: submitted in {submitted:?}, across in {:?}", start.elapsed());
    let start = Instant::now();
    first
        .intake
        .mempool()
        .remove(second.intake.mempool().select(5_000, usize::MAX, 0).iter().map(|t| t.id()));
    second.intake.mempool().expire(UnixMillis(u64::MAX));
    first.submit(town.anchor(0, 10_000));
    let next = first.intake.mempool().select(1, usize::MAX, 0)[0].id();
    // Some of the others may have been announced again just before, and come again.
    let mut waiting = second.intake.mempool().subscribe();
    let comes = waiting.wait_for(|_| second.intake.mempool().contains(&next));
    assert!(timeout(PATIENCE, comes).await.is_ok(), "the next anchor never came");
    eprintln!("one anchor: across in {:?}", start.elapsed());
}

async fn two_nodes(limits: PeerLimits) -> (Town, Node, Node) {
    let town = Town::found(3);
    let first = Node::start(&town, 0, Traits { limits, ..ordinary(Vec::new()) }).await;
    let second = Node::start(&town, 1, ordinary(vec![first.address()])).await;
    first.sees_peers(1).await;
    second.sees_peers(1).await;
    (town, first, second)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_reaches_the_member_it_is_for_and_brings_back_its_answer() {
    let (town, first, second) = two_nodes(PeerLimits::default()).await;
    let to = town.residents[0].id;
    let long = Bytes::from(vec![7; MAX_LETTER_BYTES]);
    for (letter, answer) in [
        (Bytes::new(), Answer::Taken),
        (Bytes::from_static(b"a capsule"), Answer::Refused),
        (long, Answer::Later),
    ] {
        let (heard, arrived) =
            tokio::join!(second.exchange.post(to, letter.clone()), first.answers(answer));
        assert_eq!(heard, Ok(answer));
        assert_eq!((arrived.from, arrived.content), (town.residents[1].id, letter));
    }
    // And the other way: who dialled whom does not matter.
    let to = town.residents[1].id;
    let letter = Bytes::from_static(b"an offer");
    let (heard, _) = tokio::join!(first.exchange.post(to, letter), second.answers(Answer::Taken));
    assert_eq!(heard, Ok(Answer::Taken));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_to_nobody_or_too_long_is_not_sent() {
    let (town, first, second) = two_nodes(PeerLimits::default()).await;
    let away = town.residents[2].id;
    assert_eq!(second.exchange.post(away, Bytes::new()).await, Err(LetterError::Away));
    let too_long = Bytes::from(vec![7; MAX_LETTER_BYTES + 1]);
    let to = town.residents[0].id;
    assert_eq!(second.exchange.post(to, too_long).await, Err(LetterError::TooLong));
    first.exchange.shutdown().await;
    second.sees_peers(0).await;
    assert_eq!(second.exchange.post(to, Bytes::new()).await, Err(LetterError::Away));
    second.exchange.shutdown().await;
    assert_eq!(second.exchange.post(to, Bytes::new()).await, Err(LetterError::Stopped));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_that_find_no_room_or_no_reader_are_put_off() {
    let (town, first, second) = two_nodes(PeerLimits::default()).await;
    let to = town.residents[0].id;
    let post = |n: u8| second.exchange.post(to, Bytes::from(vec![n]));
    let unread = async {
        // One waits in the channel; a second connection's worth finds it full.
        let mut letters = first.letters.lock().await;
        let waiting = timeout(PATIENCE, letters.recv()).await.unwrap().unwrap();
        drop(waiting);
        letters.close();
    };
    let (first_answer, ()) = tokio::join!(post(1), unread);
    assert_eq!(first_answer, Ok(Answer::Later));
    assert_eq!(post(2).await, Ok(Answer::Later));
    assert!(first.metrics().contains("crowded_out"), "{}", first.metrics());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_above_the_rate_are_put_off_and_blamed() {
    let limits = PeerLimits { letters_per_s: 1, ..PeerLimits::default() };
    let (town, first, second) = two_nodes(limits).await;
    let to = town.residents[0].id;
    let mut put_off = 0;
    for n in 0..20_u8 {
        let answering = async {
            let mut letters = first.letters.lock().await;
            if let Ok(Some(letter)) = timeout(Duration::from_millis(200), letters.recv()).await {
                letter.answer.send(Answer::Taken).unwrap();
            }
        };
        let (heard, ()) = tokio::join!(second.exchange.post(to, Bytes::from(vec![n])), answering);
        put_off += u32::from(heard == Ok(Answer::Later));
    }
    assert!(put_off > 5, "{put_off}");
    assert!(first.metrics().contains("outcome=\"above_rate\""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_members_that_write_to_each_other_at_once_both_arrive() {
    let (town, first, second) = two_nodes(PeerLimits::default()).await;
    let (one, other) = (town.residents[0].id, town.residents[1].id);
    let long = || Bytes::from(vec![7; 4 << 20]);
    for _ in 0..5 {
        // Neither reads before both have written.
        let begun = tokio::sync::Barrier::new(2);
        let answers = async |node: &Node| {
            begun.wait().await;
            node.answers(Answer::Taken).await
        };
        let (there, back, ..) = tokio::join!(
            first.exchange.post(other, long()),
            second.exchange.post(one, long()),
            answers(&first),
            answers(&second),
        );
        assert_eq!((there, back), (Ok(Answer::Taken), Ok(Answer::Taken)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_letter_of_a_member_waits_for_the_first() {
    let (town, first, second) = two_nodes(PeerLimits::default()).await;
    let to = town.residents[0].id;
    let post = |n: u8| second.exchange.post(to, Bytes::from(vec![n]));
    let reader = async {
        let mut letters = first.letters.lock().await;
        let waiting = timeout(PATIENCE, letters.recv()).await.unwrap().unwrap();
        // The other one is answered by the exchange, or its stream refused.
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(letters.try_recv().is_err());
        waiting.answer.send(Answer::Taken).unwrap();
    };
    let (one, two, ()) = tokio::join!(post(1), post(2), reader);
    let taken = [one, two].iter().filter(|heard| **heard == Ok(Answer::Taken)).count();
    assert_eq!(taken, 1, "{one:?} {two:?}");
    // And the next one comes through.
    let (heard, _) = tokio::join!(post(3), first.answers(Answer::Taken));
    assert_eq!(heard, Ok(Answer::Taken));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_no_member_posts_nothing() {
    let (town, first, _second) = two_nodes(PeerLimits::default()).await;
    let stranger = SigningKey::from_bytes(&[77; 32]);
    let mut rogue = Rogue::dial(&town, &stranger, &first.address());
    let Some(Protocol::P2p(peer)) = first.address().iter().last() else { panic!() };
    rogue.swarm.behaviour_mut().letters.send_request(&peer, Bytes::from_static(b"let me in"));
    assert!(!rogue.is_welcome().await);
    assert!(first.letters.lock().await.try_recv().is_err());
}
