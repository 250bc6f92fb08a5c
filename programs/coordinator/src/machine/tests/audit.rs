use proptest::prelude::*;

use crate::machine::audit::{
    committee_seed, decide, draw_committee, draw_targets, part_of_cooldown, window, CaseStage,
    Finding, Part, Scores, Window,
};
use crate::machine::hash::sha256;
use crate::machine::phase::Moment;

fn seed(number: u64) -> [u8; 32] {
    sha256(&[b"audit", &number.to_le_bytes()])
}

const SCORES: Scores = Scores {
    jaccard: 990,
    hamming: 10,
    manhattan: 20,
    alignment: -5,
};

#[test]
fn two_thirds_of_the_seats_decide_whoever_is_silent() {
    assert_eq!(decide(0, 0, 0), CaseStage::Lapsed);
    assert_eq!(decide(15, 0, 10), CaseStage::Rejected);
    assert_eq!(decide(15, 5, 9), CaseStage::Undecided);
    assert_eq!(decide(15, 10, 5), CaseStage::Cleared);
    assert_eq!(decide(3, 0, 2), CaseStage::Rejected);
    assert_eq!(decide(3, 1, 1), CaseStage::Undecided);
    assert_eq!(decide(64, 43, 0), CaseStage::Cleared);
    assert_eq!(decide(64, 42, 0), CaseStage::Undecided);
}

#[test]
fn words_count_in_the_three_rounds_after_a_round() {
    let all = |present| window(4, present, None);
    let of = |audit, seal, open| Window { audit, seal, open };
    assert_eq!(all(3), Window::default());
    assert_eq!(all(4), Window::default());
    assert_eq!(all(5), of(true, true, false));
    assert_eq!(all(6), of(false, true, false));
    assert_eq!(all(7), of(false, false, true));
    assert_eq!(all(8), Window::default());
}

#[test]
fn in_cooldown_a_quarter_is_for_audits_and_a_half_for_seals() {
    let of = |audit, seal, open| Window { audit, seal, open };
    let at = |present, part| window(4, present, Some(part));
    assert_eq!(at(5, Part::First), of(true, true, false));
    assert_eq!(at(5, Part::Second), of(false, true, false));
    assert_eq!(at(5, Part::Last), of(false, false, true));
    assert_eq!(at(6, Part::Last), of(false, false, true));
    assert_eq!(at(7, Part::First), of(false, false, true));
    assert_eq!(at(8, Part::Last), Window::default());
}

#[test]
fn a_part_of_cooldown_needs_its_time_on_the_clock_and_in_slots() {
    let started = Moment {
        time: 100,
        chain_slot: 50,
    };
    let part = |seconds: i64, slots: u64| {
        let now = Moment {
            time: 100 + seconds,
            chain_slot: 50 + slots,
        };
        part_of_cooldown(started, 10, now)
    };
    assert_eq!(part(2, 99), Part::First);
    assert_eq!(part(3, 2), Part::First);
    assert_eq!(part(3, 3), Part::Second);
    assert_eq!(part(99, 4), Part::Second);
    assert_eq!(part(5, 5), Part::Last);
}

#[test]
fn a_score_of_the_wrong_side_does_not_pass() {
    let thresholds = Scores {
        alignment: -5,
        ..SCORES
    };
    assert!(SCORES.pass(&thresholds));
    let worse = [
        Scores {
            jaccard: 989,
            ..SCORES
        },
        Scores {
            hamming: 11,
            ..SCORES
        },
        Scores {
            manhattan: 21,
            ..SCORES
        },
        Scores {
            alignment: -6,
            ..SCORES
        },
    ];
    assert!(worse.iter().all(|scores| !scores.pass(&thresholds)));
}

#[test]
fn a_score_above_a_thousand_is_none() {
    assert!(SCORES.in_range());
    let out = [
        Scores {
            jaccard: 1001,
            ..SCORES
        },
        Scores {
            hamming: 1001,
            ..SCORES
        },
        Scores {
            manhattan: 1001,
            ..SCORES
        },
        Scores {
            alignment: 1001,
            ..SCORES
        },
        Scores {
            alignment: -1001,
            ..SCORES
        },
        Scores {
            alignment: i16::MIN,
            ..SCORES
        },
    ];
    assert!(out.iter().all(|scores| !scores.in_range()));
}

#[test]
fn what_is_sealed_covers_every_byte_of_a_finding() {
    let finding = Finding {
        target: 0x0102,
        pass: true,
        scores: SCORES,
        detail: [9; 32],
    };
    let bytes = finding.bytes();
    assert_eq!(bytes[..11], [2, 1, 1, 0xde, 3, 10, 0, 20, 0, 0xfb, 0xff]);
    assert_eq!(bytes[11..], [9; 32]);
    let sealed = finding.sealed(&[1; 32], &[2; 32]);
    assert_eq!(sealed, sha256(&[&bytes, &[1; 32], &[2; 32]]));
}

#[test]
fn who_would_judge_itself_and_nobody_else_audits_nothing() {
    assert_eq!(draw_targets(seed(1), &mut [3], &[3]), 0);
    assert_eq!(draw_targets(seed(1), &mut [], &[3]), 0);
    assert_eq!(draw_targets(seed(1), &mut [4], &[3, 5]), 1);
}

#[test]
fn a_committee_of_fewer_than_three_cannot_be_had() {
    assert_eq!(draw_committee(seed(1), &mut [1, 2], 15, 64), 0);
    assert_eq!(draw_committee(seed(1), &mut [1, 2, 3], 15, 64), 3);
    assert_eq!(draw_committee(seed(1), &mut [1, 2, 3, 4], 3, 2), 0);
    assert_eq!(draw_committee(seed(1), &mut [1, 2, 3, 4], 3, 3), 3);
}

#[test]
fn committees_of_two_payloads_are_drawn_apart() {
    assert_ne!(committee_seed(&seed(1), 1), committee_seed(&seed(1), 2));
    assert_ne!(committee_seed(&seed(1), 1), committee_seed(&seed(2), 1));
}

#[test]
fn every_trainer_is_audited_equally_often() {
    let mut audited = [0_u32; 8];
    for number in 0..8_000 {
        let mut slots = [0, 1, 2, 3, 4, 5, 6, 7];
        // Two auditors who trained nothing: eight targets for two.
        assert_eq!(draw_targets(seed(number), &mut slots, &[20, 21]), 2);
        for slot in &slots[..2] {
            audited[usize::from(*slot)] += 1;
        }
    }
    // 2,000 each; five standard deviations are about 194.
    assert!(
        audited.iter().all(|count| (1_806..=2_194).contains(count)),
        "{audited:?}"
    );
}

proptest! {
    #[test]
    fn nobody_audits_itself_and_nobody_is_audited_twice(
        number in any::<u64>(),
        committed in prop::collection::btree_set(0_u16..40, 0..30),
        auditors in prop::collection::btree_set(0_u16..40, 1..20),
    ) {
        let mut slots: Vec<u16> = committed.iter().copied().collect();
        let auditors: Vec<u16> = auditors.into_iter().collect();
        let count = draw_targets(seed(number), &mut slots, &auditors);
        prop_assert!(count <= auditors.len() && count <= slots.len());
        for (auditor, target) in auditors.iter().zip(&slots[..count]) {
            prop_assert_ne!(auditor, target);
        }
        slots.sort_unstable();
        let all: Vec<u16> = committed.into_iter().collect();
        prop_assert_eq!(slots, all);
    }
}
