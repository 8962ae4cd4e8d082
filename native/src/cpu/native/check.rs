//! Co-simulation: each translated block against the interpreter (`--core native,check`).

use super::memory::{Direct, Overlay};
use super::run::Next;
use super::{NativeCore, gate};
use crate::cache::Found;
use crate::cpu::OnSyscall;
use crate::guest::Lift;
use crate::ir::interp::{Interp, Outcome};
use crate::ir::state::State;
use crate::ir::{flags, float};
use std::collections::BTreeMap;
use std::fmt::Write;

impl NativeCore {
    /// Interprets a block with its stores held back, runs its translation, compares.
    pub(super) fn checked(&mut self, found: &Found, on_syscall: OnSyscall<'_>) -> Next {
        let turn = gate::checked();
        let common = self.common.clone();
        let guest = common.guest;
        let (mode, key_mode) = (guest.mode(self.st_ref()), self.translation_mode());
        let start = self.st_ref().pc;
        let end = common.cache.end_of((start, key_mode)).unwrap_or(start);
        let mut want = State::new();
        want.copy_guest(self.st_ref());
        let mut before = State::new();
        before.copy_guest(self.st_ref());
        let mut mem = Overlay {
            below: Direct {
                space: &common.space,
                guest,
            },
            written: BTreeMap::new(),
        };
        let mut comparable = true;
        let mut pc = start;
        while pc < end {
            let mut word = [0u8; 16];
            if common
                .space
                .read(pc, &mut word[..guest.max_insn()])
                .is_err()
            {
                break;
            }
            comparable &= !guest.is_volatile(&word);
            let mut i = Interp::new(&mut want, &mut mem);
            let (lift, size) = guest.interpret(&mut i, pc, &word[..guest.max_insn()], mode);
            let outcome = i.outcome;
            if matches!(lift, Lift::Undefined | Lift::Unlifted)
                || matches!(outcome, Outcome::Faulted(_))
            {
                want.pc = pc;
                break;
            }
            match outcome {
                Outcome::Next => {
                    pc = pc.wrapping_add(u64::from(size));
                    want.pc = pc;
                }
                _ => break,
            }
        }
        let answer = self.enter(found);
        // Exits set the pc when they are dealt with; peek without side effects.
        let written = mem.written;
        let next = self.after_checked(answer);
        if comparable {
            let mut text = differences(&want, self.st_ref());
            for (&a, &b) in &written {
                let mut got = [0u8];
                if common.space.read(a, &mut got).is_ok() && got[0] != b {
                    let _ = writeln!(
                        text,
                        "memory {a:#x}: interpreter {b:#04x}, translation {:#04x}",
                        got[0]
                    );
                }
            }
            if !text.is_empty() {
                let entry = differences(&before, &want);
                eprintln!(
                    "qusr: native,check: the translation of {start:#x}-{end:#x} differs from the interpreter\n{text}\
                     what the interpreter changed:\n{entry}"
                );
                if let Ok(b) = self.block_text(start, mode) {
                    eprintln!("{b}");
                }
                std::process::abort();
            }
        }
        // What follows may be a system call, which may block.
        drop(turn);
        match next {
            Some(n) => n,
            None => self.after(answer, on_syscall),
        }
    }
}

/// The guest-visible differences between two states.
fn differences(want: &State, got: &State) -> String {
    let mut t = String::new();
    for n in 0..want.r.len() {
        if want.r[n] != got.r[n] {
            let _ = writeln!(t, "r{n}: {:#x} / {:#x}", want.r[n], got.r[n]);
        }
    }
    for n in 0..want.v.len() {
        if want.v[n] != got.v[n] {
            let _ = writeln!(t, "v{n}: {:#034x} / {:#034x}", want.v[n], got.v[n]);
        }
    }
    let rows = [
        ("pc", want.pc, got.pc),
        ("flags", want.flags & flags::MASK, got.flags & flags::MASK),
        (
            "fpenv",
            u64::from(want.fpenv & !float::DENORMAL),
            u64::from(got.fpenv & !float::DENORMAL),
        ),
        ("fpext", u64::from(want.fpext), u64::from(got.fpext)),
        ("fpstatus", want.fpstatus, got.fpstatus),
        ("exclusive", want.ex_addr, got.ex_addr),
    ];
    for (name, a, b) in rows {
        if a != b {
            let _ = writeln!(t, "{name}: {a:#x} / {b:#x}");
        }
    }
    t
}
