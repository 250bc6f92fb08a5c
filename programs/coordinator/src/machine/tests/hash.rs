use proptest::prelude::*;

use crate::machine::bits::{bit, count_bits, set_bit};
use crate::machine::hash::{
    chain_hash, chain_head, chain_parts, draw_seed, first_chain_hash, reset_chain_hash, sha256,
    Hash, Purpose,
};

#[test]
fn a_seed_covers_every_field() {
    let plain = draw_seed(&[1; 32], 2, 3, Purpose::Roles, &[4; 32]);
    let mut fields = vec![1; 32];
    fields.extend([2, 0, 0, 0, 3, 0, 0, 0, 0]);
    fields.extend([4; 32]);
    assert_eq!(plain, sha256(&[&fields]));
    let others = [
        draw_seed(&[0; 32], 2, 3, Purpose::Roles, &[4; 32]),
        draw_seed(&[1; 32], 0, 3, Purpose::Roles, &[4; 32]),
        draw_seed(&[1; 32], 2, 0, Purpose::Roles, &[4; 32]),
        draw_seed(&[1; 32], 2, 3, Purpose::Witnesses, &[4; 32]),
        draw_seed(&[1; 32], 2, 3, Purpose::Roles, &[0; 32]),
    ];
    assert!(others.iter().all(|other| *other != plain));
}

#[test]
fn a_chain_begins_with_the_instance_and_may_be_reset() {
    let first = first_chain_hash(&[5; 32]);
    assert_eq!(first, sha256(&[b"psyche", &[5; 32]]));
    assert_eq!(
        reset_chain_hash(&first, &[6; 32]),
        sha256(&[b"reset", &first, &[6; 32]])
    );
}

#[test]
fn too_little_scratch_is_refused() {
    let head = chain_head(&[0; 32], 0, 0);
    let commitments = [[0; 32]; 8];
    let mut parts: [&[u8]; 9] = [&[]; 9];
    let short = chain_hash(&head, &[0xff], &commitments, &mut parts[..2]);
    assert_eq!(short, None);
    assert_eq!(chain_hash(&head, &[], &commitments, &mut parts), None);
}

proptest! {
    #[test]
    fn a_chain_hash_is_that_of_the_accepted_commitments(field in prop::collection::vec(any::<u8>(), 1..9)) {
        let capacity = field.len() * 8;
        let commitments: Vec<Hash> = (0..capacity).map(|slot| [slot as u8; 32]).collect();
        let head = chain_head(&[9; 32], 7, 8);
        let mut plain = head.to_vec();
        plain.extend(&field);
        for slot in (0..capacity).filter(|slot| bit(&field, *slot)) {
            plain.extend(commitments[slot]);
        }
        let mut parts = vec![&[][..]; chain_parts(capacity)];
        let hash = chain_hash(&head, &field, &commitments, &mut parts);
        prop_assert_eq!(hash, Some(sha256(&[&plain])));
    }

    #[test]
    fn a_bit_that_is_set_is_the_only_one_that_changes(index in 0_usize..64, value: bool) {
        let mut field = [0b0101_1010_u8; 8];
        let before: Vec<bool> = (0..64).map(|other| bit(&field, other)).collect();
        set_bit(&mut field, index, value);
        for (other, old) in before.iter().enumerate() {
            prop_assert_eq!(bit(&field, other), if other == index { value } else { *old });
        }
        let expected = (0..64).filter(|other| bit(&field, *other)).count();
        prop_assert_eq!(count_bits(&field) as usize, expected);
    }
}
