//! `resume`.
