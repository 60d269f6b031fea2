//! Batches, conduct, dialling and the outbox, without a network.

use crate::batch::{self, BatchError, MAX_BATCH_BYTES, MAX_BATCH_TRANSACTIONS};
use crate::conduct::{Conduct, Fault};
use crate::config::PeerLimits;
use crate::dialer::Dialer;
use crate::error::ExchangeError;
use crate::members::{member_peers, peer_id};
use crate::outbox::Outbox;
use crate::town::Town;
use bytes::Bytes;
use heatmark_ledger::wire::MAX_TRANSACTION_BYTES;
use heatmark_proto::exchange::v1::TransactionBatch;
use heatmark_proto::ledger::v1 as pb;
use libp2p::{Multiaddr, PeerId};
use proptest::prelude::*;
use prost::Message;
use std::time::{Duration, Instant};

fn of_sizes(sizes: &[usize]) -> Vec<Bytes> {
    sizes.iter().map(|size| Bytes::from(vec![7; *size])).collect()
}

#[test]
fn reads_back_what_it_wrote() {
    let transactions = of_sizes(&[1, 0, 127, 128, MAX_TRANSACTION_BYTES]);
    assert_eq!(batch::decode(batch::encode(transactions.clone()).into()), Ok(transactions));
}

#[test]
fn refuses_batches_out_of_bounds() {
    let decode = |bytes: Vec<u8>| batch::decode(bytes.into());
    assert_eq!(decode(Vec::new()), Err(BatchError::Count));
    let many = of_sizes(&[1; MAX_BATCH_TRANSACTIONS + 1]);
    assert_eq!(decode(batch::encode(many)), Err(BatchError::Count));
    let long = of_sizes(&[MAX_TRANSACTION_BYTES + 1]);
    assert_eq!(decode(batch::encode(long)), Err(BatchError::TransactionTooLong));
    assert_eq!(decode(vec![0x0a; MAX_BATCH_BYTES + 1]), Err(BatchError::TooLong));
    assert_eq!(decode(vec![0x0a, 0x05, 1, 2]), Err(BatchError::Malformed));
    assert_eq!(decode(vec![0x12, 0x01, 1]), Err(BatchError::Malformed));
    let endless = [vec![0x0a], vec![0xff; 10]].concat();
    assert_eq!(decode(endless), Err(BatchError::Malformed));
}

proptest! {
    #[test]
    fn reads_only_what_the_message_says(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(transactions) = batch::decode(bytes.clone().into()) {
            let message = TransactionBatch::decode(bytes.as_slice()).unwrap();
            let same = message.transactions.iter().map(|t| &t[..]).eq(transactions.iter().map(|t| &t[..]));
            prop_assert!(same && transactions.len() <= MAX_BATCH_TRANSACTIONS);
        }
    }

    #[test]
    fn survives_any_flipped_byte(at in 0..120usize, to in any::<u8>()) {
        let mut bytes = batch::encode(of_sizes(&[50, 30, 30]));
        if let Some(byte) = bytes.get_mut(at) {
            *byte = to;
        }
        if let Ok(transactions) = batch::decode(bytes.into()) {
            prop_assert!(transactions.iter().map(Bytes::len).sum::<usize>() <= 120);
        }
    }
}

fn strict() -> PeerLimits {
    PeerLimits {
        bytes_per_s: 1_000,
        transactions_per_s: 10,
        refusals_per_s: 3,
        letters_per_s: 2,
        waiting_bytes: 5_000,
        fault_points: 20,
        cut_off: Duration::from_secs(30),
    }
}

#[test]
fn what_is_verified_in_vain_has_a_rate_of_its_own() {
    let now = Instant::now();
    let mut conduct = Conduct::new(strict(), now);
    assert!(conduct.waste(6, now), "twice the rate at once");
    assert!(!conduct.waste(1, now));
    assert!(conduct.waste(3, now + Duration::from_secs(1)));
    assert!(!conduct.waste(1, now + Duration::from_secs(1)));
    assert!(conduct.admit(1, 1, now), "apart from the others");
}

#[test]
fn lets_through_the_rate_and_a_burst_of_twice_as_much() {
    let now = Instant::now();
    let mut conduct = Conduct::new(strict(), now);
    assert!((0..20).all(|_| conduct.admit(10, 1, now)));
    assert!(!conduct.admit(10, 1, now), "twenty-one at once");
    let later = now + Duration::from_secs(1);
    assert_eq!((0..100).filter(|_| conduct.admit(1, 1, later)).count(), 10);
    let idle = now + Duration::from_secs(100);
    assert_eq!((0..100).filter(|_| conduct.admit(1, 1, idle)).count(), 20, "rest saves no more");
    let mut heavy = Conduct::new(strict(), now);
    assert!(heavy.admit(2_000, 1, now) && !heavy.admit(1, 1, now));
}

#[test]
fn bounds_what_waits_of_a_peer() {
    let mut conduct = Conduct::new(strict(), Instant::now());
    assert!(conduct.enqueue(5_000) && !conduct.enqueue(1));
    conduct.dequeue(100);
    assert!(conduct.enqueue(100));
}

#[test]
fn cuts_off_after_repeated_faults_and_readmits_in_time() {
    let now = Instant::now();
    let mut conduct = Conduct::new(strict(), now);
    assert!(!conduct.blame(Fault::Malformed, now));
    assert!(!conduct.is_cut_off());
    assert!(conduct.blame(Fault::Malformed, now));
    assert!(conduct.is_cut_off());
    assert!(!conduct.readmit(now + Duration::from_secs(29)));
    assert!(conduct.readmit(now + Duration::from_secs(30)));
    assert!(!conduct.is_cut_off() && !conduct.readmit(now + Duration::from_secs(31)));
}

#[test]
fn forgives_rare_faults() {
    let mut now = Instant::now();
    let mut conduct = Conduct::new(strict(), now);
    for _ in 0..100 {
        assert!(!conduct.blame(Fault::Transaction, now));
        now += Duration::from_secs(5);
    }
}

fn address(peer: PeerId) -> Multiaddr {
    format!("/ip4/127.0.0.1/tcp/1/p2p/{peer}").parse().unwrap()
}

#[test]
fn dials_ever_more_slowly_and_starts_anew_after_a_connection() {
    let (own, other) = (PeerId::random(), PeerId::random());
    let mut now = Instant::now();
    let mut dialer = Dialer::new(own, &[address(own), address(other)], now).unwrap();
    let first = dialer.due(now, |_| true);
    assert_eq!(first, vec![(other, vec![address(other)])], "never itself");
    let mut dials = 0;
    for _ in 0..600 {
        now += Duration::from_millis(100);
        dials += dialer.due(now, |_| true).len();
    }
    assert!((8..=16).contains(&dials), "{dials} dials in a minute");
    dialer.connected(&other, now);
    assert!(dialer.due(now, |_| false).is_empty(), "not while it is connected");
    assert_eq!(dialer.due(now, |_| true).len(), 1);
}

#[test]
fn insists_that_an_address_says_who_must_answer() {
    let unpinned: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
    let refused = Dialer::new(PeerId::random(), &[unpinned], Instant::now());
    assert!(matches!(refused, Err(ExchangeError::Unpinned(_))));
}

#[test]
fn sends_at_once_when_idle_and_together_when_busy() {
    let now = Instant::now();
    let mut outbox = Outbox::new(now);
    assert!(outbox.push(Bytes::from_static(b"a"), now).is_none());
    assert_eq!(outbox.ready(now).map(|batch| batch.len()), Some(1));
    assert!(outbox.push(Bytes::from_static(b"b"), now).is_none());
    assert!(outbox.ready(now).is_none());
    let due = outbox.due().unwrap();
    assert!(due <= now + Duration::from_millis(5));
    assert!(outbox.push(Bytes::from_static(b"c"), now).is_none());
    assert_eq!(outbox.ready(due).map(|batch| batch.len()), Some(2));
    assert!(outbox.due().is_none() && outbox.ready(due).is_none());
}

#[test]
fn batches_fill_and_never_exceed_their_bounds() {
    let now = Instant::now();
    let mut outbox = Outbox::new(now + Duration::from_secs(1));
    let mut batches = Vec::new();
    for n in 0..400 {
        let size = if n % 2 == 0 { MAX_TRANSACTION_BYTES } else { 200 };
        batches.extend(outbox.push(Bytes::from(vec![1; size]), now));
        batches.extend(outbox.ready(now));
    }
    batches.extend(outbox.ready(now + Duration::from_secs(2)));
    assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), 400);
    for batch in batches {
        assert!(batch::decode(batch::encode(batch).into()).is_ok());
    }
}

#[test]
fn follows_the_registry_and_leaves_out_who_left() {
    let town = Town::found(3);
    town.state.set_status(&town.residents[1].id, pb::MemberStatus::Left);
    town.state.set_status(&town.residents[2].id, pb::MemberStatus::Suspended);
    let peers = member_peers(&*town.state).unwrap();
    let mut members: Vec<_> = peers.iter().map(|peer| peer.member).collect();
    members.sort();
    let mut expected = vec![town.residents[0].id, town.residents[2].id];
    expected.sort();
    assert_eq!(members, expected);
    let own = peers.iter().find(|peer| peer.member == town.residents[0].id).unwrap();
    assert_eq!(own.key, town.residents[0].p2p.verifying_key().to_bytes());
    assert!(peer_id(&town.residents[0].p2p).is_some());
}

mod letters {
    use crate::letter::{Answer, LetterCodec, MAX_LETTER_BYTES};
    use bytes::Bytes;
    use futures::executor::block_on;
    use libp2p::StreamProtocol;
    use libp2p::request_response::Codec;

    const PROTOCOL: StreamProtocol = StreamProtocol::new("/heatmark/letters/v1/test");

    fn read(mut bytes: &[u8]) -> std::io::Result<Bytes> {
        block_on(LetterCodec.read_request(&PROTOCOL, &mut bytes))
    }

    #[test]
    fn a_letter_is_read_as_it_was_written_and_every_cut_is_refused() {
        let letter = Bytes::from_static(b"despatch advice");
        let mut written = futures::io::Cursor::new(Vec::new());
        block_on(LetterCodec.write_request(&PROTOCOL, &mut written, letter.clone())).unwrap();
        let written = written.into_inner();
        assert_eq!(read(&written).unwrap(), letter);
        for cut in 0..written.len() {
            assert!(read(&written[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn a_length_above_the_limit_is_refused_before_anything_is_read() {
        let announced = u32::try_from(MAX_LETTER_BYTES + 1).unwrap().to_be_bytes();
        let error = read(&announced).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    }

    #[test]
    fn answers_are_one_byte_each_and_no_other() {
        for answer in [Answer::Taken, Answer::Later, Answer::Refused] {
            let mut written = futures::io::Cursor::new(Vec::new());
            block_on(LetterCodec.write_response(&PROTOCOL, &mut written, answer)).unwrap();
            let written = written.into_inner();
            let mut bytes = written.as_slice();
            let found = block_on(LetterCodec.read_response(&PROTOCOL, &mut bytes)).unwrap();
            assert_eq!((found, written.len()), (answer, 1));
        }
        for byte in 3..=255_u8 {
            let mut bytes: &[u8] = &[byte];
            assert!(block_on(LetterCodec.read_response(&PROTOCOL, &mut bytes)).is_err());
        }
        let mut nothing: &[u8] = &[];
        assert!(block_on(LetterCodec.read_response(&PROTOCOL, &mut nothing)).is_err());
    }
}
