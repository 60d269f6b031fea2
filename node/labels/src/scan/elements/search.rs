//! Every way of cutting an element string whose separators a scanner dropped. The cheapest way is looked for first:
//! few elements before many, those that goods of our trade carry before others, those whose company is there
//! before those that stand alone. Bounded in steps and in what waits, and says when it stopped short.

use super::super::MAX_READINGS;
use crate::identifiers::application::Application;
use crate::reading::{Gathering, Reading};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Ways that are followed, at most.
const MAX_STEPS: usize = 1_000;
/// Ways that wait, at most.
const MAX_WAITING: usize = 5_000;

const COMMON: u32 = 2;
const RARE: u32 = 8;
/// For an element without the one that it belongs to, which may stand in another symbol.
const ALONE: u32 = 10;

/// A way through the string so far. Ordered by cost; then the further one first, then by its cuts, so that the
/// order of readings never depends on anything but the string.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    cost: u32,
    left: usize,
    /// Whether it reached the end and its cost is final.
    whole: bool,
    /// Where each element begins, and where its value does.
    cuts: Vec<(usize, usize)>,
}

/// All readings, best first, and whether there are more.
pub(in crate::scan) fn readings(text: &str, year: u16) -> (Vec<Reading>, bool) {
    let mut waiting = BinaryHeap::new();
    waiting.push(Reverse(Way { cost: 0, left: text.len(), whole: false, cuts: Vec::new() }));
    let mut readings = Vec::new();
    let mut dropped = false;
    for _ in 0..MAX_STEPS {
        let Some(Reverse(way)) = waiting.pop() else {
            return (readings, dropped);
        };
        if way.whole {
            if readings.len() == MAX_READINGS {
                return (readings, true);
            }
            readings.extend(reading(text, &way, year));
        } else if way.left == 0 {
            let cost = way.cost.saturating_add(alone(text, &way));
            waiting.push(Reverse(Way { cost, whole: true, ..way }));
        } else {
            for next in ways_on(text, &way, year) {
                if waiting.len() < MAX_WAITING {
                    waiting.push(Reverse(next));
                } else {
                    dropped = true;
                }
            }
        }
    }
    (readings, dropped || !waiting.is_empty())
}

/// The way, longer by one element, for every length that the element can have.
fn ways_on(text: &str, way: &Way, year: u16) -> Vec<Way> {
    let begin = text.len().saturating_sub(way.left);
    let Some((application, identifier)) = text.get(begin..).and_then(Application::at_start) else {
        return Vec::new();
    };
    let value_begins = begin.saturating_add(identifier.len());
    let earlier = |cut: &(usize, usize)| text.get(cut.0..cut.1) == Some(identifier);
    if way.cuts.iter().any(earlier) {
        return Vec::new();
    }
    let cost = way.cost.saturating_add(if application.common { COMMON } else { RARE });
    let (shortest, longest) = application.lengths();
    let room = text.len().saturating_sub(value_begins);
    let mut ways = Vec::new();
    for length in shortest..=longest.min(room) {
        let end = value_begins.saturating_add(length);
        let (Some(value), Some(rest)) = (text.get(value_begins..end), text.get(end..)) else {
            continue;
        };
        let goes_on = rest.is_empty() || Application::at_start(rest).is_some();
        if goes_on && application.verify(value, year).is_ok() {
            let mut cuts = way.cuts.clone();
            cuts.push((begin, value_begins));
            ways.push(Way { cost, left: rest.len(), whole: false, cuts });
        }
    }
    ways
}

/// What a way costs more because elements lack those that they belong to.
fn alone(text: &str, way: &Way) -> u32 {
    let identifiers: Vec<&str> =
        way.cuts.iter().filter_map(|(begin, value)| text.get(*begin..*value)).collect();
    let lacking = identifiers.iter().filter_map(|it| Application::find(it)).filter(|application| {
        !application.needs.is_empty()
            && !application.needs.iter().any(|needed| identifiers.contains(needed))
    });
    // An article and a contained article cannot be on one item.
    let both = identifiers.contains(&"01") && identifiers.contains(&"02");
    let lacking = u32::try_from(lacking.count()).unwrap_or(u32::MAX);
    ALONE.saturating_mul(lacking.saturating_add(u32::from(both)))
}

fn reading(text: &str, way: &Way, year: u16) -> Option<Reading> {
    let mut gathering = Gathering::new(year);
    for (place, (begin, value_begins)) in way.cuts.iter().enumerate() {
        let end = way.cuts.get(place.saturating_add(1)).map_or(text.len(), |next| next.0);
        let (identifier, value) = (text.get(*begin..*value_begins)?, text.get(*value_begins..end)?);
        let application = Application::find(identifier)?;
        super::add(application, identifier, value, (year, &mut gathering)).ok()?;
    }
    Some(gathering.finish())
}
