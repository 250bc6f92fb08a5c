//! `leave`.
