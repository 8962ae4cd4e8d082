//! What of the loader is the same whether Python or the early start loads a program.
//!
//! The load plans, and everything that can be refused, are Python's (`qusr/loader/`).

pub mod auxv;
pub mod stack;
