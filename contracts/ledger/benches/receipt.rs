//! How long a verifier takes for a receipt whose validators it knows, and a node for a block of a
//! thousand anchors, first sight of their signatures included and not.
#![allow(missing_docs, reason = "criterion's macros expand to undocumented items")]
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a benchmark fails loudly, and uses a part of the tests' world"
)]

#[path = "../tests/ledger/town.rs"]
mod town;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use heatmark_ledger::block;
use heatmark_ledger::ids::Height;
use heatmark_ledger::receipt::{self, TrustRoot};
use heatmark_ledger::transaction::Transaction;
use prost::Message;
use std::hint::black_box;
use std::sync::Arc;
use town::Town;

fn receipts(criterion: &mut Criterion) {
    let town = Town::with_two_set_changes();
    let near = {
        let mut town = Town::new();
        let anchor = town.anchor(0);
        town.commit(&[anchor]);
        town
    };
    let cases = [("known set", &near), ("over two set changes", &town)];
    for (name, town) in cases {
        let trust = TrustRoot::from_genesis(&town.genesis);
        let bytes = town.receipt(0, Height(0)).encode_to_vec();
        criterion.bench_function(&format!("verify a receipt, {name}"), |bencher| {
            bencher.iter(|| receipt::verify_bytes(black_box(&bytes), &trust).unwrap());
        });
    }
}

fn blocks(criterion: &mut Criterion) {
    let mut town = Town::new();
    let anchors: Vec<_> = (0..1_000).map(|_| town.anchor(0)).collect();
    let header = town.propose(&anchors).block.header;
    let network = town.tip.network;
    let fresh = || -> Vec<Arc<Transaction>> {
        let decode = |t: &Arc<Transaction>| Transaction::decode(&network, t.bytes().clone());
        anchors.iter().map(|anchor| Arc::new(decode(anchor).unwrap())).collect()
    };
    let check = |transactions| block::check(&town.ledger, &town.tip, &header, transactions);
    criterion.bench_function("execute 1000 anchors, signatures unknown", |bencher| {
        bencher.iter_batched(fresh, |all| check(all).unwrap(), BatchSize::LargeInput);
    });
    criterion.bench_function("execute 1000 anchors, signatures verified before", |bencher| {
        bencher.iter_batched(|| anchors.clone(), |all| check(all).unwrap(), BatchSize::LargeInput);
    });
}

criterion_group!(benches, receipts, blocks);
criterion_main!(benches);
