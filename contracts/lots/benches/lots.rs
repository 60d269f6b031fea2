//! What a lot's events cost: a transform made and checked, a thousand checked together, a million serials.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark fails loudly"
)]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use heatmark_lots::{
    Claim, Event, Facts, Input, Kind, Lot, Making, OpenAmount, OpenLot, Proofs, Range,
    SerialSecret, SerialTree, Terms, Witness, verify_all,
};
use heatmark_merkle::{Hash, LeafIndex};
use std::hint::black_box;

const NETWORK: [u8; 32] = [7; 32];

fn lot(mass_mg: u64, pieces: u64, seal: u8) -> OpenLot {
    let terms = Terms {
        class: Hash([1; 32]),
        description: Hash([2; 32]),
        serials: None,
        expires_ms: 0,
        seal: Hash([seal; 32]),
    };
    OpenLot::fresh(mass_mg, pieces, terms, &mut rand::rng())
}

/// One billet into two lots of rings, with scrap.
fn plan(kind: Kind) -> (Event, Witness) {
    let pieces = (kind == Kind::Rework).then(|| OpenAmount::fresh(1, &mut rand::rng()));
    let witness = Witness {
        inputs: vec![lot(1_000, 10, 1)],
        outputs: vec![lot(600, 6, 2), lot(300, 3, 3)],
        scrap: Some((OpenAmount::fresh(100, &mut rand::rng()), pieces)),
        ..Witness::default()
    };
    let input = Input { leaf: LeafIndex(5), output: 0 };
    let mut event = Event::new(kind, [9; 32], vec![input], Vec::new());
    witness.describe(&mut event);
    (event, witness)
}

fn claim(event: &Event, witness: &Witness) -> Claim {
    let inputs: Vec<Option<&Lot>> = witness.inputs.iter().map(|lot| Some(lot.lot())).collect();
    Facts { network: &NETWORK, event, inputs: &inputs, certified: None }.claim().unwrap()
}

fn prove(event: &Event, witness: &Witness) -> Proofs {
    let making = Making { network: &NETWORK, event, witness, certified: None };
    making.prove(&mut rand::rng()).unwrap()
}

fn events(c: &mut Criterion) {
    let mut group = c.benchmark_group("events");
    group.sample_size(10);
    for kind in [Kind::Transform, Kind::Rework] {
        let (event, witness) = plan(kind);
        let word = kind.word();
        group.bench_function(format!("make a {word} of one lot into two, with scrap"), |b| {
            b.iter_batched(
                || plan(kind),
                |(event, witness)| black_box(prove(&event, &witness)),
                BatchSize::SmallInput,
            );
        });
        let proofs = prove(&event, &witness);
        let (body, bytes) = (event.encode(), proofs.encode());
        println!("{word}: body {} bytes, proofs {}", body.len(), bytes.len());
        group.bench_function(format!("read and check a {word}"), |b| {
            b.iter(|| {
                let (event, proofs) =
                    (Event::decode(&body).unwrap(), Proofs::decode(&bytes).unwrap());
                let claim = claim(&event, &witness);
                assert!(verify_all(&[(&claim, &proofs)]).iter().all(Result::is_ok));
            });
        });
        let claims: Vec<Claim> = (0..1_000).map(|_| claim(&event, &witness)).collect();
        let jobs: Vec<(&Claim, &Proofs)> = claims.iter().map(|claim| (claim, &proofs)).collect();
        group.bench_function(format!("check the proofs of 1,000 {word}s"), |b| {
            b.iter(|| assert!(verify_all(&jobs).iter().all(Result::is_ok)));
        });
    }
    group.finish();
}

fn serials(c: &mut Criterion) {
    let mut group = c.benchmark_group("serials");
    group.sample_size(10);
    let numbers: Vec<String> = (0..1_000_000).map(|n| format!("SN-{n:08}")).collect();
    let secret = SerialSecret::new([3; 32]);
    group.bench_function("a tree of a million", |b| {
        b.iter(|| SerialTree::new(black_box(numbers.clone()), &secret).unwrap());
    });
    let tree = SerialTree::new(numbers, &secret).unwrap();
    let all = tree.serials(vec![Range { first: 0, count: 1_000_000 }]).unwrap();
    let label = tree.prove(777_777).unwrap();
    println!("label: {} bytes", label.encode().len());
    group.bench_function("a label of a million", |b| b.iter(|| label.verify(&all).unwrap()));
    group.finish();
}

criterion_group!(benches, events, serials);
criterion_main!(benches);
