//! Which bytes an instruction accesses that moves or combines storage (Principles of Operation, "General Instructions").
//! The library's helpers of these copy memory without a word to its hooks.

/// What is to be known of the processor.
pub struct View<'a> {
    pub pc: u64,
    /// Bits of an address, by the addressing mode.
    pub mask: u64,
    pub general: &'a dyn Fn(u8) -> u64,
    /// Memory; bytes that cannot be read are 0.
    pub bytes: &'a dyn Fn(u64, &mut [u8]),
}

/// Where an operand begins, its bytes, and whether they are stored to.
pub type Operand = (u64, u64, bool);

/// More than any instruction accesses in one go that is not looked at closely.
const UNKNOWN: u64 = 1 << 16;
const PAGE: u64 = 4096;

/// What the instruction at the pc accesses. Of one that is not looked at closely an access at `addr` is known, which is one
/// byte of it at least.
pub fn accesses(view: &View<'_>, addr: u64, write: bool) -> Vec<Operand> {
    view.operands()
        .unwrap_or_else(|| vec![(addr, view.other(), write)])
}

impl View<'_> {
    fn code(&self, at: u64) -> [u8; 6] {
        let mut code = [0; 6];
        (self.bytes)(at, &mut code);
        code
    }

    /// A base, and a displacement of 12 bits.
    fn storage(&self, high: u8, low: u8) -> u64 {
        let base = match high >> 4 {
            0 => 0,
            register => (self.general)(register),
        };
        base.wrapping_add(u64::from(high & 15) << 8 | u64::from(low)) & self.mask
    }

    /// The instruction; that of an EXECUTE is its target, whose second byte is another one.
    fn instruction(&self) -> [u8; 6] {
        let code = self.code(self.pc);
        let at = match code {
            [0x44, registers, high, low, ..] => {
                let index = match registers & 15 {
                    0 => 0,
                    register => (self.general)(register),
                };
                self.storage(high, low).wrapping_add(index) & self.mask
            }
            [0xc6, registers, offset @ ..] if registers & 15 == 0 => {
                let halfwords = i64::from(i32::from_be_bytes(offset));
                self.pc.wrapping_add_signed(2 * halfwords) & self.mask
            }
            _ => return code,
        };
        let mut target = self.code(at);
        if code[1] >> 4 != 0 {
            target[1] |= (self.general)(code[1] >> 4) as u8;
        }
        target
    }

    /// Its operands in storage; None: this is not known here.
    fn operands(&self) -> Option<Vec<Operand>> {
        let code = self.instruction();
        let [operation, second, rest @ ..] = code;
        let (r1, r2) = (second >> 4, second & 15);
        let length = u64::from(second) + 1;
        let addresses = || {
            (
                self.storage(rest[0], rest[1]),
                self.storage(rest[2], rest[3]),
            )
        };
        let register = |number: u8| (self.general)(number);
        let place = |number: u8| register(number) & self.mask;
        let move_of = |to, from, size| vec![(to, size, true), (from, size, false)];
        Some(match operation {
            // MVN, MVC, MVZ: of MVN and MVZ halves of bytes stay.
            0xd1..=0xd3 => {
                let (to, from) = addresses();
                move_of(to, from, length)
            }
            // NC, OC, XC.
            0xd4 | 0xd6 | 0xd7 => {
                let (to, with) = addresses();
                vec![
                    (to, length, true),
                    (to, length, false),
                    (with, length, false),
                ]
            }
            // MVCIN: the second operand ends where it says.
            0xe8 => {
                let (to, last) = addresses();
                move_of(to, last.wrapping_sub(length - 1) & self.mask, length)
            }
            // MVCL.
            0x0e => {
                let size = |number: u8| register(number | 1) & 0xff_ffff;
                let (to, from) = (size(r1), size(r2));
                vec![(place(r1), to, true), (place(r2), from.min(to), false)]
            }
            // MVCLE: lengths are as wide as addresses.
            0xa8 => {
                let size = |number: u8| register(number | 1) & self.length_mask();
                let (to, from) = (size(r1), size(r2));
                vec![(place(r1), to, true), (place(r2), from.min(to), false)]
            }
            0xb2 => {
                let (to, from) = (rest[1] >> 4, rest[1] & 15);
                match second {
                    // MVPG.
                    0x54 => {
                        let page = |number| place(number) & !(PAGE - 1);
                        move_of(page(to), page(from), PAGE)
                    }
                    // MVST.
                    0x55 => {
                        let end = register(0) as u8;
                        move_of(place(to), place(from), self.string(place(from), end))
                    }
                    _ => return None,
                }
            }
            _ => return None,
        })
    }

    fn length_mask(&self) -> u64 {
        if self.mask > u64::from(u32::MAX) {
            u64::MAX
        } else {
            u64::from(u32::MAX)
        }
    }

    /// Bytes of a string with its end.
    fn string(&self, start: u64, end: u8) -> u64 {
        let mut bytes = [0; 256];
        let mut size = 0;
        while size < UNKNOWN {
            let part = PAGE - (start.wrapping_add(size) & (PAGE - 1));
            let part = &mut bytes[..part.min(256) as usize];
            (self.bytes)(start.wrapping_add(size) & self.mask, part);
            if let Some(at) = part.iter().position(|byte| *byte == end) {
                return size + at as u64 + 1;
            }
            size += part.len() as u64;
        }
        UNKNOWN
    }

    /// At most what others access.
    fn other(&self) -> u64 {
        match self.instruction() {
            [0xd0..=0xdf, length, ..] => u64::from(length) + 1,
            // LM, STM, LMG, STMG and theirs: from one register to another one.
            [0x90 | 0x98 | 0xeb, registers, ..] => {
                8 * (u64::from((registers & 15).wrapping_sub(registers >> 4) & 15) + 1)
            }
            [0x0f | 0xa9 | 0xb2 | 0xb9, ..] => UNKNOWN,
            _ => 256,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an instruction at 0x1000 accesses. Register n is n << 16, but for r0 and r1; at 0x2000 is another
    /// instruction, at r3 a string.
    fn accessed(code: &[u8], target: &[u8]) -> Vec<Operand> {
        let general = |number: u8| match number {
            0 => 0x1_0000_0000,
            1 => 0x07,
            number => u64::from(number) << 16,
        };
        let places: [(u64, &[u8]); 3] = [
            (0x1000, code),
            (0x2000, target),
            (0x3_0000, b"twelve signs"),
        ];
        let bytes = |at: u64, into: &mut [u8]| {
            for (byte, at) in into.iter_mut().zip(at..) {
                let there = |(start, text): &(u64, &[u8])| {
                    Some(*text.get(at.checked_sub(*start)? as usize)?)
                };
                *byte = places.iter().rev().find_map(there).unwrap_or(0);
            }
        };
        let view = View {
            pc: 0x1000,
            mask: u64::MAX,
            general: &general,
            bytes: &bytes,
        };
        accesses(&view, 0x7777, true)
    }

    const TO: u64 = 0x2_0010;
    const FROM: u64 = 0x3_0020;
    /// mvc 16(1,%r2),32(%r3)
    const MVC: [u8; 6] = [0xd2, 0, 0x20, 0x10, 0x30, 0x20];

    #[test]
    fn operands_of_moves() {
        assert_eq!(accessed(&MVC, &[]), [(TO, 1, true), (FROM, 1, false)]);
        // xc 16(8,%r2),32(%r3) reads what it stores to, too.
        let xc = [0xd7, 7, 0x20, 0x10, 0x30, 0x20];
        assert_eq!(
            accessed(&xc, &[]),
            [(TO, 8, true), (TO, 8, false), (FROM, 8, false)]
        );
        // mvcin 16(8,%r2),32(%r3)
        let mvcin = [0xe8, 7, 0x20, 0x10, 0x30, 0x20];
        assert_eq!(accessed(&mvcin, &[]), [(TO, 8, true), (FROM - 7, 8, false)]);
    }

    #[test]
    fn operands_of_an_executes_target() {
        // exrl %r1,0x2000: the length is the low byte of r1. With r0 as its register it stays 1.
        let exrl = |register: u8| [0xc6, register << 4, 0, 0, 0x08, 0];
        assert_eq!(accessed(&exrl(1), &MVC), [(TO, 8, true), (FROM, 8, false)]);
        assert_eq!(accessed(&exrl(0), &MVC), [(TO, 1, true), (FROM, 1, false)]);
        // ex %r1,0(%r4), where r4 is elsewhere: that is no MVC.
        assert_eq!(
            accessed(&[0x44, 0x10, 0x40, 0], &MVC),
            [(0x7777, 256, true)]
        );
    }

    #[test]
    fn sizes_that_are_elsewhere() {
        // mvst %r2,%r3: with the byte that ends it (r0 says that it is a 0).
        let mvst = [0xb2, 0x55, 0, 0x23];
        assert_eq!(
            accessed(&mvst, &[]),
            [(0x2_0000, 13, true), (0x3_0000, 13, false)]
        );
        // mvcl %r2,%r4: in the odd registers, of which the low 24 bits are meant.
        let mvcl = [(0x2_0000, 0x3_0000, true), (0x4_0000, 0x3_0000, false)];
        assert_eq!(accessed(&[0x0e, 0x24], &[]), mvcl);
    }
}
