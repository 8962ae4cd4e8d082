//! The code generator for x86-64 hosts.

pub mod asm;
pub mod code;
pub mod codegen;
mod emit_call;
mod emit_cond;
mod emit_crypto;
mod emit_exit;
mod emit_fexact;
mod emit_flags;
mod emit_float;
mod emit_int;
mod emit_mem;
mod emit_move;
mod emit_muldiv;
mod emit_probe;
mod emit_product;
mod emit_skip;
mod emit_vec;
mod emit_vfloat;
pub mod features;
pub mod layout;
pub mod live;
mod recipe;
pub mod region;
mod regs;
pub mod runtime;

/// What generated code assumes of the host's processor, or what is missing.
///
/// # Errors
/// The names of the missing features.
pub fn check_host() -> Result<(), String> {
    let mut missing = Vec::new();
    macro_rules! need {
        ($($f:tt),*) => { $(if !(features::host_has!($f)) { missing.push($f); })* };
    }
    need!(
        "avx2",
        "fma",
        "bmi1",
        "bmi2",
        "lzcnt",
        "f16c",
        "movbe",
        "cmpxchg16b"
    );
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the native core needs a processor with {} (x86-64-v3)",
        missing.join(", ")
    ))
}
