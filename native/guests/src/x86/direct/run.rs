//! The core.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::entry::{self, Block, CS, FLAGS, RIP, SP, SS, State};
use super::{fpu, slots};
use crate::cpu::{Access, CpuCore, Exit, Flow, Interrupter, OnSyscall, Regs, Stops};
use crate::memory::{AddressSpace, Prot};

use super::super::linux::registers::{
    FIXED_FLAGS, FS_BASE, GS_BASE, Numbers, R8, TRAP_FLAG, USER_CS, USER_DS, W64,
};
use super::super::linux::trap;

/// AUDIT_ARCH_I386: `int 0x80`.
const CALL_OF_32_BITS: u32 = 0x4000_0003;
/// All flags that IRETQ may load.
const LOADED_FLAGS: u64 = 0x0025_4dd5;
/// Size of `syscall` and `int 0x80`.
const CALL_SIZE: u64 = 2;
/// After so many faults in a row that the records do not explain, the guest gets them.
const PATIENCE: u32 = 1000;

/// Whether the guest is to be left.
#[derive(Debug, Default)]
struct Wanted(AtomicU32);

impl Interrupter for Wanted {
    /// In the thread itself, or in a handler of a signal that is sent to it: that is what gets it out of the guest.
    fn interrupt(&self) {
        self.0.store(1, Ordering::SeqCst);
    }
}

/// How the guest was left.
enum Left {
    Call,
    Exit(Exit),
    Wanted,
    /// It goes on.
    Again,
}

pub struct Core {
    state: Box<State>,
    area: fpu::Area,
    wanted: Arc<Wanted>,
    space: Arc<AddressSpace>,
    /// The block of the thread that is armed for it.
    armed: *mut Block,
    stops: Arc<Stops>,
    /// ds, es, fs, gs: what the guest was told that they are.
    selectors: [u64; 4],
    /// The last fault that should not have been, and how often.
    odd: (u64, u64, u32),
    executed: u64,
}

// SAFETY: what it points to is its own, or a thread's by which it is then run.
unsafe impl Send for Core {}

impl Core {
    pub fn new(space: Arc<AddressSpace>) -> Self {
        Self::with(space, fpu::Area::new())
    }

    fn with(space: Arc<AddressSpace>, mut area: fpu::Area) -> Self {
        let wanted = Arc::new(Wanted::default());
        let flag = &raw const wanted.0;
        let state = State::new(area.pointer(), area.size(), flag);
        Self {
            state: Box::new(state),
            area,
            wanted,
            space,
            armed: std::ptr::null_mut(),
            stops: Arc::default(),
            selectors: [0; 4],
            odd: (0, 0, 0),
            executed: 0,
        }
    }

    /// Makes the calling thread one that can run it.
    fn attach(&mut self) {
        let block = slots::block();
        let armed = block.and_then(|block| {
            if block != self.armed {
                slots::arm(block)?;
            }
            Ok(block)
        });
        match armed {
            Ok(block) => {
                self.armed = block;
                self.state.block = block;
                // SAFETY: the block is this thread's, which runs no guest now.
                unsafe { (*block).state = &raw mut *self.state };
            }
            Err(error) => {
                // There is no guest without it, and nobody who could be told otherwise.
                eprintln!("qusr: the core direct has no room for another thread: {error}");
                std::process::abort();
            }
        }
    }

    /// Runs until the guest is left; `heed`: what interrupts it, too.
    fn enter(&mut self, heed: bool) -> Left {
        self.attach();
        self.state.heed = heed.into();
        self.state.frame[FLAGS] = self.state.frame[FLAGS] & LOADED_FLAGS | FIXED_FLAGS;
        // SAFETY: the state is whole, and the thread was made ready for it.
        unsafe { entry::enter(&raw mut *self.state) };
        if self.state.trapped == 0 {
            return Left::Wanted;
        }
        self.left()
    }

    /// What the exception is to the guest.
    fn left(&mut self) -> Left {
        let trap = self.state.trap;
        let pc = self.state.frame[RIP];
        let exception = |code| Left::Exit(Exit::Exception { code, size: 0 });
        match trap.signal {
            libc::SIGSYS if trap.arch == CALL_OF_32_BITS => {
                // As where the kernel has no calls of 32 bits.
                self.state.frame[RIP] = pc.wrapping_sub(CALL_SIZE);
                exception(trap::PROTECTION)
            }
            libc::SIGSYS => Left::Call,
            libc::SIGILL => Left::Exit(Exit::Undefined),
            libc::SIGTRAP if trap.vector == trap::BREAKPOINT => {
                self.state.frame[RIP] = pc.wrapping_sub(1);
                Left::Exit(Exit::Breakpoint { imm: 0 })
            }
            libc::SIGTRAP => {
                // TRAP_BRKPT: `icebp`, behind which the pc stands.
                let size = u8::from(trap.code == 1);
                self.state.frame[RIP] = pc.wrapping_sub(size.into());
                let code = trap::DEBUG;
                Left::Exit(Exit::Exception { code, size })
            }
            libc::SIGSEGV | libc::SIGBUS if trap.vector == trap::PAGE => self.fault(),
            _ => exception(trap.vector),
        }
    }

    fn fault(&mut self) -> Left {
        let trap = self.state.trap;
        // Bits of the processor's error code.
        let (access, need) = match trap.error {
            error if error & 0x10 != 0 => (Access::Fetch, Prot::EXEC),
            error if error & 2 != 0 => (Access::Write, Prot::WRITE),
            _ => (Access::Read, Prot::READ),
        };
        let (addr, bus) = (trap.addr, trap.signal == libc::SIGBUS);
        if self.space.fault(addr) {
            return Left::Again;
        }
        let allowed = self.space.is_guarded(addr, need);
        if !bus && allowed && self.space.read(addr, &mut [0]).is_ok() {
            // Another thread permitted it meanwhile.
            let pc = self.state.frame[RIP];
            let again = (self.odd.0, self.odd.1) == (pc, addr);
            self.odd = (pc, addr, if again { self.odd.2 + 1 } else { 0 });
            if self.odd.2 < PATIENCE {
                return Left::Again;
            }
        }
        let mapped = self.space.prot_at(addr).is_some() && (bus || !allowed);
        Left::Exit(Exit::Fault {
            addr,
            access,
            mapped,
            bus,
            align: false,
        })
    }

    /// One instruction.
    fn one(&mut self) -> Exit {
        let pushes = self.pushes_flags();
        let before = self.state.frame[FLAGS] & TRAP_FLAG;
        loop {
            self.state.frame[FLAGS] |= TRAP_FLAG;
            let left = self.enter(false);
            self.state.frame[FLAGS] &= !TRAP_FLAG;
            let exit = match left {
                Left::Again | Left::Wanted => continue,
                Left::Call => {
                    // `syscall` has put the flags there.
                    let r11 = &mut self.state.general[4];
                    *r11 = *r11 & !TRAP_FLAG | before;
                    Exit::Syscall { imm: 0 }
                }
                Left::Exit(Exit::Exception {
                    code: trap::DEBUG,
                    size: 0,
                }) => {
                    if pushes {
                        self.correct_pushed(before);
                    }
                    self.executed += 1;
                    Exit::Interrupted
                }
                Left::Exit(exit) => exit,
            };
            self.state.frame[FLAGS] |= before;
            return exit;
        }
    }

    /// Whether the next instruction is PUSHF, which shows the flag by which it is stepped over.
    fn pushes_flags(&self) -> bool {
        let mut code = [0; 3];
        let pc = self.state.frame[RIP];
        let known = self.space.read(pc, &mut code).is_ok();
        let prefixes = code
            .iter()
            .take_while(|&&byte| byte == 0x66 || byte & 0xf0 == 0x40);
        known && code.get(prefixes.count()) == Some(&0x9c)
    }

    fn correct_pushed(&self, before: u64) {
        let mut byte = [0];
        let at = self.state.frame[SP].wrapping_add(1);
        if self.space.read(at, &mut byte).is_ok() {
            byte[0] = byte[0] & !1 | (before >> 8) as u8;
            let _ = self.space.write(at, &byte);
        }
    }

    /// As `run`, where a debugger has stops.
    fn run_stopping(&mut self, on_syscall: OnSyscall<'_>) -> Exit {
        loop {
            if self.wanted.0.swap(0, Ordering::SeqCst) != 0 {
                return Exit::Interrupted;
            }
            if self.stops.at(self.state.frame[RIP]) {
                return Exit::Stop;
            }
            match self.one() {
                Exit::Interrupted => {}
                Exit::Syscall { imm } => {
                    if on_syscall(self, imm) == Flow::Leave {
                        return Exit::Syscall { imm };
                    }
                }
                exit => return exit,
            }
        }
    }

    fn bytes(&mut self, at: usize, len: usize) -> u128 {
        let mut value = [0; 16];
        value[..len].copy_from_slice(&self.area.bytes()[at..at + len]);
        u128::from_le_bytes(value)
    }

    fn put(&mut self, at: usize, len: usize, value: u128) {
        self.area.bytes()[at..at + len].copy_from_slice(&value.to_le_bytes()[..len]);
    }

    /// Where a register is in the area, and its size in bytes.
    fn place(id: u32) -> Option<(usize, usize)> {
        let from = |first: u32| (id - first) as usize * 16;
        let [_, fip, _, fdp, fop] = W64.last_instruction();
        Some(match id {
            _ if (W64.st..W64.fctrl).contains(&id) => (fpu::ST + from(W64.st), 10),
            _ if (W64.xmm..W64.xmm + W64.xmm_count).contains(&id) => (fpu::XMM + from(W64.xmm), 16),
            _ if id == W64.fctrl => (fpu::FCW, 2),
            _ if id == W64.fstat() => (fpu::FSW, 2),
            _ if id == W64.ftw => (fpu::FTW, 1),
            _ if id == fop => (fpu::FOP, 2),
            _ if id == fip => (fpu::FIP, 8),
            _ if id == fdp => (fpu::FDP, 8),
            _ if id == W64.mxcsr => (fpu::MXCSR, 4),
            _ if id == W64.mxcsr_mask => (fpu::MXCSR_MASK, 4),
            _ => return None,
        })
    }

    /// A register of [`State`].
    fn plain(&mut self, id: u32) -> Option<&mut u64> {
        let state = &mut *self.state;
        let place = match id {
            _ if id == W64.ax => 13,
            _ if id == W64.bx => 12,
            _ if id == W64.cx => 11,
            _ if id == W64.dx => 10,
            _ if id == W64.si => 9,
            _ if id == W64.bp => 8,
            _ if id == W64.di => 14,
            _ if (R8..W64.ip).contains(&id) => 7 - (id - R8) as usize,
            _ if id == W64.ip => return Some(&mut state.frame[RIP]),
            _ if id == W64.flags => return Some(&mut state.frame[FLAGS]),
            _ if id == W64.sp => return Some(&mut state.frame[SP]),
            FS_BASE => return Some(&mut state.fs_base),
            GS_BASE => return Some(&mut state.gs_base),
            _ if (W64.cs + Numbers::DS..=W64.cs + Numbers::GS).contains(&id) => {
                return Some(&mut self.selectors[(id - W64.cs - Numbers::DS) as usize]);
            }
            _ => return None,
        };
        Some(&mut state.general[place])
    }
}

impl Regs for Core {
    fn get(&mut self, id: u32) -> u64 {
        if let Some(place) = self.plain(id) {
            return *place;
        }
        match id {
            _ if id == W64.cs => self.state.frame[CS],
            _ if id == W64.cs + Numbers::SS => self.state.frame[SS],
            _ if id == W64.ftag() => fpu::full_tags(self.area.bytes()).into(),
            _ => self.get_wide(id) as u64,
        }
    }

    fn set(&mut self, id: u32, value: u64) {
        if let Some(place) = self.plain(id) {
            *place = value;
            return;
        }
        match id {
            // There is no other code, and no other stack, with 64 bits.
            _ if id == W64.cs => self.state.frame[CS] = USER_CS,
            _ if id == W64.cs + Numbers::SS => self.state.frame[SS] = USER_DS,
            _ if id == W64.ftag() => {
                self.area.bytes()[fpu::FTW] = fpu::short_tags(value as u16);
            }
            _ if id == W64.mxcsr_mask => {}
            // A bit that is not there would trap when it is loaded.
            _ if id == W64.mxcsr => {
                let mask = self.bytes(fpu::MXCSR_MASK, 4);
                self.put(fpu::MXCSR, 4, u128::from(value) & mask);
            }
            _ => self.set_wide(id, value.into()),
        }
    }

    fn get_wide(&mut self, id: u32) -> u128 {
        match Self::place(id) {
            Some((at, len)) => self.bytes(at, len),
            None => self.plain(id).map_or(0, |place| u128::from(*place)),
        }
    }

    fn set_wide(&mut self, id: u32, value: u128) {
        match Self::place(id) {
            Some((at, len)) => self.put(at, len, value),
            None => {
                if let Some(place) = self.plain(id) {
                    *place = value as u64;
                }
            }
        }
    }

    fn extended(&mut self) -> Option<&mut [u8]> {
        Some(self.area.bytes())
    }
}

impl CpuCore for Core {
    fn run(&mut self, on_syscall: OnSyscall<'_>) -> Exit {
        if !self.stops.code.is_empty() || self.stops.count {
            return self.run_stopping(on_syscall);
        }
        loop {
            match self.enter(true) {
                Left::Call => {
                    if on_syscall(self, 0) == Flow::Leave {
                        return Exit::Syscall { imm: 0 };
                    }
                }
                Left::Exit(exit) => return exit,
                Left::Wanted => {
                    self.wanted.0.store(0, Ordering::SeqCst);
                    return Exit::Interrupted;
                }
                Left::Again => {}
            }
        }
    }

    fn step(&mut self) -> Exit {
        self.one()
    }

    fn set_stops(&mut self, stops: &Arc<Stops>) {
        self.stops = Arc::clone(stops);
    }

    fn executed(&self) -> Option<u64> {
        self.stops.count.then_some(self.executed)
    }

    fn interrupter(&self) -> Arc<dyn Interrupter> {
        self.wanted.clone()
    }

    fn invalidate(&mut self, _start: u64, _end: u64) {}

    fn before_fork(&mut self) {
        // A clone that is made in the midst of fork() dispatches system calls itself.
        self.armed = std::ptr::null_mut();
    }

    fn after_fork_in_child(&mut self) {
        self.armed = std::ptr::null_mut();
    }

    fn duplicate(&self) -> Result<Box<dyn CpuCore>, String> {
        let mut new = Self::with(Arc::clone(&self.space), self.area.clone());
        new.state.general = self.state.general;
        new.state.frame = self.state.frame;
        new.state.fs_base = self.state.fs_base;
        new.state.gs_base = self.state.gs_base;
        new.selectors = self.selectors;
        new.stops = Arc::clone(&self.stops);
        Ok(Box::new(new))
    }
}
