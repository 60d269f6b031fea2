//! Who holds shares, and whose the keys are.

use super::*;
use crate::stage::AGENTS;

#[test]
fn refuses_agents_that_are_not_the_manifests() {
    let stage = Stage::under(free());
    let cases: [(TermsRefusal, &dyn Fn(&mut Terms)); 7] = [
        (TermsRefusal::Agents, &|terms| terms.agents[2].member = member(OTHER).to_vec()),
        (TermsRefusal::Agents, &|terms| terms.agents[2].index = 4),
        (TermsRefusal::Agents, &|terms| terms.agents[0].member = member(AGENTS[1]).to_vec()),
        (TermsRefusal::Threshold, &|terms| terms.agents.truncate(1)),
        (TermsRefusal::Quote, &|terms| terms.agents[1].key = deal_key(8)),
        (TermsRefusal::Quote, &|terms| terms.agents[1].quote = vec![]),
        (TermsRefusal::Quote, &|terms| {
            terms.agents[1].quote = terms.agents[0].quote.clone();
        }),
    ];
    for (refusal, change) in cases {
        assert_eq!(refused(&stage, change), refusal);
    }
}

#[test]
fn one_agent_under_two_indices_is_none() {
    let stage = Stage::under(free());
    // In its one encoding agents ascend by index, so that one cannot stand twice.
    let mut terms = stage.terms();
    terms.agents[1] = terms.agents[0].clone();
    let bytes = terms.signed(&network(), &signing(BUYER));
    assert!(Terms::read(&bytes, &network()).is_err());
    let answer = refused(&stage, |terms| {
        terms.agents[1].member = terms.agents[0].member.clone();
        terms.agents[1].key = terms.agents[0].key.clone();
        terms.agents[1].quote = terms.agents[0].quote.clone();
    });
    assert_eq!(answer, TermsRefusal::Agents);
}

#[test]
fn refuses_quotes_of_another_deal_manifest_role_or_buyer() {
    let stage = Stage::under(free());
    let other = Stage::under(Clause { salt: vec![1; 32], ..free() });
    let key = deal_key(12);
    let quotes = [
        other.quote(AGENTS[1], PartyRole::Agent, &key),
        stage.quote(AGENTS[1], PartyRole::Arbiter, &key),
        stage.quote(AGENTS[0], PartyRole::Agent, &key),
        stage.terms_of(50).agents[1].quote.clone(),
    ];
    for quote in quotes {
        let answer = refused(&stage, |terms| terms.agents[1].quote.clone_from(&quote));
        assert_eq!(answer, TermsRefusal::Quote);
    }
}

#[test]
fn refuses_keys_that_stand_twice_or_are_none() {
    let stage = Stage::under(free());
    let buyers = stage.quote(AGENTS[1], PartyRole::Agent, &deal_key(0));
    let zeros = stage.quote(AGENTS[1], PartyRole::Agent, &[0; 32]);
    let cases: [&dyn Fn(&mut Terms); 4] = [
        &|terms| terms.agents[1].reply = terms.agents[0].reply.clone(),
        &|terms| terms.agents[1].reply = vec![0xff; crate::SEALING_KEY_BYTES],
        &|terms| {
            terms.agents[1].key = deal_key(0);
            terms.agents[1].quote.clone_from(&buyers);
        },
        &|terms| {
            terms.agents[1].key = vec![0; 32];
            terms.agents[1].quote.clone_from(&zeros);
        },
    ];
    for change in cases {
        assert_eq!(refused(&stage, change), TermsRefusal::Keys);
    }
}

#[test]
fn two_of_three_agents_are_enough() {
    let stage = Stage::under(free());
    let mut terms = stage.terms();
    terms.agents.remove(0);
    judge(&stage.manifest, &sign(terms), &stage.facts()).unwrap();
}
