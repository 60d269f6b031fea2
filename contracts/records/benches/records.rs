//! What a record costs: reading and committing to a certificate, showing a field, proving a whole analysis.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a benchmark fails loudly"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use heatmark_records::conformance::{Conformance, Prover, verify_all};
use heatmark_records::{
    Crown, Decimal, Fields, Heading, Measured, Opening, Path, Quantity, Relation, Said, Secret,
    Specification, Value,
};
use std::collections::BTreeMap;
use std::hint::black_box;

fn heading() -> Heading {
    Heading {
        network: [1; 32],
        form: "Metals 0.1.1".into(),
        issuer: [2; 32],
        alert_subject: [3; 32],
        origin_seal: None,
    }
}

/// A certificate of 100 fields, 25 of them numbers.
fn fields() -> Fields {
    let mut fields = Fields::new();
    for n in 0..75 {
        let path = Path::new(&format!("text/{n}")).unwrap();
        fields.insert(path, Value::Text(format!("value {n}"))).unwrap();
    }
    for n in 0..25 {
        let path = Path::new(&format!("chemistry/E{n}")).unwrap();
        let number = Quantity::Number(Relation::Equal, Decimal::new(15 + n, 3).unwrap());
        fields
            .insert(path, Value::Measured(Measured { unit: "%".into(), quantity: number }))
            .unwrap();
    }
    fields
}

fn seal(c: &mut Criterion) {
    let fields = fields();
    c.bench_function("seal and commit, 100 fields of which 25 numbers", |b| {
        b.iter(|| {
            let secret = Secret::new([9; 32]);
            let opening = Opening::seal(heading(), black_box(fields.clone()), secret).unwrap();
            black_box(opening.check().unwrap())
        });
    });
}

fn show(c: &mut Criterion) {
    let opening = Opening::seal(heading(), fields(), Secret::new([9; 32])).unwrap();
    let encoded = opening.encode();
    let tree = opening.tree().unwrap();
    let crown = tree.crown().unwrap().encode();
    let path = Path::new("chemistry/E3").unwrap();
    c.bench_function("show one field from its opening and crown", |b| {
        b.iter(|| {
            let opening = Opening::decode(&encoded).unwrap();
            let tree = opening.tree_under(&Crown::decode(&crown).unwrap()).unwrap();
            black_box(tree.show(&path).unwrap().encode())
        });
    });
    c.bench_function("show all 100 fields from their opening and crown", |b| {
        b.iter(|| {
            let opening = Opening::decode(&encoded).unwrap();
            let tree = opening.tree_under(&Crown::decode(&crown).unwrap()).unwrap();
            let all = opening.fields().iter().map(|(path, _)| tree.show(path).unwrap().encode());
            black_box(all.collect::<Vec<_>>())
        });
    });
    c.bench_function("show one field from its opening alone", |b| {
        b.iter(|| {
            let opening = Opening::decode(&encoded).unwrap();
            let tree = opening.tree().unwrap();
            black_box(tree.show(&path).unwrap().encode())
        });
    });
    let proof = tree.show(&path).unwrap();
    let (head, id) = (opening.head().clone(), tree.id());
    c.bench_function("verify one field", |b| b.iter(|| proof.verify(&head, &id).unwrap()));
}

/// 19 elements, each with both limits: more than any grade has.
fn analysis() -> (Opening, Specification) {
    let mut fields = Fields::new();
    let mut text = "standard = 's'\nsample = 'heat'\nrounding = 'astm-e29'\n".to_owned();
    for n in 0..19 {
        let path = Path::new(&format!("chemistry/E{n}")).unwrap();
        let number = Quantity::Number(Relation::Equal, Decimal::new(150 + n, 3).unwrap());
        fields
            .insert(path, Value::Measured(Measured { unit: "%".into(), quantity: number }))
            .unwrap();
        text += &format!(
            "[[limit]]\nproperty = 'chemistry/E{n}'\nunit = '%'\nminimum = '0.10'\nmaximum = '0.90'\n"
        );
    }
    let opening = Opening::seal(heading(), fields, Secret::new([9; 32])).unwrap();
    (opening, Specification::parse(&text).unwrap())
}

fn prove(c: &mut Criterion) {
    let (opening, specification) = analysis();
    let tree = opening.tree().unwrap();
    let context = b"for the benchmark";
    let mut group = c.benchmark_group("conformance of 19 elements, both limits");
    group.sample_size(10);
    group.bench_function("prove", |b| {
        b.iter(|| {
            let prover = Prover::new(&opening, &tree, &specification).unwrap();
            black_box(prover.prove(context, &specification, &mut rand::rng()).unwrap())
        });
    });
    let prover = Prover::new(&opening, &tree, &specification).unwrap();
    let proofs = prover.prove(context, &specification, &mut rand::rng()).unwrap();
    let said: BTreeMap<Path, Said> = specification
        .paths()
        .into_iter()
        .map(|path| (path.clone(), tree.show_committed(&path).unwrap().said))
        .collect();
    let conformance = Conformance { context, specification: &specification, said: &said };
    group.bench_function("verify one", |b| b.iter(|| conformance.verify(&proofs).unwrap()));
    let jobs = vec![(conformance, proofs.as_slice()); 1_000];
    group.bench_function("verify 1,000 in batches", |b| {
        b.iter(|| assert!(verify_all(&jobs).iter().all(Result::is_ok)));
    });
}

criterion_group!(benches, seal, show, prove);
criterion_main!(benches);
