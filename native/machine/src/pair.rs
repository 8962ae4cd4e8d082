//! The native core with Unicorn behind it.

use std::sync::Arc;

use crate::cpu::CpuCore;
use crate::guests;
use crate::memory::AddressSpace;
use crate::translator::guest::Guest;
use crate::translator::stock::Place;
use crate::translator::{self as native, LogItem, NativeConfig};
use crate::unicorn::{self, UnicornConfig};

/// What the native core's options say.
struct Words {
    check: bool,
    log: Vec<LogItem>,
    tuning: native::Options,
}

impl Words {
    fn parse(options: &str) -> Result<Self, String> {
        let (mut check, mut log, mut tuning) = (false, Vec::new(), Vec::new());
        for word in options.split(',') {
            match word {
                "check" => check = true,
                "log-in_asm" => log.push(LogItem::InAsm),
                "log-op" => log.push(LogItem::Op),
                "log-out_asm" => log.push(LogItem::OutAsm),
                "log-exec" => log.push(LogItem::Exec),
                "log-unimp" => log.push(LogItem::Unimp),
                other => tuning.push(other),
            }
        }
        Ok(Self {
            check,
            log,
            tuning: native::Options::parse(&tuning.join(","))?,
        })
    }
}

/// The guest called `name`, if the translator and this host can run it.
fn guest(name: &str, features: &[String]) -> Result<&'static dyn Guest, String> {
    native::check_host()?;
    guests::by_name(name)
        .and_then(|guest| guest.isa)
        .map(|isa| isa(features))
        .ok_or_else(|| format!("the native core does not know the guest {name}"))
}

/// Why there is no native core for the guest `name` here, or none with these options; None if there is.
#[must_use]
pub fn refusal(name: &str, options: &str) -> Option<String> {
    guest(name, &[])
        .err()
        .or_else(|| Words::parse(options).err())
}

/// Opens a native core for the guest `name`; Unicorn is only opened for an instruction that it has no
/// lifter for. `options` are words with commas between them: `check`, `log-in_asm` and its like, and
/// what `-opt` takes.
///
/// # Errors
/// What is wrong with the options, or why the core cannot run this guest here.
pub fn open(
    name: &str,
    options: &str,
    unicorn: UnicornConfig,
    space: Arc<AddressSpace>,
    log: Option<native::Log>,
    stock: Option<Place>,
) -> Result<Box<dyn CpuCore>, String> {
    let words = Words::parse(options)?;
    let guest = guest(name, &unicorn.features)?;
    let sink = log.unwrap_or_else(|| Arc::new(|_, text| eprint!("{text}")));
    let config = NativeConfig {
        options: words.tuning,
        check: words.check,
        log: (!words.log.is_empty()).then_some((words.log, sink)),
        emulate: unicorn.emulate.clone(),
        stock,
        ..NativeConfig::default()
    };
    let behind = Arc::clone(&space);
    let fallback: native::Fallback = Arc::new(move || unicorn::open(&unicorn, behind.clone()));
    native::open(guest, &config, space, Some(fallback))
}
