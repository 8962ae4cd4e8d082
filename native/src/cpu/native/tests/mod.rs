//! Tests of the native core.

mod behaviour;
mod differential;
