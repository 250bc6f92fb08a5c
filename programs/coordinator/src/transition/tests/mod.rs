//! Transitions of whole runs in memory.

mod plans;
mod table;
mod votes;
mod world;
