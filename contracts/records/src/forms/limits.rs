//! Whether a result is outside the limits that stand beside it. `<0.001` counts as 0.001 against a maximum and
//! proves no minimum; `>400` the other way round.

use crate::{Decimal, Quantity, Relation};

/// A limit and whether it may be reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) number: Decimal,
    pub(super) exclusive: bool,
}

/// Limits of one result, in its own unit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    pub(super) minimum: Option<Limit>,
    pub(super) maximum: Option<Limit>,
}

impl Limits {
    /// Whether the result, or one of several, is outside or not shown to be within.
    pub(super) fn are_left_by(&self, quantity: &Quantity) -> bool {
        match quantity {
            Quantity::Number(relation, number) => self.are_left_by_number(*relation, number),
            Quantity::Range { low, high, .. } => {
                [low, high].iter().any(|number| self.are_left_by_number(Relation::Equal, number))
            }
            Quantity::Several(results) => {
                results.iter().any(|(relation, number)| self.are_left_by_number(*relation, number))
            }
            Quantity::Balance | Quantity::Verdict(_) => false,
        }
    }

    fn are_left_by_number(&self, relation: Relation, number: &Decimal) -> bool {
        let below = matches!(relation, Relation::Less | Relation::LessOrEqual);
        let above = matches!(relation, Relation::Greater | Relation::GreaterOrEqual);
        let strict = matches!(relation, Relation::Less | Relation::Greater);
        let too_high = self.maximum.is_some_and(|limit| {
            let order = number.cmp_quantity(&limit.number);
            let reached = limit.exclusive && !(below && strict) || above && strict;
            order.is_gt() || order.is_eq() && reached
        });
        let too_low = self.minimum.is_some_and(|limit| {
            let order = number.cmp_quantity(&limit.number);
            let reached = limit.exclusive && !(above && strict) || below && strict;
            order.is_lt() || order.is_eq() && reached
        });
        too_high || too_low
    }
}
