use crate::machine::tally::{Outcome, Tally};

#[test]
fn thresholds_are_the_stated_inequalities() {
    for elected in 0..=32_u32 {
        for attested in 0..=elected {
            let tally = Tally::new(elected, attested);
            assert_eq!(tally.valid, elected > 0 && 3 * attested >= 2 * elected);
            for votes in 0..=attested {
                let accepts = 3 * votes >= 2 * attested && 2 * votes > elected;
                assert_eq!(votes >= tally.accepting, accepts);
                assert_eq!(votes < tally.excusing, 3 * votes < attested);
            }
        }
    }
}

#[test]
fn a_valid_draw_accepts_returns_or_blames() {
    let tally = Tally::new(9, 9);
    assert_eq!(tally.outcome(true, false, 6), Outcome::Accepted);
    assert_eq!(tally.outcome(true, true, 9), Outcome::Returned);
    assert_eq!(tally.outcome(true, false, 5), Outcome::Returned);
    assert_eq!(tally.outcome(true, false, 3), Outcome::Returned);
    assert_eq!(tally.outcome(true, false, 2), Outcome::Missed);
    assert_eq!(tally.outcome(false, false, 0), Outcome::Missed);
}

#[test]
fn without_a_valid_draw_nobody_is_blamed() {
    let tally = Tally::new(9, 5);
    assert_eq!(tally.outcome(true, false, 5), Outcome::Returned);
    assert_eq!(tally.outcome(false, false, 0), Outcome::Returned);
}

#[test]
fn when_nobody_committed_every_trainer_missed() {
    let tally = Tally::nothing_committed();
    assert!(tally.valid);
    assert_eq!(tally.outcome(false, false, 0), Outcome::Missed);
}
