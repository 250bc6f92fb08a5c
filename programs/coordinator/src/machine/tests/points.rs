use proptest::prelude::*;

use crate::machine::points::{holders_of_all, share_points, Worth};

#[test]
fn a_shares_points_never_overflow() {
    assert_eq!(share_points(7, 10), 70);
    assert_eq!(
        share_points(u32::MAX, u32::MAX),
        u64::from(u32::MAX) * u64::from(u32::MAX)
    );
}

#[test]
fn where_nothing_was_accepted_nobody_holds_all() {
    assert_eq!(holders_of_all(&[0], &[7; 8]), 0);
    assert_eq!(holders_of_all(&[], &[]), 0);
}

#[test]
fn a_round_is_worth_nothing_without_a_rate_or_a_case() {
    let round = Worth {
        accepted: 3,
        attested: 7,
        verdicts: 2,
        ..Worth::default()
    };
    assert!(!round.any());
    assert!(Worth { cases: 1, ..round }.any());
    for rates in [[1, 0, 0], [0, 1, 0], [0, 0, 1]] {
        let [per_sequence, per_attestation, per_verdict] = rates;
        let worth = Worth {
            per_sequence,
            per_attestation,
            per_verdict,
            ..round
        };
        assert!(worth.any(), "{rates:?}");
    }
    let nothing = Worth {
        attested: 7,
        per_sequence: 1,
        per_attestation: 1,
        ..Worth::default()
    };
    assert!(!nothing.any());
}

proptest! {
    #[test]
    fn who_holds_all_has_a_bit_in_every_accepted_mask(
        rows in prop::collection::vec(prop::collection::vec((any::<bool>(), any::<u32>()), 8), 1..9),
    ) {
        let slots: Vec<(bool, u32)> = rows.into_iter().flatten().collect();
        let masks: Vec<u32> = slots.iter().map(|slot| slot.1).collect();
        let mut accepted = vec![0_u8; slots.len() / 8];
        for (slot, (one, _)) in slots.iter().enumerate() {
            accepted[slot / 8] |= u8::from(*one) << (slot % 8);
        }
        let held = slots.iter().filter(|slot| slot.0);
        let all = held.clone().fold(u32::MAX, |all, slot| all & slot.1);
        let expected = if held.count() == 0 { 0 } else { all };
        prop_assert_eq!(holders_of_all(&accepted, &masks), expected);
    }
}
