//! When the members agree on a digest.

use super::hash::Hash;

/// sha256(digest | wallet): what a member shows before it shows its digest.
#[must_use]
pub fn sealed_digest(digest: &Hash, wallet: &Hash) -> Hash {
    super::hash::sha256(&[digest, wallet])
}

/// Whether `same` equal words agree: two thirds of the `spoke` who revealed a digest, at least
/// `min_members`, and at least half of the `voters` who could.
#[must_use]
pub fn agreed(same: u32, spoke: u32, voters: u32, min_members: u32) -> bool {
    same.saturating_mul(3) >= spoke.saturating_mul(2)
        && same.saturating_mul(2) >= voters
        && same >= min_members
        && same > 0
}

/// The digest that the revealed ones agree on, if they do (see [`agreed`]).
#[must_use]
pub fn agreed_digest<'a>(
    revealed: impl Iterator<Item = &'a Hash> + Clone,
    voters: u32,
    min_members: u32,
) -> Option<&'a Hash> {
    let candidate = candidate(revealed.clone())?;
    let mut spoke = 0_u32;
    let mut same = 0_u32;
    for digest in revealed {
        spoke = spoke.saturating_add(1);
        if digest == candidate {
            same = same.saturating_add(1);
        }
    }
    agreed(same, spoke, voters, min_members).then_some(candidate)
}

/// The only digest that more than half can have said (Boyer and Moore).
fn candidate<'a>(revealed: impl Iterator<Item = &'a Hash>) -> Option<&'a Hash> {
    let mut candidate = None;
    let mut lead = 0_u32;
    for digest in revealed {
        if lead == 0 {
            candidate = Some(digest);
            lead = 1;
        } else if candidate == Some(digest) {
            lead = lead.saturating_add(1);
        } else {
            lead = lead.saturating_sub(1);
        }
    }
    candidate
}
