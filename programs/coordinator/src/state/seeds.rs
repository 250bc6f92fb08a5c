//! The first seed of each program address.

/// `Run`: "run", creator, run id.
pub const RUN: &[u8] = b"run";
/// `Roster`: "roster", run.
pub const ROSTER: &[u8] = b"roster";
/// `Rounds`: "rounds", run.
pub const ROUNDS: &[u8] = b"rounds";
/// `Participant`: "participant", run, wallet.
pub const PARTICIPANT: &[u8] = b"participant";
/// `Pass`: "pass", run, wallet.
pub const PASS: &[u8] = b"pass";
