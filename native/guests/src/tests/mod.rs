//! Tests of the native core.

mod arm;
mod behaviour;
mod cost;
mod coverage;
mod differential;
mod oracle;
