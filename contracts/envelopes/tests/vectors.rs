//! The golden file `tests/vectors/envelopes.json`: keys, an envelope, a dealing and contents, for implementations in any
//! language. `HEATMARK_BLESS=1` writes it anew; otherwise it must be what the rules give.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests fail loudly, and read golden files"
)]

use std::convert::Infallible;

use heatmark_envelopes::{
    Decryptor, Encryptor, OpeningKey, PieceTree, Purpose, SectionSecret, Share, combine, open,
    seal, split,
};
use heatmark_merkle::tag;
use rand_core::{TryCryptoRng, TryRng};
use serde_json::{Value as Json, json};

const CONTEXT: &[u8] = b"a section's context";

/// Bytes that are as good as random and always the same.
struct Counted(u64);

impl TryRng for Counted {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for portion in bytes.chunks_mut(32) {
            let block = tag::hash("golden", &[&self.0.to_be_bytes()]);
            portion.iter_mut().zip(block.0).for_each(|(byte, random)| *byte = random);
            self.0 = self.0.wrapping_add(1);
        }
        Ok(())
    }
}

impl TryCryptoRng for Counted {}

/// Seed and randomness of the first test vector of draft-connolly-cfrg-xwing-kem, so that whoever has no X-Wing knows the
/// shared secret of the envelope from there.
const SEED: &str = "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26";
const RANDOMNESS: &str = "3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e2\
                          35b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2";

struct Given(Vec<u8>);

impl TryRng for Given {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("an encapsulation takes bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("an encapsulation takes bytes")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        let rest = self.0.split_off(bytes.len());
        bytes.copy_from_slice(&std::mem::replace(&mut self.0, rest));
        Ok(())
    }
}

impl TryCryptoRng for Given {}

fn envelope() -> Json {
    let key = OpeningKey::from_seed(&hex::decode(SEED).unwrap().try_into().unwrap());
    let parts: [&[u8]; 3] = [&[1; 32], b"assay", &[0, 0, 0, 4]];
    let purpose = Purpose { what: "release", parts: &parts };
    let content = b"what is told to one";
    let mut rng = Given(hex::decode(RANDOMNESS).unwrap());
    let sealed = seal(&key.sealing_key(), &purpose, content, &mut rng).unwrap();
    assert_eq!(open(&key, &purpose, &sealed).unwrap().as_slice(), content);
    json!({
        "seed": SEED,
        "sealing_key": hex::encode(key.sealing_key().as_bytes()),
        "what": purpose.what,
        "parts": parts.map(hex::encode),
        "content": hex::encode(content),
        "sealed": hex::encode(sealed),
    })
}

fn derived() -> Json {
    json!({
        "secret": hex::encode([7; 32]),
        "label": "release",
        "index": 5,
        "seed": hex::encode(OpeningKey::derive(&[7; 32], "release", 5).seed().as_slice()),
    })
}

fn dealing(threshold: u8, count: u8) -> Json {
    let mut rng = Counted(u64::from(threshold) << 32);
    let secret = SectionSecret::generate(&mut rng);
    let (commitments, shares) = split(&secret, threshold, count, &mut rng).unwrap();
    assert_eq!(combine(&commitments, &shares).unwrap(), secret);
    let encode = |share: &Share| hex::encode(share.encode().as_slice());
    json!({
        "threshold": threshold,
        "secret": hex::encode(secret.to_bytes().as_slice()),
        "commitments": hex::encode(commitments.encode()),
        "shares": shares.iter().map(encode).collect::<Vec<String>>(),
    })
}

/// Byte i of a content is i modulo 251.
fn content(length: usize) -> Json {
    let secret = SectionSecret::generate(&mut Counted(1 << 40));
    let content: Vec<u8> = (0..251).cycle().take(length).collect();
    let mut encryptor = Encryptor::new(&secret, CONTEXT);
    let mut sealed = encryptor.push(&content).unwrap().concat();
    let (last, id) = encryptor.finish().unwrap();
    sealed.extend(&last);
    let mut decryptor = Decryptor::new(&secret, CONTEXT, &id);
    let opened = [decryptor.push(&sealed).unwrap(), decryptor.finish().unwrap()];
    assert_eq!(opened.map(|part| part.to_vec()).concat(), content);
    let proof = PieceTree::new([sealed.as_slice()]).unwrap().prove(id.pieces() / 2).unwrap();
    json!({
        "length": length,
        "secret": hex::encode(secret.to_bytes().as_slice()),
        "context": hex::encode(CONTEXT),
        "key": hex::encode(secret.content_key(CONTEXT).as_slice()),
        "root": id.root().to_string(),
        "bytes": id.bytes(),
        "pieces": id.pieces(),
        "last_piece": hex::encode(if last.len() > 100 { &[] } else { last.as_slice() }),
        "proof": {
            "number": proof.number,
            "path": proof.path.iter().map(ToString::to_string).collect::<Vec<String>>(),
        },
    })
}

#[test]
fn envelopes_are_golden() {
    let contents = [0, 1, 65_536, 65_537, 200_000].map(content);
    let golden = json!({
        "envelope": envelope(),
        "derived_key": derived(),
        "dealings": [dealing(1, 1), dealing(3, 5), dealing(5, 5)],
        "contents": contents,
    });
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/envelopes.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&golden).unwrap());
    if std::env::var_os("HEATMARK_BLESS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), text);
}
