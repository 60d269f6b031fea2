//! State proofs of what is there and what is not, and every way to show less than is claimed.

use super::*;
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::state;

pub(super) fn states(cases: &mut Cases) {
    let present = state::member_key(&cases.town.id(0));
    let absent = state::member_key(&MemberId(hash("nobody")));
    let validators = state::validators_key();
    cases.state("a member", &present, |_| (), "ok");
    cases.state("the validators", &validators, |_| (), "ok");
    cases.state("nobody", &absent, |_| (), "ok");
    for label in ["a", "b", "c", "d"] {
        let key = state::member_key(&MemberId(hash(label)));
        cases.state(&format!("nobody called {label}"), &key, |_| (), "ok");
    }
    cases.state("another value", &present, |p| p.value[3] ^= 1, "state-proof");
    cases.state("no value", &present, |p| p.value.clear(), "state-proof");
    cases.state("another key", &present, |p| p.key[8] ^= 1, "state-proof");
    cases.state("the key of nobody", &present, |p| p.key = state::parameters_key(), "state-proof");
    cases.state(
        "presence shown as absence",
        &present,
        |p| (p.present, p.value) = (false, Vec::new()),
        "state-proof",
    );
    cases.state("absence shown as presence", &absent, |p| p.present = true, "state-proof");
    cases.state("an absent value", &absent, |p| p.value.push(1), "wrong-length");
    cases.state("another absent key", &absent, |p| p.key = state::validators_key(), "state-proof");
    cases.state("no proof", &present, |p| p.proof.clear(), "state-proof");
    cases.state(
        "a proof one byte short",
        &present,
        |p| p.proof.truncate(p.proof.len() - 1),
        "state-proof",
    );
    cases.state("a proof one byte long", &present, |p| p.proof.push(0), "state-proof");
    cases.state("an unknown kind", &present, |p| p.proof[0] = 3, "state-proof");
    cases.state("another number of siblings", &present, |p| p.proof[2] ^= 1, "state-proof");
    cases.state("a flipped bitmap", &present, |p| p.proof[3] ^= 0x40, "state-proof");
    cases.state(
        "a flipped sibling",
        &present,
        |p| *p.proof.last_mut().unwrap() ^= 1,
        "state-proof",
    );
    cases.state(
        "another state root",
        &present,
        |p| p.header.as_mut().unwrap().state_root[0] ^= 1,
        "certificate-signature",
    );
    cases.state("no header", &present, |p| p.header = None, "wrong-length");
}
