//! sha256 of fixed-width fields: the seeds of all draws and the hash of what was applied.

/// A sha256.
pub type Hash = [u8; 32];

/// What a draw is for; its byte keeps draws of the same round apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// Who verifies and who trains.
    Roles = 0,
    /// Who attests, first draw.
    Witnesses = 1,
    /// Who attests, second draw.
    SecondWitnesses = 2,
    /// In which order members send `tick`.
    TickOrder = 3,
    /// Which payloads a verifier checks.
    VerifierTargets = 4,
    /// Which groups a verifier asks for.
    Samples = 5,
    /// Which leaves a witness is asked for.
    Challenges = 6,
    /// Keys of Bloom filters.
    BloomKeys = 7,
    /// Who publishes a checkpoint.
    CheckpointPublishers = 8,
    /// Who judges a flagged payload.
    Committees = 9,
}

/// sha256 of the parts, one after the other.
#[inline]
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> Hash {
    solana_sha256_hasher::hashv(parts).to_bytes()
}

/// The seed of a draw: sha256(instance | epoch | round | purpose | entropy).
#[must_use]
pub fn draw_seed(
    instance: &Hash,
    epoch: u32,
    round: u32,
    purpose: Purpose,
    entropy: &Hash,
) -> Hash {
    sha256(&[
        instance,
        &epoch.to_le_bytes(),
        &round.to_le_bytes(),
        &[purpose as u8],
        entropy,
    ])
}

/// The chain hash of a new run: sha256("psyche" | instance).
#[must_use]
pub fn first_chain_hash(instance: &Hash) -> Hash {
    sha256(&[b"psyche", instance])
}

/// The chain hash after the owner set a checkpoint: sha256("reset" | previous | digest).
#[must_use]
pub fn reset_chain_hash(previous: &Hash, digest: &Hash) -> Hash {
    sha256(&[b"reset", previous, digest])
}

/// The first forty bytes of what a chain hash covers: previous | epoch | round.
#[must_use]
pub fn chain_head(previous: &Hash, epoch: u32, round: u32) -> [u8; 40] {
    let mut head = [0; 40];
    let (hash, numbers) = head.split_at_mut(32);
    hash.copy_from_slice(previous);
    let (first, second) = numbers.split_at_mut(4);
    first.copy_from_slice(&epoch.to_le_bytes());
    second.copy_from_slice(&round.to_le_bytes());
    head
}

/// Entries of scratch that [`chain_hash`] needs for `capacity` slots.
#[must_use]
pub const fn chain_parts(capacity: usize) -> usize {
    capacity.div_ceil(2).saturating_add(2)
}

/// The chain hash after a round: sha256(head | accepted bit field | accepted commitments).
///
/// `accepted` has a bit a slot, `commitments` an entry a slot; `parts` is scratch of
/// [`chain_parts`] entries. `None` if the scratch or the bit field is too short.
#[must_use]
pub fn chain_hash<'a>(
    head: &'a [u8; 40],
    accepted: &'a [u8],
    commitments: &'a [Hash],
    parts: &mut [&'a [u8]],
) -> Option<Hash> {
    if accepted.len() != commitments.len().div_ceil(8) {
        return None;
    }
    *parts.get_mut(0)? = head;
    *parts.get_mut(1)? = accepted;
    let mut used = 2_usize;
    let mut add = |first: usize, end: usize| -> Option<()> {
        *parts.get_mut(used)? = commitments.get(first..end)?.as_flattened();
        used = used.wrapping_add(1);
        Some(())
    };
    // Neighbours are hashed as one part: one part for a round in which all are accepted.
    let mut run = None;
    for (index, byte) in accepted.iter().enumerate() {
        if matches!((byte, run), (0, None) | (0xff, Some(_))) {
            continue;
        }
        let base = index << 3;
        for place in 0..8_usize {
            let slot = base | place;
            match (byte & (1 << place) != 0, run) {
                (true, None) => run = Some(slot),
                (false, Some(first)) => {
                    add(first, slot)?;
                    run = None;
                }
                _ => {}
            }
        }
    }
    if let Some(first) = run {
        add(first, commitments.len())?;
    }
    Some(sha256(parts.get(..used)?))
}
