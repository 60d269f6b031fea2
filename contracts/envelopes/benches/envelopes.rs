//! What envelopes cost: sharing, sealing, and a content of 10 MB.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark fails loudly"
)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use heatmark_envelopes::{
    Decryptor, Encryptor, OpeningKey, PieceTree, Purpose, SealingKey, SectionSecret, combine, open,
    seal, split,
};
use std::hint::black_box;

fn shares(c: &mut Criterion) {
    let mut rng = rand::rng();
    let secret = SectionSecret::generate(&mut rng);
    c.bench_function("split 3 of 5", |b| b.iter(|| split(&secret, 3, 5, &mut rng).unwrap()));
    let (commitments, shares) = split(&secret, 3, 5, &mut rand::rng()).unwrap();
    c.bench_function("check a share of 3 of 5", |b| {
        b.iter(|| commitments.check(black_box(&shares[4])).unwrap());
    });
    c.bench_function("combine 3 of 5", |b| {
        b.iter(|| combine(&commitments, black_box(&shares[2..])).unwrap());
    });
}

fn envelopes(c: &mut Criterion) {
    let mut rng = rand::rng();
    let key = OpeningKey::generate(&mut rng);
    let to = key.sealing_key();
    let purpose = Purpose { what: "bench", parts: &[&[7; 32], &[8; 32]] };
    let sealed = seal(&to, &purpose, &[9; 65], &mut rng).unwrap();
    c.bench_function("read a sealing key", |b| {
        b.iter(|| SealingKey::decode(black_box(to.as_bytes())).unwrap());
    });
    c.bench_function("seal a share", |b| {
        b.iter(|| seal(&to, &purpose, black_box(&[9; 65]), &mut rng).unwrap());
    });
    c.bench_function("open a share", |b| {
        b.iter(|| open(&key, &purpose, black_box(&sealed)).unwrap())
    });
}

fn contents(c: &mut Criterion) {
    let secret = SectionSecret::generate(&mut rand::rng());
    let content = vec![5; 10_000_000];
    let encrypt = |content: &[u8]| {
        let mut encryptor = Encryptor::new(&secret, b"bench");
        let mut sealed = encryptor.push(content).unwrap().concat();
        let (last, id) = encryptor.finish().unwrap();
        sealed.extend(last);
        (sealed, id)
    };
    let (sealed, id) = encrypt(&content);
    let mut group = c.benchmark_group("10 MB");
    group.sample_size(10).throughput(Throughput::Bytes(10_000_000));
    group.bench_function("encrypt", |b| b.iter(|| encrypt(black_box(&content))));
    group.bench_function("decrypt", |b| {
        b.iter(|| {
            let mut decryptor = Decryptor::new(&secret, b"bench", &id);
            for portion in sealed.chunks(1 << 20) {
                black_box(decryptor.push(portion).unwrap());
            }
            decryptor.finish().unwrap()
        });
    });
    group.bench_function("tree of its pieces", |b| {
        b.iter(|| PieceTree::new([black_box(sealed.as_slice())]).unwrap());
    });
    group.finish();
}

criterion_group!(benches, shares, envelopes, contents);
criterion_main!(benches);
