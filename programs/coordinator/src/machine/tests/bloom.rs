use proptest::prelude::*;

use crate::machine::{
    bits::count_bits,
    bloom::{first_words, Filter, Form, Keys, BLOOM_BYTES_MAX, KEYS_MAX},
    config::MAX_CAPACITY,
    hash::sha256,
};

fn commitment(number: u64) -> [u64; 2] {
    first_words(&sha256(&[&number.to_le_bytes()]))
}

fn keys(witness: u8) -> Keys {
    Keys::new(&[1; 32], 3, 7, &[2; 32], witness)
}

fn filter_of(keys: &Keys, form: Form, held: std::ops::Range<u64>) -> Vec<u8> {
    let mut filter = vec![0; form.bytes() as usize];
    for number in held {
        keys.add(&mut filter, form, number, commitment(number));
    }
    filter
}

#[test]
fn sizes_are_those_of_the_formula() {
    assert_eq!(
        (Form::new(256, 10_000).bytes(), Form::new(256, 10_000).keys),
        (307, 6)
    );
    assert_eq!(
        (Form::new(256, 100).bytes(), Form::new(256, 100).keys),
        (614, 13)
    );
    for ppm in [1, 3, 10, 999, 1_000, 50_000, 123_456, 500_000] {
        let log = (1e6 / f64::from(ppm)).log2();
        for count in [1, 2, 7, 256, 1_024] {
            let form = Form::new(count, ppm);
            let exact = f64::from(count) * log / 2_f64.ln();
            assert!(
                (f64::from(form.bits) - exact).abs() <= 1.0 + exact * 2e-5,
                "{count} {ppm}"
            );
            assert_eq!(form.keys, (log.floor() as u32).max(1), "{ppm}");
        }
    }
}

#[test]
fn a_rate_out_of_range_has_a_form_too() {
    for ppm in [0, 1_000_000, u32::MAX] {
        let form = Form::new(MAX_CAPACITY, ppm);
        assert!(form.bits >= 1 && (1..=KEYS_MAX).contains(&form.keys));
    }
    assert!(Form::new(u32::MAX, 1).bits > 0);
}

#[test]
fn one_in_a_hundred_of_those_that_are_not_held_seems_held() {
    let form = Form::new(256, 10_000);
    let mut found = 0;
    for witness in 0..32 {
        let keys = keys(witness);
        let filter = filter_of(&keys, form, 0..256);
        found += (1_000..2_000)
            .filter(|n| keys.holds(&Filter::new(&filter), form, *n, commitment(*n)))
            .count();
    }
    // 320 of 32,000 expected, 18 a standard deviation.
    assert!((250..=390).contains(&found), "{found}");
}

#[test]
fn another_witness_cannot_use_a_filter() {
    let form = Form::new(256, 10_000);
    let filter = filter_of(&keys(4), form, 0..256);
    let other = keys(5);
    let found = (0..256)
        .filter(|n| other.holds(&Filter::new(&filter), form, *n, commitment(*n)))
        .count();
    assert!(found < 16, "{found}");
}

#[test]
fn a_full_filter_has_more_ones_than_any_honest_one() {
    for count in [1, 2, 3, 8, 100, 1_024] {
        let form = Form::new(count, 50_000);
        assert!(form.ones_max(count) < form.bits, "{count}");
        assert!(form.bytes() <= BLOOM_BYTES_MAX);
    }
}

proptest! {
    #[test]
    fn what_was_added_is_held_and_an_honest_filter_is_not_too_full(
        count in 1_u64..600, ppm in 1_u32..=500_000, witness in 0_u8..32
    ) {
        let (keys, form) = (keys(witness), Form::new(count as u32, ppm));
        // A run with longer filters is refused when it is made.
        prop_assume!(form.bytes() <= BLOOM_BYTES_MAX);
        let filter = filter_of(&keys, form, 0..count);
        prop_assert!((0..count).all(|n| keys.holds(&Filter::new(&filter), form, n, commitment(n))));
        prop_assert!(count_bits(&filter) <= form.ones_max(count as u32));
    }

    #[test]
    fn no_filter_of_any_length_is_read_beyond_its_end(
        filter in proptest::collection::vec(any::<u8>(), 0..50), bits in any::<u32>(), n in any::<u64>()
    ) {
        let _ = keys(0).holds(&Filter::new(&filter), Form { bits, keys: 32 }, n, commitment(n));
    }
}
