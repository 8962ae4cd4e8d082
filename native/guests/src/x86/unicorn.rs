//! x86 on Unicorn. Ids are those of `x86.h`.
//!
//! The library begins at the level of a kernel, and its registers with 64 bits let nobody choose another one:
//! the level is set in its own state ([`super::state`]). Descriptors are in a page of the processor's.

use std::sync::OnceLock;

use crate::cpu::Exit;
use crate::unicorn::Guest;
use crate::unicorn::engine::{Engine, Stopped};
use crate::unicorn::guest::{Bank, Exception, Facts, Meaning, Preset, Probe, UcReg, Width};

use super::linux::registers::{
    self as regs, FIXED_FLAGS, FS_BASE, INITIAL_CONTROL, INITIAL_MXCSR, MXCSR_BITS, Numbers, TLS,
    TLS_COUNT, USER_CS, USER_CS32, USER_DS, USER_DS32, USER_FLAGS, W32, W64,
};
use super::linux::{segments, trap};
use super::state::{self, Segment, State};

/// In one word size.
pub struct Unicorn {
    name: &'static str,
    facts: &'static Facts,
    numbers: &'static Numbers,
    ids: &'static Ids,
    layout: &'static Layout,
}

/// What a kernel has in the table of descriptors, and in the segment registers when a program starts.
struct Layout {
    descriptors: &'static [(u64, u64)],
    code: u64,
    stack: u64,
    /// ds and es.
    data: u64,
    /// Programs have descriptors of their own there.
    has_own: bool,
}

/// The library's registers of a word size.
pub struct Ids {
    /// In the order of their numbers in instructions: ax, cx, dx, bx, sp, bp, si, di.
    pub general: [UcReg; 8],
    pub pc: UcReg,
}

impl Ids {
    pub fn is_wide(&self) -> bool {
        self.pc.width == Width::Bits64
    }
}

pub const CR0: UcReg = UcReg::bits32(50);
const CR4: UcReg = UcReg::bits32(54);
const EFLAGS: UcReg = UcReg::bits32(25);
const FPCW: i32 = 246;
const FPSW: i32 = 31;
const FPTAG: UcReg = UcReg::bits32(247);
const MXCSR: i32 = 249;
/// cs, ss, ds, es, fs, gs.
const SELECTORS: [UcReg; 6] = [
    UcReg::bits32(11),
    UcReg::bits32(49),
    UcReg::bits32(17),
    UcReg::bits32(28),
    UcReg::bits32(32),
    UcReg::bits32(33),
];

const IDS64: Ids = {
    const fn r(number: i32) -> UcReg {
        state::id(true, number)
    }
    Ids {
        general: [r(35), r(38), r(40), r(37), r(44), r(36), r(43), r(39)],
        pc: r(41),
    }
};

const IDS32: Ids = {
    const fn r(number: i32) -> UcReg {
        state::id(false, number)
    }
    Ids {
        general: [r(19), r(22), r(24), r(21), r(30), r(20), r(29), r(23)],
        pc: r(26),
    }
};

const INS_SYSCALL: i32 = 699;

/// CR0: errors of the floating-point unit are exceptions (NE), WAIT looks at them (MP).
const CR0_FPU: u64 = 0x22;
/// CR4: FXSAVE saves the registers of SSE, and its errors are exceptions (OSFXSR, OSXMMEXCPT).
const CR4_SSE: u64 = 0x600;
/// The tag word: nothing is in any register.
const EMPTY_TAGS: u128 = 0xffff;

/// Where the processor finds descriptors: in the kernel's part of the addresses, where Linux has them, too
/// (CPU_ENTRY_AREA_RO_GDT of arch/x86/include/asm/pgtable_areas.h).
const GDT: u64 = 0xffff_fe00_0000_1000;
const GDT_SIZE: u64 = 4096;
/// Those of modify_ldt(2) (arch/x86/include/asm/mmu_context.h has them elsewhere, and at two places in turn).
const LDT: u64 = GDT + GDT_SIZE;
const LDT_SIZE: u64 = 8 * segments::LOCAL_COUNT as u64;
/// Segments of a user's (arch/x86/include/asm/segment.h): selectors and descriptors of all addresses.
static LAYOUT64: Layout = Layout {
    descriptors: &[
        (USER32_CS, CODE32),
        (USER_DS, DATA32),
        (USER_CS, 0x00af_fb00_0000_ffff),
    ],
    code: USER_CS,
    stack: USER_DS,
    data: 0,
    has_own: false,
};
static LAYOUT32: Layout = Layout {
    descriptors: &[(USER_CS32, CODE32), (USER_DS32, DATA32)],
    code: USER_CS32,
    stack: USER_DS32,
    data: USER_DS32,
    has_own: true,
};
/// Code with 32 bits, beside that with 64.
const USER32_CS: u64 = 0x23;
const CODE32: u64 = 0x00cf_fb00_0000_ffff;
const DATA32: u64 = 0x00cf_f300_0000_ffff;
/// In the second word of a descriptor: there, and not one of the system's.
const PRESENT: u32 = 1 << 15;
const NO_SYSTEM: u32 = 1 << 12;
const IN_PAGES: u32 = 1 << 23;
/// A segment of code; and one of code that can be read, or of data that can be stored to.
const CODE: u32 = 1 << 11;
const READS_OR_STORES: u32 = 1 << 9;
/// In a selector: the descriptor is one of modify_ldt(2).
const LOCAL_TABLE: u64 = 4;

const fn bank(first: u32, count: u32, id: i32, width: Width) -> Bank {
    let uc = UcReg { id, width };
    Bank { first, count, uc }
}

const fn one(number: u32, uc: UcReg) -> Bank {
    let count = 1;
    Bank {
        first: number,
        count,
        uc,
    }
}

/// Of the vectors. What programs raise by `int n` has numbers, too: but for a few the kernel lets nobody.
const fn exceptions() -> [Exception; 256] {
    let mut all = [Exception::new(0, Meaning::Ask); 256];
    let mut n = 0;
    while n < 256 {
        all[n].number = n as u32;
        // Of `int n` the pc is behind its two bytes.
        all[n].back = if n >= 32 { 2 } else { 0 };
        n += 1;
    }
    all[trap::BREAKPOINT as usize].meaning = Meaning::Breakpoint;
    all[trap::BREAKPOINT as usize].back = 1;
    all
}

static EXCEPTIONS64: [Exception; 256] = exceptions();
static EXCEPTIONS32: [Exception; 256] = {
    let mut all = exceptions();
    all[0x80] = Exception::new(0x80, Meaning::Call);
    all
};

static FACTS32: Facts = Facts {
    mode: 1 << 2,
    banks: &[
        one(W32.ax, IDS32.general[0]),
        one(W32.bx, IDS32.general[3]),
        one(W32.cx, IDS32.general[1]),
        one(W32.dx, IDS32.general[2]),
        one(W32.si, IDS32.general[6]),
        one(W32.di, IDS32.general[7]),
        one(W32.bp, IDS32.general[5]),
        one(W32.sp, IDS32.general[4]),
        one(W32.flags, EFLAGS),
        one(W32.cs, SELECTORS[0]),
        one(W32.cs + Numbers::SS, SELECTORS[1]),
        one(W32.cs + Numbers::DS, SELECTORS[2]),
        one(W32.cs + Numbers::ES, SELECTORS[3]),
        one(W32.cs + Numbers::FS, SELECTORS[4]),
        one(W32.cs + Numbers::GS, SELECTORS[5]),
        bank(W32.st, 8, 114, Width::Bits128),
        bank(W32.fctrl, 1, FPCW, Width::Bits32),
        bank(W32.fctrl + 1, 1, FPSW, Width::Bits32),
        one(W32.fctrl + 2, FPTAG),
        bank(W32.fctrl + 3, 1, 255, Width::Bits32),
        bank(W32.fctrl + 4, 1, 254, Width::Bits64),
        bank(W32.fctrl + 5, 1, 257, Width::Bits32),
        bank(W32.fctrl + 6, 1, 256, Width::Bits64),
        bank(W32.fctrl + 7, 1, 258, Width::Bits32),
        bank(W32.xmm, 8, 122, Width::Bits128),
        bank(W32.mxcsr, 1, MXCSR, Width::Bits32),
    ],
    count: TLS + TLS_COUNT,
    pc: W32.ip,
    uc_pc: IDS32.pc,
    leading: regs::REGISTERS32.leading,
    exceptions: &EXCEPTIONS32,
    address_mask: 0xffff_ffff,
    call: None,
    probe: Probe {
        base: IDS32.general[1],
        ..FACTS64.probe
    },
    ..FACTS64
};

static FACTS64: Facts = Facts {
    arch: 4,
    mode: 1 << 3,
    target: "x86_64",
    sets_page_size: false,
    banks: &[
        one(W64.ax, IDS64.general[0]),
        one(W64.bx, IDS64.general[3]),
        one(W64.cx, IDS64.general[1]),
        one(W64.dx, IDS64.general[2]),
        one(W64.si, IDS64.general[6]),
        one(W64.di, IDS64.general[7]),
        one(W64.bp, IDS64.general[5]),
        one(W64.sp, IDS64.general[4]),
        bank(regs::R8, 8, 106, Width::Bits64),
        one(W64.flags, EFLAGS),
        one(W64.cs, SELECTORS[0]),
        one(W64.cs + Numbers::SS, SELECTORS[1]),
        one(W64.cs + Numbers::DS, SELECTORS[2]),
        one(W64.cs + Numbers::ES, SELECTORS[3]),
        one(W64.cs + Numbers::FS, SELECTORS[4]),
        one(W64.cs + Numbers::GS, SELECTORS[5]),
        bank(W64.st, 8, 114, Width::Bits128),
        bank(W64.fctrl, 1, FPCW, Width::Bits32),
        bank(W64.fctrl + 1, 1, FPSW, Width::Bits32),
        one(W64.fctrl + 2, FPTAG),
        bank(W64.fctrl + 3, 1, 255, Width::Bits32),
        bank(W64.fctrl + 4, 1, 254, Width::Bits64),
        bank(W64.fctrl + 5, 1, 257, Width::Bits32),
        bank(W64.fctrl + 6, 1, 256, Width::Bits64),
        bank(W64.fctrl + 7, 1, 258, Width::Bits32),
        bank(W64.xmm, 16, 122, Width::Bits128),
        bank(W64.mxcsr, 1, MXCSR, Width::Bits32),
        bank(FS_BASE, 2, 250, Width::Bits64),
    ],
    pc: W64.ip,
    uc_pc: IDS64.pc,
    leading: regs::REGISTERS64.leading,
    presets: &[
        Preset {
            name: "CR0",
            uc: CR0,
            set: CR0_FPU,
            clear: 0,
        },
        Preset {
            name: "CR4",
            uc: CR4,
            set: CR4_SSE,
            clear: 0,
        },
        Preset {
            name: "the flags",
            uc: EFLAGS,
            set: FIXED_FLAGS,
            clear: 0,
        },
    ],
    exceptions: &EXCEPTIONS64,
    raised: None,
    count: W64.mxcsr_mask + 1,
    coherent_code: true,
    address_mask: u64::MAX,
    call: Some((INS_SYSCALL, 2)),
    kernel_pages: (GDT, LDT + LDT_SIZE),
    // movb (%rcx), %al
    probe: Probe {
        code: &[0x8a, 0x01],
        base: IDS64.general[1],
    },
};

pub static X86_64: Unicorn = Unicorn {
    name: "x86_64",
    facts: &FACTS64,
    numbers: &W64,
    ids: &IDS64,
    layout: &LAYOUT64,
};

pub static I386: Unicorn = Unicorn {
    name: "i386",
    facts: &FACTS32,
    numbers: &W32,
    ids: &IDS32,
    layout: &LAYOUT32,
};

/// Where the state begins in a copy of it; found once, by the first engine.
fn state_start(engine: Engine<'_>, ids: &Ids) -> Result<usize, String> {
    static START: OnceLock<usize> = OnceLock::new();
    if let Some(start) = START.get() {
        return Ok(*start);
    }
    let found = state::find(engine, ids)?;
    Ok(*START.get_or_init(|| found))
}

/// The tag word as FXSAVE has it, of the whole one: 3 is an empty register.
fn short_tags(tags: u128) -> u128 {
    (0..8).fold(0, |short, n| {
        short | u128::from(tags >> (2 * n) & 3 != 3) << n
    })
}

fn whole_tags(short: u128) -> u128 {
    (0..8).fold(0, |tags, n| {
        tags | if short >> n & 1 == 0 { 3 << (2 * n) } else { 0 }
    })
}

impl Unicorn {
    /// Which of the segment registers a number is.
    fn selector(&self, reg: u32) -> Option<usize> {
        let index = reg.checked_sub(self.numbers.cs)? as usize;
        (index < SELECTORS.len()).then_some(index)
    }
}

impl Guest for Unicorn {
    fn name(&self) -> &'static str {
        self.name
    }

    fn facts(&self) -> &'static Facts {
        self.facts
    }

    fn set_up(&self, engine: Engine<'_>, _model: i32) -> Result<(), String> {
        let start = state_start(engine, self.ids)?;
        engine.write(UcReg::bits32(FPCW), INITIAL_CONTROL.into());
        engine.write(FPTAG, EMPTY_TAGS);
        engine.write(UcReg::bits32(MXCSR), INITIAL_MXCSR.into());
        engine.map_own("the descriptors", GDT, GDT_SIZE)?;
        for (selector, descriptor) in self.layout.descriptors {
            let at = GDT + (selector & !7);
            engine.store("a descriptor", at, &descriptor.to_le_bytes())?;
        }
        let Layout {
            code, stack, data, ..
        } = *self.layout;
        let segments = [code, stack, data, data, 0, 0].map(|selector| segment(engine, selector));
        engine.with_state(|bytes| {
            let mut state = State::new(bytes, start);
            for (number, segment) in segments.into_iter().enumerate() {
                state.set_segment(QEMU[number], segment);
            }
            state.set_table(GDT, GDT_SIZE);
            state.enter_user_level();
            ((), true)
        })
    }

    /// The kernel loads selectors of changed descriptors again, too (`refresh_ldt_segments`; with 32 bits when it
    /// returns to the program).
    fn take_words(&self, engine: Engine<'_>, words: &[u64]) {
        let mut bytes: Vec<u8> = words.iter().copied().flat_map(u64::to_le_bytes).collect();
        bytes.resize(LDT_SIZE as usize, 0);
        // From the second time on the library refuses to map it, as it is mapped.
        let _ = engine.map_own("the local descriptors", LDT, LDT_SIZE);
        let _ = engine.store("the local descriptors", LDT, &bytes);
        self.with_state(engine, |state| state.set_local_table(LDT, LDT_SIZE));
        for (index, id) in SELECTORS.into_iter().enumerate() {
            let selector = engine.read(id) as u64;
            if selector & LOCAL_TABLE != 0 && index as u32 >= Numbers::DS {
                self.set_segment(engine, index, segment(engine, selector));
            }
        }
    }

    fn read(&self, engine: Engine<'_>, reg: u32) -> Option<u128> {
        if reg == self.numbers.ftw {
            Some(short_tags(engine.read(FPTAG)))
        } else if reg == self.numbers.mxcsr_mask {
            Some(MXCSR_BITS.into())
        } else {
            let entry = self.own_descriptor(reg)?;
            Some(u64::from_le_bytes(engine.load(GDT + entry * 8)).into())
        }
    }

    fn write(&self, engine: Engine<'_>, reg: u32, value: u128) -> bool {
        if let Some(index) = self.selector(reg) {
            self.load_segment(engine, index, value);
            return true;
        }
        if let Some(entry) = self.own_descriptor(reg) {
            self.set_descriptor(engine, entry, value as u64);
        } else if reg == self.numbers.flags {
            let kept = engine.read(EFLAGS) & !u128::from(USER_FLAGS);
            let flags = kept | value & u128::from(USER_FLAGS) | u128::from(FIXED_FLAGS);
            engine.write(EFLAGS, flags);
        } else if reg == self.numbers.ftw {
            engine.write(FPTAG, whole_tags(value));
        } else if reg == self.numbers.mxcsr {
            // Others would trap.
            engine.write(UcReg::bits32(MXCSR), value & u128::from(MXCSR_BITS));
        } else {
            // Which registers are empty is in `ftw`; the rest of the whole tag word follows from them.
            return reg == self.numbers.ftag() || reg == self.numbers.mxcsr_mask;
        }
        true
    }

    /// SYSCALL leaves the address behind it and the flags in registers; an interrupt leaves nothing.
    fn pass_call(&self, engine: Engine<'_>) {
        if !self.ids.is_wide() {
            return;
        }
        let behind = engine.read(self.ids.pc) + 2;
        engine.write(self.ids.general[1], behind);
        let flags = engine.read(EFLAGS);
        engine.write(UcReg::bits64(106 + 3), flags);
    }

    fn exception(&self, cpu: &Stopped<'_>, number: u32) -> Exit {
        self.with_state(cpu.engine, |state| state.exception_is_over());
        // `int n` is a general protection exception: the kernel's table lets no program raise others.
        let code = if number < 32 {
            number
        } else {
            trap::PROTECTION
        };
        Exit::Exception { code, size: 0 }
    }

    fn invalid(&self, cpu: &Stopped<'_>) -> Option<Exit> {
        const ICEBP: [u8; 1] = [0xf1];
        Some(if cpu.code(cpu.pc()) == ICEBP {
            Exit::Exception {
                code: trap::DEBUG,
                size: 1,
            }
        } else {
            Exit::Undefined
        })
    }

    /// FXSAVE and FXRSTOR; string instructions go on as long as they count.
    fn reach(&self, cpu: &Stopped<'_>) -> u64 {
        let code: [u8; 8] = cpu.code(cpu.pc());
        let prefix = |byte: &&u8| matches!(**byte, 0xf2 | 0xf3 | 0x66 | 0x67 | 0x40..=0x4f);
        let prefixes = code.iter().take_while(prefix).count();
        let repeats = code[..prefixes].iter().any(|byte| byte & 0xfe == 0xf2);
        match code[prefixes..] {
            [0x0f, 0xae, ..] => 512,
            [0xa4..=0xa7 | 0xaa..=0xaf, ..] if repeats => {
                cpu.get(self.numbers.cx).saturating_mul(8).clamp(8, 1 << 30)
            }
            _ => 32,
        }
    }
}

/// QEMU's numbers of cs, ss, ds, es, fs, gs.
const QEMU: [usize; 6] = [1, 2, 3, 0, 4, 5];

/// What the processor makes of a selector: nothing, if there is no such segment.
fn segment(engine: Engine<'_>, selector: u64) -> Segment {
    const TABLE_AND_LEVEL: u64 = 7;
    let at = selector & !TABLE_AND_LEVEL;
    let descriptor = if selector & LOCAL_TABLE != 0 {
        u64::from_le_bytes(engine.load(LDT + at))
    } else if at != 0 && at < GDT_SIZE {
        u64::from_le_bytes(engine.load(GDT + at))
    } else {
        0
    };
    let flags = (descriptor >> 32) as u32;
    if flags & (PRESENT | NO_SYSTEM) != PRESENT | NO_SYSTEM {
        return Segment::NONE;
    }
    let limit = descriptor as u32 & 0xffff | flags & 0xf_0000;
    Segment {
        selector: selector as u32,
        base: (descriptor >> 16 & 0xff_ffff) as u32 | flags & 0xff00_0000,
        limit: if flags & IN_PAGES != 0 {
            limit << 12 | 0xfff
        } else {
            limit
        },
        flags,
    }
}

impl Unicorn {
    /// The entry of the table that a register is.
    fn own_descriptor(&self, reg: u32) -> Option<u64> {
        let index = reg.checked_sub(TLS).filter(|index| *index < TLS_COUNT)?;
        let entry = u64::from(segments::FIRST_ENTRY + index);
        self.layout.has_own.then_some(entry)
    }

    /// As the kernel does, which loads selectors of what it changes again.
    fn set_descriptor(&self, engine: Engine<'_>, entry: u64, descriptor: u64) {
        // The table was mapped when the engine was set up, and nobody unmaps it.
        let _ = engine.store("a descriptor", GDT + entry * 8, &descriptor.to_le_bytes());
        for (index, id) in SELECTORS.into_iter().enumerate() {
            let selector = engine.read(id) as u64;
            if selector >> 3 == entry && selector & LOCAL_TABLE == 0 {
                self.set_segment(engine, index, segment(engine, selector));
            }
        }
    }

    /// What a tracer or a signal frame may have in a segment register: code and stack are the kernel's or the
    /// program's own (modify_ldt(2)), and a selector of no segment is an empty one.
    fn load_segment(&self, engine: Engine<'_>, index: usize, value: u128) {
        let selector = value as u64 & 0xffff;
        if engine.read(SELECTORS[index]) == selector.into() {
            return;
        }
        let found = segment(engine, selector);
        let is_code = found.flags & CODE != 0;
        let is_own = [self.layout.code, self.layout.stack].contains(&selector)
            || selector & LOCAL_TABLE != 0 && (is_code || found.flags & READS_OR_STORES != 0);
        if index as u32 >= Numbers::DS || is_own && is_code == (index == 0) {
            self.set_segment(engine, index, found);
        }
    }

    fn set_segment(&self, engine: Engine<'_>, index: usize, segment: Segment) {
        self.with_state(engine, |state| state.set_segment(QEMU[index], segment));
    }

    fn with_state(&self, engine: Engine<'_>, change: impl FnOnce(&mut State<'_>)) {
        let Ok(start) = state_start(engine, self.ids) else {
            return;
        };
        // The library gives an error for the lack of some kilobytes of memory only.
        let _ = engine.with_state(|bytes| {
            change(&mut State::new(bytes, start));
            ((), true)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_words() {
        assert_eq!(short_tags(0xffff), 0);
        // Registers 7 and 0 have something: a zero and a number.
        assert_eq!(short_tags(0x7ffc), 0x81);
        assert_eq!(whole_tags(0x81), 0x3ffc);
        assert_eq!(whole_tags(0), 0xffff);
    }
}
