//! What the library keeps of an x86 processor and has no ids for, or lets nobody set at the user level: fields
//! of QEMU's `CPUX86State`.
//!
//! The copy that the library makes of a processor's state (`uc_context`) has them behind a head of its own.
//! Where, is found by registers that do have ids ([`find`]); a library that lays it out in another way is refused.

use crate::unicorn::engine::Engine;
use crate::unicorn::guest::UcReg;

use super::unicorn::{CR0, Ids};

// Offsets in CPUX86State of Unicorn 2 (qemu/target/i386/cpu.h). General registers come first.
const AT_PC: usize = 0x80;
const AT_HFLAGS: usize = 0xb0;
/// SegmentCache[6]: es, cs, ss, ds, fs, gs.
const AT_SEGMENTS: usize = 0xb8;
const SEGMENT_SIZE: usize = 24;
const AT_LDT: usize = AT_SEGMENTS + 6 * SEGMENT_SIZE;
const AT_GDT: usize = AT_SEGMENTS + 8 * SEGMENT_SIZE;
const AT_CR0: usize = 0x1a8;
/// `old_exception`: the one that is being delivered, or -1.
const AT_EXCEPTION: usize = 0x1578;
const END: usize = 0x157c;

/// HF_CPL_MASK: the privilege level.
const HF_CPL: u32 = 3;
/// HF_CS32_MASK, HF_SS32_MASK: the widths of code and stack.
const HF_CS32: u32 = 1 << 4;
const HF_SS32: u32 = 1 << 5;
/// HF_ADDSEG_MASK: ds, es or ss do not begin at 0, or the code has 16 bits.
const HF_ADDSEG: u32 = 1 << 6;
/// HF_CS64_MASK: in code with 64 bits they always do.
const HF_CS64: u32 = 1 << 15;

/// The state in a copy of it.
pub struct State<'a>(&'a mut [u8]);

/// A segment register or a table's: what the processor keeps of a descriptor.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    pub selector: u32,
    pub base: u32,
    pub limit: u32,
    /// The second word of the descriptor.
    pub flags: u32,
}

impl Segment {
    pub const NONE: Self = Self {
        selector: 0,
        base: 0,
        limit: 0,
        flags: 0,
    };
}

/// QEMU's numbers of es, ss and ds.
const PLAIN: [usize; 3] = [0, SS, 3];
const CS: usize = 1;
const SS: usize = 2;
/// DESC_B_MASK: 32 bits.
const BIG: u32 = 1 << 22;

impl<'a> State<'a> {
    /// `bytes` is the library's copy, in which the state begins at `start`.
    pub fn new(bytes: &'a mut [u8], start: usize) -> Self {
        Self(&mut bytes[start..])
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_ne_bytes(self.0[at..at + 4].try_into().expect("four bytes"))
    }

    fn double(&self, at: usize) -> u64 {
        u64::from_ne_bytes(self.0[at..at + 8].try_into().expect("eight bytes"))
    }

    fn put_word(&mut self, at: usize, value: u32) {
        self.0[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }

    fn put_base(&mut self, at: usize, base: u64) {
        self.0[at + 8..at + 16].copy_from_slice(&base.to_ne_bytes());
    }

    /// An exception has been seen to. To the library, which leaves that to a kernel, the next one would be within
    /// it: a double fault, and the third one the end.
    pub fn exception_is_over(&mut self) {
        self.put_word(AT_EXCEPTION, u32::MAX);
    }

    pub fn enter_user_level(&mut self) {
        self.put_word(AT_HFLAGS, self.word(AT_HFLAGS) | HF_CPL);
    }

    /// As `cpu_x86_load_seg_cache` of QEMU; code with 64 bits stays that.
    pub fn set_segment(&mut self, number: usize, segment: Segment) {
        let at = AT_SEGMENTS + number * SEGMENT_SIZE;
        self.put_word(at, segment.selector);
        self.put_base(at, segment.base.into());
        self.put_word(at + 16, segment.limit);
        self.put_word(at + 20, segment.flags);
        let base = |number: usize| self.double(AT_SEGMENTS + number * SEGMENT_SIZE + 8);
        let mut flags = self.word(AT_HFLAGS) & !HF_ADDSEG;
        if flags & HF_CS64 == 0 {
            for (number, width) in [(CS, HF_CS32), (SS, HF_SS32)] {
                let is_wide = self.word(AT_SEGMENTS + number * SEGMENT_SIZE + 20) & BIG != 0;
                flags = flags & !width | if is_wide { width } else { 0 };
            }
            if flags & HF_CS32 == 0 || PLAIN.into_iter().any(|number| base(number) != 0) {
                flags |= HF_ADDSEG;
            }
        }
        self.put_word(AT_HFLAGS, flags);
    }

    /// Says where those of modify_ldt(2) are.
    pub fn set_local_table(&mut self, base: u64, size: u64) {
        self.put_table(AT_LDT, base, size);
    }

    /// Says where the descriptors are.
    pub fn set_table(&mut self, base: u64, size: u64) {
        self.put_table(AT_GDT, base, size);
    }

    fn put_table(&mut self, at: usize, base: u64, size: u64) {
        self.put_base(at, base);
        self.put_word(at + 16, size as u32 - 1);
    }
}

/// Where the state begins in a copy.
///
/// # Errors
/// The library lays it out in another way.
pub fn find(engine: Engine<'_>, ids: &Ids) -> Result<usize, String> {
    const MARK: u64 = 0x7153_c2e1_0b64_9d38;
    for (n, id) in (0..).zip(ids.general) {
        engine.write(id, u128::from(MARK + n));
    }
    engine.write(ids.pc, u128::from(!MARK));
    let control = engine.read(CR0) as u32;
    let wide = ids.is_wide();
    let found = engine.with_state(|bytes| (start(bytes, MARK, control, wide), false));
    for id in ids.general {
        engine.write(id, 0);
    }
    engine.write(ids.pc, 0);
    found?
        .ok_or_else(|| "unicorn: its record of an x86 processor is not that of version 2.1".into())
}

fn start(bytes: &mut [u8], mark: u64, control: u32, wide: bool) -> Option<usize> {
    let kept = |value: u64| if wide { value } else { value & 0xffff_ffff };
    let first = kept(mark).to_ne_bytes();
    let start = bytes.windows(8).position(|window| window == first)?;
    if bytes.len() - start < END {
        return None;
    }
    let state = State::new(bytes, start);
    let general = (0..8).all(|n| state.double(n * 8) == kept(mark + n as u64));
    let rest = state.double(AT_PC) == kept(!mark) && state.word(AT_CR0) == control;
    let level = state.word(AT_HFLAGS) & HF_CPL == 0 && state.word(AT_EXCEPTION) == u32::MAX;
    (general && rest && level).then_some(start)
}

/// For the trait of ids.
pub const fn id(wide: bool, number: i32) -> UcReg {
    if wide {
        UcReg::bits64(number)
    } else {
        UcReg::bits32(number)
    }
}
