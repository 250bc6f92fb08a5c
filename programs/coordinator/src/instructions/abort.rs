//! `abort`.
