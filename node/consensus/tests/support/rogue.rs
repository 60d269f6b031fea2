//! A peer that keeps to no rules: a bare swarm under a validator's own p2p key, which says on the
//! engine's topics whatever it is told to. Its encodings are written here again, from what stands
//! on the wire, so that it can say what no codec of ours would.

use super::cluster::{Cluster, PATIENCE};
use ed25519_dalek::SigningKey;
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, StreamExt as _};
use heatmark_ledger::certificate::{VoteKind, vote_preimage};
use heatmark_ledger::ids::{HeaderHash, Height, NetworkId, Round};
use heatmark_ledger::keys::sign;
use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity, PublishError};
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, StreamProtocol, SwarmEvent};
use libp2p::{Swarm, SwarmBuilder, identify, noise, ping, tcp, yamux};
use prost::Message;
use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Bytes of every part but the last.
pub const PART_BYTES: usize = 1024 * 1024;

/// Takes whatever comes and says nothing: the nodes hang up on who does not speak their protocols.
#[derive(Clone, Default)]
struct Swallow;

/// Bytes taken of one stream.
const SWALLOWED_BYTES: u64 = 16 * 1024 * 1024;

#[async_trait::async_trait]
impl request_response::Codec for Swallow {
    type Protocol = StreamProtocol;
    type Request = ();
    type Response = ();

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<()>
    where
        T: AsyncRead + Unpin + Send,
    {
        futures::io::copy(io.take(SWALLOWED_BYTES), &mut futures::io::sink()).await.map(|_| ())
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<()>
    where
        T: AsyncRead + Unpin + Send,
    {
        Ok(())
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, _: &mut T, (): ()) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        Ok(())
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, _: &mut T, (): ()) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        Ok(())
    }
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    swallow: request_response::Behaviour<Swallow>,
    gossip: gossipsub::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

/// Where validators talk.
#[derive(Clone, Copy)]
pub enum Topic {
    Consensus,
    Parts,
    Liveness,
}

impl Topic {
    fn name(self) -> IdentTopic {
        IdentTopic::new(match self {
            Self::Consensus => "/consensus",
            Self::Parts => "/proposal_parts",
            Self::Liveness => "/liveness",
        })
    }
}

/// What it is told to say.
type Said = (IdentTopic, Vec<u8>, oneshot::Sender<Result<(), PublishError>>);

/// The swarm, on a task of its own: it answers its connections whatever the test does meanwhile.
pub struct Rogue {
    sayings: mpsc::Sender<Said>,
    task: JoinHandle<()>,
}

impl Drop for Rogue {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Rogue {
    /// Connects to all running nodes in the place of a node that does not run, and waits until they
    /// listen to it.
    pub async fn join(cluster: &Cluster, place: usize) -> Self {
        let node = &cluster.nodes[place];
        let protocol = format!("/heatmark/{}/consensus/1", cluster.network);
        let proof = format!("/heatmark/{}/validator-proof/1", cluster.network);
        let swallowed = [
            (StreamProtocol::new("/ax/broadcast/1.0.0"), ProtocolSupport::Inbound),
            (StreamProtocol::try_from_owned(proof).unwrap(), ProtocolSupport::Inbound),
        ];
        let mut swarm = SwarmBuilder::with_existing_identity(node.identity.clone())
            .with_tokio()
            .with_tcp(
                tcp::Config::default().nodelay(true),
                noise::Config::new,
                yamux::Config::default,
            )
            .unwrap()
            .with_behaviour(|key| {
                let config = gossipsub::ConfigBuilder::default()
                    .max_transmit_size(4 * 1024 * 1024)
                    .flood_publish(true)
                    .build()
                    .unwrap();
                let authenticity = MessageAuthenticity::Signed(key.clone());
                Behaviour {
                    swallow: request_response::Behaviour::new(swallowed, Default::default()),
                    gossip: gossipsub::Behaviour::new(authenticity, config).unwrap(),
                    identify: identify::Behaviour::new(
                        identify::Config::new_with_signed_peer_record(protocol, key)
                            .with_agent_version("moniker=rogue".to_owned()),
                    ),
                    ping: ping::Behaviour::default(),
                }
            })
            .unwrap()
            .with_swarm_config(|config| {
                config.with_idle_connection_timeout(Duration::from_secs(600))
            })
            .build();
        let mut listen = node.address.clone();
        listen.pop();
        swarm.listen_on(listen).unwrap();
        for topic in [Topic::Consensus, Topic::Parts, Topic::Liveness] {
            swarm.behaviour_mut().gossip.subscribe(&topic.name()).unwrap();
        }
        let running: Vec<_> = cluster.nodes.iter().filter(|node| node.handle.is_some()).collect();
        for other in &running {
            swarm.dial(other.address.clone()).unwrap();
        }
        let expected = running.len();
        let heard = tokio::time::timeout(PATIENCE, listeners(&mut swarm, expected)).await;
        assert!(heard.is_ok(), "the nodes do not listen to the rogue");
        let (sayings, said) = mpsc::channel(1);
        Self { sayings, task: tokio::spawn(run(swarm, said)) }
    }

    /// Says something to everybody.
    pub async fn say(&mut self, topic: Topic, bytes: Vec<u8>) {
        let begun = Instant::now();
        loop {
            let (reply, answer) = oneshot::channel();
            self.sayings.send((topic.name(), bytes.clone(), reply)).await.unwrap();
            match answer.await.unwrap() {
                // The others may read more slowly than this one shouts; said twice is said once.
                Ok(()) | Err(PublishError::Duplicate | PublishError::AllQueuesFull(_)) => return,
                Err(error) => assert!(begun.elapsed() < PATIENCE, "nobody listens: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Keeps its connections for a while.
    pub async fn run_for(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

async fn listeners(swarm: &mut Swarm<Behaviour>, expected: usize) {
    let mut heard = BTreeSet::new();
    while heard.len() < expected {
        let event = swarm.select_next_some().await;
        if let SwarmEvent::Behaviour(BehaviourEvent::Gossip(gossipsub::Event::Subscribed {
            peer_id,
            topic,
        })) = event
            && topic == Topic::Parts.name().hash()
        {
            heard.insert(peer_id);
        }
    }
}

fn answer(swarm: &mut Swarm<Behaviour>, event: SwarmEvent<BehaviourEvent>) {
    use request_response::{Event, Message};
    match event {
        SwarmEvent::Behaviour(BehaviourEvent::Swallow(Event::Message {
            message: Message::Request { channel, .. },
            ..
        })) => {
            // A stream that is gone needs no answer.
            let _ = swarm.behaviour_mut().swallow.send_response(channel, ());
        }
        SwarmEvent::ConnectionClosed { peer_id, cause, .. } => {
            println!("the rogue lost {peer_id}: {cause:?}");
        }
        _ => {}
    }
}

async fn run(mut swarm: Swarm<Behaviour>, mut said: mpsc::Receiver<Said>) {
    loop {
        tokio::select! {
            event = swarm.select_next_some() => answer(&mut swarm, event),
            told = said.recv() => {
                let Some((topic, bytes, reply)) = told else { return };
                let outcome = swarm.behaviour_mut().gossip.publish(topic, bytes).map(|_| ());
                // The test may have ended.
                let _ = reply.send(outcome);
            }
        }
    }
}

#[derive(Clone, PartialEq, Message)]
struct Vote {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(uint64, tag = "2")]
    height: u64,
    #[prost(uint32, tag = "3")]
    round: u32,
    #[prost(bytes = "vec", tag = "4")]
    value: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    validator: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    signature: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct ConsensusMessage {
    #[prost(message, optional, tag = "1")]
    vote: Option<Vote>,
}

#[derive(Clone, PartialEq, Message)]
struct Part {
    #[prost(uint64, tag = "1")]
    height: u64,
    #[prost(uint32, tag = "2")]
    round: u32,
    #[prost(uint32, tag = "3")]
    valid_round: u32,
    #[prost(bytes = "vec", tag = "4")]
    proposer: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    value: Vec<u8>,
    #[prost(uint32, tag = "6")]
    index: u32,
    #[prost(uint32, tag = "7")]
    count: u32,
    #[prost(bytes = "vec", tag = "8")]
    chunk: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct StreamPart {
    #[prost(bytes = "vec", tag = "1")]
    stream: Vec<u8>,
    #[prost(uint64, tag = "2")]
    sequence: u64,
    #[prost(message, optional, tag = "3")]
    part: Option<Part>,
}

/// A part: where, in whose name, of which block, and index, count and bytes.
pub fn part(
    place: (u64, u32),
    proposer: [u8; 32],
    block: [u8; 32],
    bytes: (u32, u32, &[u8]),
) -> Vec<u8> {
    part_again(place, None, (proposer, block), bytes)
}

/// A part of a block that had a quorum of prevotes in a round already, or so it says.
pub fn part_again(
    (height, round): (u64, u32),
    valid_round: Option<u32>,
    (proposer, block): ([u8; 32], [u8; 32]),
    (index, count, chunk): (u32, u32, &[u8]),
) -> Vec<u8> {
    let part = Part {
        height,
        round,
        valid_round: valid_round.map_or(0, |round| round + 1),
        proposer: proposer.to_vec(),
        value: block.to_vec(),
        index,
        count,
        chunk: chunk.to_vec(),
    };
    let stream = [&height.to_be_bytes()[..], &block].concat();
    StreamPart { stream, sequence: u64::from(index), part: Some(part) }.encode_to_vec()
}

fn encoded(
    (height, round): (u64, u32),
    validator: [u8; 32],
    vote: (u32, Vec<u8>, Vec<u8>),
) -> Vec<u8> {
    let (kind, value, signature) = vote;
    let validator = validator.to_vec();
    let vote = Vote { kind, height, round, value, validator, signature };
    ConsensusMessage { vote: Some(vote) }.encode_to_vec()
}

/// A vote in somebody's name that nobody signed.
pub fn forged_vote(place: (u64, u32), voter: [u8; 32]) -> Vec<u8> {
    encoded(place, voter, (1, vec![3; 32], vec![5; 64]))
}

/// A vote by a key.
pub fn vote(
    network: &NetworkId,
    key: &SigningKey,
    (height, round): (u64, u32),
    (kind, value): (VoteKind, [u8; 32]),
) -> Vec<u8> {
    let own = key.verifying_key().to_bytes();
    let place = (Height(height), Round(round));
    let bytes = vote_preimage(network, kind, place, Some(&HeaderHash::from(value)), &own);
    let kind = if kind == VoteKind::Prevote { 1 } else { 2 };
    encoded((height, round), own, (kind, value.to_vec(), sign(key, &bytes)))
}
