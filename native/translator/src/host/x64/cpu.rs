//! A core as generated code sees it: the guest's state and the run-time's own fields, at fixed offsets from one
//! register.

use super::layout::{self, host as word};
use crate::guest::Guest;
use crate::host::code::Place;
use crate::host::{self, FaultNote};
use crate::ir::state::{Head, State, zeroed};
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::atomic::AtomicU32;

/// Temporaries that the code generator may spill.
pub const SPILLS: usize = 64;

/// Counters of loops, shared by those whose addresses collide.
pub const HEAT: usize = 256;

/// What only generated code and its run-time know of.
#[repr(C, align(64))]
pub struct Own {
    /// Words of the register area.
    area: usize,
    /// Operands and result of a helper.
    pub args: [u128; 3],
    pub spill: [u128; SPILLS],
    /// Host registers around a helper or at a fault, by their numbers.
    pub raw: [u64; 16],
    pub raw_x: [u128; 16],
    /// Counted down by loops: what reaches 0 is worth a better translation.
    pub heat: [u32; HEAT],
    /// Words of the generated code: see [`word`].
    pub host: [u64; layout::host::COUNT],
    fault: FaultNote,
}

/// See the module.
#[repr(C, align(64))]
pub struct Cpu {
    own: Own,
    pub state: State,
}

impl Deref for Cpu {
    type Target = Own;
    fn deref(&self) -> &Own {
        &self.own
    }
}

impl DerefMut for Cpu {
    fn deref_mut(&mut self) -> &mut Own {
        &mut self.own
    }
}

impl Cpu {
    /// All of the core that starts there.
    ///
    /// # Safety
    /// One does.
    pub unsafe fn at(start: *mut Own) -> *mut Self {
        // SAFETY: as the caller promises.
        let area = unsafe { (&raw const (*start).area).read() };
        ptr::slice_from_raw_parts_mut(start.cast::<u128>(), area) as *mut Self
    }

    /// The host's words and the guest's state.
    pub fn split(&mut self) -> (&mut Own, &mut State) {
        (&mut self.own, &mut self.state)
    }
}

impl host::Cpu for Cpu {
    fn new(guest: &dyn Guest) -> Box<Self> {
        let layout = guest.layout();
        let sized = size_of::<Own>() + size_of::<Head>();
        // SAFETY: all fields are integers and booleans (or an atomic one), and the area is the last one.
        let mut cpu = unsafe { zeroed(sized, layout, |area| area as *mut Self) };
        cpu.state.begin(layout, guest.flags());
        cpu.area = layout.size() / 16;
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
        unsafe { State::interrupt_word(&raw const (*cpu).state) }
    }

    unsafe fn return_limit(cpu: *const Self) -> *mut u64 {
        // SAFETY: only an address is formed.
        unsafe { (&raw const (*cpu).own.host[word::RETURN_LIMIT]).cast_mut() }
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
