use proptest::prelude::*;

use crate::machine::draw::{draw_roles, draw_witnesses, shuffle, verifier_count, Words};
use crate::machine::hash::sha256;

fn seed(number: u64) -> [u8; 32] {
    sha256(&[b"test", &number.to_le_bytes()])
}

#[test]
fn words_are_those_of_the_hashes_in_order() {
    let mut words = Words::new([7; 32]);
    let drawn: Vec<u32> = (0..17).map(|_| words.word()).collect();
    for (counter, row) in drawn.chunks(8).enumerate() {
        let hash = sha256(&[&[7; 32], &(counter as u32).to_le_bytes()]);
        for (word, bytes) in row.iter().zip(hash.chunks(4)) {
            assert_eq!(word.to_le_bytes(), bytes);
        }
    }
}

#[test]
fn a_word_above_the_last_multiple_is_skipped() {
    // Three is the smallest n with a rejected word, and only 2^32 - 1 is; so take a large n.
    let n = (1 << 31) + 1;
    let mut plain = Words::new(seed(0));
    let mut words = Words::new(seed(0));
    for _ in 0..100 {
        let expected = loop {
            let word = plain.word();
            if word < n {
                break word;
            }
        };
        assert_eq!(words.uniform(n), expected);
    }
}

#[test]
fn of_nothing_zero_is_drawn_without_a_word() {
    let mut words = Words::new(seed(1));
    assert_eq!(words.uniform(0), 0);
    assert_eq!(words.word(), Words::new(seed(1)).word());
}

#[test]
fn verifiers_round_by_the_fraction_and_leave_a_trainer() {
    assert_eq!(verifier_count(10, 25, 0), 2);
    assert_eq!(verifier_count(10, 25, 32_767), 2);
    assert_eq!(verifier_count(10, 25, 32_768), 3);
    assert_eq!(verifier_count(3, 100, 0), 2);
    assert_eq!(verifier_count(1, 100, 65_535), 0);
    assert_eq!(verifier_count(0, 100, 65_535), 0);
    assert_eq!(verifier_count(1024, 50, 0), 64);
    assert_eq!(verifier_count(1024, 0, 65_535), 0);
}

#[test]
fn fewer_eligible_than_wanted_are_all_drawn() {
    let mut eligible = [3, 5, 9];
    assert_eq!(draw_witnesses(seed(2), &mut eligible, 32), 3);
    eligible.sort_unstable();
    assert_eq!(eligible, [3, 5, 9]);
    assert_eq!(draw_witnesses(seed(2), &mut [], 32), 0);
}

/// The chi-square statistic of counts against equal expectation.
fn chi_square(counts: &[u32]) -> f64 {
    let total: u32 = counts.iter().sum();
    let expected = f64::from(total) / counts.len() as f64;
    let square = |count: &u32| (f64::from(*count) - expected).powi(2) / expected;
    counts.iter().map(square).sum()
}

/// An upper bound that a fair draw exceeds with probability below 1e-6 (Wilson and Hilferty).
fn chi_square_bound(freedom: usize) -> f64 {
    let part = 2.0 / (9.0 * freedom as f64);
    freedom as f64 * (1.0 - part + 4.75 * part.sqrt()).powi(3)
}

#[test]
fn every_slot_is_drawn_to_every_place_equally_often() {
    for members in 2..=16_u16 {
        let mut counts = vec![vec![0_u32; usize::from(members)]; usize::from(members)];
        for trial in 0..2_000_u64 {
            let mut slots: Vec<u16> = (0..members).collect();
            draw_roles(seed(trial << 8 | u64::from(members)), &mut slots, 0);
            for (place, slot) in slots.iter().enumerate() {
                counts[place][usize::from(*slot)] += 1;
            }
        }
        for row in counts {
            assert!(chi_square(&row) < chi_square_bound(row.len() - 1));
        }
    }
}

#[test]
fn every_slot_witnesses_equally_often() {
    for members in 2..=16_u16 {
        let wanted = members.div_ceil(2) as u8;
        let mut counts = vec![0_u32; usize::from(members)];
        for trial in 0..2_000_u64 {
            let mut slots: Vec<u16> = (0..members).collect();
            let drawn = draw_witnesses(seed(trial << 8 | u64::from(members)), &mut slots, wanted);
            for slot in &slots[..drawn] {
                counts[usize::from(*slot)] += 1;
            }
        }
        assert!(chi_square(&counts) < chi_square_bound(counts.len() - 1));
    }
}

proptest! {
    #[test]
    fn a_shuffle_loses_nobody(number: u64, length in 0_u16..100, count in 0_usize..120) {
        let mut items: Vec<u16> = (0..length).collect();
        shuffle(&mut Words::new(seed(number)), &mut items, count);
        items.sort_unstable();
        prop_assert_eq!(items, (0..length).collect::<Vec<_>>());
    }

    #[test]
    fn a_longer_draw_begins_like_a_shorter_one(number: u64, count in 0_usize..50) {
        let mut short: Vec<u16> = (0..50).collect();
        let mut long = short.clone();
        shuffle(&mut Words::new(seed(number)), &mut short, count);
        shuffle(&mut Words::new(seed(number)), &mut long, 50);
        prop_assert_eq!(&short[..count], &long[..count]);
    }
}
