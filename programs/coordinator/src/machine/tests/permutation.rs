use proptest::prelude::*;

use crate::machine::permutation::Permutation;

#[test]
fn a_pass_visits_every_sequence_once() {
    for length in [1, 2, 3, 7, 255, 256, 257, 65_535, 65_536, 65_537, 100_000] {
        let order = Permutation::new(&[1; 32], 0, length);
        let mut seen = vec![false; length as usize];
        for offset in 0..length {
            let sequence = order.forward(offset);
            assert!(!std::mem::replace(&mut seen[sequence as usize], true));
        }
    }
}

#[test]
fn passes_and_seeds_have_orders_of_their_own() {
    let orders = [([1; 32], 0), ([1; 32], 1), ([2; 32], 0)];
    let rows = orders.map(|(seed, pass)| {
        let order = Permutation::new(&seed, pass, 1000);
        (0..1000)
            .map(|offset| order.forward(offset))
            .collect::<Vec<_>>()
    });
    assert_ne!(rows[0], rows[1]);
    assert_ne!(rows[0], rows[2]);
    assert_ne!(rows[1], rows[2]);
}

#[test]
fn an_empty_data_set_gives_zero() {
    let order = Permutation::new(&[1; 32], 0, 0);
    assert_eq!((order.forward(5), order.inverse(5)), (0, 0));
}

#[test]
fn every_sequence_comes_first_equally_often() {
    for length in 2..=16_u64 {
        let mut counts = vec![0_u32; length as usize];
        // Small sets walk far, so forty draws a sequence must do.
        let trials = 40 * length;
        for pass in 0..trials {
            counts[Permutation::new(&[3; 32], pass, length).forward(0) as usize] += 1;
        }
        let expected = trials as f64 / length as f64;
        let square = |count: &u32| (f64::from(*count) - expected).powi(2) / expected;
        let statistic: f64 = counts.iter().map(square).sum();
        let part = 2.0 / (9.0 * (length - 1) as f64);
        let bound = (length - 1) as f64 * (1.0 - part + 4.75 * part.sqrt()).powi(3);
        assert!(statistic < bound, "{length}: {statistic} of {bound}");
    }
}

proptest! {
    #[test]
    fn the_inverse_leads_back(
        seed: [u8; 32],
        pass: u64,
        length in 1..=u64::MAX,
        offset: u64,
    ) {
        let order = Permutation::new(&seed, pass, length);
        let sequence = order.forward(offset % length);
        prop_assert!(sequence < length);
        prop_assert_eq!(order.inverse(sequence), offset % length);
    }
}
