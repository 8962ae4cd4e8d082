//! What is known about a host instruction that faulted or trapped.

use super::Cache;
use crate::host::Pinning;
use crate::host::code::{FaultPoint, Recipe};
use std::sync::Arc;

/// What is known about a fault in translated code.
pub struct Faulted {
    pub pc: u64,
    /// Guest instructions of its translation before it.
    pub insn: u16,
    pub write: bool,
    /// The interpreter says what is to be told.
    pub rough: bool,
    /// How to get the condition flags, if they are pending.
    pub recipe: Option<Recipe>,
    /// Where guest registers are, if not where they usually are.
    pub pin: Option<Arc<Pinning>>,
}

/// How a floating-point instruction that trapped is carried out.
#[derive(Clone, Copy, Debug)]
pub enum FloatTrap {
    /// By the code at this address, which goes on behind the instruction.
    Cold(usize),
    /// By itself with the exception masked; its length.
    Masked(usize),
}

impl Cache {
    /// What is known about the host instruction at `host`, which faulted, of a generation that the
    /// core is in.
    #[must_use]
    pub fn fault_at(&self, generation: u64, host: usize) -> Option<Faulted> {
        let inner = self.lock();
        let tables = inner.tables_of(generation)?;
        let e = tables.entry_at(host)?;
        let list = &tables.faults[e.faults.start as usize..e.faults.end as usize];
        let offset = (host - e.host) as u32;
        let f = &list[list.binary_search_by_key(&offset, |f| f.offset).ok()?];
        let recipe = (f.recipe != FaultPoint::SETTLED)
            .then(|| tables.recipes[(e.recipes + f.recipe) as usize]);
        Some(Faulted {
            pc: e.key.0.wrapping_add_signed(i64::from(f.pc)),
            insn: f.insn,
            write: f.write,
            rough: f.rough,
            recipe,
            pin: e.pin.clone(),
        })
    }

    /// What to do about the floating-point trap of the host instruction at `host`.
    #[must_use]
    pub fn float_trap(&self, generation: u64, host: usize) -> Option<FloatTrap> {
        let inner = self.lock();
        let tables = inner.tables_of(generation)?;
        let e = tables.entry_at(host)?;
        let list = &tables.floats[e.floats.start as usize..e.floats.end as usize];
        let offset = (host - e.host) as u32;
        let f = list[list.binary_search_by_key(&offset, |f| f.start).ok()?];
        Some(match f.cold {
            0 => FloatTrap::Masked((f.end - f.start) as usize),
            cold => FloatTrap::Cold(e.host + cold as usize),
        })
    }
}
