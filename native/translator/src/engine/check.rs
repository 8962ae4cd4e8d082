//! Co-simulation: each translated block against the interpreter (`--core native,check`).

use super::memory::{Direct, Overlay};
use super::region::{Extent, MODE_REGION};
use super::run::Next;
use super::{NativeCore, gate};
use crate::cache::Found;
use crate::cpu::OnSyscall;
use crate::guest::Lift;
use crate::host::{Answer, Cpu};
use crate::ir::interp::{Interp, Outcome};
use crate::ir::state::State;
use crate::ir::{Trap, flags, float};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

/// Rounds after which a loop is executed as a region.
const HOT: u32 = 8;

/// A loop under co-simulation.
#[derive(Default)]
struct Loop {
    rounds: u32,
    /// Of its region; empty: none was made yet.
    blocks: Extent,
}

/// By mode and head.
#[derive(Default)]
pub(super) struct Loops(HashMap<(u32, u64), Loop>);

/// How far the interpreter goes.
enum End {
    /// Behind a block.
    Fell,
    Jumped {
        backward: bool,
    },
    /// At an instruction that faults, traps or has no meaning.
    Stopped,
}

impl NativeCore {
    /// Interprets a block, or a round of a loop that is a region, with its stores held back; runs its
    /// translation; compares.
    pub(super) fn checked(&mut self, found: &Found, on_syscall: OnSyscall<'_>) -> Next {
        let turn = gate::checked();
        let common = self.common.clone();
        let mode = self.translation_mode();
        let start = self.st_ref().pc;
        let mut end = common.cache.end_of((start, mode)).unwrap_or(start);
        let mut want = State::new(common.guest.layout(), common.guest.flags());
        want.copy_guest(self.st_ref());
        let mut before = State::new(common.guest.layout(), common.guest.flags());
        before.copy_guest(self.st_ref());
        let mut mem = Overlay {
            below: Direct::new(&common.space, common.guest),
            written: BTreeMap::new(),
            shared: false,
        };
        // The interpreter here does not stop where a debugger watches.
        let mut comparable = common.stops().is_none_or(|stops| stops.data.is_empty());
        let region = self.checked_region(start, mode);
        let found = if let Some((region, blocks)) = &region {
            // Its way back leaves it, so that each round is compared.
            self.shared.kick_loops();
            let mut block = blocks.first();
            while let Some(&(pc, to)) = block {
                end = end.max(to);
                let how = self.interpret(&mut want, &mut mem, (pc, to), &mut comparable);
                block = match how {
                    End::Fell | End::Jumped { backward: false } => {
                        blocks.iter().find(|b| b.0 == want.pc)
                    }
                    End::Jumped { backward: true } | End::Stopped => None,
                };
            }
            region
        } else {
            self.interpret(&mut want, &mut mem, (start, end), &mut comparable);
            found
        };
        let answer = self.enter(found);
        // What lies beyond a mapped file's end is for the host to know.
        comparable &= answer != Answer::Fault || !self.cpu_ref().fault().bus;
        // Neither is what is the interpreter's anyway.
        comparable &= !matches!(
            answer,
            Answer::Trap {
                trap: Trap::Step,
                ..
            }
        );
        comparable &= !mem.shared;
        // Exits set the pc when they are dealt with; peek without side effects.
        let written = mem.written;
        let next = self.after_checked(answer);
        // Who goes on behind a fault is in the midst of the block.
        comparable &= answer != Answer::Fault || !matches!(next, Some(Next::Go));
        if let Answer::Link(n) = answer {
            self.count_loop(n);
        }
        // How much a store that faults has done is open: the interpreter goes element by element where the host does all or nothing.
        let written = if answer == Answer::Fault {
            BTreeMap::new()
        } else {
            written
        };
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
                    "qusr: native,check: the translation of {start:#x}-{end:#x}{} differs from the interpreter\n{text}\
                     what the interpreter changed:\n{entry}",
                    if region.is_some() { " as a region" } else { "" }
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

impl NativeCore {
    /// Interprets a block up to its end or a jump.
    fn interpret(
        &self,
        want: &mut State,
        mem: &mut Overlay<'_>,
        (start, end): (u64, u64),
        comparable: &mut bool,
    ) -> End {
        let guest = self.common.guest;
        let mut pc = start;
        while pc < end {
            let mut word = [0u8; 16];
            let Ok(size) = self.fetch_insn(pc, &mut word) else {
                return End::Stopped;
            };
            *comparable &= !guest.is_volatile(&word);
            let mut mode = self.common.mode_at(want, pc);
            let clock = self.read_clock(pc, &word[..size]);
            let mut i = Interp::new(want, mem);
            let (lift, size) = if let Some(clock) = clock {
                *comparable = false;
                clock.carry_out(&mut i);
                (Lift::Next, 4)
            } else {
                guest.interpret(&mut i, pc, &word[..size], &mut mode)
            };
            let outcome = i.outcome;
            if matches!(lift, Lift::Undefined | Lift::Unlifted)
                || matches!(outcome, Outcome::Faulted(_))
            {
                want.pc = pc;
                return End::Stopped;
            }
            match outcome {
                Outcome::Next => {
                    pc = pc.wrapping_add(u64::from(size));
                    want.pc = pc;
                }
                Outcome::Jumped => {
                    want.pc = guest.code_address(want.pc);
                    let backward = want.pc <= pc;
                    return End::Jumped { backward };
                }
                _ => return End::Stopped,
            }
        }
        End::Fell
    }

    /// The region at `pc`, if its loop has one that still holds, and its blocks.
    fn checked_region(&self, pc: u64, mode: u32) -> Option<(Found, Extent)> {
        let blocks = &self.checked_loops.0.get(&(mode, pc))?.blocks;
        let found = self.common.cache.find((pc, mode | MODE_REGION))?;
        (!blocks.is_empty() && found.generation == self.generation.id)
            .then(|| (found, blocks.clone()))
    }

    /// Exit `n` was taken. If it closes a loop often enough that becomes a region.
    fn count_loop(&mut self, n: u32) {
        let _gate = gate::inside();
        let options = self.common.config.options;
        let Some(exit) = self.common.cache.taken(self.generation.id, n) else {
            return;
        };
        let (head, mode, last) = (exit.pc, exit.mode, exit.from);
        if head > last || !options.regions {
            return;
        }
        let seen = self.checked_loops.0.entry((mode, head)).or_default();
        seen.rounds += 1;
        if seen.rounds != HOT {
            return;
        }
        // Again at times: its code may have changed, and so may what is the loop's end.
        seen.rounds = 0;
        if let Some((_, blocks)) = self.translate_region(head, last, mode)
            && !blocks.is_empty()
            && let Some(l) = self.checked_loops.0.get_mut(&(mode, head))
        {
            l.blocks = blocks;
        }
    }
}

/// The guest-visible differences between two states.
fn differences(want: &State, got: &State) -> String {
    let mut t = String::new();
    for (n, (a, b)) in want.r().iter().zip(got.r()).enumerate() {
        if a != b {
            let _ = writeln!(t, "r{n}: {a:#x} / {b:#x}");
        }
    }
    for (n, (a, b)) in want.v().iter().zip(got.v()).enumerate() {
        if a != b {
            let _ = writeln!(t, "v{n}: {a:#034x} / {b:#034x}");
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
