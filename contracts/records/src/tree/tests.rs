//! Trees begun from their crown: they show what whole trees show, and no crown but their own serves.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use super::*;
use crate::opening::tests::{analysis, opening};

fn path(text: &str) -> Path {
    Path::new(text).unwrap()
}

#[test]
fn a_tree_under_its_crown_shows_what_the_whole_tree_shows() {
    for opening in [analysis(), opening(100), opening(121), opening(351)] {
        let whole = opening.tree().unwrap();
        let kept = whole.crown().unwrap();
        let crown = Crown::decode(&kept.encode()).unwrap();
        assert!(crown == kept);
        let under = opening.tree_under(&crown).unwrap();
        assert_eq!(under.id(), whole.id());
        assert!(under.crown().unwrap() == crown);
        let absent = path("not/there");
        for path in opening.fields().iter().map(|(path, _)| path).take(40).chain([&absent]) {
            let shown = under.show(path).unwrap();
            assert_eq!(shown, whole.show(path).unwrap());
            assert_eq!(shown.verify(opening.head(), &whole.id()), Ok(()));
            assert_eq!(under.show_committed(path), whole.show_committed(path));
        }
    }
}

#[test]
fn refuses_a_crown_of_another_record_and_one_that_was_changed() {
    let (own, other) = (opening(100), analysis());
    let foreign = other.tree().unwrap().crown().unwrap();
    let under = own.tree_under(&foreign).unwrap();
    assert_eq!(under.id(), record_id(&own.head().hash(), &other.tree().unwrap().root));
    for (path, _) in own.fields().iter() {
        assert_eq!(under.show(path), Err(RecordError::WrongRoot));
    }
    let crown = own.tree().unwrap().crown().unwrap();
    for at in 0..crown.0.len() {
        let mut bytes = crown.encode();
        bytes[at * 32] ^= 1;
        let changed = own.tree_under(&Crown::decode(&bytes).unwrap()).unwrap();
        assert_ne!(changed.id(), own.check().unwrap());
        for (path, _) in own.fields().iter() {
            let shown = changed.show(path);
            let here = slot_of(&own.head().hash(), own.head().depth(), path) >> 6;
            assert_eq!(shown.is_err(), here as usize == at, "subtree {at}");
        }
    }
}

#[test]
fn refuses_crowns_of_no_depth_and_of_another() {
    let own = opening(100);
    let crown = own.tree().unwrap().crown().unwrap().encode();
    assert_eq!(crown.len(), 64 * 32);
    for bytes in [&[][..], &crown[..31], &crown[..32], &crown[1..], &crown[32..]] {
        assert_eq!(Crown::decode(bytes).map(|_| ()), Err(RecordError::WrongLength));
    }
    let deeper = opening(121).tree().unwrap().crown().unwrap();
    assert_eq!(deeper.encode().len(), 256 * 32);
    assert!(own.tree_under(&deeper).is_err());
}

#[test]
fn a_crown_is_not_printed() {
    let crown = opening(3).tree().unwrap().crown().unwrap();
    assert_eq!(format!("{crown:?}"), "Crown");
}
