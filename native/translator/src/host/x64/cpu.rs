//! A core as generated code sees it: the guest's state and the run-time's own fields, at fixed offsets from one
//! register.

use super::layout::{self, host as word};
use crate::host::code::Place;
use crate::host::{self, FaultNote};
use crate::ir::float;
use crate::ir::state::State;
use std::ptr;
use std::sync::atomic::AtomicU32;

/// Temporaries that the code generator may spill.
pub const SPILLS: usize = 64;

/// Counters of loops, shared by those whose addresses collide.
pub const HEAT: usize = 256;

/// See the module.
#[repr(C, align(64))]
pub struct Cpu {
    pub state: State,
    /// Operands and result of a helper.
    pub args: [u128; 3],
    pub spill: [u128; SPILLS],
    /// Host registers around a helper or at a fault, by their numbers.
    pub raw: [u64; 16],
    pub raw_x: [u128; 16],
    /// Counted down by loops: what reaches 0 is worth a better translation.
    pub heat: [u32; HEAT],
    /// Words of the generated code: see [`word`].
    pub host: [u64; 56],
    fault: FaultNote,
}

impl host::Cpu for Cpu {
    fn new() -> Box<Self> {
        let layout = std::alloc::Layout::new::<Self>();
        // SAFETY: all fields are integers and booleans (or an atomic one), valid when zero.
        let mut cpu: Box<Self> = unsafe {
            let p = std::alloc::alloc_zeroed(layout);
            if p.is_null() {
                std::alloc::handle_alloc_error(layout);
            }
            Box::from_raw(p.cast())
        };
        cpu.state.ex_addr = u64::MAX;
        cpu.state.fpenv = float::DEFAULT_ENV;
        layout::prepare(&mut cpu);
        cpu
    }

    fn state(&self) -> &State {
        &self.state
    }

    fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    unsafe fn interrupt(cpu: *const Self) -> *const AtomicU32 {
        // SAFETY: only an address is formed.
        unsafe { &raw const (*cpu).state.interrupt }
    }

    unsafe fn return_limit(cpu: *const Self) -> *mut u64 {
        // SAFETY: only an address is formed.
        unsafe { (&raw const (*cpu).host[word::RETURN_LIMIT]).cast_mut() }
    }

    fn returns(&self) -> (u64, u64) {
        (self.host[word::RETURN_RSP], self.host[word::RETURN_TOP])
    }

    fn set_returns(&mut self, top: u64) {
        self.host[word::RETURN_RSP] = top;
        self.host[word::RETURN_TOP] = top;
    }

    fn set_jumps(&mut self, table: *const [u64; 2]) {
        self.host[word::JUMPS] = table as u64;
    }

    fn heat(&mut self, pc: u64) -> &mut u32 {
        &mut self.heat[layout::heat_index(pc)]
    }

    fn fill_heat(&mut self, count: u32) {
        self.heat.fill(count);
    }

    fn fault(&self) -> FaultNote {
        self.fault
    }

    fn set_fault(&mut self, fault: FaultNote) {
        self.fault = fault;
    }

    fn value(&self, place: Place) -> u128 {
        match place {
            Place::Const(k) => u128::from(k),
            Place::Reg(r) => u128::from(self.raw[usize::from(r)]),
            Place::Wide(r) => self.raw_x[usize::from(r)],
            Place::Memory(at) => {
                let p = ptr::from_ref(self)
                    .cast::<u8>()
                    .wrapping_offset(at as isize);
                // SAFETY: the code generator only records places within it.
                unsafe { p.cast::<u128>().read_unaligned() }
            }
        }
    }

    fn loaded_env(&self) -> u32 {
        self.host[word::ENV] as u32
    }

    fn set_toggles(&mut self, by_flags: [u32; 4]) {
        for (n, pair) in by_flags.chunks(2).enumerate() {
            self.host[word::TOGGLES + n] = u64::from(pair[0]) | u64::from(pair[1]) << 32;
        }
    }

    fn resume_at(&mut self, to: usize) {
        self.host[word::RESUME] = to as u64;
        self.host[word::TRAPS] = u64::from(u32::MAX);
    }

    fn back_to(&mut self, to: usize) {
        self.host[word::BACK] = to as u64;
    }
}
