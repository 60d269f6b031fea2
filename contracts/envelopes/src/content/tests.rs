#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

use heatmark_merkle::{Hash, ProofError};

use super::*;

const CONTEXT: &[u8] = b"section";

fn secret(byte: u8) -> SectionSecret {
    SectionSecret::from_bytes(&[byte; 32]).unwrap()
}

fn content(length: usize) -> Vec<u8> {
    (0_u32..)
        .map(|place| (place.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0])
        .take(length)
        .collect()
}

fn encrypt(content: &[u8], portion: usize) -> (Vec<Vec<u8>>, ContentId) {
    let mut encryptor = Encryptor::new(&secret(3), CONTEXT);
    let mut pieces = Vec::new();
    for portion in content.chunks(portion) {
        pieces.extend(encryptor.push(portion).unwrap());
    }
    let (last, id) = encryptor.finish().unwrap();
    pieces.push(last);
    (pieces, id)
}

fn decrypt(sealed: &[u8], id: &ContentId, portion: usize) -> Result<Vec<u8>, ContentError> {
    decrypt_as(&secret(3), CONTEXT, sealed, id, portion)
}

fn decrypt_as(
    secret: &SectionSecret,
    context: &[u8],
    sealed: &[u8],
    id: &ContentId,
    portion: usize,
) -> Result<Vec<u8>, ContentError> {
    let mut decryptor = Decryptor::new(secret, context, id);
    let mut content = Vec::new();
    for portion in sealed.chunks(portion) {
        content.extend_from_slice(&decryptor.push(portion)?);
    }
    content.extend_from_slice(&decryptor.finish()?);
    Ok(content)
}

/// What the ciphertext, as it is, would be called by.
fn id_of(sealed: &[u8]) -> ContentId {
    let mut hasher = RootHasher::new();
    hasher.push(sealed).unwrap();
    hasher.finish().unwrap()
}

const LENGTHS: [usize; 9] = [
    0,
    1,
    PIECE_BYTES - 1,
    PIECE_BYTES,
    PIECE_BYTES + 1,
    2 * PIECE_BYTES - 1,
    2 * PIECE_BYTES,
    2 * PIECE_BYTES + 1,
    3 * PIECE_BYTES + 1_000,
];

#[test]
fn what_is_encrypted_decrypts_at_every_length() {
    for length in LENGTHS {
        let content = content(length);
        let (pieces, id) = encrypt(&content, 10_000);
        let sealed = pieces.concat();
        assert_eq!(pieces.len(), length.div_ceil(PIECE_BYTES).max(1));
        assert_eq!(id.pieces(), u32::try_from(pieces.len()).unwrap());
        assert_eq!(id.bytes(), u64::try_from(sealed.len()).unwrap());
        assert_eq!(id.content_bytes(), u64::try_from(length).unwrap());
        assert_eq!(decrypt(&sealed, &id, 10_000).unwrap(), content, "{length} bytes");
        assert_eq!(id_of(&sealed), id);
        for (number, piece) in (0_u32..).zip(&pieces) {
            assert_eq!(id.piece_bytes(number).unwrap(), piece.len());
        }
        let number = id.pieces();
        assert_eq!(id.piece_bytes(number).unwrap_err(), ContentError::NoSuchPiece { number });
    }
}

#[test]
fn ten_megabytes_in_odd_portions_are_ten_megabytes_at_once() {
    let content = content(10_000_000);
    let (whole, id) = encrypt(&content, content.len());
    for portion in [65_537, 9_973] {
        assert!(encrypt(&content, portion) == (whole.clone(), id), "portions of {portion}");
    }
    let sealed = whole.concat();
    for portion in [sealed.len(), 65_553, 9_973] {
        assert!(decrypt(&sealed, &id, portion).unwrap() == content, "portions of {portion}");
        let tree = PieceTree::new(sealed.chunks(portion)).unwrap();
        assert_eq!(*tree.id(), id);
    }
    // Byte by byte around the borders of pieces.
    let (few, id) = encrypt(&content[..PIECE_BYTES + 3], 1);
    assert_eq!(decrypt(&few.concat(), &id, 1).unwrap(), content[..PIECE_BYTES + 3]);
}

#[test]
fn refuses_pieces_moved_dropped_doubled_cut_off_or_added() {
    let (pieces, id) = encrypt(&content(4 * PIECE_BYTES), PIECE_BYTES);
    let refused = |pieces: &[&Vec<u8>], what: &str| {
        let sealed: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
        assert!(decrypt(&sealed, &id, 70_000).is_err(), "{what}, under its own name");
        // Whoever could also change what it is called by gets no further.
        assert!(decrypt(&sealed, &id_of(&sealed), 70_000).is_err(), "{what}, under a new name");
    };
    let [a, b, c, d] = &pieces[..] else { unreachable!() };
    refused(&[b, a, c, d], "the first two exchanged");
    refused(&[a, b, d, c], "the last two exchanged");
    refused(&[a, c, d], "one dropped");
    refused(&[b, c, d], "the first dropped");
    refused(&[a, b, c], "the last dropped");
    refused(&[a], "all but the first dropped");
    refused(&[a, b, b, d], "one in another's place");
    refused(&[a, b, b, c, d], "one doubled");
    refused(&[a, b, c, d, d], "the last doubled");
    refused(&[a, b, c, d, a], "the first added");
    refused(&[d], "the last alone");
}

#[test]
fn refuses_every_shorter_and_longer_ciphertext() {
    let (pieces, id) = encrypt(&content(PIECE_BYTES + 40), PIECE_BYTES);
    let sealed = pieces.concat();
    for cut in [1, 15, 16, 17, 40, 56, 57, 1_000, sealed.len()] {
        let length = sealed.len() - cut;
        let rest = u64::try_from(length).unwrap();
        let refused = decrypt(&sealed[..length], &id, 1 << 20).unwrap_err();
        assert_eq!(refused, ContentError::CutOff(rest));
        if let Ok(id) = ContentId::new(id.root(), rest) {
            assert!(decrypt(&sealed[..length], &id, 1 << 20).is_err(), "{cut} bytes cut off");
        }
    }
    let longer = [&sealed[..], &[0]].concat();
    assert_eq!(decrypt(&longer, &id, 1 << 20).unwrap_err(), ContentError::TooLong);
    assert!(decrypt(&longer, &id_of(&longer), 1 << 20).is_err());
}

#[test]
fn refuses_every_changed_byte_and_names_the_piece() {
    let (pieces, id) = encrypt(&content(PIECE_BYTES + 40), PIECE_BYTES);
    let sealed = pieces.concat();
    let last = SEALED_PIECE_BYTES..sealed.len();
    for place in (0..SEALED_PIECE_BYTES)
        .step_by(7_919)
        .chain(SEALED_PIECE_BYTES - 17..SEALED_PIECE_BYTES)
        .chain(last)
    {
        let mut changed = sealed.clone();
        changed[place] ^= 1;
        let number = u32::from(place >= SEALED_PIECE_BYTES);
        assert_eq!(decrypt(&changed, &id, 70_000).unwrap_err(), ContentError::BadPiece { number });
        assert_ne!(id_of(&changed), id, "byte {place}");
    }
}

#[test]
fn refuses_another_secret_or_context() {
    for length in [0, 100] {
        let (pieces, id) = encrypt(&content(length), 10_000);
        let sealed = pieces.concat();
        let bad = ContentError::BadPiece { number: 0 };
        assert_eq!(decrypt_as(&secret(4), CONTEXT, &sealed, &id, 100).unwrap_err(), bad);
        for context in [&b"sectio"[..], b"section ", b""] {
            assert_eq!(decrypt_as(&secret(3), context, &sealed, &id, 100).unwrap_err(), bad);
        }
    }
}

#[test]
fn refuses_a_second_version_of_the_same_length() {
    let (pieces, _) = encrypt(&content(100), 100);
    let (_, other) = encrypt(&[0; 100], 100);
    assert_eq!(decrypt(&pieces.concat(), &other, 100).unwrap_err(), ContentError::WrongRoot);
}

#[test]
fn the_empty_content_is_one_piece_and_nothing_is_none() {
    let (pieces, id) = encrypt(&[], 1);
    assert_eq!(pieces.concat().len(), TAG_BYTES);
    assert_eq!(decrypt(&[], &id, 1).unwrap_err(), ContentError::CutOff(0));
    assert_eq!(RootHasher::new().finish().unwrap_err(), ContentError::BadLength(0));
    assert_eq!(PieceTree::new([b""; 0]).unwrap_err(), ContentError::BadLength(0));
}

#[test]
fn refuses_lengths_that_no_content_has() {
    let new = |bytes| ContentId::new(Hash([1; 32]), bytes).map(|id| id.pieces());
    for (bytes, pieces) in [
        (16, 1),
        (17, 1),
        (65_552, 1),
        (65_552 + 17, 2),
        (2 * 65_552, 2),
        (16_384 * 65_552, 16_384),
    ] {
        assert_eq!(new(bytes), Ok(pieces), "{bytes} bytes");
    }
    for bytes in
        [0, 1, 15, 65_553, 65_552 + 16, 2 * 65_552 + 1, 16_384 * 65_552 + 17, 1 << 48, u64::MAX]
    {
        assert_eq!(new(bytes), Err(ContentError::BadLength(bytes)));
    }
    let largest = ContentId::new(Hash([1; 32]), 16_384 * 65_552).unwrap();
    assert_eq!(largest.content_bytes(), MAX_CONTENT_BYTES);
}

#[test]
fn refuses_more_than_a_gibibyte() {
    let mut encryptor = Encryptor::new(&secret(3), CONTEXT);
    encryptor.bytes = MAX_CONTENT_BYTES - 1;
    assert_eq!(encryptor.push(&[1, 2]).unwrap_err(), ContentError::TooLong);
    let mut encryptor = Encryptor::new(&secret(3), CONTEXT);
    encryptor.bytes = MAX_CONTENT_BYTES - 1;
    assert!(encryptor.push(&[1]).is_ok());
    let most = u64::from(MAX_PIECES) * SEALED_PIECE;
    let mut hasher = RootHasher::new();
    hasher.bytes = most - 1;
    assert!(hasher.push(&[1]).is_ok());
    assert_eq!(hasher.push(&[1]).unwrap_err(), ContentError::TooLong);
    let id = ContentId::new(Hash([1; 32]), most).unwrap();
    let mut decryptor = Decryptor::new(&secret(3), CONTEXT, &id);
    decryptor.bytes = most;
    assert_eq!(decryptor.push(&[1]).unwrap_err(), ContentError::TooLong);
}

#[test]
fn a_piece_is_proved_at_its_place_only() {
    for count in [1_usize, 2, 3, 4, 5, 7, 8] {
        let (pieces, id) = encrypt(&content(count * PIECE_BYTES - 500), PIECE_BYTES);
        let sealed = pieces.concat();
        let tree = PieceTree::new([sealed.as_slice()]).unwrap();
        assert_eq!(*tree.id(), id);
        for (number, piece) in (0_u32..).zip(&pieces) {
            let proof = tree.prove(number).unwrap();
            proof.verify(&id, piece).unwrap();
            refuses_all_but(&proof, &id, piece);
        }
        let number = u32::try_from(count).unwrap();
        assert_eq!(tree.prove(number).unwrap_err(), ContentError::NoSuchPiece { number });
    }
}

fn refuses_all_but(proof: &PieceProof, id: &ContentId, piece: &[u8]) {
    let with = |path: Vec<Hash>| PieceProof { number: proof.number, path };
    let mut longer = proof.path.clone();
    longer.push(Hash([0; 32]));
    let too_long = with(longer).verify(id, piece).unwrap_err();
    assert_eq!(too_long, ContentError::BadProof(ProofError::PathTooLong));
    for place in 0..proof.path.len() {
        let mut changed = proof.path.clone();
        changed[place].0[0] ^= 1;
        let wrong = with(changed).verify(id, piece).unwrap_err();
        assert_eq!(wrong, ContentError::BadProof(ProofError::RootMismatch));
        let mut shorter = proof.path.clone();
        shorter.remove(place);
        assert!(with(shorter).verify(id, piece).is_err());
    }
    for number in (0..id.pieces().saturating_add(2)).filter(|number| *number != proof.number) {
        let elsewhere = PieceProof { number, path: proof.path.clone() };
        assert!(elsewhere.verify(id, piece).is_err(), "{} as {number}", proof.number);
    }
    let mut changed = piece.to_vec();
    changed[5] ^= 1;
    assert!(proof.verify(id, &changed).is_err());
    let number = proof.number;
    let short = proof.verify(id, &piece[1..]).unwrap_err();
    assert_eq!(short, ContentError::BadPiece { number });
    let other_root = ContentId::new(Hash([9; 32]), id.bytes()).unwrap();
    assert!(proof.verify(&other_root, piece).is_err());
}

#[test]
fn nothing_secret_is_printed() {
    let mut encryptor = Encryptor::new(&secret(3), CONTEXT);
    encryptor.push(b"nickel").unwrap();
    assert_eq!(format!("{encryptor:?}"), "Encryptor(6 bytes)");
}
