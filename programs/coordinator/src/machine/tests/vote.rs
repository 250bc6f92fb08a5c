use proptest::prelude::*;

use crate::machine::hash::sha256;
use crate::machine::vote::{agreed, agreed_digest, sealed_digest};

#[test]
fn agreement_needs_two_thirds_half_of_the_set_and_the_minimum() {
    assert!(agreed(2, 3, 4, 1));
    assert!(!agreed(3, 5, 4, 1));
    assert!(!agreed(2, 3, 5, 1));
    assert!(agreed(3, 3, 5, 3));
    assert!(!agreed(3, 3, 5, 4));
    assert!(!agreed(0, 0, 0, 0));
}

#[test]
fn the_agreed_digest_is_the_one_of_the_two_thirds() {
    let (one, two) = ([1; 32], [2; 32]);
    let revealed = [two, one, one, two, one, one];
    assert_eq!(agreed_digest(revealed.iter(), 6, 2), Some(&one));
    assert_eq!(agreed_digest(revealed[..5].iter(), 6, 2), None);
    assert_eq!(agreed_digest([].iter(), 0, 1), None);
}

#[test]
fn a_sealed_digest_binds_the_wallet() {
    assert_eq!(
        sealed_digest(&[1; 32], &[2; 32]),
        sha256(&[&[1; 32], &[2; 32]])
    );
    assert_ne!(
        sealed_digest(&[1; 32], &[2; 32]),
        sealed_digest(&[1; 32], &[3; 32])
    );
}

proptest! {
    #[test]
    fn counting_every_digest_finds_the_same(
        words in prop::collection::vec(0_u8..3, 0..40),
        extra in 0_u32..10,
    ) {
        let revealed: Vec<[u8; 32]> = words.iter().map(|word| [*word; 32]).collect();
        let voters = words.len() as u32 + extra;
        let found = agreed_digest(revealed.iter(), voters, 2).copied();
        let expected = (0..3).map(|word| [word; 32]).find(|digest| {
            let same = revealed.iter().filter(|other| *other == digest).count() as u32;
            agreed(same, words.len() as u32, voters, 2)
        });
        prop_assert_eq!(found, expected);
    }
}
