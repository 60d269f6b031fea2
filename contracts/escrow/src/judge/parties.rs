//! Whose the keys of a deal are: each party has signed for its own, so that no buyer plays its own arbiter or agents.

use heatmark_evidence::transfer::SignedFile;
use heatmark_ledger::deal::DealRefusal;
use heatmark_ledger::ids::{MemberId, NetworkId};
use heatmark_ledger::refusal::Refusal;

use crate::files::PartyRole;
use crate::wire::differ;
use crate::{Clause, Facts, Manifest, Quote, SealingKey, Terms, TermsRefusal};

/// A party as the terms have it.
struct Party<'p> {
    role: PartyRole,
    member: &'p [u8],
    key: &'p [u8],
    quote: &'p [u8],
}

/// Checks the agents: enough of them, each the manifest's under its index, each with a key of its own.
pub(super) fn check_agents(
    manifest: &Manifest,
    terms: &Terms,
    facts: &Facts<'_>,
) -> Result<(), TermsRefusal> {
    for agent in &terms.agents {
        let member = manifest.agent(agent.share_index());
        if member.is_none_or(|member| agent.member != member.as_bytes()) {
            return Err(TermsRefusal::Agents);
        }
        let (role, member) = (PartyRole::Agent, &agent.member);
        let party = Party { role, member, key: &agent.key, quote: &agent.quote };
        check_quote(&party, terms, facts)?;
    }
    let replies = terms.agents.iter().map(|agent| &agent.reply);
    let sound = replies.clone().all(|reply| SealingKey::decode(reply).is_ok());
    if !sound || !differ(replies) {
        return Err(TermsRefusal::Keys);
    }
    let enough = usize::try_from(manifest.threshold).is_ok_and(|least| terms.agents.len() >= least);
    if enough { Ok(()) } else { Err(TermsRefusal::Threshold) }
}

/// Checks that the owner's key is there exactly where the owner accepts by hand.
pub(super) fn check_owner(
    manifest: &Manifest,
    clause: &Clause,
    terms: &Terms,
    facts: &Facts<'_>,
) -> Result<(), TermsRefusal> {
    match &terms.owner {
        None if !clause.by_hand => Ok(()),
        Some(owner) if clause.by_hand && owner.member == manifest.owner => {
            let (role, member) = (PartyRole::Owner, &owner.member);
            check_quote(&Party { role, member, key: &owner.key, quote: &owner.quote }, terms, facts)
        }
        _ => Err(TermsRefusal::Acceptance),
    }
}

/// Checks that the arbiter is one of the clause's, and there exactly where something is paid.
pub(super) fn check_arbiter(
    clause: &Clause,
    terms: &Terms,
    facts: &Facts<'_>,
) -> Result<(), TermsRefusal> {
    let Some(arbiter) = &terms.arbiter else {
        return if clause.pays() { Err(TermsRefusal::Arbiter) } else { Ok(()) };
    };
    let member =
        MemberId::try_from(arbiter.member.as_slice()).map_err(|_| TermsRefusal::Arbiter)?;
    if !clause.arbiters.contains(&arbiter.member) || !facts.registry.is_active(&member) {
        return Err(TermsRefusal::Arbiter);
    }
    let (role, member) = (PartyRole::Arbiter, &arbiter.member);
    check_quote(&Party { role, member, key: &arbiter.key, quote: &arbiter.quote }, terms, facts)
}

fn check_quote(party: &Party<'_>, terms: &Terms, facts: &Facts<'_>) -> Result<(), TermsRefusal> {
    let refused = TermsRefusal::Quote;
    let network = NetworkId::try_from(terms.network.as_slice()).map_err(|_| refused)?;
    let member = MemberId::try_from(party.member).map_err(|_| refused)?;
    let unproved = Quote::read(party.quote, &network).map_err(|_| refused)?;
    let quote = facts.registry.proved(unproved, &member).ok_or(refused)?;
    let same = quote.to == terms.buyer
        && quote.deal == terms.deal
        && quote.manifest == terms.manifest
        && quote.role() == party.role
        && quote.key == party.key;
    if same { Ok(()) } else { Err(refused) }
}

/// What the log would refuse of the deal's opening.
pub(super) fn of_opening(refusal: Refusal) -> TermsRefusal {
    match refusal {
        Refusal::Deal(DealRefusal::Deadlines(_)) => TermsRefusal::Deadlines,
        Refusal::Field("threshold") => TermsRefusal::Threshold,
        _ => TermsRefusal::Keys,
    }
}
