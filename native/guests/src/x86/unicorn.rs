//! x86 on Unicorn. Ids are those of `x86.h`.
//!
//! The library begins at the level of a kernel, and its registers with 64 bits let nobody choose another one:
//! the level is set in its own state ([`super::state`]). Descriptors are in a page of the processor's.

use std::sync::OnceLock;

use crate::cpu::Exit;
use crate::unicorn::Guest;
use crate::unicorn::engine::{Engine, Scratch, Stopped};
use crate::unicorn::guest::{Bank, Exception, Facts, Meaning, Preset, Probe, UcReg, Width};

use super::linux::registers::{
    self as regs, FIXED_FLAGS, FS_BASE, INITIAL_CONTROL, INITIAL_MXCSR, MXCSR_BITS, Numbers,
    USER_CS, USER_DS, USER_FLAGS, W64,
};
use super::linux::trap;
use super::state::{self, CS, DS, ES, SS, Segment, State};

/// In one word size.
pub struct Unicorn {
    name: &'static str,
    facts: &'static Facts,
    numbers: &'static Numbers,
    ids: &'static Ids,
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
/// Segments of code with 32 bits, of data, of code with 64 bits (arch/x86/include/asm/segment.h), user's.
const DESCRIPTORS: [(usize, u64); 3] = [
    (4, 0x00cf_fb00_0000_ffff),
    (5, 0x00cf_f300_0000_ffff),
    (6, 0x00af_fb00_0000_ffff),
];
const GDT_ENTRIES: usize = 16;

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
        one(W64.ftw, FPTAG),
    ],
    pc: W64.ip,
    uc_pc: IDS64.pc,
    leading: &[W64.fctrl + 1],
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
    coherent_code: true,
    address_mask: u64::MAX,
    call: Some((INS_SYSCALL, 2)),
    kernel_page: Some(GDT),
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
        static TABLE: Scratch = Scratch::new();
        engine.map("the descriptors", GDT, &TABLE)?;
        for (index, descriptor) in DESCRIPTORS {
            let at = GDT + index as u64 * 8;
            engine.store("a descriptor", at, &descriptor.to_le_bytes())?;
        }
        let segment = |selector: u64| Segment {
            selector: selector as u32,
            base: 0,
            limit: u32::MAX,
            flags: (DESCRIPTORS[(selector >> 3) as usize - 4].1 >> 32) as u32,
        };
        let none = Segment {
            selector: 0,
            base: 0,
            limit: 0,
            flags: 0,
        };
        engine.with_state(|bytes| {
            let mut state = State::new(bytes, start);
            state.set_segment(CS, segment(USER_CS));
            state.set_segment(SS, segment(USER_DS));
            state.set_segment(DS, none);
            state.set_segment(ES, none);
            state.set_table(GDT, GDT_ENTRIES * 8);
            state.enter_user_level();
            ((), true)
        })
    }

    fn read(&self, engine: Engine<'_>, reg: u32) -> Option<u128> {
        if reg == self.numbers.ftw {
            Some(short_tags(engine.read(FPTAG)))
        } else if reg == self.numbers.mxcsr_mask {
            Some(MXCSR_BITS.into())
        } else {
            None
        }
    }

    fn write(&self, engine: Engine<'_>, reg: u32, value: u128) -> bool {
        if let Some(index) = self.selector(reg) {
            self.load_segment(engine, index, value);
            return true;
        }
        if reg == self.numbers.flags {
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

    /// SYSCALL leaves the address behind it and the flags in registers.
    fn pass_call(&self, engine: Engine<'_>) {
        let behind = engine.read(self.ids.pc) + 2;
        engine.write(self.ids.general[1], behind);
        let flags = engine.read(EFLAGS);
        engine.write(UcReg::bits64(106 + 3), flags);
    }

    fn exception(&self, _cpu: &Stopped<'_>, number: u32) -> Exit {
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

impl Unicorn {
    /// What a tracer may store to a segment register: those that code runs by are not for it, and the others
    /// can be empty.
    fn load_segment(&self, engine: Engine<'_>, index: usize, value: u128) {
        let is_data = index as u32 >= Numbers::DS;
        if is_data && value == 0 && engine.read(SELECTORS[index]) != 0 {
            engine.write(SELECTORS[index], 0);
        }
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
