//! Tests of the native core.

mod behaviour;
mod coverage;
mod differential;
mod layers;
