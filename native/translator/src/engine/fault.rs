//! Faults of translated code: the exact state, and what to make of the address.

use super::run::Next;
use super::{NativeCore, gate};
use crate::cpu::{Access, Exit};
use crate::host::x64::code::{Place, Recipe};
use crate::host::x64::layout::{BIAS, Pinning, host};
use crate::ir::Op;
use crate::ir::eval::eval_any;
use crate::ir::state::State;
use crate::memory::Prot;

/// What an access takes.
fn need(access: Access) -> Prot {
    match access {
        Access::Read => Prot::READ,
        Access::Write => Prot::WRITE,
        Access::Fetch => Prot::EXEC,
    }
}

impl NativeCore {
    /// Translated code faulted: restore the exact state and say what it was.
    pub(super) fn fault(&mut self) -> Next {
        let st = self.st_ref();
        let (at, host_addr, kind) = (
            st.host[host::FAULT_PC] as usize,
            st.host[host::FAULT_ADDR],
            st.host[host::FAULT_ERR],
        );
        let gate = gate::inside();
        let point = self.common.cache.fault_at(self.generation.id, at);
        drop(gate);
        let Some(point) = point else {
            panic!("native core: a fault at {at:#x} that no translated instruction can have");
        };
        let common = self.common.clone();
        let st = self.st();
        st.pc = point.pc;
        settle(point.pin.as_deref().unwrap_or(&common.cache.pin), st);
        if let Some(r) = &point.recipe {
            st.flags = recipe(st, r);
        }
        let base = self.common.space.base() as u64;
        let addr = host_addr.wrapping_sub(base);
        if host_addr == u64::MAX || addr >= self.common.space.limit() {
            // Not an address of the window: tagged, perhaps. The interpreter knows.
            return match self.step_guest() {
                Exit::Interrupted => {
                    self.tagged = self.tagged.saturating_add(1);
                    Next::Go
                }
                exit => Next::Leave(exit),
            };
        }
        if self.common.space.fault(addr) {
            return Next::Go;
        }
        let access = if kind & 1 != 0 || point.write {
            Access::Write
        } else {
            Access::Read
        };
        let bus = kind & 2 != 0;
        if !bus
            && self.common.space.is_guarded(addr, need(access))
            && self.common.space.read(addr, &mut [0]).is_ok()
        {
            // Another thread permitted it meanwhile.
            return Next::Go;
        }
        Next::Leave(self.fault_exit(addr, access, bus))
    }

    pub(super) fn fault_exit(&self, addr: u64, access: Access, bus: bool) -> Exit {
        let (space, plain) = (&self.common.space, self.common.guest.data_address(addr));
        // The kernel tells of a guard as of nothing at all: SEGV_MAPERR.
        let mapped =
            space.prot_at(plain).is_some() && (bus || !space.is_guarded(plain, need(access)));
        Exit::Fault {
            addr,
            access,
            mapped,
            bus,
            align: false,
        }
    }
}

/// Puts the guest registers that were in host registers at a fault into their slots.
fn settle(pin: &Pinning, st: &mut State) {
    for &(s, r) in &pin.list {
        st.r[usize::from(s)] = st.raw[usize::from(r)];
    }
    for &(s, r) in &pin.list_x {
        st.set_wide(usize::from(s), st.raw_x[usize::from(r)]);
    }
}

/// The pending flags at a fault.
fn recipe(st: &mut State, r: &Recipe) -> u64 {
    let value = |st: &State, p: Place| -> u128 {
        match p {
            Place::Const(k) => u128::from(k),
            Place::Reg(reg) => u128::from(st.raw[usize::from(reg)]),
            Place::Xmm(reg) => st.raw_x[usize::from(reg)],
            Place::State(disp) => {
                let p = (&raw const *st)
                    .cast::<u8>()
                    .wrapping_offset((disp + BIAS) as isize);
                // SAFETY: the code generator only records places within the state.
                unsafe { p.cast::<u128>().read_unaligned() }
            }
        }
    };
    let (a, b) = (value(st, r.a), value(st, r.b));
    let mut env = st.env();
    let out = if r.op == Op::FLogic && r.imm == 1 {
        crate::ir::flags::of_logic(r.w, (a & b) as u64)
    } else if r.op == Op::GetF {
        st.flags
    } else {
        eval_any(&mut env, r.op, r.w, a, b, 0, r.imm) as u64
    };
    st.set_env(env);
    let nz = r.nz.map(|p| value(st, p) as u64);
    let carry = r.carry.map(|(p, bit)| (value(st, p) as u64, bit));
    crate::ir::flags::part(out, nz, carry)
}
