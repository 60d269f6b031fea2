//! What other nodes send: messages between validators, parts of blocks, batches of transactions,
//! and the certificate that a client shows.

use crate::seeds::Field::{Bytes as B, Number as N};
use crate::seeds::{self, written};
use heatmark_client::tls;
use heatmark_consensus::decoders::{self, Kind};
use heatmark_fuzz::{Shape, Target};
use libp2p::PeerId;
use prost::bytes::Bytes;
use rustls::pki_types::CertificateDer;

fn vote() -> Vec<u8> {
    written(&[N(1, 1), N(2, 9), N(3, 2), B(4, vec![3; 32]), B(5, vec![1; 32]), B(6, vec![2; 64])])
}

fn proposal() -> Vec<u8> {
    written(&[N(1, 9), N(3, 1), B(4, vec![3; 32]), B(5, vec![1; 32]), B(6, vec![2; 64])])
}

fn certificate() -> Vec<u8> {
    let one = |n: u8| written(&[B(1, vec![n; 32]), B(2, vec![n; 64])]);
    written(&[N(1, 9), N(2, 1), B(3, vec![3; 32]), B(4, one(1)), B(4, one(2)), B(4, one(3))])
}

fn round_certificate() -> Vec<u8> {
    let vote =
        |kind| written(&[N(1, kind), B(2, vec![5; 32]), B(3, vec![1; 32]), B(4, vec![2; 64])]);
    written(&[N(1, 9), N(2, 1), N(3, 1), B(4, vote(1)), B(4, vote(2))])
}

fn part(index: u64, count: u64, chunk: usize) -> Vec<u8> {
    let mut fields = vec![N(1, 9), B(4, vec![1; 32]), B(5, vec![3; 32])];
    if index > 0 {
        fields.push(N(6, index));
    }
    fields.extend([N(7, count), B(8, vec![7; chunk])]);
    written(&fields)
}

fn seeds_of(kind: Kind) -> Vec<Vec<u8>> {
    let peer = PeerId::random().to_bytes();
    match kind {
        Kind::Consensus => vec![written(&[B(1, vote())]), written(&[B(2, proposal())])],
        Kind::Liveness => vec![
            written(&[B(1, vote())]),
            written(&[B(2, certificate())]),
            written(&[B(3, round_certificate())]),
        ],
        Kind::Polka => vec![certificate()],
        Kind::Proof => vec![written(&[B(1, vec![1; 32]), B(2, vec![2; 38]), B(3, vec![3; 64])])],
        Kind::Part => vec![part(0, 1, 100), part(3, 4, 9)],
        Kind::Stream => vec![
            written(&[B(1, b"stream".to_vec()), N(2, 3), B(3, part(0, 1, 50))]),
            written(&[B(1, b"stream".to_vec()), N(2, 4)]),
        ],
        Kind::Value => vec![written(&[
            N(1, 9),
            N(2, 1),
            N(3, 1),
            B(4, vec![1; 32]),
            B(5, vec![3; 32]),
            N(6, 1),
        ])],
        Kind::Status => vec![written(&[B(1, peer), N(2, 9), N(3, 1)])],
        Kind::Request => vec![written(&[N(1, 5), N(2, 9)])],
        Kind::Response => {
            let block = written(&[B(1, certificate()), B(2, b"a block".to_vec())]);
            vec![written(&[N(1, 5), B(2, block.clone()), B(2, block)])]
        }
    }
}

fn fuzz(name: &'static str, kind: Kind) {
    let run = move |input: &[u8]| {
        let input = Bytes::copy_from_slice(input);
        match decoders::recode(kind, &input) {
            Some(again) => {
                assert_eq!(again, input);
                true
            }
            None => false,
        }
    };
    Target::new(name, seeds_of(kind), run).fuzz();
}

#[test]
fn consensus_message() {
    fuzz("consensus", Kind::Consensus);
}

#[test]
fn liveness_message() {
    fuzz("liveness", Kind::Liveness);
}

#[test]
fn polka_certificate() {
    fuzz("polka", Kind::Polka);
}

#[test]
fn validator_proof() {
    fuzz("validator-proof", Kind::Proof);
}

#[test]
fn block_part() {
    fuzz("part", Kind::Part);
}

#[test]
fn block_part_in_its_stream() {
    fuzz("stream-part", Kind::Stream);
}

#[test]
fn proposed_value() {
    fuzz("proposed-value", Kind::Value);
}

#[test]
fn sync_status() {
    fuzz("sync-status", Kind::Status);
}

#[test]
fn sync_request() {
    fuzz("sync-request", Kind::Request);
}

#[test]
fn sync_response() {
    fuzz("sync-response", Kind::Response);
}

/// Parts one after another, each after the number of its peer and its length.
fn delivered(parts: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (peer, part) in parts {
        out.push(*peer);
        out.extend((part.len() as u16).to_be_bytes());
        out.extend(part);
    }
    out
}

#[test]
fn assembly_of_parts() {
    let peers: Vec<PeerId> = (0..4).map(|_| PeerId::random()).collect();
    let peers: Vec<_> = peers
        .iter()
        .map(|peer| heatmark_consensus::decoders::peer(&peer.to_bytes()).unwrap())
        .collect();
    let seed = delivered(&[
        (0, part(0, 1, 100)),
        (1, part(3, 4, 9)),
        (1, part(2, 3, 9)),
        (2, part(3, 4, 9)),
        (0, part(7, 8, 700)),
    ]);
    let run = move |input: &[u8]| {
        let (mut rest, mut parts) = (input, Vec::new());
        while let Some(([peer, high, low], after)) = rest.split_first_chunk::<3>() {
            let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
            let (part, after) = after.split_at(length);
            parts.push((usize::from(*peer % 4), Bytes::copy_from_slice(part)));
            rest = after;
        }
        let (most, blocks) = decoders::assemble(&peers, &parts);
        assert!(most <= input.len(), "{most} bytes held of {}", input.len());
        assert!(blocks.iter().all(|block| (1..=input.len()).contains(block)));
        !parts.is_empty()
    };
    Target::new("assembly", vec![seed], run).of(Shape::Bytes).fuzz();
}

#[test]
fn exchange_batch() {
    let all = seeds::envelopes();
    let batch = |envelopes: &[Vec<u8>]| {
        written(&envelopes.iter().map(|e| B(1, e.clone())).collect::<Vec<_>>())
    };
    let most = all.len().min(64);
    let seeds = vec![batch(&all[..1]), batch(&all[..most]), batch(&vec![vec![1]; 64])];
    let run = |input: &[u8]| {
        let input = Bytes::copy_from_slice(input);
        let Some(transactions) = heatmark_exchange::decoders::batch(&input) else { return false };
        assert!((1..=64).contains(&transactions.len()));
        assert!(transactions.iter().map(Bytes::len).sum::<usize>() < input.len());
        true
    };
    // Slices of the message, never copies of it.
    Target::new("batch", seeds, run).may_allocate(2, 8 << 10).fuzz();
}

#[test]
fn tls_certificate() {
    use ed25519_dalek::SigningKey;
    use heatmark_client::tls::Identity;
    use heatmark_ledger::ids::MemberId;
    let key = SigningKey::from_bytes(&[7; 32]);
    let identity = Identity::new(key.clone(), &MemberId::from([1; 32])).unwrap();
    let own = heatmark_ledger::keys::PublicKey::of(&key);
    let seed = identity.certificate().to_vec();
    let run = move |input: &[u8]| {
        let shown = [CertificateDer::from(input.to_vec())];
        match tls::peer_key(Some(&shown)) {
            // Whoever shows a certificate proves the key in it afterwards.
            Some(key) => {
                assert!(
                    key == own
                        || heatmark_ledger::keys::PublicKey::from_bytes(&key.to_bytes()).is_ok()
                );
                true
            }
            None => false,
        }
    };
    Target::new("tls-certificate", vec![seed], run).of(Shape::Bytes).fuzz();
}
