//! Tests of the native core.

mod behaviour;
mod cost;
mod coverage;
mod differential;
