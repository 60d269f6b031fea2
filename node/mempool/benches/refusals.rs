//! What a transaction costs the door: one that is taken, and each kind that is refused. Cheap checks
//! come first, so that only what passes all of them costs a signature.
#![allow(
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a benchmark fails loudly, and uses a part of the town"
)]

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use heatmark_ledger::ids::{Height, UnixMillis};
use heatmark_mempool::{Intake, Limits, Mempool, Tip};
use heatmark_proto::ledger::v1 as pb;
use heatmark_proto::ledger::v1::body::Payload;
use std::hint::black_box;
use std::sync::Arc;
use town::{NOW_MS, Town, body};

#[path = "../src/town.rs"]
mod town;

fn door(town: &Town) -> Intake {
    let pool = Arc::new(Mempool::new(Limits::default()));
    Intake::new(town.network, pool, town.state.clone()).0
}

fn cases(town: &Town) -> Vec<(&'static str, Bytes)> {
    let good = town.anchor(0, 1);
    // The signature is the envelope's last field.
    let mut broken = good.to_vec();
    *broken.last_mut().unwrap() ^= 1;
    let payload = Payload::Anchor(pb::Anchor { root: vec![1; 32], records: 1 });
    let expired = body(1, 2, 3, payload);
    let mut unknown = town.anchor(0, 4).to_vec();
    unknown[5] ^= 1;
    // The signer, 34 bytes, after the rest.
    let reordered = [&good[34..], &good[..34]].concat();
    vec![
        ("oversized", Bytes::from(vec![0x0a; 65_508])),
        ("malformed", Bytes::from(vec![0xff; 230])),
        ("malformed, 64 KiB", Bytes::from([[0x22, 0].repeat(32_000), vec![0xff]].concat())),
        ("not canonical", Bytes::from(reordered)),
        ("expired", town.sign(0, &expired)),
        ("unknown key", Bytes::from(unknown)),
        ("wrongly signed", Bytes::from(broken)),
    ]
}

fn refusals(c: &mut Criterion) {
    let town = Town::found(4);
    let intake = door(&town);
    let now = UnixMillis(NOW_MS);
    let tip = Tip { next: Height(1), time: now, parent_time: now };
    let mut group = c.benchmark_group("intake");
    for (name, envelope) in cases(&town) {
        assert!(intake.submit(envelope.clone(), tip).is_err(), "{name} is taken");
        group.bench_function(format!("refused: {name}"), |b| {
            b.iter(|| black_box(intake.submit(envelope.clone(), tip)).is_err());
        });
    }
    let waiting = town.anchor(1, 7);
    let accepted = intake.submit(waiting.clone(), tip).unwrap();
    group.bench_function("known, waits already", |b| {
        b.iter(|| black_box(intake.submit(waiting.clone(), tip)).is_ok());
    });
    intake.mempool().remove([accepted.id]);
    town.state.log(accepted.id);
    group.bench_function("refused: replayed", |b| {
        b.iter(|| black_box(intake.submit(waiting.clone(), tip)).is_err());
    });
    let fresh = town.anchor(2, 8);
    group.bench_function("taken", |b| {
        b.iter(|| {
            let accepted = intake.submit(fresh.clone(), tip).unwrap();
            intake.mempool().remove([accepted.id]);
        });
    });
    group.finish();
}

criterion_group!(benches, refusals);
criterion_main!(benches);
