//! Outlines: what is marked stays marked across restarts until its outline is there.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use super::*;
use crate::vault::tests::open;
use crate::{UpstreamEvent, UpstreamRecord};
use heatmark_merkle::Hash;
use tempfile::TempDir;

fn outline(leaf: u64) -> Outline {
    Outline {
        leaf,
        kind: 10,
        inputs: vec![(0, 3), (1 << 40, 0)],
        outputs: 2,
        carrier: [7; 32],
        origin: Some(Hash([8; 32])),
        process: None,
        removed: vec![1],
    }
}

#[test]
fn what_came_is_marked_until_it_is_outlined_and_read() {
    let home = TempDir::new().unwrap();
    let event = |leaf| UpstreamEvent { leaf, event: vec![1], proofs: vec![2], blinds: vec![] };
    let record = Hash([9; 32]);
    {
        let shown = UpstreamRecord { record, content: vec![3], onward: vec![], attests: None };
        open(home.path()).put_upstream(&[event(300), event(5)], &[shown]).unwrap();
    }
    {
        let vault = open(home.path());
        assert_eq!(vault.unoutlined(9).unwrap(), [5, 300]);
        assert_eq!(vault.unoutlined(1).unwrap(), [5]);
        assert_eq!(vault.unread_records(9).unwrap(), [record]);
        vault.put_outlines(&[outline(5)]).unwrap();
        vault.records_read(&[record]).unwrap();
    }
    let vault = open(home.path());
    assert_eq!(vault.unoutlined(9).unwrap(), [300]);
    assert!(vault.unread_records(9).unwrap().is_empty());
    let mut outlines = Vec::new();
    vault
        .outlines(|outline| {
            outlines.push(outline);
            Ok(true)
        })
        .unwrap();
    assert_eq!(outlines, [outline(5)]);
    vault.pass_over(300).unwrap();
    assert!(vault.unoutlined(9).unwrap().is_empty());
}

#[test]
fn what_is_shown_again_needs_no_second_outline() {
    let home = TempDir::new().unwrap();
    let vault = open(home.path());
    let event = UpstreamEvent { leaf: 5, event: vec![1], proofs: vec![2], blinds: vec![0; 32] };
    vault.put_upstream(std::slice::from_ref(&event), &[]).unwrap();
    vault.put_outlines(&[outline(5)]).unwrap();
    vault.put_upstream(&[UpstreamEvent { blinds: vec![1; 32], ..event }], &[]).unwrap();
    assert!(vault.unoutlined(9).unwrap().is_empty());
    assert_eq!(vault.upstream_event(5).unwrap().unwrap().blinds, [1; 32]);
}
