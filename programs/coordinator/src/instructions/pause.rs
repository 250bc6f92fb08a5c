//! `pause`.
