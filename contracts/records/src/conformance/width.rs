//! Widths of range proofs: how many bits a statement needs, told by what everybody knows of it (its limits, decimal places and
//! units), never by the number. Narrow proofs are made and verified several times faster than wide ones.

use super::bounds::{Bounds, Place, unit};
use crate::range::Width;

/// No share of anything is taken to be more: 10,000 %, as a power of ten. Elongations may be above 100 %.
const MOST_SHARE: i32 = 2;
const SHARE: &str = "fraction";

impl Width {
    /// The narrowest that a number of at most this much fits, the widest where nothing is known of it.
    fn for_most(most: Option<i128>) -> Self {
        let Some(most) = most else { return Self::Wide };
        let most = u64::try_from(most.max(0)).unwrap_or(u64::MAX);
        Self::ALL.into_iter().find(|width| width.holds(most)).unwrap_or(Self::Wide)
    }
}

impl Bounds {
    /// The width for the distance of the sum from one of its bounds.
    pub(crate) fn width(&self, upper: bool, places: &[Place<'_>]) -> Width {
        let share = self.share(!upper, places);
        let most = if upper {
            self.most.zip(self.least.max(share)).and_then(|(most, least)| most.checked_sub(least))
        } else {
            let ends = [self.most, share].into_iter().flatten();
            ends.min().zip(self.least).and_then(|(most, least)| most.checked_sub(least))
        };
        Width::for_most(most)
    }

    /// The least or the most that a sum of shares can be; nothing is known where a term is no share.
    fn share(&self, most: bool, places: &[Place<'_>]) -> Option<i128> {
        let mut sum: i128 = 0;
        for (factor, place) in self.factors.iter().zip(places) {
            let (kind, power) = unit(place.unit)?;
            if kind != SHARE {
                return None;
            }
            if (*factor > 0) == most {
                let places = MOST_SHARE.checked_sub(power)?.checked_add(place.scale.into())?;
                let whole = 10_i128.checked_pow(u32::try_from(places).ok()?)?;
                sum = sum.checked_add(factor.checked_mul(whole)?)?;
            }
        }
        Some(sum)
    }
}
