//! Orders of regulators: by those whom the manifest names, with the root keys that it names, so that no majority makes any.

use heatmark_evidence::transfer::SignedFile;
use heatmark_ledger::ids::{MemberId, NetworkId};
use std::collections::BTreeSet;

use crate::{Clause, Facts, Manifest, Order, Terms, TermsRefusal};

/// Checks that a clause which opens on orders has a quorum of them, and any other none.
pub(super) fn check(
    manifest: &Manifest,
    clause: &Clause,
    terms: &Terms,
    facts: &Facts<'_>,
) -> Result<(), TermsRefusal> {
    if !clause.order {
        let none = terms.orders.is_empty();
        return if none { Ok(()) } else { Err(TermsRefusal::OrderNotAsked) };
    }
    let mut ordering = BTreeSet::new();
    for order in &terms.orders {
        if !ordering.insert(check_one(manifest, terms, facts, order)?) {
            return Err(TermsRefusal::OrderTwice);
        }
    }
    let quorum = usize::try_from(manifest.quorum).unwrap_or(usize::MAX);
    if quorum == 0 || ordering.len() < quorum { Err(TermsRefusal::OrderMissing) } else { Ok(()) }
}

fn check_one(
    manifest: &Manifest,
    terms: &Terms,
    facts: &Facts<'_>,
    order: &[u8],
) -> Result<MemberId, TermsRefusal> {
    let unsigned = TermsRefusal::OrderSignature;
    let network = NetworkId::try_from(terms.network.as_slice()).map_err(|_| unsigned)?;
    let unproved = Order::read(order, &network).map_err(|_| unsigned)?;
    let regulator = unproved.maker().ok_or(unsigned)?;
    let pinned = manifest.pinned_root(&regulator).ok_or(TermsRefusal::OrderRegulator)?;
    // Whoever is given the regulator's name by vote is given a root key with it, and signs with what that one has let in.
    if facts.registry.root_key(&regulator) != Some(pinned) {
        return Err(TermsRefusal::OrderRootKey);
    }
    if !facts.registry.is_active(&regulator) {
        return Err(TermsRefusal::OrderStanding);
    }
    let order = facts.registry.proved(unproved, &regulator).ok_or(unsigned)?;
    if facts.at.0 >= order.until_ms {
        return Err(TermsRefusal::OrderEnded);
    }
    let same = order.record == manifest.record
        && order.to == terms.buyer
        && order.purpose == terms.purpose
        && terms.sections.iter().all(|section| order.sections.contains(section));
    if same { Ok(regulator) } else { Err(TermsRefusal::OrderDiffers) }
}
