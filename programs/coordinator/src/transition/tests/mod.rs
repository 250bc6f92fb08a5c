//! Transitions of whole runs in memory.

mod checkpoints;
mod audits;
mod collect;
mod plans;
mod redraws;
mod table;
mod votes;
mod world;
