//! Conditions and commands that a debugger has evaluated where the program runs: gdb's agent expressions ("The GDB
//! Agent Expression Mechanism", an appendix of gdb's manual).
//!
//! A stack machine over 64-bit integers. Numbers within the code have the highest byte first; memory has the
//! guest's byte order. What needs tracepoints (trace, variables, floating point) is not there.

/// Why an expression has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The code is not one that we know, ends too early, or uses the stack wrongly.
    Malformed,
    DivisionByZero,
    /// The address of memory that cannot be read.
    Memory(u64),
    /// It does not come to an end.
    Endless,
}

/// What an expression sees of the program.
pub(super) trait World {
    /// A register, by the debugger's number.
    fn register(&mut self, number: u16) -> Option<u64>;
    /// `size` bytes of memory as an unsigned number.
    fn memory(&mut self, addr: u64, size: usize) -> Option<u64>;
    /// Prints `arguments` as printf(3) would.
    fn print(&mut self, format: &[u8], arguments: &[u64]);
}

const MOST_STEPS: usize = 100_000;
const DEEPEST: usize = 1024;

/// The value of an expression.
///
/// # Errors
/// It has none.
pub(super) fn evaluate(code: &[u8], world: &mut dyn World) -> Result<u64, Trouble> {
    let mut machine = Machine {
        code,
        at: 0,
        stack: Vec::with_capacity(16),
    };
    for _ in 0..MOST_STEPS {
        if let Some(value) = machine.step(world)? {
            return Ok(value);
        }
    }
    Err(Trouble::Endless)
}

struct Machine<'a> {
    code: &'a [u8],
    at: usize,
    stack: Vec<u64>,
}

impl Machine<'_> {
    fn operand(&mut self, size: usize) -> Result<u64, Trouble> {
        let bytes = self.code.get(self.at..self.at + size);
        self.at += size;
        let bytes = bytes.ok_or(Trouble::Malformed)?;
        Ok(bytes
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn pop(&mut self) -> Result<u64, Trouble> {
        self.stack.pop().ok_or(Trouble::Malformed)
    }

    fn push(&mut self, value: u64) -> Result<(), Trouble> {
        if self.stack.len() == DEEPEST {
            return Err(Trouble::Malformed);
        }
        self.stack.push(value);
        Ok(())
    }

    /// Replaces the two uppermost values, the top one second.
    fn two(&mut self, f: impl FnOnce(u64, u64) -> u64) -> Result<(), Trouble> {
        let b = self.pop()?;
        let a = self.pop()?;
        self.push(f(a, b))
    }

    fn one(&mut self, f: impl FnOnce(u64) -> u64) -> Result<(), Trouble> {
        let a = self.pop()?;
        self.push(f(a))
    }

    fn divide(&mut self, f: impl FnOnce(u64, u64) -> Option<u64>) -> Result<(), Trouble> {
        let b = self.pop()?;
        let a = self.pop()?;
        self.push(f(a, b).ok_or(Trouble::DivisionByZero)?)
    }

    fn load(&mut self, world: &mut dyn World, size: usize) -> Result<(), Trouble> {
        let addr = self.pop()?;
        self.push(world.memory(addr, size).ok_or(Trouble::Memory(addr))?)
    }

    /// One operation; the value at the end.
    fn step(&mut self, world: &mut dyn World) -> Result<Option<u64>, Trouble> {
        let op = self.operand(1)?;
        match op {
            0x02 => self.two(u64::wrapping_add)?,
            0x03 => self.two(u64::wrapping_sub)?,
            0x04 => self.two(u64::wrapping_mul)?,
            0x05 => self.divide(|a, b| signed(a, b, i64::wrapping_div))?,
            0x06 => self.divide(u64::checked_div)?,
            0x07 => self.divide(|a, b| signed(a, b, i64::wrapping_rem))?,
            0x08 => self.divide(u64::checked_rem)?,
            0x09 => self.two(|a, b| if b < 64 { a << b } else { 0 })?,
            0x0a => self.two(|a, b| ((a as i64) >> b.min(63)) as u64)?,
            0x0b => self.two(|a, b| if b < 64 { a >> b } else { 0 })?,
            0x0e => self.one(|a| u64::from(a == 0))?,
            0x0f => self.two(|a, b| a & b)?,
            0x10 => self.two(|a, b| a | b)?,
            0x11 => self.two(|a, b| a ^ b)?,
            0x12 => self.one(|a| !a)?,
            0x13 => self.two(|a, b| u64::from(a == b))?,
            0x14 => self.two(|a, b| u64::from((a as i64) < b as i64))?,
            0x15 => self.two(|a, b| u64::from(a < b))?,
            0x16 => {
                let bits = self.operand(1)?;
                self.one(|a| extend(a, bits, true))?;
            }
            0x17 => self.load(world, 1)?,
            0x18 => self.load(world, 2)?,
            0x19 => self.load(world, 4)?,
            0x1a => self.load(world, 8)?,
            0x20 => {
                let target = self.operand(2)?;
                if self.pop()? != 0 {
                    self.at = target as usize;
                }
            }
            0x21 => self.at = self.operand(2)? as usize,
            0x22 => self.constant(1)?,
            0x23 => self.constant(2)?,
            0x24 => self.constant(4)?,
            0x25 => self.constant(8)?,
            0x26 => {
                let number = self.operand(2)? as u16;
                self.push(world.register(number).ok_or(Trouble::Malformed)?)?;
            }
            0x27 => return self.pop().map(Some),
            0x28 => {
                let top = *self.stack.last().ok_or(Trouble::Malformed)?;
                self.push(top)?;
            }
            0x29 => drop(self.pop()?),
            0x2a => {
                let bits = self.operand(1)?;
                self.one(|a| extend(a, bits, false))?;
            }
            0x2b => {
                let (b, a) = (self.pop()?, self.pop()?);
                self.stack.extend([b, a]);
            }
            0x32 => {
                let depth = self.operand(1)? as usize;
                let index = self.stack.len().checked_sub(depth + 1);
                let value = self.stack[index.ok_or(Trouble::Malformed)?];
                self.push(value)?;
            }
            0x33 => {
                let (c, b, a) = (self.pop()?, self.pop()?, self.pop()?);
                self.stack.extend([c, a, b]);
            }
            0x34 => self.print(world)?,
            _ => return Err(Trouble::Malformed),
        }
        Ok(None)
    }

    /// The number of arguments, and the format with its zero. On the stack: where to print, which does not matter
    /// here, and by what function, then the arguments, the first one on top.
    fn print(&mut self, world: &mut dyn World) -> Result<(), Trouble> {
        let count = self.operand(1)?;
        let size = self.operand(2)? as usize;
        let format = self.code.get(self.at..self.at + size);
        let format = format.ok_or(Trouble::Malformed)?;
        self.at += size;
        let (_function, _channel) = (self.pop()?, self.pop()?);
        let arguments: Result<Vec<_>, _> = (0..count).map(|_| self.pop()).collect();
        world.print(format.strip_suffix(b"\0").unwrap_or(format), &arguments?);
        Ok(())
    }

    fn constant(&mut self, size: usize) -> Result<(), Trouble> {
        let value = self.operand(size)?;
        self.push(value)
    }
}

fn signed(a: u64, b: u64, f: impl FnOnce(i64, i64) -> i64) -> Option<u64> {
    (b != 0).then(|| f(a as i64, b as i64) as u64)
}

/// The low `bits` of `a`, with copies of the highest of them above, or zeros.
fn extend(a: u64, bits: u64, sign: bool) -> u64 {
    if bits == 0 || bits >= 64 {
        return a;
    }
    let up = 64 - bits;
    if sign {
        ((a << up) as i64 >> up) as u64
    } else {
        a << up >> up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl World for Fixed {
        fn register(&mut self, number: u16) -> Option<u64> {
            (number < 32).then(|| u64::from(number) * 100)
        }
        fn memory(&mut self, addr: u64, size: usize) -> Option<u64> {
            (addr < 1000).then(|| addr + size as u64)
        }
        fn print(&mut self, format: &[u8], arguments: &[u64]) {
            assert_eq!((format, arguments), (&b"x=%d %d"[..], &[7, 300][..]));
        }
    }

    fn value(code: &[u8]) -> Result<u64, Trouble> {
        evaluate(code, &mut Fixed)
    }

    #[test]
    fn arithmetic_and_order_of_operands() {
        // 7 - 3; -7 / 2 and -7 % 2 (C's); 1 << 70
        assert_eq!(value(&[0x22, 7, 0x22, 3, 0x03, 0x27]), Ok(4));
        let minus = [0x22, 249, 0x16, 8, 0x22, 2];
        assert_eq!(
            value(&[&minus[..], &[0x05, 0x27]].concat()),
            Ok(-3i64 as u64)
        );
        assert_eq!(
            value(&[&minus[..], &[0x07, 0x27]].concat()),
            Ok(-1i64 as u64)
        );
        assert_eq!(value(&[0x22, 1, 0x22, 70, 0x09, 0x27]), Ok(0));
        assert_eq!(
            value(&[0x22, 1, 0x22, 0, 0x06, 0x27]),
            Err(Trouble::DivisionByZero)
        );
        // i64::MIN / -1 does not trap
        let min = [0x22, 1, 0x22, 63, 0x09, 0x22, 0xff, 0x16, 8, 0x05, 0x27];
        assert_eq!(value(&min), Ok(1 << 63));
        // const16 has its highest byte first
        assert_eq!(value(&[0x23, 0x12, 0x34, 0x27]), Ok(0x1234));
    }

    #[test]
    fn registers_memory_and_comparisons() {
        // *(int *)(reg 2 + 8) == 212
        let code = [0x26, 0, 2, 0x22, 8, 0x02, 0x19, 0x22, 212, 0x13, 0x27];
        assert_eq!(value(&code), Ok(1));
        assert_eq!(value(&[0x23, 4, 0, 0x17, 0x27]), Err(Trouble::Memory(1024)));
        assert_eq!(value(&[0x26, 0, 99, 0x27]), Err(Trouble::Malformed));
        // -1 < 1 signed, not unsigned
        assert_eq!(value(&[0x22, 255, 0x16, 8, 0x22, 1, 0x14, 0x27]), Ok(1));
        assert_eq!(value(&[0x22, 255, 0x16, 8, 0x22, 1, 0x15, 0x27]), Ok(0));
    }

    #[test]
    fn commands_print() {
        // dprintf add, "x=%d %d", 7, *(char *)…: the last argument first, then channel and function
        let code = [
            &[0x26, 0, 3, 0x22, 7, 0x22, 0, 0x22, 0, 0x34, 2, 0, 8][..],
            b"x=%d %d\0",
            &[0x22, 0, 0x27],
        ];
        assert_eq!(value(&code.concat()), Ok(0));
        assert_eq!(value(&[0x34, 1, 0, 9, b'x']), Err(Trouble::Malformed));
        assert_eq!(value(&[0x34, 1, 0, 1, 0]), Err(Trouble::Malformed));
    }

    #[test]
    fn jumps_and_the_stack() {
        // 5 && 0 as gdb compiles it: if_goto over the other half
        assert_eq!(
            value(&[0x22, 5, 0x20, 0, 8, 0x22, 0, 0x27, 0x22, 9, 0x27]),
            Ok(9)
        );
        assert_eq!(
            value(&[0x22, 1, 0x22, 2, 0x22, 3, 0x33, 0x03, 0x27]),
            Ok(u64::MAX)
        );
        assert_eq!(value(&[0x22, 1, 0x22, 2, 0x32, 1, 0x27]), Ok(1));
        assert_eq!(value(&[0x21, 0, 0]), Err(Trouble::Endless));
        assert_eq!(value(&[0x27]), Err(Trouble::Malformed));
        assert_eq!(value(&[0x22]), Err(Trouble::Malformed));
        assert_eq!(value(&[]), Err(Trouble::Malformed));
    }
}
