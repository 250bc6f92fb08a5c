//! Transitions of whole runs in memory.

mod audits;
mod checkpoints;
mod collect;
mod missing;
mod plans;
mod redraws;
mod table;
mod votes;
mod world;
