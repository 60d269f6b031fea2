//! What somebody does with a disclosure to learn a field that it does not show. The attacker has a million guesses at
//! the value, knows every other number of the certificate, every rule and everything in the file, and tries
//! whatever 32 bytes it finds there (salts and blindings of what is shown, ids, heads) as what might hide the rest.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use heatmark_merkle::tag;
use hkdf::Hkdf;
use prost::Message;
use sha2::{Digest, Sha256};

use super::search::GUESSES;

/// Encoded points, and which of them is which.
type Points = (Vec<[u8; 32]>, HashMap<[u8; 32], u32>);

/// H of `proto/README.md`, section 9.
const BLINDING_BASE: &str = "044fad914b346d1623f0a123c90bec712c6bac717f2acbc48e12db5f6dcaef79";
pub(super) const HEAT_PATH: &str = "heat";
pub(super) const CARBON_PATH: &str = "chemistry/C";
/// What the attacker's guesses at carbon differ by, and the first, on the number's grid.
const STEP: u64 = 10_000_000;

/// A disclosure, of which only this is read; proto/README.md, section 9.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Disclosure {
    #[prost(bytes = "vec", tag = "2")]
    pub(super) head: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(super) record: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "7")]
    pub(super) fields: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub(super) proofs: Vec<Vec<u8>>,
}

/// One field of it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Field {
    #[prost(string, tag = "1")]
    pub(super) path: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    blindings: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) salt: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    pub(super) siblings: Vec<u8>,
}

impl Disclosure {
    pub(super) fn fields(&self) -> Vec<Field> {
        self.fields.iter().map(|field| Field::decode(field.as_slice()).unwrap()).collect()
    }
}

/// What is guessed at, and what else the attacker knows.
pub(super) struct Attack {
    /// The heat number of a guess.
    pub(super) heat: fn(u32) -> String,
    /// Carbon's number on its grid, of the guess 0.
    pub(super) first_carbon: u64,
    /// Carbon as its leaf holds it, and where the commitment begins in that.
    pub(super) carbon_leaf: (Vec<u8>, usize),
    /// The head's hash: part of every leaf.
    pub(super) head_hash: [u8; 32],
    /// Other numbers of the certificate.
    pub(super) others: Vec<u64>,
}

impl Attack {
    /// Which way the files that one member got confirmed which guess.
    pub(super) fn on(&self, files: &[Vec<u8>]) -> Option<(&'static str, u32)> {
        let fields: Vec<Field> = files
            .iter()
            .flat_map(|file| Disclosure::decode(file.as_slice()).unwrap().fields())
            .collect();
        let words = |bytes: &Vec<u8>| bytes.as_chunks::<32>().0.to_vec();
        let mut salts: Vec<[u8; 32]> = fields.iter().flat_map(|field| words(&field.salt)).collect();
        salts.push([0; 32]);
        let mut hiding: Vec<[u8; 32]> =
            fields.iter().flat_map(|field| words(&field.blindings)).collect();
        hiding.extend(&salts);
        hiding.push(self.head_hash);
        let file = files.concat();
        let windows: HashSet<&[u8]> = file.windows(32).collect();
        let stands = |hash: &[u8; 32]| windows.contains(hash.as_slice());
        self.on_points(&file, &hiding).or_else(|| self.on_leaves(&salts, stands))
    }

    /// Leaves that the tree's hashes show, made again with what might be their salt.
    fn on_leaves(
        &self,
        salts: &[[u8; 32]],
        stands: impl Fn(&[u8; 32]) -> bool,
    ) -> Option<(&'static str, u32)> {
        let (carbon, at) = &self.carbon_leaf;
        let mut carbon = carbon.clone();
        for salt in salts {
            for guess in 0..GUESSES {
                let heat = [&[1], (self.heat)(guess).as_bytes()].concat();
                if stands(&leaf(&self.head_hash, HEAT_PATH, salt, &heat)) {
                    return Some(("a leaf of the heat under a known salt", guess));
                }
                carbon[*at..*at + 32].copy_from_slice(&self.multiples().0[guess as usize]);
                if stands(&leaf(&self.head_hash, CARBON_PATH, salt, &carbon)) {
                    return Some(("a leaf of carbon without blinding, under a known salt", guess));
                }
            }
        }
        None
    }

    /// Points anywhere in the file: commitments without blinding, under a known one, and two under one.
    fn on_points(&self, file: &[u8], hiding: &[[u8; 32]]) -> Option<(&'static str, u32)> {
        let half = Scalar::from(2_u8).invert();
        let point = |window: &[u8]| CompressedRistretto::from_slice(window).unwrap().decompress();
        let points: Vec<RistrettoPoint> =
            file.windows(32).filter_map(point).map(|point| point * half).collect();
        let base = point(&hex::decode(BLINDING_BASE).unwrap()).unwrap() * half;
        let blindings = hiding.iter().flat_map(blindings).chain([Scalar::ZERO, Scalar::ONE]);
        let masks: Vec<RistrettoPoint> = blindings.map(|blinding| base * blinding).collect();
        for point in &points {
            if let Some(guess) = self.guessed(masks.iter().map(|mask| point - mask)) {
                return Some(("a commitment whose blinding is known", guess));
            }
            for other in &self.others {
                let known = RistrettoPoint::mul_base(&(Scalar::from(*other) * half));
                let differences = points.iter().map(|second| point - second + known);
                if let Some(guess) = self.guessed(differences) {
                    return Some(("two commitments under one blinding", guess));
                }
            }
        }
        None
    }

    /// The guess that one of these points, given as halves, is a commitment to without blinding.
    fn guessed(&self, halves: impl Iterator<Item = RistrettoPoint>) -> Option<u32> {
        let halves: Vec<_> = halves.collect();
        let encoded = RistrettoPoint::double_and_compress_batch(&halves);
        encoded.iter().find_map(|point| self.multiples().1.get(point.as_bytes()).copied())
    }

    /// Every guess at carbon as a multiple of G, in order and by encoding.
    fn multiples(&self) -> &'static (Vec<[u8; 32]>, HashMap<[u8; 32], u32>) {
        static ALL: OnceLock<Points> = OnceLock::new();
        ALL.get_or_init(|| {
            let half = Scalar::from(2_u8).invert();
            let of = |number: u64| RistrettoPoint::mul_base(&(Scalar::from(number) * half));
            let (mut next, step) = (of(self.first_carbon), of(STEP));
            let mut encoded = Vec::with_capacity(GUESSES as usize);
            while encoded.len() < GUESSES as usize {
                let mut some = Vec::with_capacity(10_000);
                for _ in 0..10_000 {
                    some.push(next);
                    next += step;
                }
                let points = RistrettoPoint::double_and_compress_batch(&some);
                encoded.extend(points.iter().map(CompressedRistretto::to_bytes));
            }
            let by_encoding = (0..).zip(&encoded).map(|(guess, point)| (*point, guess)).collect();
            (encoded, by_encoding)
        })
    }
}

/// Whether a field's leaf, as this module makes leaves, leads to the record.
pub(super) fn leads_to(head_hash: &[u8; 32], field: &Field, record: &[u8]) -> bool {
    let salt = field.salt.as_slice().try_into().unwrap();
    let slot = tag::hash("record-slot", &[head_hash, field.path.as_bytes()]).0;
    let siblings = field.siblings.as_chunks::<32>().0;
    let slot = u32::from_be_bytes(slot[..4].try_into().unwrap()) >> (32 - siblings.len());
    let mut node = leaf(head_hash, &field.path, salt, &field.value);
    for (height, sibling) in siblings.iter().enumerate() {
        let pair = if slot >> height & 1 == 0 { [node, *sibling] } else { [*sibling, node] };
        node = Sha256::new().chain_update([1]).chain_update(pair.concat()).finalize().into();
    }
    tag::hash("record", &[head_hash, &node]).0 == record
}

/// The scalars that 32 bytes may stand for: themselves, and what a record's blindings would be derived from them as.
fn blindings(secret: &[u8; 32]) -> Vec<Scalar> {
    let mut all = vec![Scalar::from_bytes_mod_order(*secret)];
    for path in [CARBON_PATH, HEAT_PATH, ""] {
        let info = tag::preimage("record-blinding", &[path.as_bytes(), &0_u32.to_be_bytes()]);
        let mut wide = [0; 64];
        Hkdf::<Sha256>::from_prk(secret).unwrap().expand(&info, &mut wide).unwrap();
        all.push(Scalar::from_bytes_mod_order_wide(&wide));
        Hkdf::<Sha256>::new(None, secret).expand(&info, &mut wide).unwrap();
        all.push(Scalar::from_bytes_mod_order_wide(&wide));
    }
    all
}

fn leaf(head_hash: &[u8; 32], path: &str, salt: &[u8; 32], value: &[u8]) -> [u8; 32] {
    let data = tag::preimage("record-field", &[head_hash, path.as_bytes(), salt, value]);
    Sha256::new().chain_update([0]).chain_update(data).finalize().into()
}

/// A file without anything to find, into which what a careless program might write is put.
fn planted(siblings: &[[u8; 32]]) -> Vec<u8> {
    let shown = Field {
        path: "grade".to_owned(),
        value: b"\x01316L".to_vec(),
        blindings: Vec::new(),
        salt: vec![0x5a; 32],
        siblings: siblings.concat(),
    };
    let disclosure = Disclosure {
        head: vec![1; 100],
        record: vec![2; 32],
        fields: vec![shown.encode_to_vec()],
        proofs: Vec::new(),
    };
    disclosure.encode_to_vec()
}

#[test]
fn the_attack_finds_every_careless_way_to_hide_a_number() {
    let carbon_leaf = [&b"\x05\x01%\x01\x01"[..], &[0; 32], &[15]].concat();
    let attack = Attack {
        heat: |guess| format!("CANARYHEAT-{guess:06}"),
        first_carbon: 20_000_009_044_127,
        carbon_leaf: (carbon_leaf.clone(), 5),
        head_hash: [7; 32],
        others: vec![1_695],
    };
    let guess = 271_839_u32;
    let number = Scalar::from(22_718_399_044_127_u64);
    let base = hex::decode(BLINDING_BASE).unwrap();
    let base = CompressedRistretto::from_slice(&base).unwrap().decompress().unwrap();
    let committed = |number: Scalar, blinding: Scalar| {
        (RistrettoPoint::mul_base(&number) + base * blinding).compress().to_bytes()
    };
    let salt = [0x5a; 32];
    let unknown = Scalar::from_bytes_mod_order(Sha256::digest("unknown to the attacker").into());
    let heat = format!("\x01CANARYHEAT-{:06}", 482_913);
    let mut bare = carbon_leaf;
    bare[5..37].copy_from_slice(&committed(number, Scalar::ZERO));
    for (way, siblings, guess) in [
        ("a commitment whose", vec![committed(number, Scalar::ZERO)], guess),
        ("a commitment whose", vec![committed(number, Scalar::from_bytes_mod_order(salt))], guess),
        ("a commitment whose", vec![committed(number, blindings(&salt)[1])], guess),
        (
            "two commitments under",
            vec![committed(number, unknown), committed(Scalar::from(1_695_u64), unknown)],
            guess,
        ),
        ("a leaf of carbon", vec![leaf(&[7; 32], CARBON_PATH, &salt, &bare)], guess),
        ("a leaf of the heat", vec![leaf(&[7; 32], HEAT_PATH, &salt, heat.as_bytes())], 482_913),
    ] {
        let found = attack.on(&[planted(&siblings)]);
        let (found, at) = found.unwrap_or_else(|| panic!("{way} is not found"));
        assert!(found.starts_with(way), "{found}, not {way}");
        assert_eq!(at, guess, "{way}");
    }
    let hidden =
        [committed(number, unknown), committed(Scalar::from(1_695_u64), unknown + unknown)];
    assert_eq!(attack.on(&[planted(&hidden)]), None);
}
