//! The options of the commands: qemu-user's, with qemu's meaning. `qusr/options.py` declares which there
//! are; here is how each kind of value is read.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::facts::{OptionRow, facts};
use crate::guests::names;

const PAGE: u64 = 4096;
/// The CPU cores.
const CORES: [&[u8]; 3] = [b"unicorn", b"native", b"direct"];

/// A variable of the guest's environment, and its value; None: it is taken away.
type Change = (Vec<u8>, Option<Vec<u8>>);

/// The value of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Flag,
    Text(Vec<u8>),
    Number(u64),
}

/// What a command's words and variables say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// By the options' names.
    pub values: BTreeMap<&'static str, Value>,
    pub changes: Vec<Change>,
    /// What is to be shown instead of running a program ("help", "version", "cpu", "log items",
    /// "threads"); "" for nothing.
    pub show: &'static str,
    /// There is an option that only Python carries out.
    pub for_python: bool,
    /// What of them does nothing here.
    pub warnings: Vec<Vec<u8>>,
    /// The program and its arguments.
    pub argv: Vec<Vec<u8>>,
}

impl Options {
    /// Takes in the variables, then the options, up to the program. Options go before variables,
    /// `QUSR_NAME` before `QEMU_NAME`.
    ///
    /// # Errors
    /// Why the command line cannot be.
    pub fn parse(
        words: &[Vec<u8>],
        find: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<Self, Vec<u8>> {
        let mut options = Self::default();
        let rows = &facts().options;
        // Who looks for a sysroot looks at its variables, and says which of them it was.
        let by_variable = |row: &&OptionRow| !row.variable.is_empty() && row.kind != "sysroot";
        for row in rows.iter().filter(by_variable) {
            let value = ["QUSR_", "QEMU_"]
                .iter()
                .find_map(|prefix| find(&format!("{prefix}{}", row.variable)));
            if let Some(value) = value {
                options.set(row, value)?;
            }
        }
        let mut words = words.iter();
        while let Some(word) = words
            .as_slice()
            .first()
            .filter(|word| word.starts_with(b"-"))
        {
            words.next();
            if word == b"--" {
                break;
            }
            // As in qemu: --option is -option.
            let name = word.strip_prefix(b"--").unwrap_or(&word[1..]);
            let Some(row) = rows.iter().find(|row| row.name.as_bytes() == name) else {
                return Err([b"unknown option '", &word[..], b"' (-help lists them)"].concat());
            };
            let value = if row.takes_value() {
                let value = words.next();
                value
                    .cloned()
                    .ok_or_else(|| [b"missing argument for option '", &word[..], b"'"].concat())?
            } else {
                Vec::new()
            };
            options.set(row, value)?;
            if !options.show.is_empty() {
                return Ok(options);
            }
        }
        options.argv = words.cloned().collect();
        Ok(options)
    }

    fn set(&mut self, row: &'static OptionRow, value: Vec<u8>) -> Result<(), Vec<u8>> {
        let option = Given { row, value };
        let value = match row.kind {
            "missing" | "missing-flag" => {
                let what = format!("qemu's option -{} does nothing here", row.name);
                self.warnings.push(what.into());
                return Ok(());
            }
            "help" | "version" => {
                self.show = row.kind;
                return Ok(());
            }
            "flag" => {
                self.for_python = true;
                Value::Flag
            }
            "text" | "sysroot" => Value::Text(option.value),
            "python" => {
                self.for_python = true;
                Value::Text(option.value)
            }
            "items" | "cpu" => {
                // This one is about starts without it.
                self.for_python |= row.kind == "items" && option.value != b"python";
                if matches!(&option.value[..], b"help" | b"?") {
                    self.show = if row.kind == "cpu" {
                        "cpu"
                    } else {
                        "log items"
                    };
                }
                Value::Text(option.value)
            }
            "core" => {
                // Behind a comma: what the core itself understands (native,check).
                let mut parts = option.value.split(|&byte| byte == b',');
                if !parts.next().is_some_and(|name| CORES.contains(&name)) {
                    let known = b"': there are unicorn, native and direct";
                    return Err([b"no CPU core '", &option.value[..], known].concat());
                }
                Value::Text(option.value)
            }
            "set" => return self.set_environment(&option),
            "unset" => return self.unset_environment(&option),
            "threads" => {
                self.show = row.kind;
                Value::Number(option.process()?)
            }
            "stack" => Value::Number(option.stack()?),
            "page" => Value::Number(option.page()?),
            "pages" => Value::Number(option.pages()?),
            "pagesize" => {
                if option.number()? != (PAGE.into(), &b""[..]) {
                    self.warnings
                        .push(option.refused(&format!("pages have {PAGE} bytes")));
                }
                return Ok(());
            }
            "number" => match option.number()? {
                (number, b"") => Value::Number(number as u64),
                _ => return Err(option.refused("not a number")),
            },
            kind => return Err(format!("-{}: no kind '{kind}'", row.name).into()),
        };
        self.values.insert(row.name, value);
        Ok(())
    }

    fn set_environment(&mut self, option: &Given) -> Result<(), Vec<u8>> {
        for item in option.value.split(|&byte| byte == b',') {
            match item.iter().position(|&byte| byte == b'=') {
                Some(at @ 1..) => {
                    let value = Some(item[at + 1..].to_vec());
                    self.changes.push((item[..at].to_vec(), value));
                }
                _ => return Err(option.refused_item(b"", item, b"' is not NAME=VALUE")),
            }
        }
        Ok(())
    }

    fn unset_environment(&mut self, option: &Given) -> Result<(), Vec<u8>> {
        for name in option.value.split(|&byte| byte == b',') {
            if name.is_empty() || name.contains(&b'=') {
                return Err(option.refused_item(b"", name, b"' is not a variable's name"));
            }
            self.changes.push((name.to_vec(), None));
        }
        Ok(())
    }

    /// Says on stderr what does nothing, once in this process.
    pub fn warn(&self) {
        static WARNED: AtomicBool = AtomicBool::new(false);
        if !self.warnings.is_empty() && !WARNED.swap(true, Ordering::Relaxed) {
            let all = self.warnings.join(&b"; "[..]);
            let line = [b"qusr: warning: ", &all[..], b"\n"].concat();
            // Nobody may be there to read it.
            let _ = std::io::stderr().write_all(&line);
        }
    }

    /// An option's text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&[u8]> {
        match self.values.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// An option's number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.values.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// The guest's environment, of the one that was inherited.
    #[must_use]
    pub fn environment(&self, inherited: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let mut all = inherited;
        for (name, value) in &self.changes {
            let start = [name, &b"="[..]].concat();
            let at = all.iter().position(|entry| entry.starts_with(&start));
            match (at, value) {
                (Some(at), None) => drop(all.remove(at)),
                (None, None) => {}
                (Some(at), Some(value)) => all[at] = [&start, &value[..]].concat(),
                (None, Some(value)) => all.push([&start, &value[..]].concat()),
            }
        }
        all
    }
}

impl OptionRow {
    fn takes_value(&self) -> bool {
        !matches!(self.kind, "help" | "version" | "flag" | "missing-flag")
    }
}

/// An option with its value.
struct Given {
    row: &'static OptionRow,
    value: Vec<u8>,
}

impl Given {
    fn refused(&self, why: &str) -> Vec<u8> {
        let name = self.row.name.as_bytes();
        [b"-", name, b" ", &self.value, b": ", why.as_bytes()].concat()
    }

    fn refused_item(&self, before: &[u8], item: &[u8], why: &[u8]) -> Vec<u8> {
        [&self.refused(""), before, b"'", item, why].concat()
    }

    /// A number at the start, as strtoul(3) with base 0 reads it, and the rest.
    fn number(&self) -> Result<(u128, &[u8]), Vec<u8>> {
        number(&self.value).ok_or_else(|| self.refused("not a number"))
    }

    /// A number with a suffix, of those given, that stands for so many bits.
    fn sized<'a>(&'a self, suffixes: &[(&[u8], u32)]) -> Result<Result<u128, &'a [u8]>, Vec<u8>> {
        let (size, suffix) = self.number()?;
        let known = suffixes.iter().find(|(known, _)| *known == suffix);
        Ok(match known {
            Some((_, shift)) => Ok(size.saturating_mul(1 << shift)),
            None => Err(suffix),
        })
    }

    fn stack(&self) -> Result<u64, Vec<u8>> {
        match self.sized(&[(b"", 0), (b"k", 10), (b"K", 10), (b"M", 20), (b"G", 30)])? {
            Ok(size @ 1..) => Ok(size.try_into().unwrap_or(u64::MAX)),
            _ => Err(self.refused("not a stack size (bytes, or with suffix k, M or G)")),
        }
    }

    /// The address of a page. As in qemu, 0 is no wish: page 0 of the host cannot be mapped.
    fn page(&self) -> Result<u64, Vec<u8>> {
        match self.number()? {
            (base, b"") if base % u128::from(PAGE) == 0 => {
                u64::try_from(base).map_err(|_| self.refused("not the address of a page"))
            }
            _ => Err(self.refused("not the address of a page")),
        }
    }

    fn pages(&self) -> Result<u64, Vec<u8>> {
        let suffixes: [(&[u8], u32); 6] = [
            (b"", 0),
            (b"k", 10),
            (b"K", 10),
            (b"M", 20),
            (b"G", 30),
            (b"T", 40),
        ];
        match self.sized(&suffixes)? {
            Err(suffix) => Err(self.refused_item(b"unknown suffix ", suffix, b"' (k, M, G or T)")),
            Ok(size) => {
                let size = u64::try_from(size).ok().filter(|size| size % PAGE == 0);
                size.ok_or_else(|| self.refused("not a number of whole pages"))
            }
        }
    }

    fn process(&self) -> Result<u64, Vec<u8>> {
        match self.number()? {
            (pid, b"") if (1..1 << 31).contains(&pid) => Ok(pid as u64),
            _ => Err(self.refused("not a process id")),
        }
    }
}

/// A number at the start of a text, as strtoul(3) with base 0 reads it, and the rest. None: there is
/// none. What has more than 128 bits is the largest that has not.
#[must_use]
pub fn number(text: &[u8]) -> Option<(u128, &[u8])> {
    let (base, digits) = match text {
        [b'0', b'x' | b'X', rest @ ..] => (16, rest),
        [b'0', ..] => (8, text),
        _ => (10, text),
    };
    let digit = |byte: &u8| char::from(*byte).to_digit(base);
    let end = digits.iter().position(|byte| digit(byte).is_none());
    let (digits, rest) = digits.split_at(end.unwrap_or(digits.len()));
    if digits.is_empty() {
        return None;
    }
    let add = |sum: u128, digit: u32| sum.saturating_mul(base.into()).saturating_add(digit.into());
    Some((digits.iter().filter_map(digit).fold(0, add), rest))
}

/// The guest that a command's name is for: `qusr-NAME`, `qemu-NAME`, and either with `-static` behind
/// it. None: it takes any.
#[must_use]
pub fn guest_of(name: &[u8]) -> Option<&'static str> {
    let at = name.iter().position(|&byte| byte == b'-')?;
    let (prefix, guest) = (&name[..at], &name[at + 1..]);
    let guest = guest.strip_suffix(b"-static").unwrap_or(guest);
    match prefix {
        b"qusr" | b"qemu" => names::guest(guest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str], variables: &[(&str, &str)]) -> Result<Options, String> {
        let words: Vec<_> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let found = Options::parse(&words, |name| {
            let mut all = variables.iter();
            all.find(|(known, _)| *known == name)
                .map(|(_, value)| value.as_bytes().to_vec())
        });
        found.map_err(|error| String::from_utf8(error).unwrap())
    }

    #[test]
    fn options_go_before_variables() {
        let variables = [("QEMU_CPU", "a"), ("QUSR_CPU", "b"), ("QEMU_UNAME", "6.1")];
        let found = parse(&["-s", "0x10k", "--", "-p"], &variables).unwrap();
        assert_eq!(found.text("cpu"), Some(&b"b"[..]));
        assert_eq!(found.text("r"), Some(&b"6.1"[..]));
        assert_eq!(found.number("s"), Some(16 << 10));
        assert_eq!(found.argv, [b"-p"]);
        let found = parse(&["--cpu", "c", "p", "-cpu"], &variables).unwrap();
        assert_eq!(found.text("cpu"), Some(&b"c"[..]));
        assert_eq!(found.argv, [&b"p"[..], b"-cpu"]);
    }

    #[test]
    fn the_environment_changes_in_the_order_of_the_options() {
        let words = ["-E", "A=1,B=x=y", "-U", "A", "-E", "HOME=/", "p"];
        let options = parse(&words, &[("QEMU_SET_ENV", "C=3")]).unwrap();
        let inherited = vec![b"HOME=/me".to_vec(), b"AA=2".to_vec()];
        let environment = options.environment(inherited);
        assert_eq!(environment, [&b"HOME=/"[..], b"AA=2", b"C=3", b"B=x=y"]);
    }

    #[test]
    fn what_cannot_be_is_told() {
        for (words, told) in [
            (
                &["-s", "5x", "p"][..],
                "-s 5x: not a stack size (bytes, or with suffix k, M or G)",
            ),
            (&["-s", "x"], "-s x: not a number"),
            (&["-B", "5"], "-B 5: not the address of a page"),
            (&["-R", "5p"], "-R 5p: unknown suffix 'p' (k, M, G or T)"),
            (&["-R", "5"], "-R 5: not a number of whole pages"),
            (&["-E", "A"], "-E A: 'A' is not NAME=VALUE"),
            (&["-U", "A=b"], "-U A=b: 'A=b' is not a variable's name"),
            (&["-g"], "missing argument for option '-g'"),
            (&["-q"], "unknown option '-q' (-help lists them)"),
            (
                &["-core", "fast"],
                "no CPU core 'fast': there are unicorn, native and direct",
            ),
            (&["-threads", "0"], "-threads 0: not a process id"),
        ] {
            assert_eq!(parse(words, &[]).unwrap_err(), told);
        }
    }

    #[test]
    fn what_shows_something_ends_the_options() {
        assert_eq!(parse(&["-cpu", "help", "-q"], &[]).unwrap().show, "cpu");
        assert_eq!(parse(&["-version", "-q"], &[]).unwrap().show, "version");
        assert!(parse(&["-strace", "p"], &[]).unwrap().for_python);
        assert!(parse(&["-g", "1234", "p"], &[]).unwrap().for_python);
        assert!(parse(&["p"], &[("QEMU_GDB", "1")]).unwrap().for_python);
        assert!(!parse(&["-core", "native", "p"], &[]).unwrap().for_python);
    }

    #[test]
    fn numbers_are_strtouls() {
        assert_eq!(number(b"010z"), Some((8, &b"z"[..])));
        assert_eq!(number(b"0"), Some((0, &b""[..])));
        assert_eq!(number(b"09"), Some((0, &b"9"[..])));
        assert_eq!(number(b"0xfg"), Some((15, &b"g"[..])));
        assert_eq!(number(b"0xg"), None);
        assert_eq!(number(b"-1"), None);
    }
}
