//! Real swarms on loopback.

use crate::batch;
use crate::config::{ExchangeConfig, PeerLimits};
use crate::handle::ExchangeHandle;
use crate::letter::{Answer, Letter, LetterError, MAX_LETTER_BYTES};
use crate::members::member_peers;
use crate::network::{self, Behaviour, BehaviourEvent};
use crate::start::{Feed, start};
use crate::town::{NOW_MS, Town};
use bytes::Bytes;
use ed25519_dalek::SigningKey;
use futures::StreamExt;
use heatmark_ledger::ids::{Height, UnixMillis};
use heatmark_mempool::{Intake, Limits, Mempool, Tip};
use heatmark_proto::ledger::v1::Envelope;
use libp2p::gossipsub;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, Swarm};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use prost::Message;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);
const TIP: Tip = Tip { next: Height(1), time: UnixMillis(NOW_MS), parent_time: UnixMillis(NOW_MS) };

struct Node {
    exchange: ExchangeHandle,
    intake: Arc<Intake>,
    registry: Registry,
    letters: Mutex<mpsc::Receiver<Letter>>,
}

/// How a test's node differs from an ordinary one.
#[derive(Clone)]
struct Traits {
    listens: bool,
    peers: Vec<Multiaddr>,
    pool: Limits,
    limits: PeerLimits,
}

fn ordinary(peers: Vec<Multiaddr>) -> Traits {
    let (pool, limits) = (Limits::default(), PeerLimits::default());
    Traits { listens: true, peers, pool, limits }
}

impl Node {
    async fn start(town: &Town, resident: usize, traits: Traits) -> Self {
        let mempool = Arc::new(Mempool::new(traits.pool));
        let state = Arc::clone(&town.state);
        let (intake, fresh) = Intake::new(town.network, mempool, state);
        let intake = Arc::new(intake);
        let config = ExchangeConfig {
            listen: traits.listens.then(|| "/ip4/127.0.0.1/tcp/0".parse().unwrap()),
            peers: traits.peers,
            announce_again_after: Duration::from_millis(500),
            limits: traits.limits,
            ..ExchangeConfig::default()
        };
        let (post, letters) = mpsc::channel(1);
        let letters = Mutex::new(letters);
        let feed = Feed { fresh, tip: Arc::new(|| TIP), letters: post };
        let mut registry = Registry::default();
        let key = &town.residents[resident].p2p;
        let exchange = start(config, key, Arc::clone(&intake), feed, &mut registry).await.unwrap();
        Self { exchange, intake, registry, letters }
    }

    fn address(&self) -> Multiaddr {
        self.exchange.listen_addresses().remove(0)
    }

    fn submit(&self, transaction: Bytes) {
        assert!(self.intake.submit(transaction, TIP).unwrap().fresh);
    }

    async fn sees_peers(&self, count: usize) {
        let mut connected = self.exchange.connected();
        let reached = timeout(PATIENCE, connected.wait_for(|peers| peers.len() == count)).await;
        assert!(reached.is_ok(), "never had {count} peers");
    }

    async fn holds(&self, count: u64) {
        let mut waiting = self.intake.mempool().subscribe();
        let reached = timeout(PATIENCE, waiting.wait_for(|held| *held == count)).await;
        let held = self.intake.mempool().len();
        assert!(reached.is_ok(), "holds {held} instead of {count}");
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        text
    }
}

/// A peer that keeps to no rules of its own: the bare swarm.
struct Rogue {
    swarm: Swarm<Behaviour>,
    town: heatmark_ledger::ids::NetworkId,
}

impl Rogue {
    fn dial(town: &Town, key: &SigningKey, address: &Multiaddr) -> Self {
        let mut swarm = network::swarm(key, &town.network, Duration::from_secs(1)).unwrap();
        let Some(Protocol::P2p(peer)) = address.iter().last() else { panic!("{address}") };
        swarm.behaviour_mut().allowed.allow_peer(peer);
        swarm.dial(address.clone()).unwrap();
        Self { swarm, town: town.network }
    }

    /// True once the other side takes part in gossip, false once it has hung up.
    async fn is_welcome(&mut self) -> bool {
        let answered = async {
            loop {
                match self.swarm.select_next_some().await {
                    SwarmEvent::Behaviour(BehaviourEvent::Gossip(
                        gossipsub::Event::Subscribed { .. },
                    )) => return true,
                    SwarmEvent::ConnectionClosed { .. }
                    | SwarmEvent::OutgoingConnectionError { .. } => return false,
                    _ => {}
                }
            }
        };
        timeout(PATIENCE, answered).await.unwrap()
    }

    fn say(&mut self, data: Vec<u8>) {
        let topic = network::topic(&self.town);
        // Full queues: the other side reads more slowly than this one shouts.
        let _ = self.swarm.behaviour_mut().gossip.publish(topic.hash(), data);
    }

    /// Says something every few milliseconds until the other side hangs up; how often it did.
    async fn says_until_cut(&mut self, mut next: impl FnMut(u64) -> Vec<u8>) -> u64 {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        let mut said = 0;
        let cut = async {
            loop {
                tokio::select! {
                    event = self.swarm.select_next_some() => {
                        if matches!(event, SwarmEvent::ConnectionClosed { num_established: 0, .. }) {
                            return said;
                        }
                    }
                    _ = tick.tick() => {
                        let data = next(said);
                        let topic = network::topic(&self.town);
                        let _ = self.swarm.behaviour_mut().gossip.publish(topic.hash(), data);
                        said += 1;
                    }
                }
            }
        };
        timeout(PATIENCE, cut).await.expect("never cut off")
    }
}

fn garbled(bytes: &Bytes) -> Bytes {
    let mut envelope = Envelope::decode(bytes.clone()).unwrap();
    envelope.signature[0] ^= 1;
    envelope.encode_to_vec().into()
}

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
    second.holds(1).await;
    eprintln!("one anchor: across in {:?}", start.elapsed());
}

impl Node {
    async fn answers(&self, answer: Answer) -> Letter {
        let mut letters = self.letters.lock().await;
        let Letter { from, content, answer: heard } =
            timeout(PATIENCE, letters.recv()).await.unwrap().unwrap();
        heard.send(answer).unwrap();
        Letter { from, content, answer: tokio::sync::oneshot::channel().0 }
    }
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
