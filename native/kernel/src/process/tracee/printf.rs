//! What a debugger's `dprintf` prints where the program runs (`dprintf-style agent`): printf(3)'s directives for
//! numbers, characters, strings and pointers. Floating point has no place in agent expressions.

use super::agent::World;

/// A string without an end is cut off here.
const LONGEST: u64 = 4096;

/// The text for a format and its arguments. `long` is the size of the guest's `long` and pointers in bytes. What is no
/// directive that is known here stays as it is; arguments that are missing are 0.
pub(super) fn format(
    format: &[u8],
    arguments: &[u64],
    long: usize,
    world: &mut dyn World,
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut arguments = arguments.iter().copied();
    let mut rest = format;
    while let Some((&byte, tail)) = rest.split_first() {
        if let (b'\\', Some((meant, behind))) = (byte, escape(tail)) {
            out.push(meant);
            rest = behind;
            continue;
        }
        if byte != b'%' {
            out.push(byte);
            rest = tail;
            continue;
        }
        let mut next = || arguments.next().unwrap_or(0);
        if let Some((directive, behind)) = Directive::parse(tail, &mut next) {
            directive.print(&mut out, next, long, world);
            rest = behind;
        } else {
            out.push(byte);
            rest = tail;
        }
    }
    out
}

#[derive(Clone, Copy, Debug, Default)]
struct Directive {
    left: bool,
    plus: bool,
    space: bool,
    alternative: bool,
    zeros: bool,
    width: usize,
    precision: Option<usize>,
    /// Bytes of the number; 0: a `long`'s.
    size: usize,
    conversion: u8,
}

/// A width that is greater than any sensible one is none.
const WIDEST: usize = 1024;

impl Directive {
    /// Behind the percent sign; also what follows it.
    fn parse<'a>(text: &'a [u8], next: &mut dyn FnMut() -> u64) -> Option<(Self, &'a [u8])> {
        let mut at = 0;
        let mut found = Self {
            size: 4,
            ..Self::default()
        };
        while let Some(flag) = text.get(at) {
            match flag {
                b'-' => found.left = true,
                b'+' => found.plus = true,
                b' ' => found.space = true,
                b'#' => found.alternative = true,
                b'0' => found.zeros = true,
                _ => break,
            }
            at += 1;
        }
        found.width = number(text, &mut at, next).unwrap_or(0);
        if text.get(at) == Some(&b'.') {
            at += 1;
            found.precision = Some(number(text, &mut at, next).unwrap_or(0));
        }
        while let Some(modifier) = text.get(at) {
            found.size = match (modifier, found.size) {
                (b'h', 2) => 1,
                (b'h', _) => 2,
                (b'l', 0) | (b'j' | b'q', _) => 8,
                (b'l' | b'z' | b't', _) => 0,
                _ => break,
            };
            at += 1;
        }
        found.conversion = *text.get(at)?;
        let known = b"diuxXocsp%".contains(&found.conversion);
        known.then(|| (found, &text[at + 1..]))
    }

    fn print(
        self,
        out: &mut Vec<u8>,
        mut next: impl FnMut() -> u64,
        long: usize,
        world: &mut dyn World,
    ) {
        let (sign, digits): (&[u8], Vec<u8>) = match self.conversion {
            b'%' => return out.push(b'%'),
            b'c' => return self.pad(out, b"", vec![next() as u8], false),
            b's' => {
                let text = string(next(), self.precision, world);
                return self.pad(out, b"", text, false);
            }
            b'p' => (b"0x", format!("{:x}", self.cut(next(), long)).into_bytes()),
            b'd' | b'i' => {
                let value = self.extended(next(), long);
                let sign: &[u8] = match (value < 0, self.plus, self.space) {
                    (true, ..) => b"-",
                    (_, true, _) => b"+",
                    (_, _, true) => b" ",
                    _ => b"",
                };
                (sign, value.unsigned_abs().to_string().into_bytes())
            }
            conversion => {
                let value = self.cut(next(), long);
                let alternative = self.alternative && value != 0;
                match conversion {
                    b'x' => (
                        if alternative { b"0x" } else { b"" },
                        format!("{value:x}").into_bytes(),
                    ),
                    b'X' => (
                        if alternative { b"0X" } else { b"" },
                        format!("{value:X}").into_bytes(),
                    ),
                    b'o' => (
                        if alternative { b"0" } else { b"" },
                        format!("{value:o}").into_bytes(),
                    ),
                    _ => (b"", value.to_string().into_bytes()),
                }
            }
        };
        let missing = self.precision.unwrap_or(0).saturating_sub(digits.len());
        let digits = [vec![b'0'; missing.min(WIDEST)], digits].concat();
        self.pad(out, sign, digits, self.zeros && self.precision.is_none());
    }

    fn pad(self, out: &mut Vec<u8>, sign: &[u8], text: Vec<u8>, zeros: bool) {
        let missing = self.width.saturating_sub(sign.len() + text.len());
        if !self.left && !zeros {
            out.resize(out.len() + missing, b' ');
        }
        out.extend(sign);
        if !self.left && zeros {
            out.resize(out.len() + missing, b'0');
        }
        out.extend(text);
        if self.left {
            out.resize(out.len() + missing, b' ');
        }
    }

    fn bits(self, long: usize) -> u32 {
        let size = match self.size {
            _ if self.conversion == b'p' => long,
            0 => long,
            size => size,
        };
        64 - 8 * size as u32
    }

    fn cut(self, value: u64, long: usize) -> u64 {
        let unused = self.bits(long);
        value << unused >> unused
    }

    fn extended(self, value: u64, long: usize) -> i64 {
        let unused = self.bits(long);
        (value << unused) as i64 >> unused
    }
}

/// Behind a backslash: what it means in C, and what follows. Debuggers send formats as they were typed.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let (&letter, tail) = text.split_first()?;
    let digits = text.iter().take(3);
    let octal = digits.take_while(|byte| (b'0'..=b'7').contains(byte));
    let count = octal.count();
    if count > 0 {
        let value = text[..count].iter();
        let value = value.fold(0u32, |value, digit| value << 3 | u32::from(digit - b'0'));
        return Some((value as u8, &text[count..]));
    }
    let meant = match letter {
        b'a' => 7,
        b'b' => 8,
        b'e' => 27,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b'\\' | b'"' | b'\'' => letter,
        _ => return None,
    };
    Some((meant, tail))
}

/// Digits, or an asterisk for an argument.
fn number(text: &[u8], at: &mut usize, next: &mut dyn FnMut() -> u64) -> Option<usize> {
    if text.get(*at) == Some(&b'*') {
        *at += 1;
        return Some((next() as u32 as usize).min(WIDEST));
    }
    let digits = text[*at..].iter().take_while(|byte| byte.is_ascii_digit());
    let count = digits.count();
    let found = std::str::from_utf8(&text[*at..*at + count]).ok()?;
    *at += count;
    found.parse().ok().map(|width: usize| width.min(WIDEST))
}

fn string(addr: u64, most: Option<usize>, world: &mut dyn World) -> Vec<u8> {
    let most = most.map_or(LONGEST, |most| LONGEST.min(most as u64));
    let mut text = Vec::new();
    for at in 0..most {
        match world.memory(addr.wrapping_add(at), 1) {
            None | Some(0) => break,
            Some(byte) => text.push(byte as u8),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "guest" is at 100.
    struct Text;

    impl World for Text {
        fn register(&mut self, _: u16) -> Option<u64> {
            None
        }
        fn memory(&mut self, addr: u64, _: usize) -> Option<u64> {
            let text = b"guest\0";
            let at = usize::try_from(addr).ok()?.checked_sub(100)?;
            text.get(at).map(|byte| u64::from(*byte))
        }
        fn print(&mut self, _: &[u8], _: &[u64]) {}
    }

    fn printed(text: &str, arguments: &[u64], long: usize) -> String {
        String::from_utf8(format(text.as_bytes(), arguments, long, &mut Text)).unwrap()
    }

    #[test]
    fn what_the_c_library_prints() {
        // The same directives and values with printf(3) of the host.
        let minus = -5i64 as u64;
        assert_eq!(
            printed("%d|%u|%x", &[minus, minus, 255], 8),
            "-5|4294967291|ff"
        );
        assert_eq!(
            printed("%5d|%-5d|%05d|%+d", &[42, 42, minus, 7], 8),
            "   42|42   |-0005|+7"
        );
        assert_eq!(
            printed("%#x %#o %X %.4u", &[31, 8, 0xbeef, 7], 8),
            "0x1f 010 BEEF 0007"
        );
        assert_eq!(
            printed("%hhd %hd %lld", &[255, 65535, minus], 8),
            "-1 -1 -5"
        );
        assert_eq!(
            printed("[%s] [%8s] [%-8.3s] %c", &[100, 100, 100, 65], 8),
            "[guest] [   guest] [gue     ] A"
        );
        assert_eq!(printed("%*d%%", &[4, 1], 8), "   1%");
    }

    #[test]
    fn a_long_has_the_guests_size() {
        let value = 0x1_ffff_fffe;
        assert_eq!(
            printed("%ld %lx %p", &[value, value, value], 4),
            "-2 fffffffe 0xfffffffe"
        );
        assert_eq!(
            printed("%ld %p", &[value, value], 8),
            "8589934590 0x1fffffffe"
        );
    }

    #[test]
    fn escapes_are_cs() {
        assert_eq!(printed(r#"a\n\t\\\"\101\q%d"#, &[1], 8), "a\n\t\\\"A\\q1");
    }

    #[test]
    fn what_is_unknown_stays() {
        assert_eq!(printed("%f %", &[1], 8), "%f %");
        assert_eq!(printed("%d %d", &[1], 8), "1 0");
    }
}
