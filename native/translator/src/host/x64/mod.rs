//! The code generator for x86-64 hosts.

mod asm;
mod codegen;
mod cpu;
mod emit_accrued;
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
mod emit_select;
mod emit_skip;
mod emit_under;
mod emit_vec;
mod emit_vfloat;
mod features;
mod layout;
mod live;
mod recipe;
mod region;
mod regs;
mod runtime;
mod stub;

use super::code::{self, Code, Reloc};
use super::{Answer, Host, TooBig, Tuning};
use crate::guest::{FlagFate, Guest};
use crate::ir::{Block, handover};
use crate::memory::fault::HostFault;
use layout::{BIAS, Pinning};
use runtime::Entries;

/// x86-64 with AVX2, FMA, BMI1/2, LZCNT, F16C, MOVBE and CMPXCHG16B (x86-64-v3).
pub struct X64;

/// What code is generated in.
#[derive(Default)]
pub struct Work {
    live: live::Liveness,
    codegen: codegen::Work,
}

impl Host for X64 {
    type Cpu = cpu::Cpu;
    type Pinning = Pinning;
    type Work = Work;
    type Entries = Entries;
    type Stub = stub::Stub;

    fn check() -> Result<(), String> {
        check_host()
    }

    fn features() -> u64 {
        let features = [
            features::host_has!("aes"),
            features::host_has!("sha"),
            features::host_has!("pclmulqdq"),
        ];
        (0..)
            .zip(features)
            .map(|(n, has)| u64::from(has) << n)
            .sum()
    }

    fn set_guest_base(base: u64) {
        runtime::set_guest_base(base);
    }

    fn pinning(guest: &dyn Guest) -> Pinning {
        Pinning::new(guest)
    }

    fn emit(
        block: &Block,
        pin: &Pinning,
        tune: Tuning,
        fate: impl FnMut(u64) -> FlagFate,
        work: &mut Work,
        code: &mut Code,
    ) -> Result<(), TooBig> {
        let live = &mut work.live;
        live.analyse(block, pin, tune.coalesce, fate);
        code.risk = handover::risk(block);
        codegen::generate(block, pin, live, tune, &mut work.codegen, code)
    }

    fn region_pinning(usual: &Pinning, blocks: &[Block]) -> Option<Pinning> {
        let mut uses = region::Uses::new(usual.layout);
        for b in blocks {
            uses.add(b);
        }
        region::pinning(usual, &uses)
    }

    fn assemble(
        parts: Vec<(u64, Code)>,
        insns: &[usize],
        usual: &Pinning,
        own: &Pinning,
        traps: bool,
    ) -> Code {
        region::assemble(parts, insns, usual, own, traps)
    }

    fn reloc_size(reloc: Reloc) -> u32 {
        match reloc {
            Reloc::Helper(_) | Reloc::Eval => 8,
            Reloc::Entry(_) | Reloc::ExitNumber(_) => 4,
        }
    }

    fn relocate(
        code: &mut [u8],
        at: u32,
        host: usize,
        reloc: Reloc,
        entry: impl Fn(code::Entry) -> usize,
        first_exit: u32,
    ) {
        let at = at as usize;
        match reloc {
            Reloc::Entry(e) => code[at..at + 4].copy_from_slice(&Self::patch(host + at, entry(e))),
            Reloc::Helper(f) => {
                code[at..at + 8].copy_from_slice(&(f as usize as u64).to_le_bytes());
            }
            Reloc::Eval => {}
            Reloc::ExitNumber(n) => {
                code[at..at + 4].copy_from_slice(&(first_exit + n).to_le_bytes());
            }
        }
    }

    const PATCH_SIZE: u32 = 4;

    /// A displacement from behind it.
    fn patch(at: usize, target: usize) -> [u8; 4] {
        (target.wrapping_sub(at + 4) as u32).to_le_bytes()
    }

    fn support(pin: &Pinning) -> (Vec<u8>, Entries) {
        runtime::build(pin)
    }

    fn entry(entries: &Entries, entry: Option<code::Entry>) -> usize {
        entry.map_or(entries.fault, |e| entries.offset(e))
    }

    unsafe fn enter(support: usize, entries: &Entries, cpu: *mut cpu::Cpu, host: usize) -> Answer {
        // SAFETY: as the caller promises.
        unsafe { runtime::run(support + entries.enter, cpu, host) }
    }

    unsafe fn resume(support: usize, entries: &Entries, cpu: *mut cpu::Cpu) -> Answer {
        // SAFETY: as the caller promises.
        unsafe { runtime::run(support + entries.resume, cpu, 0) }
    }

    /// Translated code keeps it in rbp.
    fn faulted(fault: &mut HostFault<'_>) -> *mut cpu::Cpu {
        let rbp = fault.context().uc_mcontext.gregs[libc::REG_RBP as usize] as usize;
        // SAFETY: it was running.
        unsafe { cpu::Cpu::at((rbp - BIAS as usize) as *mut cpu::Own) }
    }

    fn settle(pin: &Pinning, cpu: &mut cpu::Cpu) {
        for &(s, r) in &pin.list {
            cpu.state.r_mut()[usize::from(s)] = cpu.raw[usize::from(r)];
        }
        for &(s, r) in &pin.list_x {
            cpu.state
                .set_wide(usize::from(s), cpu.raw_x[usize::from(r)]);
        }
    }
}

/// What generated code assumes of the host's processor, or what is missing.
///
/// # Errors
/// The names of the missing features.
fn check_host() -> Result<(), String> {
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
