//! Which blocks make a region, and when: a loop whose backward jump was taken often.

use super::NativeCore;
use super::masked::{MODE_BLOCKS, MODE_COUNT};
use super::translate::{MAX_INSNS, Window};
use crate::cache::{Found, Made, Source};
use crate::host::code::Code;
use crate::host::{Host, Native};
use crate::ir::{Block, Op};

pub(super) use crate::cache::REGION as MODE_REGION;

/// The most blocks and instructions of a region.
const MAX_BLOCKS: usize = 12;
const MAX_SIZE: usize = 192;

thread_local! {
    static MADE: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// How many regions this thread has made: tests want some.
#[must_use]
pub fn regions_made() -> u64 {
    MADE.get()
}

/// The starts and ends of blocks, that of the loop's head first.
pub(super) type Extent = Vec<(u64, u64)>;

/// Operations that a region leaves before: calls and the like, and helpers that see the guest's slots.
fn is_foreign(op: Op) -> bool {
    matches!(
        op,
        Op::CallTo
            | Op::CallR
            | Op::JumpR
            | Op::RetR
            | Op::Trap
            | Op::TrapIf
            | Op::Call
            | Op::CallX
            | Op::AskX
    )
}

impl NativeCore {
    /// The loop from `head` to the backward jump at `last` as a region, if that is any better; and where its blocks
    /// start and end, unless there was one already.
    pub(super) fn translate_region(
        &self,
        head: u64,
        last: u64,
        mode: u32,
    ) -> Option<(Found, Extent)> {
        if mode & (MODE_COUNT | MODE_BLOCKS) != 0 {
            return None;
        }
        // Regions have no entries between.
        let (first, end) = (self.common.guest.fetch_address(head), last);
        if self
            .common
            .stops()
            .is_some_and(|stops| stops.between(first, end))
        {
            return None;
        }
        let key = (head, mode | MODE_REGION);
        if let Some(found) = self.common.cache.find(key)
            && self.common.cache.end_of(key) > Some(last)
        {
            return Some((found, Extent::new()));
        }
        let mut source = Source::new(self.common.cache.changes());
        let blocks = self.loop_blocks(head, last, mode, &mut source)?;
        let usual = &self.common.cache.pin;
        let own = Native::region_pinning(usual, &blocks)?;
        let mut tune = self.tuning(mode);
        tune.region = true;
        let mut parts: Vec<(u64, Code)> = Vec::new();
        let window = Window::default();
        let mut work = <Native as Host>::Work::default();
        for b in &blocks {
            let mut code = Code::default();
            let fate = |pc| self.flag_fate(pc, &window);
            Native::emit(b, &own, tune, fate, &mut work, &mut code).ok()?;
            parts.push((b.pcs[0], code));
        }
        let insns: Vec<usize> = blocks.iter().map(|b| b.pcs.len()).collect();
        let extent = blocks.iter().map(|b| (b.pcs[0], b.end)).collect();
        let float = |b: &Block| b.insts.iter().any(|i| i.op.is_float());
        let traps = (tune.traps || tune.host_flush) && blocks.iter().any(float);
        let mut code = Native::assemble(parts, &insns, usual, &own, traps);
        let end = blocks.iter().map(|b| b.end).max()?;
        let pcs: Vec<u64> = blocks.into_iter().flat_map(|b| b.pcs).collect();
        self.log_code(head, &code);
        MADE.with(|n| n.set(n.get() + 1));
        let made = Made {
            key,
            end,
            pcs: &pcs,
            code: &mut code,
            source: &source,
            pin: Some(own),
        };
        let busy = |id| self.common.is_busy(id);
        let found = self.common.cache.install(made, &busy);
        Some((found.ok()?, extent))
    }

    /// The blocks of a loop that can be in a region, the head first. None: the loop does not close.
    fn loop_blocks(
        &self,
        head: u64,
        last: u64,
        mode: u32,
        source: &mut Source,
    ) -> Option<Vec<Block>> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut todo = vec![head];
        let mut seen = vec![head];
        let mut closes = false;
        let mut size = 0;
        while let Some(pc) = todo.pop() {
            let Some(b) = self.region_block(pc, last, mode, &seen, source) else {
                if pc == head {
                    return None;
                }
                continue;
            };
            size += b.pcs.len();
            if size > MAX_SIZE || blocks.len() == MAX_BLOCKS {
                return None;
            }
            for i in &b.insts {
                if !matches!(i.op, Op::Side | Op::Jump) {
                    continue;
                }
                closes |= i.imm == head;
                if (head..=last).contains(&i.imm) && !seen.contains(&i.imm) {
                    seen.push(i.imm);
                    todo.push(i.imm);
                }
            }
            blocks.push(b);
        }
        closes.then_some(blocks)
    }

    /// The block at `pc` up to what cannot be in a region.
    fn region_block(
        &self,
        pc: u64,
        last: u64,
        mode: u32,
        starts: &[u64],
        source: &mut Source,
    ) -> Option<Block> {
        let stop = |at: u64, _| at != pc && (at > last || starts.contains(&at));
        let window = &mut Window::default();
        let mut lift = |max| {
            self.lift_block(
                pc,
                mode | MODE_REGION,
                max,
                &stop,
                source,
                Block::default(),
                window,
            )
        };
        let b = lift(MAX_INSNS).ok()?;
        let Some(foreign) = b.insts.iter().find(|i| is_foreign(i.op)) else {
            return Some(b);
        };
        let before = b
            .insts
            .iter()
            .rfind(|i| i.op == Op::Side && i.insn < foreign.insn)?;
        let max = usize::from(before.insn) + 1;
        lift(max).ok()
    }
}
