//! Judging terms by the manifest, its clause and what the log says. The same on every agent: it reads no clock, no file and no
//! policy of the agent's own, and the first thing that does not hold is the answer. Specification: `proto/README.md` section 18.

mod orders;
mod parties;

use heatmark_evidence::transfer::SignedFile;
use heatmark_ledger::deal::{Opening, Phase};
use heatmark_ledger::ids::{MemberId, NetworkId};
use heatmark_merkle::Hash;
use prost::Message;

use crate::clause::{Clause, Price, Who};
use crate::money::premium;
use crate::{Base, Facts, Manifest, StandingDeal, Terms, TermsRefusal, check_open};

const DAY_MS: u64 = 86_400_000;

/// What a deal needs before agents are ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// Whether the owner accepts first.
    pub acceptance: bool,
    /// What is paid first, and to whom.
    pub payment: Option<Payment>,
}

/// What an arbiter is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The arbiter.
    pub arbiter: MemberId,
    /// ISO 4217.
    pub currency: String,
    /// How much.
    pub due: Due,
}

/// How much is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// In the currency's minor unit.
    Amount(u64),
    /// A share, in hundredths of a percent, of what has this digest: the arbiter alone is told what that is.
    Premium {
        /// The share.
        hundredths: u32,
        /// Digest of the opened [`Base`].
        base: Hash,
    },
}

impl Payment {
    /// How much it is, once what a premium is a share of is known.
    ///
    /// # Errors
    /// [`TermsRefusal::Base`] when that is missing, is not what the terms hold, or comes to too much.
    pub fn amount(&self, terms: &Terms, base: Option<&Base>) -> Result<u64, TermsRefusal> {
        match (self.due, base) {
            (Due::Amount(amount), None) => Ok(amount),
            (Due::Premium { hundredths, base: digest }, Some(base)) => {
                let deal = terms.deal.as_slice().try_into().map_err(|_| TermsRefusal::WrongDeal)?;
                if base.digest(deal) != digest || base.currency != self.currency {
                    return Err(TermsRefusal::Base);
                }
                premium(base.amount, hundredths)
            }
            _ => Err(TermsRefusal::Base),
        }
    }
}

/// Judges terms by the manifest that they name and the clause in them. That the manifest is its owner's, who calls has seen
/// before: from its own deposit, or from the evidence.
///
/// # Errors
/// [`TermsRefusal`]: the first of the specification's conditions that does not hold.
pub fn judge(manifest: &Manifest, terms: &Terms, facts: &Facts<'_>) -> Result<Needs, TermsRefusal> {
    let clause = terms.clause().map_err(|_| TermsRefusal::NotCanonical)?;
    check_subject(manifest, &clause, terms)?;
    let buyer = check_buyer(&clause, terms, facts)?;
    check_conditions(&clause, terms, facts)?;
    orders::check(manifest, &clause, terms, facts)?;
    parties::check_agents(manifest, terms, facts)?;
    parties::check_owner(manifest, &clause, terms, facts)?;
    let payment = if terms.standing.is_empty() {
        let payment = check_payment(&clause, terms)?;
        parties::check_arbiter(&clause, terms, facts)?;
        payment
    } else {
        let covering = (manifest, &clause);
        check_standing(covering, terms, facts, &buyer)?;
        None
    };
    let open = terms.opening(manifest.threshold);
    Opening::read(&open)
        .map_err(parties::of_opening)?
        .check_keys()
        .map_err(|_| TermsRefusal::Keys)?;
    Ok(Needs { acceptance: terms.owner.is_some(), payment })
}

/// That they are about this manifest, one of its clauses, and sections of both.
fn check_subject(manifest: &Manifest, clause: &Clause, terms: &Terms) -> Result<(), TermsRefusal> {
    if terms.network != manifest.network {
        return Err(TermsRefusal::WrongNetwork);
    }
    if terms.deal_id().is_none_or(|deal| terms.deal != deal.as_bytes()) {
        return Err(TermsRefusal::WrongDeal);
    }
    if terms.manifest != manifest.digest().0 {
        return Err(TermsRefusal::WrongManifest);
    }
    if !manifest.holds(clause) {
        return Err(TermsRefusal::WrongClause);
    }
    let opens = |name: &String| clause.sections.contains(name) && manifest.section(name).is_some();
    if terms.sections.iter().all(opens) { Ok(()) } else { Err(TermsRefusal::Section) }
}

/// That the buyer has signed them, and may buy.
fn check_buyer(
    clause: &Clause,
    terms: &Terms,
    facts: &Facts<'_>,
) -> Result<MemberId, TermsRefusal> {
    let buyer = terms.buyer().ok_or(TermsRefusal::Signature)?;
    let network = NetworkId::try_from(terms.network.as_slice());
    let network = network.map_err(|_| TermsRefusal::WrongNetwork)?;
    let unproved = Terms::read(&terms.encode_to_vec(), &network);
    let unproved = unproved.map_err(|_| TermsRefusal::NotCanonical)?;
    facts.registry.proved(unproved, &buyer).ok_or(TermsRefusal::Signature)?;
    if !facts.registry.is_active(&buyer) {
        return Err(TermsRefusal::Standing);
    }
    let entitled = match clause.who().ok_or(TermsRefusal::NotCanonical)? {
        Who::Anyone => true,
        Who::Members(members) => members.contains(&buyer),
        Who::Roles(roles) => roles.iter().any(|role| facts.registry.has_role(&buyer, *role)),
    };
    if !entitled {
        return Err(TermsRefusal::NotEntitled);
    }
    let country = facts.registry.country(&buyer).unwrap_or_default();
    let let_in = clause.countries.is_empty() || clause.countries.iter().any(|code| code == country);
    if let_in { Ok(buyer) } else { Err(TermsRefusal::Country) }
}

/// That agreement, purpose, time and retention are the clause's.
fn check_conditions(clause: &Clause, terms: &Terms, facts: &Facts<'_>) -> Result<(), TermsRefusal> {
    if terms.nda != clause.nda {
        return Err(TermsRefusal::Agreement);
    }
    if !clause.purposes.is_empty() && !clause.purposes.contains(&terms.purpose) {
        return Err(TermsRefusal::Purpose);
    }
    if clause.until_ms != 0 && facts.at.0 >= clause.until_ms {
        return Err(TermsRefusal::Ended);
    }
    let days = u64::from(clause.retention_days);
    let latest = facts.at.0.saturating_add(days.saturating_mul(DAY_MS));
    if days != 0 && !(1..=latest).contains(&terms.retain_until_ms) {
        return Err(TermsRefusal::Retention);
    }
    Ok(())
}

/// That amount, currency and base are the clause's.
fn check_payment(clause: &Clause, terms: &Terms) -> Result<Option<Payment>, TermsRefusal> {
    let price = clause.price().ok_or(TermsRefusal::NotCanonical)?;
    let (currency, due) = match price {
        Price::Free => return is_unpaid(terms).then_some(None).ok_or(TermsRefusal::Price),
        Price::Fixed { amount, currency } => {
            if !terms.base.is_empty() || terms.amount != amount {
                return Err(TermsRefusal::Price);
            }
            (currency, Due::Amount(amount))
        }
        Price::Premium { hundredths, currency } => {
            if terms.amount != 0 {
                return Err(TermsRefusal::Price);
            }
            let base = Hash::try_from(terms.base.as_slice()).map_err(|_| TermsRefusal::Base)?;
            (currency, Due::Premium { hundredths, base })
        }
    };
    if terms.currency != currency {
        return Err(TermsRefusal::Price);
    }
    let arbiter = terms.arbiter.as_ref().ok_or(TermsRefusal::Arbiter)?;
    let arbiter = MemberId::try_from(arbiter.member.as_slice());
    let arbiter = arbiter.map_err(|_| TermsRefusal::Arbiter)?;
    Ok(Some(Payment { arbiter, currency, due }))
}

fn is_unpaid(terms: &Terms) -> bool {
    terms.amount == 0 && terms.currency.is_empty() && terms.base.is_empty()
}

/// That a standing deal, paid and settled, covers these terms: of the same buyer and owner, under a clause of the same standing
/// name and price, for these sections, with an arbiter of this clause too.
fn check_standing(
    (manifest, clause): (&Manifest, &Clause),
    terms: &Terms,
    facts: &Facts<'_>,
    buyer: &MemberId,
) -> Result<(), TermsRefusal> {
    if !is_unpaid(terms) {
        return Err(TermsRefusal::Price);
    }
    if terms.arbiter.is_some() {
        return Err(TermsRefusal::Arbiter);
    }
    let refused = TermsRefusal::StandingDeal;
    let standing = facts.standing.ok_or(refused)?;
    let StandingDeal { terms: paid, manifest: of, open, opened, phase } = standing;
    // Its own parties are judged in full: anybody can open a deal with nobody but itself and settle it.
    let then = Facts { at: opened, registry: facts.registry, standing: None };
    let needed = judge(of, paid, &then).map_err(|_| refused)?;
    check_open(paid, of.threshold, open).map_err(|_| refused)?;
    let payment = needed.payment.ok_or(refused)?;
    let under = paid.clause().map_err(|_| refused)?;
    let covers = terms.standing == paid.deal
        && phase == Phase::Settled
        && paid.buyer() == Some(*buyer)
        && of.owner == manifest.owner
        && !clause.standing.is_empty()
        && under.standing == clause.standing
        && under.price() == clause.price()
        && terms.sections.iter().all(|section| paid.sections.contains(section))
        && clause.arbiters.iter().any(|arbiter| arbiter.as_slice() == payment.arbiter.as_bytes());
    if covers { Ok(()) } else { Err(refused) }
}

#[cfg(test)]
mod tests;
