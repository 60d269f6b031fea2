//! What a walk down means for this company: which lots of its own are reached, what of that is in stock, and which customers
//! have the rest.

use std::collections::BTreeMap;

use crate::{Holdings, LotId, MemberIndex, Where};

/// What one customer has of what is affected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Customer {
    /// The lots as they were sent, in the walk's order.
    pub lots: Vec<LotId>,
    /// Milligrams of them.
    pub mass_mg: u128,
    /// Pieces of them.
    pub pieces: u128,
}

/// What is affected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Affected {
    /// All lots that are reached, own or not.
    pub reached: usize,
    /// Own lots, wherever they are now.
    pub own: Vec<LotId>,
    /// Own lots in stock.
    pub stock: Vec<LotId>,
    /// Milligrams in stock.
    pub stock_mg: u128,
    /// Pieces in stock.
    pub stock_pieces: u128,
    /// What was sent to whom.
    pub customers: BTreeMap<MemberIndex, Customer>,
}

/// Sums up a walk.
#[must_use]
pub fn affected(reached: &[LotId], holdings: &Holdings) -> Affected {
    let mut found = Affected { reached: reached.len(), ..Affected::default() };
    for lot in reached {
        let Some(holding) = holdings.get(*lot) else { continue };
        found.own.push(*lot);
        let (mass, pieces) = (u128::from(holding.mass_mg), u128::from(holding.pieces));
        match holding.at {
            Where::Used => {}
            Where::Here => {
                found.stock.push(*lot);
                found.stock_mg = found.stock_mg.saturating_add(mass);
                found.stock_pieces = found.stock_pieces.saturating_add(pieces);
            }
            Where::Sent(member) => {
                let customer = found.customers.entry(member).or_default();
                customer.lots.push(*lot);
                customer.mass_mg = customer.mass_mg.saturating_add(mass);
                customer.pieces = customer.pieces.saturating_add(pieces);
            }
        }
    }
    found
}
