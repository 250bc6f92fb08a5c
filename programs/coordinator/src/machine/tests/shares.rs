use proptest::prelude::*;

use crate::machine::batch::batch_sequences;
use crate::machine::shares::{
    first_weight, grown_weight, halved_weight, lower_median, share_ends, weight_limit,
};

#[test]
fn the_lower_median_is_that_of_a_sorted_list() {
    assert_eq!(lower_median([].into_iter()), None);
    assert_eq!(lower_median([7].into_iter()), Some(7));
    assert_eq!(lower_median([1, 1000].into_iter()), Some(1));
    assert_eq!(lower_median([33, 32, 31].into_iter()), Some(32));
}

#[test]
fn a_newcomer_begins_at_the_median_at_most() {
    assert_eq!(first_weight(500, Some(100)), 100);
    assert_eq!(first_weight(50, Some(100)), 50);
    assert_eq!(first_weight(500, None), 500);
}

#[test]
fn weights_double_up_to_the_declared_and_halve_down_to_one() {
    assert_eq!(grown_weight(3, 100), 6);
    assert_eq!(grown_weight(60, 100), 100);
    assert_eq!(grown_weight(60, 40), 40);
    assert_eq!(halved_weight(7), 3);
    assert_eq!(halved_weight(1), 1);
    assert_eq!(halved_weight(0), 1);
}

#[test]
fn the_clamp_ends_where_nobody_could_keep_it() {
    assert_eq!(weight_limit(1000, 4, 25), None);
    assert_eq!(weight_limit(1000, 5, 25), Some(250));
    assert_eq!(weight_limit(3, 200, 1), Some(1));
}

#[test]
fn a_clamped_trainer_gets_the_share_of_its_clamped_weight() {
    let mut ends = [0; 5];
    share_ends(100, 25, [1000, 10, 10, 10, 10].into_iter(), &mut ends);
    // The sum is 1040, so 1000 counts as 260, of 300 in all.
    assert_eq!(ends, [86, 90, 93, 96, 100]);
}

#[test]
fn without_weights_all_shares_are_empty() {
    let mut ends = [9; 3];
    share_ends(100, 25, [0, 0, 0].into_iter(), &mut ends);
    assert_eq!(ends, [0; 3]);
}

#[test]
fn a_batch_grows_from_start_to_end() {
    assert_eq!(batch_sequences(8, 16, 4, 0), 8);
    assert_eq!(batch_sequences(8, 16, 4, 1), 10);
    assert_eq!(batch_sequences(8, 16, 3, 1), 10);
    assert_eq!(batch_sequences(8, 16, 4, 4), 16);
    assert_eq!(batch_sequences(8, 16, 0, 0), 16);
    assert_eq!(batch_sequences(8, 8, 4, 2), 8);
}

proptest! {
    #[test]
    fn shares_partition_the_batch(
        batch: u32,
        percent in 1_u8..=100,
        weights in prop::collection::vec(1_u16..=1000, 1..64),
    ) {
        let mut ends = vec![0; weights.len()];
        share_ends(batch, percent, weights.iter().copied(), &mut ends);
        prop_assert!(ends.windows(2).all(|pair| pair[0] <= pair[1]));
        prop_assert_eq!(ends.last(), Some(&batch));
    }

    #[test]
    fn nobody_gets_more_than_the_clamp_and_a_rest(
        weights in prop::collection::vec(1_u16..=1000, 20..64),
    ) {
        let batch = 1_000_000;
        let mut ends = vec![0; weights.len()];
        share_ends(batch, 10, weights.iter().copied(), &mut ends);
        let sum: u32 = weights.iter().map(|weight| u32::from(*weight)).sum();
        let limit = (sum / 10).max(1);
        let total: u32 = weights.iter().map(|weight| u32::from(*weight).min(limit)).sum();
        let most = u64::from(batch) * u64::from(limit) / u64::from(total) + 1;
        let mut before = 0;
        for end in ends {
            prop_assert!(u64::from(end - before) <= most);
            before = end;
        }
    }

    #[test]
    fn the_median_agrees_with_sorting(weights in prop::collection::vec(1_u16..=1000, 1..100)) {
        let mut sorted = weights.clone();
        sorted.sort_unstable();
        let expected = sorted[(sorted.len() - 1) / 2];
        prop_assert_eq!(lower_median(weights.iter().copied()), Some(expected));
    }

    #[test]
    fn the_batch_is_the_exact_floor(
        start: u32,
        more: u32,
        ramp in 1_u64..=1 << 40,
        step in 0_u64..1 << 40,
    ) {
        let end = start.saturating_add(more);
        let span = u128::from(end - start);
        let grown = span * u128::from(step.min(ramp)) / u128::from(ramp);
        let expected = u128::from(start) + grown;
        prop_assert_eq!(u128::from(batch_sequences(start, end, ramp, step)), expected);
    }
}
