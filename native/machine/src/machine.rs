//! The machine that a program sees: all that follows from its guest and the options.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use crate::facts::{self, Abi, Cpu, Model, Processor};
use crate::guests::{self, Direct, Entry};
use crate::loader::rules::Rules;
use crate::pair;
use crate::thunk::procfs::CpuInfo;
use crate::thunk::table::Table;
use crate::unicorn::UnicornConfig;

/// What the options say of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes<'a> {
    /// The CPU model's name; None: the best one.
    pub cpu: Option<&'a str>,
    /// `native`, `unicorn` or `direct`, with what the core itself understands behind a comma; "": none.
    pub core: &'a str,
    /// Optimisations to leave out.
    pub opt: &'a str,
    /// What the native core is to log, with commas between.
    pub logs: &'a str,
}

/// One guest with one CPU model.
pub struct Machine {
    pub rules: &'static Rules,
    pub entry: &'static Entry,
    pub abi: Abi,
    /// The options of the native core; None: another runs it.
    pub native: Option<String>,
    /// How the host's processor runs it, if that does.
    pub direct: Option<&'static Direct>,
    /// Its memory is to be such that the host's processor could run a program in it: this one, or one that it executes.
    pub executes: bool,
    pub model: &'static str,
    pub cpu: Cpu,
    table: OnceLock<Arc<Table>>,
}

impl Machine {
    /// The machine of a guest's programs of one variant.
    ///
    /// # Errors
    /// There is no such CPU or core; it says what there is.
    pub fn new(guest: &str, variant: &str, wishes: Wishes<'_>) -> Result<Self, String> {
        let unknown = || format!("no guest {guest:?}");
        let processor = facts::processor(guest).ok_or_else(unknown)?;
        let rules = facts::facts().machines.named(guest).ok_or_else(unknown)?;
        let abi = processor.abi(variant).ok_or_else(unknown)?.clone();
        let entry = guests::by_name(abi.core).ok_or_else(unknown)?;
        let direct = direct(abi.core, wishes)?;
        let native = native_options(abi.core, wishes)?;
        let wanted = if direct.is_some() { None } else { wishes.cpu };
        let model = model(&processor, entry, guest, variant, wanted)?;
        if direct.is_none() && native.is_none() && model.on_unicorn.unicorn < 0 {
            return Err(format!(
                "-cpu {}: only the core native has this CPU",
                model.name
            ));
        }
        let mut cpu = if native.is_some() {
            model.on_native
        } else {
            model.on_unicorn
        };
        if let Some(lengths) = &entry.lengths
            && cpu.features.iter().any(|f| f == "sve")
        {
            let asked = of_lengths(entry, wishes.cpu.unwrap_or_default());
            (lengths.choose)(&mut cpu.features, &asked)?;
        }
        if let Some(direct) = direct {
            let [hwcap, hwcap2, _] = (direct.facts)();
            (cpu.hwcap, cpu.hwcap2) = (hwcap, Some(hwcap2));
            // The host's own text is right.
            cpu.cpuinfo = CpuInfo::default();
        }
        Ok(Self {
            rules,
            entry,
            abi,
            native,
            direct,
            executes: rules.bits == 64 && wishes.core == DIRECT,
            model: model.name,
            cpu,
            table: OnceLock::new(),
        })
    }

    /// AT_MINSIGSTKSZ.
    #[must_use]
    pub fn min_signal_stack(&self) -> u64 {
        match self.direct {
            Some(direct) => (direct.facts)()[2],
            None => self.rules.minsigstksz + self.entry.linux.frame_room(&self.cpu.features),
        }
    }

    /// The thunk table, parsed once.
    ///
    /// # Errors
    /// What is wrong with the declarations.
    pub fn table(&self) -> Result<Arc<Table>, String> {
        if let Some(table) = self.table.get() {
            return Ok(Arc::clone(table));
        }
        let table = Table::parse(self.abi.table).map_err(|why| why.to_string())?;
        Ok(Arc::clone(self.table.get_or_init(|| Arc::new(table))))
    }

    /// How Unicorn, whose library is the one given, is to run it.
    #[must_use]
    pub fn unicorn(&self, library: PathBuf) -> UnicornConfig {
        UnicornConfig {
            library,
            guest: self.entry.unicorn,
            model: self.cpu.unicorn,
            emulate: self.entry.emulation(self.cpu.system_registers.clone()),
            features: self.cpu.features.clone(),
        }
    }
}

/// The properties of a CPU that are about vector lengths.
fn of_lengths<'a>(entry: &Entry, cpu: &'a str) -> Vec<&'a str> {
    let concerns = |text: &&str| entry.lengths.as_ref().is_some_and(|l| (l.concerns)(text));
    cpu.split(',').skip(1).filter(concerns).collect()
}

fn model(
    processor: &Processor,
    entry: &Entry,
    guest: &str,
    variant: &str,
    wanted: Option<&str>,
) -> Result<Model, String> {
    let Some(wanted) = wanted else {
        let first = processor.models().next();
        return first.ok_or_else(|| format!("no CPU for {guest}"));
    };
    let model = find(processor, entry, wanted, guest)?;
    let Some(missing) = model.missing(variant) else {
        return Ok(model);
    };
    let others = processor.models();
    let others: Vec<_> = others
        .filter(|model| model.missing(variant).is_none())
        .map(|model| model.name)
        .collect();
    let others = match &others[..] {
        [] => "no other has it".to_owned(),
        [one] => format!("{one} has"),
        [most @ .., last] => format!("{} and {last} have", most.join(", ")),
    };
    Err(format!("-cpu {} has no {missing}: {others}", model.name))
}

/// The CPU `NAME` or `NAME,PROPERTY=on|off,...`: of those that are called so, up to a comma, the first one that has what is asked
/// for.
fn find(processor: &Processor, entry: &Entry, wanted: &str, guest: &str) -> Result<Model, String> {
    let (name, asked) = wanted.split_once(',').unwrap_or((wanted, ""));
    let is_so = |model: &Model| model.name.split(',').next() == Some(name);
    let mut so: Vec<_> = processor.models().filter(is_so).collect();
    if so.is_empty() {
        return Err(format!("no CPU '{name}' for {guest}: -cpu help lists them"));
    }
    let lengths = of_lengths(entry, wanted);
    let rest = asked
        .split(',')
        .filter(|text| !text.is_empty() && !lengths.contains(text));
    // Lengths are of vectors that are there.
    for setting in lengths.first().map(|_| "sve=on").into_iter().chain(rest) {
        // A property with another value is one that is on, or is not there.
        let given = |m: &Model| m.settings.iter().any(|has| has.0 == setting);
        let (property, on) = match setting.split_once('=') {
            Some((property, "on" | "true")) => (property, true),
            Some((property, "off" | "false")) => (property, false),
            Some(_) if processor.models().any(|m| is_so(&m) && given(&m)) => (setting, true),
            _ => return Err(format!("-cpu {wanted}: '{setting}' is not PROPERTY=on|off")),
        };
        let has = |model: &Model| model.settings.iter().any(|has| has.0 == property);
        if !so.iter().any(has) && !processor.models().any(|m| is_so(&m) && has(&m)) {
            return Err(format!(
                "-cpu {wanted}: {name} has no property '{property}'"
            ));
        }
        so.retain(|model| model.settings.contains(&(property, on)));
    }
    let first = so.into_iter().next();
    first.ok_or_else(|| format!("-cpu {wanted}: these exclude each other"))
}

/// How the host's processor runs a guest, if that is wished; guests that it cannot run have their usual core then, so that
/// programs of both can execute each other.
fn direct(guest: &str, wishes: Wishes<'_>) -> Result<Option<&'static Direct>, String> {
    match wishes.core.split_once(',').unwrap_or((wishes.core, "")) {
        (DIRECT, "") => {}
        (DIRECT, rest) => return Err(format!("the core direct has no option '{rest}'")),
        _ => return Ok(None),
    }
    let Some(direct) = guests::direct(guest) else {
        return Ok(None);
    };
    match wishes.cpu {
        None | Some("host" | "max") => {}
        Some(cpu) => {
            return Err(format!(
                "-cpu {cpu}: the core direct has the processor of this machine only (host)"
            ));
        }
    }
    (direct.prepare)()?;
    Ok(Some(direct))
}

const DIRECT: &str = "direct";

/// The options of the native core; None when it is another one.
fn native_options(guest: &str, wishes: Wishes<'_>) -> Result<Option<String>, String> {
    let (name, rest) = wishes.core.split_once(',').unwrap_or((wishes.core, ""));
    // Guests that the host cannot run have their usual core.
    let name = if name == DIRECT { "" } else { name };
    match name {
        "unicorn" if rest.is_empty() => return Ok(None),
        "unicorn" => return Err(format!("the core unicorn has no option '{rest}'")),
        "" | "native" => {}
        other => {
            return Err(format!(
                "no core '{other}': there are unicorn, native and direct"
            ));
        }
    }
    if let Some(refusal) = pair::refusal(guest, "") {
        return if name.is_empty() {
            Ok(None)
        } else {
            Err(refusal)
        };
    }
    let words: Vec<_> = [rest, wishes.opt, wishes.logs]
        .into_iter()
        .filter(|words| !words.is_empty())
        .collect();
    let words = words.join(",");
    match pair::refusal(guest, &words) {
        Some(refusal) => Err(refusal),
        None => Ok(Some(words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(guest: &str, variant: &str, wishes: Wishes<'_>) -> String {
        Machine::new(guest, variant, wishes)
            .err()
            .unwrap_or_default()
    }

    #[test]
    fn the_default_is_the_first_model_on_the_native_core() {
        let machine = Machine::new("aarch64", "", Wishes::default()).unwrap();
        assert_eq!((machine.model, machine.cpu.uname), ("max", "aarch64"));
        assert_eq!(machine.native.as_deref(), Some(""));
    }

    #[test]
    fn what_cannot_be_is_told() {
        let cpu = |cpu| Wishes {
            cpu: Some(cpu),
            ..Wishes::default()
        };
        assert_eq!(
            refusal("arm", "", cpu("pentium")),
            "no CPU 'pentium' for arm: -cpu help lists them"
        );
        assert_eq!(
            refusal("aarch64", "", cpu("max,pauth=off,pauth-qarma5=on")),
            "-cpu max,pauth=off,pauth-qarma5=on: these exclude each other"
        );
        assert_eq!(
            refusal("aarch64", "", cpu("max,colour=on")),
            "-cpu max,colour=on: max has no property 'colour'"
        );
        assert_eq!(
            refusal("aarch64", "", cpu("max,pauth")),
            "-cpu max,pauth: 'pauth' is not PROPERTY=on|off"
        );
        let model = |wanted| Machine::new("aarch64", "", cpu(wanted)).unwrap().model;
        assert_eq!(model("max,pauth=on"), "max");
        assert_eq!(model("max,pauth-impdef=off"), "max,pauth-qarma5=on");
        assert_eq!(model("max,pauth=on,pauth-qarma3=on"), "max,pauth-qarma3=on");
        assert_eq!(model("max,pauth=off"), "max,pauth=off");
        let told = refusal("armeb", "be32", cpu("cortex-a9"));
        assert!(told.starts_with("-cpu cortex-a9 has no big-endian code (BE32): max, "));
        assert!(told.ends_with(" have"));
        let core = |core| Wishes {
            core,
            ..Wishes::default()
        };
        assert_eq!(
            refusal("arm", "", core("unicorn,check")),
            "the core unicorn has no option 'check'"
        );
        assert!(refusal("arm", "", core("native,checked")).contains("checked"));
        let both = Wishes {
            core: "unicorn",
            ..cpu("arm926")
        };
        let told = refusal("arm", "", both);
        assert!(told.is_empty() || told.ends_with("only the core native has this CPU"));
    }
}
