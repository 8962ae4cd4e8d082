//! Code generators, one module a host instruction set.

pub mod x64;
