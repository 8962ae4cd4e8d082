//! Tests of the native core.

mod arm;
mod behaviour;
mod cost;
mod coverage;
mod differential;
mod fuzz;
mod mips;
mod oracle;
mod registry;
mod rig;
mod riscv;
mod unicorn;

/// The 32-bit Arm guest with all features.
pub(crate) fn arm() -> &'static dyn crate::guest::Guest {
    crate::by_name("arm")
        .and_then(|guest| guest.isa)
        .expect("a guest")(&[])
}

/// What Unicorn is told of a guest.
pub(crate) fn unicorn_of(name: &str) -> &'static dyn crate::unicorn::Guest {
    crate::by_name(name).expect("a guest").unicorn
}
