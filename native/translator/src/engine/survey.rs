//! Translating a program's code without running it, to measure what that costs.

use super::translate::{MAX_INSNS, Window};
use super::{NativeConfig, NativeCore, open_core};
use crate::cache::Source;
use crate::guest::Guest;
use crate::ir::{Block, Op};
use crate::memory::AddressSpace;
use std::collections::HashSet;
use std::sync::Arc;

/// The blocks of a program, and a core to translate them.
pub struct Survey {
    core: NativeCore,
    blocks: Vec<u64>,
    /// How many instructions the blocks have.
    pub instructions: usize,
}

impl Survey {
    /// Finds the blocks that can be reached from `entries`, until they have `most` instructions.
    ///
    /// # Errors
    /// Those of [`super::open`].
    pub fn new(
        guest: &'static dyn Guest,
        config: &NativeConfig,
        space: Arc<AddressSpace>,
        entries: Vec<u64>,
        most: usize,
    ) -> Result<Self, String> {
        let core = open_core(guest, config, space, None)?;
        let (blocks, instructions) = blocks(&core, entries, most);
        Ok(Self {
            core,
            blocks,
            instructions,
        })
    }

    /// How many blocks there are.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Bytes of host code.
    #[must_use]
    pub fn used(&self) -> usize {
        self.core.common.cache.used()
    }

    /// Translates each block.
    ///
    /// A function of its own, for `valgrind --tool=callgrind --toggle-collect=*translate_all*`.
    ///
    /// # Panics
    /// When guest code cannot be read any more.
    #[inline(never)]
    pub fn translate_all(&mut self) {
        let mode = self.core.translation_mode();
        for &pc in &self.blocks {
            self.core.translate(pc, mode).expect("code");
        }
    }
}

/// The blocks that can be reached from the targets of calls, and their instructions' number.
fn blocks(core: &NativeCore, entries: Vec<u64>, most: usize) -> (Vec<u64>, usize) {
    let mut seen: HashSet<u64> = entries.iter().copied().collect();
    let (mut todo, mut list, mut size) = (entries, Vec::new(), 0);
    while let Some(pc) = todo.pop() {
        let mut source = Source::new(0);
        let Ok(b) = core.lift_block(
            pc,
            core.translation_mode(),
            MAX_INSNS,
            &|_, _| false,
            &mut source,
            Block::default(),
            &mut Window::default(),
        ) else {
            continue;
        };
        size += b.pcs.len();
        list.push(pc);
        let next = b.insts.iter().filter_map(|i| match i.op {
            Op::Side | Op::Jump => Some(i.imm),
            Op::CallTo | Op::CallR => Some(b.end),
            _ => None,
        });
        todo.extend(next.filter(|&pc| seen.insert(pc)));
        if size > most {
            break;
        }
    }
    (list, size)
}
