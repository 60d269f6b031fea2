//! What is told to one: sealing keys, envelopes, shares and commitments, contents in pieces and proofs of pieces.

use crate::seeds::{self, bytes, list};
use heatmark_envelopes::{
    Commitments, ContentId, Decryptor, Encryptor, OpeningKey, PieceProof, PieceTree, Purpose,
    RootHasher, SealingKey, SectionSecret, Share, open,
};
use heatmark_fuzz::{Shape, Target};
use heatmark_merkle::Hash;
use serde_json::Value;

/// Bytes beyond those of the input: a hasher and a decryptor hold a piece each.
const TWO_PIECES: usize = 512 << 10;

fn dealings() -> Vec<Value> {
    list(&seeds::sealed()["dealings"]).to_vec()
}

#[test]
fn section_share() {
    let seeds: Vec<Vec<u8>> = dealings()
        .iter()
        .flat_map(|dealing| list(&dealing["shares"]).to_vec())
        .map(|s| bytes(&s))
        .collect();
    let commitments: Vec<Commitments> = dealings()
        .iter()
        .map(|dealing| Commitments::decode(&bytes(&dealing["commitments"])).unwrap())
        .collect();
    let known = seeds.clone();
    let run = move |input: &[u8]| {
        let Ok(share) = Share::decode(input) else { return false };
        assert_eq!(share.encode().as_slice(), input);
        if commitments.iter().any(|commitments| commitments.check(&share).is_ok()) {
            assert!(known.iter().any(|seed| seed == input), "a share that nobody dealt");
        }
        true
    };
    Target::new("section-share", seeds, run).of(Shape::Bytes).fuzz();
}

#[test]
fn section_commitments() {
    let seeds: Vec<Vec<u8>> =
        dealings().iter().map(|dealing| bytes(&dealing["commitments"])).collect();
    let shares: Vec<Share> = dealings()
        .iter()
        .map(|dealing| Share::decode(&bytes(&dealing["shares"][0])).unwrap())
        .collect();
    let known = seeds.clone();
    let run = move |input: &[u8]| {
        let Ok(commitments) = Commitments::decode(input) else { return false };
        assert_eq!(commitments.encode(), input);
        assert_eq!(usize::from(commitments.threshold()) * 32, input.len());
        if shares.iter().any(|share| commitments.check(share).is_ok()) {
            assert!(known.iter().any(|seed| seed == input), "commitments that nobody made");
        }
        true
    };
    Target::new("section-commitments", seeds, run).of(Shape::Bytes).fuzz();
}

#[test]
fn sealing_key() {
    let seeds = vec![bytes(&seeds::sealed()["envelope"]["sealing_key"])];
    let run = |input: &[u8]| {
        SealingKey::decode(input).is_ok_and(|key| {
            assert_eq!(key.as_bytes().as_slice(), input);
            true
        })
    };
    Target::new("sealing-key", seeds, run).of(Shape::Bytes).fuzz();
}

#[test]
fn sealed_envelope() {
    let golden = seeds::sealed()["envelope"].clone();
    let key = OpeningKey::from_seed(&bytes(&golden["seed"]).try_into().unwrap());
    let parts: Vec<Vec<u8>> = list(&golden["parts"]).iter().map(bytes).collect();
    let sealed = bytes(&golden["sealed"]);
    let seeds = vec![sealed.clone()];
    let run = move |input: &[u8]| {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let opened = open(&key, &Purpose { what: "release", parts: &parts }, input).is_ok();
        assert_eq!(opened, input == sealed, "an envelope that nobody sealed");
        opened
    };
    Target::new("sealed-envelope", seeds, run).of(Shape::Bytes).fuzz();
}

/// Contents of one piece and of two, with what they are called by.
fn contents() -> (SectionSecret, Vec<(Vec<u8>, ContentId)>) {
    let secret = bytes(&seeds::sealed()["contents"][0]["secret"]);
    let secret = SectionSecret::from_bytes(&secret.try_into().unwrap()).unwrap();
    let encrypt = |length: usize| {
        let mut encryptor = Encryptor::new(&secret, b"fuzz");
        let mut sealed = encryptor.push(&vec![5; length]).unwrap().concat();
        let (last, id) = encryptor.finish().unwrap();
        sealed.extend(last);
        (sealed, id)
    };
    let contents = [0, 100, 65_536, 65_600].map(encrypt).to_vec();
    (secret, contents)
}

#[test]
fn encrypted_content() {
    let (secret, contents) = contents();
    let seeds: Vec<Vec<u8>> = contents.into_iter().map(|(sealed, _)| sealed).collect();
    let known = seeds.clone();
    let run = move |input: &[u8]| {
        let mut hasher = RootHasher::new();
        let id = hasher.push(input).and_then(|()| hasher.finish());
        let Ok(id) = id else { return false };
        // In two portions that end nowhere in particular.
        let (first, second) = input.split_at(input.len() / 3);
        let mut decryptor = Decryptor::new(&secret, b"fuzz", &id);
        let pushed = decryptor.push(first).is_ok() && decryptor.push(second).is_ok();
        let opened = pushed && decryptor.finish().is_ok();
        assert_eq!(opened, known.iter().any(|seed| seed == input), "nobody encrypted this");
        opened
    };
    let mut target = Target::new("encrypted-content", seeds, run).of(Shape::Bytes);
    target.max_bytes = 140 << 10;
    target.may_allocate(8, TWO_PIECES).fuzz();
}

/// The piece's number, then the path.
fn proof_of(input: &[u8]) -> Option<PieceProof> {
    let (number, path) = input.split_first_chunk::<4>()?;
    let (path, []) = path.as_chunks::<32>() else { return None };
    let path = path.iter().copied().map(Hash).collect();
    Some(PieceProof { number: u32::from_be_bytes(*number), path })
}

fn bytes_of(proof: &PieceProof) -> Vec<u8> {
    let path = proof.path.iter().flat_map(|hash| hash.0);
    proof.number.to_be_bytes().into_iter().chain(path).collect()
}

#[test]
fn piece_proof() {
    // Three pieces: the last one has a shorter path than the others.
    let sealed = [vec![1; 65_552], vec![2; 65_552], vec![3; 100]];
    let tree = PieceTree::new(sealed.iter().map(Vec::as_slice)).unwrap();
    let seeds: Vec<Vec<u8>> = (0..3).map(|number| bytes_of(&tree.prove(number).unwrap())).collect();
    let known = seeds.clone();
    let run = move |input: &[u8]| {
        let Some(proof) = proof_of(input) else { return false };
        let proves = |piece: &Vec<u8>| proof.verify(tree.id(), piece).is_ok();
        let proved = sealed.iter().any(proves);
        assert_eq!(proved, known.iter().any(|seed| seed == input), "a second proof of one place");
        proved
    };
    Target::new("piece-proof", seeds, run).of(Shape::Bytes).fuzz();
}
