use crate::machine::phase::{grace_begins, grace_length};

#[test]
fn grace_needs_two_thirds_of_weight_and_half_of_number() {
    assert!(grace_begins(4, 2, 90, 60));
    assert!(!grace_begins(4, 2, 90, 59));
    assert!(!grace_begins(4, 1, 90, 80));
    assert!(!grace_begins(0, 0, 0, 0));
}

#[test]
fn grace_lasts_half_of_the_time_in_train_at_least() {
    assert_eq!(grace_length(100, 121, 5), 11);
    assert_eq!(grace_length(100, 104, 5), 5);
    assert_eq!(grace_length(100, 90, 5), 5);
}
