//! Operators: kept, changed and shut out, with names and roles that mean something.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use tempfile::TempDir;

use super::*;
use crate::vault::tests::open;

const NODE: Actor = Actor::Node;

fn operator(key: u8, roles: &[Role]) -> Operator {
    Operator {
        key: [key; 32],
        name: format!("Operator {key}"),
        roles: roles.iter().copied().collect(),
    }
}

#[test]
fn roles_are_kept_changed_and_taken_away() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    let anna = operator(1, &[Role::Publish, Role::Alert]);
    vault.grant(&NODE, &anna).unwrap();
    vault.grant(&NODE, &operator(2, &Role::ALL)).unwrap();
    drop(vault);
    let vault = open(dir.path());
    assert_eq!(vault.operator(&[1; 32]), Some(anna));
    assert_eq!(vault.operators().len(), 2);
    let fewer = operator(1, &[Role::Inspect]);
    vault.grant(&NODE, &fewer).unwrap();
    assert_eq!(vault.operator(&[1; 32]), Some(fewer));
    vault.revoke(&NODE, &[1; 32]).unwrap();
    assert_eq!(vault.operator(&[1; 32]), None);
    assert!(matches!(vault.revoke(&NODE, &[1; 32]), Err(VaultError::UnknownOperator)));
    drop(vault);
    let vault = open(dir.path());
    assert_eq!(vault.operators(), [operator(2, &Role::ALL)]);
    let log: Vec<_> = vault.log(0, 9).unwrap().iter().map(|e| (e.deed, e.number)).collect();
    let grant = Deed::Grant;
    assert_eq!(log, [(grant, 5), (grant, 15), (grant, 2), (Deed::Revoke, 0)]);
}

#[test]
fn refuses_names_that_say_nothing_and_operators_without_a_role() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    for name in ["", "a\nb", &"x".repeat(65)] {
        let nameless = Operator { name: name.to_owned(), ..operator(1, &Role::ALL) };
        assert!(matches!(vault.grant(&NODE, &nameless), Err(VaultError::Name)), "{name:?}");
    }
    assert!(matches!(vault.grant(&NODE, &operator(1, &[])), Err(VaultError::NoRole)));
    assert_eq!((vault.operators(), vault.log_head().unwrap().entries), (vec![], 0));
}
