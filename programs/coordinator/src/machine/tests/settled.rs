use proptest::prelude::*;

use crate::machine::phase::{after_settle, Next, SettledView};

/// The phases that an epoch of three rounds goes through, by round.
fn epoch(overlap: u8, ends_in: Option<u32>) -> Vec<Next> {
    let mut training_rounds = None;
    let mut seen = Vec::new();
    for round in 0..10 {
        let view = SettledView {
            round,
            overlap,
            training_rounds,
            epoch_rounds: 3,
            total_steps: 100,
            pause_asked: ends_in == Some(round),
            active: 3,
            min_members: 2,
            ..SettledView::default()
        };
        let (next, rounds) = after_settle(&view);
        training_rounds = rounds;
        seen.push(next);
        if next == Next::Cooldown {
            break;
        }
    }
    seen
}

#[test]
fn with_overlap_an_epoch_drains_one_round() {
    use Next::{Cooldown, Drain, Train};
    assert_eq!(epoch(0, None), [Train, Train, Cooldown]);
    assert_eq!(epoch(1, None), [Train, Train, Drain, Cooldown]);
    assert_eq!(epoch(0, Some(0)), [Cooldown]);
    assert_eq!(epoch(1, Some(0)), [Drain, Cooldown]);
    // An end condition that is met while draining changes nothing.
    assert_eq!(epoch(1, Some(3)), [Train, Train, Drain, Cooldown]);
}

#[test]
fn each_end_condition_ends_an_epoch() {
    let going = SettledView {
        round: 0,
        epoch_rounds: 10,
        step: 1,
        total_steps: 10,
        active: 3,
        min_members: 3,
        ..SettledView::default()
    };
    assert_eq!(after_settle(&going), (Next::Train, None));
    let ends = [
        SettledView {
            epoch_rounds: 1,
            ..going
        },
        SettledView { step: 10, ..going },
        SettledView {
            pause_asked: true,
            ..going
        },
        SettledView { active: 2, ..going },
        SettledView {
            draws_failed: true,
            ..going
        },
    ];
    for view in ends {
        assert_eq!(after_settle(&view), (Next::Cooldown, Some(1)));
    }
}

proptest! {
    #[test]
    fn an_epoch_trains_its_rounds_and_drains_what_overlaps(
        overlap in 0_u8..=1,
        epoch_rounds in 1_u32..20,
        left in 1_u64..20,
    ) {
        let (mut trained, mut drained, mut training_rounds) = (1_u64, 0_u8, None);
        for round in 0.. {
            let view = SettledView {
                round,
                overlap,
                training_rounds,
                epoch_rounds,
                step: trained,
                total_steps: left,
                active: 1,
                min_members: 1,
                ..SettledView::default()
            };
            let (next, rounds) = after_settle(&view);
            training_rounds = rounds;
            match next {
                Next::Train => trained += 1,
                Next::Drain => drained += 1,
                Next::Cooldown => break,
            }
        }
        prop_assert_eq!(trained, u64::from(epoch_rounds).min(left));
        prop_assert_eq!(drained, overlap);
    }
}
