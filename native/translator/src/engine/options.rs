//! How a core is opened: its optimisations, its limits, and where it reports to.

use super::stock;
use crate::cpu::{CpuCore, Emulate};
use std::sync::Arc;

/// Single optimisations, for `--opt no-...`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Jumps between translations are patched to go straight.
    pub chain: bool,
    /// Constant folding, address modes, conditions of conditional comparisons.
    pub fold: bool,
    /// Flags that the next block does not read leave a block as operands, and are worked out if asked for.
    pub flags: bool,
    /// Values are computed in the guest register's host register.
    pub coalesce: bool,
    /// Calls and returns use the host's.
    pub returns: bool,
    /// Indirect jumps look into the core's table inline.
    pub jumps: bool,
    /// Translations go on after a conditional branch.
    pub extend: bool,
    /// Behind a conditional branch, translations end where another one begins.
    pub share: bool,
    /// Translations are taken from a file of the last process that ran the program.
    pub stock: bool,
    /// NaNs that differ between processors are found by a host exception, not by checks.
    pub traps: bool,
    /// Hot loops are translated as a whole, with host registers of their own choice.
    pub regions: bool,
    /// Bytes of translated code before it is thrown away and begun anew (`cache=SIZE`).
    pub cache: usize,
}

/// The least and the most that `cache=` takes: a long translation fits, and jumps reach.
const CACHE_SIZES: std::ops::RangeInclusive<usize> = 64 << 10..=1 << 30;

/// A number of bytes, with K, M or G.
fn size(text: &str) -> Option<usize> {
    let (number, unit) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 10),
        b'M' => (&text[..text.len() - 1], 20),
        b'G' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let size = number.parse::<usize>().ok()?.checked_mul(1 << unit)?;
    CACHE_SIZES.contains(&size).then_some(size)
}

impl Default for Options {
    fn default() -> Self {
        Self {
            chain: true,
            fold: true,
            flags: true,
            coalesce: true,
            returns: true,
            jumps: true,
            extend: true,
            share: true,
            stock: true,
            traps: true,
            regions: true,
            cache: 64 << 20,
        }
    }
}

impl Options {
    /// Applies `no-chain,no-fold,cache=1M,...`.
    ///
    /// # Errors
    /// A name that is none, or no such size.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut o = Self::default();
        for word in text.split(',').filter(|w| !w.is_empty()) {
            if let Some(bytes) = word.strip_prefix("cache=") {
                o.cache = size(bytes)
                    .ok_or_else(|| format!("cache={bytes}: a size from 64K to 1G is wanted"))?;
                continue;
            }
            let (name, on) = word
                .strip_prefix("no-")
                .map_or((word, true), |n| (n, false));
            match name {
                "chain" => o.chain = on,
                "fold" => o.fold = on,
                "flags" => o.flags = on,
                "coalesce" => o.coalesce = on,
                "returns" => o.returns = on,
                "jumps" => o.jumps = on,
                "extend" => o.extend = on,
                "share" => o.share = on,
                "stock" => o.stock = on,
                "traps" => o.traps = on,
                "regions" => o.regions = on,
                "all" => {
                    let all = if on { Self::default() } else { Self::none() };
                    o = Self {
                        cache: o.cache,
                        ..all
                    };
                }
                _ => {
                    return Err(format!(
                        "no such optimisation: {name} (chain, fold, flags, coalesce, returns, jumps, extend, share, stock, traps, regions, all; or cache=SIZE)"
                    ));
                }
            }
        }
        Ok(o)
    }

    fn none() -> Self {
        Self {
            chain: false,
            fold: false,
            flags: false,
            coalesce: false,
            returns: false,
            jumps: false,
            extend: false,
            share: false,
            stock: false,
            traps: false,
            regions: false,
            ..Self::default()
        }
    }
}

/// What a log callback gets: `-d in_asm,op,out_asm,exec,unimp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogItem {
    /// A guest block about to be translated.
    InAsm,
    Op,
    OutAsm,
    Exec,
    Unimp,
}

/// Log sink, and whether it wants an item.
pub type Log = Arc<dyn Fn(LogItem, &str) + Send + Sync>;

/// Opens the core for what this one has no lifter for.
pub type Fallback = Arc<dyn Fn() -> Result<Box<dyn CpuCore>, String> + Send + Sync>;

/// How to open a core.
#[derive(Clone)]
pub struct NativeConfig {
    pub options: Options,
    /// Compare each executed block with the interpreter.
    pub check: bool,
    /// The items wanted, and where they go.
    pub log: Option<(Vec<LogItem>, Log)>,
    /// What the kernel carries out. Asked before the fallback core, since nearly every program's C library
    /// reads an ID register at its start, and opening that core would then take most of the start.
    pub emulate: Option<Emulate>,
    /// Floating-point traps of a core after which it changes to translations with checks.
    pub trap_limit: u32,
    /// Faults at tagged addresses after which a core changes to translations that take tags off.
    pub tag_limit: u32,
    /// Times that a backward jump is taken before its loop becomes a region.
    pub hot: u32,
    /// Where translations are kept for the next process.
    pub stock: Option<stock::Place>,
}

impl Default for NativeConfig {
    fn default() -> Self {
        Self {
            options: Options::default(),
            check: false,
            log: None,
            emulate: None,
            // One costs some 2 µs, a check 0.3 ns.
            trap_limit: 2000,
            // One costs some 3 µs, what takes a tag off 0.5 ns.
            tag_limit: 500,
            hot: 1000,
            stock: None,
        }
    }
}
