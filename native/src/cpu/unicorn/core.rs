//! [`UnicornCore`]: running an engine and making sense of why it stopped.

use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::{c_int, c_void};
use std::rc::Rc;
use std::sync::Arc;

use super::family;
use super::ffi::{self, Api, Engine, TlbEntry};
use super::interrupt::Stop;
use super::probe;
use super::regs::{self, UcReg, Width, a32, a64};
use super::rescue::{self, Repeated};
use super::setup;
use super::stops;
use super::trap::{self, A64Trap};
use super::turn::Turn;
use super::{Guest, UnicornConfig};
use crate::cpu::{Access, BlockWatcher, CpuCore, Exit, Flow, Interrupter, OnSyscall, Regs};
use crate::memory::{AddressSpace, NoticeReader, PAGE_SIZE, Prot};

/// Exceptions of QEMU's ARM targets (target/arm/cpu.h), as the interrupt hook gets them.
mod excp {
    pub const UDEF: u32 = 1;
    pub const SWI: u32 = 2;
    pub const PREFETCH_ABORT: u32 = 3;
    pub const DATA_ABORT: u32 = 4;
    pub const BKPT: u32 = 7;
}

/// ITSTATE in the CPSR (Arm ARM G8.2.33).
const IT_STATE: u32 = 0x0600_fc00;
/// What is written to the AArch32 syndrome register before a run. No exception has this value.
const NO_SYNDROME: u32 = u32::MAX;
/// Invalidating more than this costs more than translating everything anew.
const MANY_CODE_BYTES: u64 = 64 << 20;
/// The bits of an address that are not its tag.
const TAG_SHIFT: u32 = 56;

/// A page that the engine asked for and did not get.
#[derive(Clone, Copy, Debug)]
struct PageFault {
    /// As the guest addressed it, tag included; page-aligned.
    page: u64,
    access: Access,
    mapped: bool,
    bus: bool,
}

/// Why a hook ended the run.
#[derive(Clone, Copy, Debug)]
enum Leave {
    Exit(Exit),
    /// To go on at the program counter that was set in the hook.
    Resume,
}

/// The closure of the present [`CpuCore::run`], its lifetime erased.
type Callback = *mut (dyn FnMut(&mut dyn Regs, u32) -> Flow + 'static);

/// The part that the engine's callbacks use. All of it is shared between them and the
/// thread that called `emu_start`, which is the same one: hence cells.
pub(super) struct Inner {
    api: Arc<Api>,
    engine: *mut Engine,
    config: UnicornConfig,
    space: Arc<AddressSpace>,
    notices: NoticeReader,
    stop: Arc<Stop>,
    leave: Cell<Option<Leave>>,
    fault: Cell<Option<PageFault>>,
    on_syscall: Cell<Option<Callback>>,
    /// Held while the engine runs.
    turn: RefCell<Option<Turn>>,
    /// [`on_block`] is called at each block.
    blocks_hooked: Cell<bool>,
    /// A program counter set within a hook, where it cannot be given to the engine.
    new_pc: Cell<Option<u64>>,
    in_hook: Cell<bool>,
    /// A step: translations contain the calls that counting instructions needs.
    counting: Cell<bool>,
    /// Set once, before the first run.
    watcher: OnceCell<BlockWatcher>,
    /// Host faults that were taken back, see [`rescue`].
    repeated: Cell<Repeated>,
    /// The TLB-fill callback is asked only to find translated code: any answer but "no" will do.
    invalidating: Cell<bool>,
}

/// A guest CPU on its own Unicorn engine.
pub struct UnicornCore {
    inner: Rc<Inner>,
}

// SAFETY: an engine may be used by any thread, one at a time; `&mut self` sees to that. The `Rc`
// keeps `Inner` in place for the engine's callbacks; its clones do not outlive a call. The cells are used by that thread only; what others use (`Stop`, `NoticeReader`) is atomic.
unsafe impl Send for UnicornCore {}

impl UnicornCore {
    pub fn open(config: UnicornConfig, space: Arc<AddressSpace>) -> Result<Self, String> {
        let api = Api::load(&config.library)?;
        // SAFETY: `Inner` holds the address space, and closes the engine before it lets go of it.
        let engine =
            unsafe { setup::open_engine(&api, &config, space.base().cast(), space.limit()) }?;
        let inner = Rc::new(Inner {
            stop: Arc::new(Stop::new(Arc::clone(&api), engine)),
            notices: space.subscribe(),
            api,
            engine,
            config,
            space,
            leave: Cell::new(None),
            fault: Cell::new(None),
            on_syscall: Cell::new(None),
            turn: RefCell::new(None),
            blocks_hooked: Cell::new(false),
            new_pc: Cell::new(None),
            in_hook: Cell::new(false),
            counting: Cell::new(false),
            watcher: OnceCell::new(),
            repeated: Cell::default(),
            invalidating: Cell::new(false),
        });
        let user = Rc::as_ptr(&inner).cast_mut().cast::<c_void>();
        // SAFETY: the callbacks take `user` as an `&Inner`; it stays where it is and outlives the engine.
        unsafe {
            inner
                .api
                .hooks(engine, on_interrupt, on_invalid, on_tlb_fill, user)?;
            if !inner.api.stops_between_blocks {
                inner.hook_blocks()?;
            }
        }
        Ok(Self { inner })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.engine_closes();
        // SAFETY: open, not running (we are being dropped), and `Stop` no longer knows it.
        unsafe { (self.api.close)(self.engine) };
    }
}

/// Registers.
impl Inner {
    fn guest(&self) -> Guest {
        self.config.guest
    }

    /// Reads a register into a value of the type that `id` has.
    fn read_raw<T: Default>(&self, id: c_int) -> T {
        let mut value = T::default();
        // SAFETY: the engine is open, and `T` has the width of the register; reading a known
        // register cannot fail.
        unsafe { (self.api.reg_read)(self.engine, id, (&raw mut value).cast()) };
        value
    }

    fn write_raw<T>(&self, id: c_int, value: T) {
        // SAFETY: as in `read_raw`.
        unsafe { (self.api.reg_write)(self.engine, id, (&raw const value).cast()) };
    }

    fn is_thumb(&self) -> bool {
        !self.guest().is_aarch64() && self.read_raw::<u32>(a32::CPSR) & 1 << 5 != 0
    }

    fn pc(&self) -> u64 {
        if let Some(pc) = self.new_pc.get() {
            return pc;
        }
        if self.guest().is_aarch64() {
            self.read_raw::<u64>(a64::PC)
        } else {
            u64::from(self.read_raw::<u32>(a32::R15))
        }
    }

    /// Sets the program counter. On arm, bit 0 of it selects Thumb; without it the state stays.
    fn set_pc(&self, pc: u64) {
        if self.guest().is_aarch64() {
            if self.in_hook.get() {
                self.new_pc.set(Some(pc));
            } else {
                self.write_raw(a64::PC, pc);
            }
            return;
        }
        if self.in_hook.get() {
            if pc & 1 != 0 {
                self.set_status(self.status() | 1 << 5);
            }
            self.new_pc.set(Some(pc & 0xffff_fffe));
        } else {
            // Unicorn takes the instruction set from bit 0.
            self.write_raw(a32::R15, pc as u32 | u32::from(self.is_thumb()));
        }
    }

    fn status(&self) -> u64 {
        let status = self.read_raw::<u32>(if self.guest().is_aarch64() {
            a64::PSTATE
        } else {
            a32::CPSR
        });
        u64::from(status)
    }

    /// Sets the status register but for what a program may not change.
    fn set_status(&self, value: u64) {
        if self.guest().is_aarch64() {
            // NZCV and BTYPE; the mode stays EL0.
            self.write_raw(a64::PSTATE, value as u32 & 0xf000_0c00);
        } else {
            // NZCVQ, IT, GE, E, T; the mode stays USR, interrupts enabled (Arm ARM B1.3.3).
            const USER: u32 = 0xfe0f_fe20;
            let mode = self.read_raw::<u32>(a32::CPSR) & setup::CPSR_MODE;
            self.write_raw(a32::CPSR, value as u32 & USER | mode);
        }
    }

    fn get(&self, reg: u32) -> u128 {
        if reg == regs::pc(self.guest()) {
            return self.pc().into();
        }
        if reg == regs::status(self.guest()) {
            return self.status().into();
        }
        match regs::plain(self.guest(), reg) {
            Some(UcReg {
                id,
                width: Width::Bits32,
            }) => self.read_raw::<u32>(id).into(),
            Some(UcReg {
                id,
                width: Width::Bits64,
            }) => self.read_raw::<u64>(id).into(),
            Some(UcReg {
                id,
                width: Width::Bits128,
            }) => self.read_raw::<u128>(id),
            None => 0,
        }
    }

    fn set(&self, reg: u32, value: u128) {
        if reg == regs::pc(self.guest()) {
            return self.set_pc(value as u64);
        }
        if reg == regs::status(self.guest()) {
            return self.set_status(value as u64);
        }
        match regs::plain(self.guest(), reg) {
            Some(UcReg {
                id,
                width: Width::Bits32,
            }) => self.write_raw(id, value as u32),
            Some(UcReg {
                id,
                width: Width::Bits64,
            }) => self.write_raw(id, value as u64),
            Some(UcReg {
                id,
                width: Width::Bits128,
            }) => self.write_raw(id, value),
            None => {}
        }
    }

    /// AArch64: general register `rt`, where 31 is the zero register.
    fn x(&self, rt: u8) -> u64 {
        if rt == 31 {
            0
        } else {
            self.get(rt.into()) as u64
        }
    }

    fn set_x(&self, rt: u8, value: u64) {
        if rt != 31 {
            self.set(rt.into(), value.into());
        }
    }
}

/// [`Regs`] for a system-call callback.
struct HookRegs<'a>(&'a Inner);

impl Regs for HookRegs<'_> {
    fn get(&mut self, id: u32) -> u64 {
        self.0.get(id) as u64
    }
    fn set(&mut self, id: u32, value: u64) {
        self.0.set(id, value.into());
    }
    fn get_wide(&mut self, id: u32) -> u128 {
        self.0.get(id)
    }
    fn set_wide(&mut self, id: u32, value: u128) {
        self.0.set(id, value);
    }
}

/// Guest memory and translations of it.
impl Inner {
    /// The instruction (or its first halfword, in Thumb state) at `addr`; 0, which is undefined
    /// or harmless everywhere, when it cannot be read.
    fn code_at(&self, addr: u64, thumb: bool) -> u32 {
        let mut bytes = [0; 4];
        let part = if thumb {
            &mut bytes[..2]
        } else {
            &mut bytes[..]
        };
        if self.space.read(addr, part).is_err() {
            return 0;
        }
        match (self.guest(), thumb) {
            (Guest::ArmBe32, false) => u32::from_be_bytes(bytes),
            (Guest::ArmBe32, true) => u16::from_be_bytes([bytes[0], bytes[1]]).into(),
            _ => u32::from_le_bytes(bytes),
        }
    }

    /// An address without its tag: user addresses have bit 55 clear, and the kernel's are not ours.
    fn untagged(&self, addr: u64) -> u64 {
        if self.guest().is_aarch64() {
            addr & ((1 << TAG_SHIFT) - 1)
        } else {
            addr
        }
    }

    /// Answers the engine's question for a page.
    fn page(&self, page: u64, access: Access) -> Result<(u64, u32), PageFault> {
        // A branch drops the tag of its target (TCR_EL1.TBI0), so one in the pc is no tag.
        let addr = if access == Access::Fetch {
            page
        } else {
            self.untagged(page)
        };
        let fault = |mapped, bus| PageFault {
            page,
            access,
            mapped,
            bus,
        };
        if addr >= self.space.limit() {
            return Err(fault(false, false));
        }
        let mut found = self.space.page_at(addr);
        if found.is_none() && access != Access::Fetch && self.space.fault(addr) {
            found = self.space.page_at(addr);
        }
        let Some((prot, may_end)) = found else {
            return Err(fault(false, false));
        };
        let prot = prot.effective();
        let need = match access {
            Access::Read => Prot::READ,
            Access::Write => Prot::WRITE,
            Access::Fetch => Prot::EXEC,
        };
        if !prot.contains(need) {
            return Err(fault(true, false));
        }
        // A page of a mapped file may lie behind the file's end. The engine would die of that
        // access as it cannot tell it from one of its own.
        if may_end && self.space.read(addr & !(PAGE_SIZE - 1), &mut [0]).is_err() {
            return Err(fault(true, true));
        }
        if let Some(bus) = self.repeated.get().signal_for(addr & !(PAGE_SIZE - 1)) {
            return Err(fault(true, bus));
        }
        let mut perms = 0;
        for (right, perm) in [
            (Prot::READ, ffi::PROT_READ),
            (Prot::WRITE, ffi::PROT_WRITE),
            (Prot::EXEC, ffi::PROT_EXEC),
        ] {
            if prot.contains(right) {
                perms |= perm;
            }
        }
        Ok((addr, perms))
    }

    /// The guest's address that the running engine accesses at a host address.
    pub(super) fn guest_address(&self, host: usize) -> Option<u64> {
        let addr = (host as u64).checked_sub(self.space.base() as u64)?;
        (addr < self.space.limit() && !self.in_hook.get()).then_some(addr)
    }

    /// Notes a host fault at a guest address. In a signal handler.
    pub(super) fn host_fault_at(&self, addr: u64, bus: bool) {
        let page = addr & !(PAGE_SIZE - 1);
        self.repeated.set(self.repeated.get().and(page, bus));
    }

    pub(super) fn is_aarch64(&self) -> bool {
        self.guest().is_aarch64()
    }

    /// # Safety
    /// The engine is open and not within translated code.
    pub(super) unsafe fn flush_tlb(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.api.flush_tlb(self.engine) };
    }

    /// Applies what changed in the address space. Not within translated code.
    fn apply_notices(&self) {
        let notices = self.notices.take();
        for (start, end) in notices.code_ranges {
            self.forget_code(start, end);
        }
        if notices.tlb_flush {
            // SAFETY: open and not within translated code.
            unsafe { self.api.flush_tlb(self.engine) };
        }
    }

    fn forget_code(&self, start: u64, end: u64) {
        let end = end.min(self.space.limit());
        if start >= end {
            return;
        }
        if end - start > MANY_CODE_BYTES {
            // SAFETY: open and not within translated code.
            unsafe { self.api.flush_code(self.engine) };
            return;
        }
        // SAFETY: open and not within translated code. The callback lets the engine look up
        // `start` whatever is mapped there; the TLB entry that this leaves is flushed.
        unsafe {
            self.invalidating.set(true);
            self.api.flush_tlb(self.engine);
            self.api.remove_code(self.engine, start, end);
            self.api.flush_tlb(self.engine);
            self.invalidating.set(false);
        }
    }
}

/// Callbacks.
impl Inner {
    /// Says, around a run, whether it counts instructions.
    fn set_counting(&self, counting: bool) {
        self.stop.set_counting(counting);
        stops::set_counting(counting);
    }

    fn take_turn(&self) {
        let turn = Turn::take(Some(&self.stop), self.space.shares_memory());
        self.turn.replace(Some(turn));
        self.stop.turn_begins();
    }

    fn end_turn(&self) {
        self.turn.replace(None);
    }

    /// Whether blocks must be hooked, for turns among processes, and are not.
    fn needs_hooks(&self) -> bool {
        !self.blocks_hooked.get() && self.space.shares_memory() && family::exists()
    }

    /// From now on [`on_block`] is called at each block. Not while the engine runs.
    fn hook_blocks(&self) -> Result<(), String> {
        let user = std::ptr::from_ref(self).cast_mut().cast::<c_void>();
        // SAFETY: as in `open`: the callback takes `user` as an `&Inner`, which outlives the engine.
        // What is translated already does not call.
        unsafe {
            self.api.hook_blocks(self.engine, on_block, user)?;
            self.api.flush_code(self.engine);
        }
        self.blocks_hooked.set(true);
        Ok(())
    }

    fn end_run(&self, leave: Leave) {
        self.leave.set(Some(leave));
        self.stop_engine();
    }

    fn stop_engine(&self) {
        // SAFETY: the engine is open.
        unsafe { (self.api.emu_stop)(self.engine) };
    }

    fn interrupted(&self, number: u32) {
        match number {
            excp::SWI => self.system_call(),
            excp::BKPT => self.end_run(Leave::Exit(self.breakpoint())),
            excp::DATA_ABORT => self.end_run(Leave::Exit(self.misaligned())),
            excp::PREFETCH_ABORT => {
                let addr = self.pc();
                let exit = Exit::Fault {
                    addr,
                    access: Access::Fetch,
                    mapped: true,
                    bus: true,
                    align: true,
                };
                self.end_run(Leave::Exit(exit));
            }
            excp::UDEF if self.guest().is_aarch64() => self.undefined_a64(),
            _ => self.end_run(Leave::Exit(Exit::Undefined)),
        }
    }

    fn system_call(&self) {
        let thumb = self.is_thumb();
        let insn = self.code_at(self.pc().wrapping_sub(if thumb { 2 } else { 4 }), thumb);
        let imm = if self.guest().is_aarch64() {
            insn >> 5 & 0xffff
        } else {
            trap::svc_imm(insn, thumb)
        };
        let Some(callback) = self.on_syscall.get() else {
            return self.end_run(Leave::Exit(Exit::Syscall { imm }));
        };
        self.in_hook.set(true);
        self.end_turn();
        // SAFETY: set by `run`, which is waiting for the engine and keeps the closure borrowed.
        let flow = unsafe { (*callback)(&mut HookRegs(self), imm) };
        self.take_turn();
        self.in_hook.set(false);
        if flow == Flow::Leave {
            return self.end_run(Leave::Exit(Exit::Syscall { imm }));
        }
        if self.new_pc.get().is_some() {
            return self.end_run(Leave::Resume);
        }
        self.apply_notices();
        if self.stop.is_pending() || self.needs_hooks() {
            self.stop_engine();
        }
    }

    fn breakpoint(&self) -> Exit {
        let thumb = self.is_thumb();
        let insn = self.code_at(self.pc(), thumb);
        let imm = if self.guest().is_aarch64() {
            insn >> 5 & 0xffff
        } else {
            trap::bkpt_imm(insn, thumb)
        };
        Exit::Breakpoint { imm }
    }

    /// Thumb: where a step must end if it is one of an IT block, which the engine takes as a
    /// whole otherwise.
    fn it_step_end(&self) -> Option<u64> {
        let status = self.status();
        if self.guest().is_aarch64() || status & 1 << 5 == 0 {
            return None;
        }
        let insn = self.code_at(self.pc(), true);
        // ITSTATE is CPSR[15:10, 26:25]; its low four bits are 0 outside of IT blocks.
        let in_block = status >> 25 & 3 != 0 || status >> 10 & 3 != 0;
        let length = if trap::is_t32(insn) { 4 } else { 2 };
        (in_block || trap::is_it(insn)).then(|| self.pc() + length)
    }

    /// Undoes what the engine does for our sake before it asks for the page of a data access: it
    /// makes its state that of the instruction, as for a fault (`cpu_restore_state` in
    /// qemu/softmmu/unicorn_vtlb.c of 2.1.4), although the translated code goes on. That relies on
    /// ITSTATE being 0 within a block and never clears it, so that whatever ran next would be
    /// taken for the rest of the IT block. The syndrome is [`on_invalid`]'s business.
    fn back_within_block(&self) {
        if self.guest().is_aarch64() {
            return;
        }
        self.write_raw(a32::ESR, NO_SYNDROME);
        let status = self.read_raw::<u32>(a32::CPSR);
        if status & IT_STATE != 0 {
            self.write_raw(a32::CPSR, status & !IT_STATE);
        }
    }

    fn misaligned(&self) -> Exit {
        let pc = self.pc();
        let operand = if self.guest().is_aarch64() {
            trap::a64_misaligned(self.code_at(pc, false))
        } else if self.is_thumb() {
            trap::t32_misaligned(self.code_at(pc, true) << 16 | self.code_at(pc + 2, true))
        } else {
            trap::a32_misaligned(self.code_at(pc, false))
        };
        let addr = self.get(operand.base) as u64;
        let addr = addr.wrapping_add_signed(operand.offset);
        let addr = if self.guest().is_aarch64() {
            addr
        } else {
            addr & 0xffff_ffff
        };
        Exit::Fault {
            addr,
            access: operand.access,
            mapped: true,
            bus: true,
            align: true,
        }
    }

    fn undefined_a64(&self) {
        let pc = self.pc();
        match trap::a64_undefined(self.code_at(pc, false)) {
            A64Trap::Undefined => return self.end_run(Leave::Exit(Exit::Undefined)),
            A64Trap::ReadId { id, rt } => match trap::id_register(&self.config.id_registers, id) {
                Some(value) => self.set_x(rt, value),
                None => return self.end_run(Leave::Exit(Exit::Undefined)),
            },
            A64Trap::ReadCtr { rt } => self.set_x(rt, trap::CTR_EL0),
            A64Trap::CleanData { rt } | A64Trap::InvalidateCode { rt } => {
                let addr = self.x(rt);
                if let Err(fault) = self.page(addr & !(PAGE_SIZE - 1), Access::Read) {
                    let exit = self.fault_exit(fault, addr);
                    return self.end_run(Leave::Exit(exit));
                }
                if let A64Trap::InvalidateCode { .. } = trap::a64_undefined(self.code_at(pc, false))
                {
                    // By announcing it, so that the cores of other threads hear of it too.
                    let line = self.untagged(addr) & !(trap::CACHE_LINE - 1);
                    self.space.notify_code_write(line, line + trap::CACHE_LINE);
                }
            }
        }
        self.new_pc.set(Some(pc + 4));
        self.end_run(Leave::Resume);
    }

    fn fault_exit(&self, fault: PageFault, addr: u64) -> Exit {
        Exit::Fault {
            addr: self.untagged(addr),
            access: fault.access,
            mapped: fault.mapped,
            bus: fault.bus,
            align: false,
        }
    }
}

extern "C" fn on_interrupt(_: *mut Engine, number: u32, user: *mut c_void) {
    // SAFETY: `user` is the `Inner` of the running engine, as registered.
    unsafe { &*user.cast::<Inner>() }.interrupted(number);
}

/// AArch32 only: an undefined instruction, or one of the hints that end a block (YIELD, WFE).
/// True to go on.
extern "C" fn on_invalid(_: *mut Engine, user: *mut c_void) -> bool {
    // SAFETY: as above.
    let inner = unsafe { &*user.cast::<Inner>() };
    // The hints leave the syndrome register alone; a system call before leaves EC 0x11 there.
    let syndrome = inner.read_raw::<u32>(a32::ESR);
    if syndrome == NO_SYNDROME || syndrome >> 26 == 0x11 {
        if inner.stop.is_pending() {
            inner.stop_engine();
        }
        return true;
    }
    inner.leave.set(Some(Leave::Exit(Exit::Undefined)));
    false
}

/// Only where the engine must not be told to stop at any moment, or by another process.
extern "C" fn on_block(_: *mut Engine, _: u64, _: u32, user: *mut c_void) {
    // SAFETY: as above.
    let inner = unsafe { &*user.cast::<Inner>() };
    if inner.stop.is_pending() || inner.turn.borrow().as_ref().is_some_and(Turn::is_over) {
        inner.stop_engine();
    }
}

/// Only where blocks are watched.
extern "C" fn on_watched_block(_: *mut Engine, pc: u64, size: u32, user: *mut c_void) {
    // SAFETY: as above.
    let inner = unsafe { &*user.cast::<Inner>() };
    // A step asks with a length of which nobody knows anything.
    if let Some(watcher) = inner.watcher.get() {
        watcher(&mut HookRegs(inner), pc, size);
    }
}

extern "C" fn on_tlb_fill(
    _: *mut Engine,
    page: u64,
    kind: c_int,
    entry: *mut TlbEntry,
    user: *mut c_void,
) -> bool {
    // SAFETY: as above.
    let inner = unsafe { &*user.cast::<Inner>() };
    if inner.invalidating.get() {
        // SAFETY: the engine waits for its answer in `entry`.
        unsafe {
            *entry = TlbEntry {
                paddr: page,
                perms: ffi::PROT_ALL,
            }
        };
        return true;
    }
    // Not where that could end the run behind this very access, see `stops`.
    if inner.api.stops_between_blocks && !inner.counting.get() && inner.stop.is_pending() {
        inner.stop_engine();
    }
    let access = match kind {
        ffi::MEM_WRITE => Access::Write,
        ffi::MEM_FETCH => Access::Fetch,
        _ => Access::Read,
    };
    match inner.page(page, access) {
        Ok((paddr, perms)) => {
            if access != Access::Fetch {
                inner.back_within_block();
            }
            // SAFETY: as above.
            unsafe { *entry = TlbEntry { paddr, perms } };
            true
        }
        Err(fault) => {
            inner.fault.set(Some(fault));
            false
        }
    }
}

impl UnicornCore {
    /// One `emu_start`: until a hook ends it, a fault, or an interrupt (`None`).
    fn run_once(&mut self, count: usize) -> Option<Leave> {
        let inner = &*self.inner;
        if inner.needs_hooks() {
            // Without them other processes wait longer, until the next system call.
            let _ = inner.hook_blocks();
        }
        inner.take_turn();
        inner.apply_notices();
        inner.leave.set(None);
        inner.fault.set(None);
        inner.repeated.take();
        if !inner.guest().is_aarch64() {
            inner.write_raw(a32::ESR, NO_SYNDROME);
        }
        let pc = inner.pc() | u64::from(inner.is_thumb());
        // SAFETY: the engine is open and not running. Flushing the TLB makes sure that the first
        // instruction's fetch comes to us, where an interrupt that was set just before is seen.
        let error = unsafe {
            inner.api.flush_tlb(inner.engine);
            rescue::while_running(inner, || {
                (inner.api.emu_start)(inner.engine, pc, 0, 0, count)
            })
        };
        inner.end_turn();
        if let Some(leave) = inner.leave.take() {
            if let Some(pc) = inner.new_pc.take() {
                inner.set_pc(pc);
            }
            return Some(leave);
        }
        match (error, inner.fault.get()) {
            (ffi::OK, _) => None,
            (ffi::ERR_EXCEPTION, Some(fault)) => {
                let addr = match fault.access {
                    Access::Fetch => inner.pc().max(fault.page),
                    _ => probe::fault_address(&inner.api, &inner.config, inner.engine, fault.page),
                };
                Some(Leave::Exit(inner.fault_exit(fault, addr)))
            }
            _ => Some(Leave::Exit(Exit::Undefined)),
        }
    }
}

impl Regs for UnicornCore {
    fn get(&mut self, id: u32) -> u64 {
        self.inner.get(id) as u64
    }
    fn set(&mut self, id: u32, value: u64) {
        self.inner.set(id, value.into());
    }
    fn get_wide(&mut self, id: u32) -> u128 {
        self.inner.get(id)
    }
    fn set_wide(&mut self, id: u32, value: u128) {
        self.inner.set(id, value);
    }
}

impl CpuCore for UnicornCore {
    fn run(&mut self, on_syscall: OnSyscall<'_>) -> Exit {
        // Unicorn itself flushes its translations when it need not count any more.
        self.inner.counting.set(false);
        // SAFETY: only lengthens the closure's lifetime; the pointer is cleared before we return.
        let callback = unsafe {
            std::mem::transmute::<
                *mut (dyn FnMut(&mut dyn Regs, u32) -> Flow + '_),
                *mut (dyn FnMut(&mut dyn Regs, u32) -> Flow + 'static),
            >(&raw mut *on_syscall)
        };
        self.inner.on_syscall.set(Some(callback));
        let exit = loop {
            if self.inner.stop.take() {
                break Exit::Interrupted;
            }
            match self.run_once(0) {
                Some(Leave::Exit(exit)) => break exit,
                Some(Leave::Resume) => {}
                None => {
                    if self.inner.stop.take() {
                        break Exit::Interrupted;
                    }
                    // Another thread's turn, or a WFI, which has nothing to wait for in a
                    // user program.
                }
            }
        };
        self.inner.on_syscall.set(None);
        exit
    }

    fn step(&mut self) -> Exit {
        let inner = Rc::clone(&self.inner);
        let start = inner.pc();
        let it_end = inner.it_step_end();
        if !inner.counting.get() || it_end.is_some() {
            // What is translated already neither counts instructions nor ends at `it_end`.
            // SAFETY: open and not running.
            unsafe { inner.api.flush_code(inner.engine) };
        }
        inner.counting.set(true);
        // SAFETY: open and not running.
        unsafe { inner.api.set_exits(inner.engine, it_end.as_slice()) };
        inner.set_counting(true);
        let left = self.run_once(1);
        inner.set_counting(false);
        if it_end.is_some() {
            // SAFETY: as above. The exit is part of what was translated.
            unsafe {
                inner.api.set_exits(inner.engine, &[]);
                inner.api.flush_code(inner.engine);
            }
        }
        match left {
            // The next instruction cannot be fetched: that is its own step's business.
            Some(Leave::Exit(Exit::Fault {
                access: Access::Fetch,
                ..
            })) if inner.pc() != start => Exit::Interrupted,
            Some(Leave::Exit(exit)) => exit,
            Some(Leave::Resume) | None => Exit::Interrupted,
        }
    }

    fn interrupter(&self) -> Arc<dyn Interrupter> {
        Arc::clone(&self.inner.stop) as Arc<dyn Interrupter>
    }

    fn invalidate(&mut self, start: u64, end: u64) {
        self.inner.forget_code(start, end);
    }

    fn watch_blocks(&mut self, watcher: BlockWatcher) -> bool {
        let inner = &self.inner;
        let user = Rc::as_ptr(inner).cast_mut().cast::<c_void>();
        // SAFETY: as in `open`; nothing has been translated yet, so that every block calls.
        let hooked = unsafe { inner.api.hook_blocks(inner.engine, on_watched_block, user) };
        hooked.is_ok() && inner.watcher.set(watcher).is_ok()
    }

    fn duplicate(&self) -> Result<Box<dyn CpuCore>, String> {
        let mut copy = Self::open(self.inner.config.clone(), Arc::clone(&self.inner.space))?;
        if let Some(watcher) = self.inner.watcher.get() {
            copy.watch_blocks(Arc::clone(watcher));
        }
        // The status first: it holds the instruction set, which the program counter goes by.
        let status = regs::status(self.inner.guest());
        copy.inner.set(status, self.inner.get(status));
        for reg in 0..regs::count(self.inner.guest()) {
            copy.inner.set(reg, self.inner.get(reg));
        }
        Ok(Box::new(copy))
    }
}
