use proptest::prelude::*;

use crate::machine::complaint::{is_missing, place_for};

#[test]
fn two_thirds_of_the_active_members_miss_a_payload() {
    assert!(is_missing(2, 3));
    assert!(is_missing(3, 4));
    assert!(!is_missing(2, 4));
    assert!(is_missing(1, 1));
    assert!(!is_missing(0, 0));
    assert!(is_missing(1_024, 1_024));
}

#[test]
fn a_complaint_takes_a_free_place_and_else_that_of_the_fewest() {
    assert_eq!(place_for(0b000, &[0, 0, 0]), Some(0));
    assert_eq!(place_for(0b101, &[1, 0, 1]), Some(1));
    assert_eq!(place_for(0b111, &[3, 1, 2]), Some(1));
    assert_eq!(place_for(0b111, &[2, 1, 1]), Some(1));
    assert_eq!(place_for(0b111, &[]), None);
}

proptest! {
    #[test]
    fn no_third_takes_a_payload_out(active in 1_u32..2_000, voices in 0_u32..2_000) {
        prop_assert_eq!(is_missing(voices, active), voices > 0 && voices * 3 >= active * 2);
        prop_assert!(!is_missing(active / 3, active));
        prop_assert!(is_missing(active - active / 3, active));
    }
}
