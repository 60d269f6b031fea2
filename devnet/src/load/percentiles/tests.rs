use super::Percentiles;
use std::time::Duration;

fn ms(values: impl IntoIterator<Item = u64>) -> Vec<Duration> {
    values.into_iter().map(Duration::from_millis).collect()
}

#[test]
fn of_one_to_a_hundred_each_percentile_is_its_own_number() {
    let found = Percentiles::of(ms((1..=100).rev()));
    let expected: Vec<Duration> = ms([50, 95, 99, 100]);
    assert_eq!(vec![found.p50, found.p95, found.p99, found.max], expected);
}

#[test]
fn a_single_slow_one_among_few_is_already_the_99th() {
    let found = Percentiles::of(ms([5, 5, 5, 900]));
    assert_eq!(vec![found.p50, found.p95, found.p99], ms([5, 900, 900]));
}

#[test]
fn without_measurements_all_are_zero() {
    assert_eq!(Percentiles::of(Vec::new()), Percentiles::default());
}
