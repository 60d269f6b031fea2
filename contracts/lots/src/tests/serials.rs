//! Serials: a label proves one, no lot has more than its pieces, and no two lots have the same.

use super::*;

fn tree(count: usize, secret: u8) -> SerialTree {
    let serials = (0..count).map(|n| format!("SN-{n:06}")).collect();
    SerialTree::new(serials, &SerialSecret::new([secret; 32])).unwrap()
}

fn numbered(mass: u64, seal: u8, tree: &SerialTree, ranges: &[(u32, u32)]) -> OpenLot {
    let ranges: Vec<Range> =
        ranges.iter().map(|(first, count)| Range { first: *first, count: *count }).collect();
    let pieces = ranges.iter().map(|range| u64::from(range.count)).sum();
    let serials = Some(tree.serials(ranges).unwrap());
    OpenLot::fresh(mass, pieces, Terms { serials, ..terms(hash(1), seal) }, &mut rand::rng())
}

#[test]
fn ranges_in_any_other_form_are_refused() {
    let ranges = |pairs: &[(u32, u32)]| {
        let ranges = pairs.iter().map(|(first, count)| Range { first: *first, count: *count });
        Ranges::new(ranges.collect(), 100)
    };
    assert!(ranges(&[(0, 10), (11, 89)]).is_ok());
    for wrong in [
        &[][..],
        &[(0, 0)],
        &[(0, 101)],
        &[(100, 1)],
        &[(u32::MAX, u32::MAX)],
        &[(0, 10), (10, 5)],
        &[(0, 10), (9, 5)],
        &[(20, 5), (0, 10)],
    ] {
        assert_eq!(ranges(wrong), Err(LotError::Serials), "{wrong:?}");
    }
    let many: Vec<(u32, u32)> = (0..257).map(|n| (n * 2, 1)).collect();
    let many = many.iter().map(|(first, count)| Range { first: *first, count: *count });
    assert_eq!(Ranges::new(many.collect(), 1_000), Err(LotError::Serials));
}

#[test]
fn many_ranges_are_judged_at_once() {
    let tree = tree(1_000, 1);
    let odd: Vec<(u32, u32)> = (0..250).map(|n| (n * 4, 2)).collect();
    let input = numbered(500, 10, &tree, &odd);
    let halves = [numbered(250, 11, &tree, &odd[..125]), numbered(250, 12, &tree, &odd[125..])];
    let split = Case::new(Kind::Split, vec![input.clone()], halves.to_vec()).prove();
    assert_eq!(split.verify(), Ok(()));
    for (first, count) in [(2, 1), (1, 2), (998, 2)] {
        let mut ranges = odd[..124].to_vec();
        ranges.retain(|(at, _)| *at != 0);
        ranges.push((first, count));
        ranges.sort_unstable();
        let stolen = numbered(500, 11, &tree, &ranges);
        let case = Case::new(Kind::Correct, vec![input.clone()], vec![stolen]);
        let pieces = 500 - ranges.iter().map(|(_, count)| u64::from(*count)).sum::<u64>();
        let refused = case.scrap(0, Some(pieces)).try_prove();
        assert_eq!(refused, Err(LotError::Serials.into()), "{first} {count}");
    }
}

#[test]
fn a_label_of_another_lot_or_tree_proves_nothing() {
    let (own, other) = (tree(100, 1), tree(100, 2));
    let range = |first, count| vec![Range { first, count }];
    let held = own.serials(range(10, 20)).unwrap();
    let label = own.prove(12).unwrap();
    assert_eq!(label.serial, "SN-000012");
    assert_eq!(label.verify(&held), Ok(()));
    assert_eq!(SerialProof::decode(&label.encode()), Ok(label.clone()));
    let wrong = Err(LotError::WrongSerial);
    assert_eq!(own.prove(9).unwrap().verify(&held), wrong);
    assert_eq!(own.prove(30).unwrap().verify(&held), wrong);
    assert_eq!(other.prove(12).unwrap().verify(&held), wrong);
    let mut bent = label.clone();
    bent.serial = "SN-000013".into();
    assert_eq!(bent.verify(&held), wrong);
    let mut bent = label.clone();
    bent.place = 13;
    assert_eq!(bent.verify(&held), wrong);
    let mut bent = label.clone();
    bent.path.push(hash(0));
    assert_eq!(bent.verify(&held), wrong);
    assert!(own.prove(100).is_none());
}

#[test]
fn serials_are_printable_and_each_stands_once() {
    let build = |serials: &[&str]| {
        let serials = serials.iter().map(ToString::to_string).collect();
        SerialTree::new(serials, &SerialSecret::new([1; 32])).map(|_| ())
    };
    assert_eq!(build(&["A1", "A2"]), Ok(()));
    assert_eq!(build(&[]), Err(LotError::Serials));
    assert_eq!(build(&["A1", "A2", "A1"]), Err(LotError::Serials));
    let long = "x".repeat(65);
    for wrong in ["", "A 1", "A\n", "Ä", long.as_str()] {
        assert_eq!(build(&[wrong]), Err(LotError::NotCanonical));
    }
}

#[test]
fn a_split_neither_doubles_a_serial_nor_finds_one() {
    let tree = tree(20, 1);
    let split = |parts: &[&[(u32, u32)]]| {
        let outputs: Vec<OpenLot> =
            (11..).zip(parts).map(|(seal, ranges)| numbered(100, seal, &tree, ranges)).collect();
        let mass = 100 * outputs.len() as u64;
        Case::new(Kind::Split, vec![numbered(mass, 10, &tree, &[(0, 10)])], outputs)
    };
    assert_eq!(split(&[&[(0, 4)], &[(4, 6)]]).prove().verify(), Ok(()));
    assert_eq!(split(&[&[(0, 2), (5, 5)], &[(2, 3)]]).prove().verify(), Ok(()));
    let serials = Err(LotError::Serials.into());
    assert_eq!(split(&[&[(0, 5)], &[(4, 5)]]).try_prove(), serials);
    assert_eq!(split(&[&[(0, 5)], &[(10, 5)]]).try_prove(), serials);
    assert_eq!(split(&[&[(0, 5)], &[(6, 5)]]).try_prove(), serials);
    let other = super::serials::tree(20, 2);
    let outputs = vec![numbered(100, 11, &tree, &[(0, 5)]), numbered(100, 12, &other, &[(5, 5)])];
    let case = Case::new(Kind::Split, vec![numbered(200, 10, &tree, &[(0, 10)])], outputs);
    assert_eq!(case.try_prove(), serials);
}

#[test]
fn a_lot_has_as_many_serials_as_pieces() {
    let tree = tree(20, 1);
    let six = Some(tree.serials(vec![Range { first: 4, count: 6 }]).unwrap());
    // Seven pieces, of which six have a serial: one might be of anybody's.
    let seven =
        OpenLot::fresh(60, 7, Terms { serials: six, ..terms(hash(1), 12) }, &mut rand::rng());
    let case = Case::new(
        Kind::Rework,
        vec![numbered(100, 10, &tree, &[(0, 11)])],
        vec![numbered(40, 11, &tree, &[(0, 4)]), seven],
    );
    assert_eq!(case.try_prove(), Err(LotError::SerialCount.into()));
    let input = numbered(100, 10, &tree, &[(0, 10)]);
    let outputs = vec![numbered(40, 11, &tree, &[(0, 4)]), numbered(60, 12, &tree, &[(4, 6)])];
    let mut case = Case::new(Kind::Split, vec![input], outputs).prove();
    assert_eq!(case.proofs.serials.len(), 2);
    case.proofs.serials.swap(0, 1);
    assert_eq!(case.verify(), Err(LotError::SerialCount));
    case.proofs.serials[0] = vec![0xff; 32];
    assert_eq!(case.verify(), Err(LotError::BadCommitment));
}

#[test]
fn a_tree_begins_where_pieces_are_made_or_labelled() {
    let tree = tree(20, 1);
    let rings = numbered(900, 11, &tree, &[(0, 20)]);
    let case = Case::new(Kind::Transform, vec![lot(1_000, 1, 10)], vec![rings]).scrap(100, None);
    let case = case.prove();
    assert_eq!(case.verify(), Ok(()));
    assert_eq!(case.claim_on(&NETWORK).unwrap().introduced().len(), 1);
    let plain = lot(1_000, 10, 10);
    let serials = Some(tree.serials(vec![Range { first: 0, count: 10 }]).unwrap());
    let labelled = OpenLot::seal(
        plain.mass().clone(),
        plain.pieces().clone(),
        Terms { serials, ..terms(hash(1), 11) },
        &mut rand::rng(),
    );
    let relabel = Case::new(Kind::Relabel, vec![plain.clone()], vec![labelled.clone()]).prove();
    assert_eq!(relabel.verify(), Ok(()));
    let split = Case::new(Kind::Merge, vec![plain, lot(1, 1, 13)], vec![labelled]);
    assert_eq!(split.try_prove(), Err(LotError::Serials.into()));
    // Two lots of one relabelling with the same serials.
    let (first, second) = (lot(5, 2, 10), lot(6, 2, 11));
    let with = |lot: &OpenLot, seal| {
        let serials = Some(tree.serials(vec![Range { first: 0, count: 2 }]).unwrap());
        let terms = Terms { serials, ..terms(hash(1), seal) };
        OpenLot::seal(lot.mass().clone(), lot.pieces().clone(), terms, &mut rand::rng())
    };
    let both = Case::new(
        Kind::Relabel,
        vec![first.clone(), second.clone()],
        vec![with(&first, 12), with(&second, 13)],
    );
    assert_eq!(both.try_prove(), Err(LotError::Serials.into()));
}

#[test]
fn a_hundred_thousand_serials_are_one_root_and_short_labels() {
    let tree = tree(100_000, 1);
    let all = tree.serials(vec![Range { first: 0, count: 100_000 }]).unwrap();
    for place in [0, 1, 65_535, 65_536, 99_999] {
        let label = tree.prove(place).unwrap();
        assert_eq!(label.verify(&all), Ok(()));
        assert!(label.encode().len() < 650);
    }
}

#[test]
fn a_tree_by_branches_is_the_tree_at_once() {
    let secret = SerialSecret::new([1; 32]);
    for count in [1, 2, 4_095, 4_096, 4_097, 8_192, 8_193, 12_289, 20_000] {
        let whole = tree(count, 1);
        let all: Vec<String> = (0..count).map(|n| format!("SN-{n:06}")).collect();
        let branches: Vec<SerialBranch> = (0..)
            .zip(all.chunks(BRANCH_SERIALS))
            .map(|(number, some)| SerialBranch::new(number, some.to_vec(), &secret).unwrap())
            .collect();
        let hashes: Vec<Hash> = branches.iter().map(SerialBranch::hash).collect();
        let held = whole.serials(vec![Range { first: 0, count: count as u32 }]).unwrap();
        assert_eq!(serial_root(&hashes), Some(held.root), "{count}");
        for place in [0, 1, 4_095, 4_096, 4_097, 12_288, count - 1] {
            let branch = &branches[(place / BRANCH_SERIALS).min(branches.len() - 1)];
            let proof = branch.prove(place as u32, &hashes);
            assert_eq!(proof, whole.prove(place as u32), "{place} of {count}");
            if let Some(proof) = proof {
                proof.verify(&held).unwrap();
            }
        }
    }
    assert_eq!(serial_root(&[]), None);
}

#[test]
fn a_branch_proves_nothing_in_another_place() {
    let secret = SerialSecret::new([1; 32]);
    let serials = |from: usize, count| (from..from + count).map(|n| format!("SN-{n:06}")).collect();
    let first = SerialBranch::new(0, serials(0, BRANCH_SERIALS), &secret).unwrap();
    let second = SerialBranch::new(1, serials(BRANCH_SERIALS, 10), &secret).unwrap();
    let hashes = [first.hash(), second.hash()];
    assert!(second.prove(4_096, &hashes).is_some());
    for place in [0, 4_095, 4_106, u32::MAX] {
        assert!(second.prove(place, &hashes).is_none(), "{place}");
    }
    assert!(second.prove(4_096, &[hashes[1], hashes[0]]).is_none());
    assert!(second.prove(4_096, &hashes[..1]).is_none());
    let wrong = |number, serials| SerialBranch::new(number, serials, &secret).map(|_| ());
    assert_eq!(wrong(0, serials(0, BRANCH_SERIALS + 1)), Err(LotError::Serials));
    assert_eq!(wrong(0, vec![]), Err(LotError::Serials));
    assert_eq!(wrong(244, serials(0, 577)), Err(LotError::Serials));
    assert_eq!(wrong(244, serials(0, 576)), Ok(()));
    assert_eq!(wrong(u32::MAX, serials(0, 1)), Err(LotError::Serials));
    assert_eq!(wrong(0, vec!["a b".to_owned()]), Err(LotError::NotCanonical));
}
