//! Pictures: every lot once, nothing of what others wrote becomes markup, material flows to the right.

use super::*;

fn lot(leaf: u64, name: &str) -> TracedLot {
    TracedLot { leaf, name: name.to_owned(), own: true, ..TracedLot::default() }
}

fn trace(lots: Vec<TracedLot>, edges: &[(usize, usize)]) -> Trace {
    let reached = u64::try_from(lots.len()).unwrap_or(0);
    Trace { lots, edges: edges.to_vec(), reached }
}

#[test]
fn every_lot_is_drawn_once_and_material_flows_to_the_right() {
    let lots = vec![lot(40, "ring"), lot(30, "a"), lot(20, "b"), lot(10, "heat")];
    let edges = [(1, 0), (2, 0), (3, 1), (3, 2), (3, 0)];
    for (down, edges) in [(false, edges.to_vec()), (true, vec![(3, 1), (1, 0), (3, 2), (2, 0)])] {
        let trace = trace(lots.clone(), &edges);
        let layout = Layout::of(&trace, down);
        for (from, to) in &edges {
            let column = |place: &usize| layout.at.get(*place).map(|at| at.0);
            assert!(column(from) < column(to), "{from} stands left of {to}");
        }
        let places: std::collections::BTreeSet<_> = layout.at.iter().collect();
        assert_eq!(places.len(), lots.len(), "no two lots stand on one another");
        let svg = draw(&trace, down);
        assert_eq!(svg.matches("<title>").count(), lots.len());
        assert_eq!(svg.matches("<path").count(), edges.len());
    }
}

#[test]
fn what_others_wrote_stays_text() {
    let hostile = "</text><script>alert(1)</script>\u{1}&\"";
    let mut bad = lot(1, hostile);
    bad.product = hostile.to_owned();
    bad.heat = hostile.to_owned();
    bad.customer_name = hostile.to_owned();
    let svg = draw(&trace(vec![bad], &[]), false);
    assert!(!svg.contains("<script") && !svg.contains('\u{1}'));
    assert!(!svg.contains("http://") || svg.matches("http").count() == 1, "only the namespace");
}
