//! What Python declares of guests and options, as the build has written it down (`qusr/facts.py` says
//! what the fields are).

use std::sync::OnceLock;

use crate::loader::rules::{Machines, Refusal, Rules, Title};
use crate::thunk::procfs::CpuInfo;

static DATA: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/facts.bin"));

/// The bytes, for Python to compare.
#[must_use]
pub fn bytes() -> &'static [u8] {
    DATA
}

/// An option of the commands (`qusr.options.Option`).
#[derive(Clone, Copy, Debug)]
pub struct OptionRow {
    pub name: &'static str,
    pub variable: &'static str,
    pub kind: &'static str,
}

/// All that is declared.
#[derive(Debug)]
pub struct Facts {
    pub options: Vec<OptionRow>,
    pub machines: Machines,
    /// Their processors, in the order of the machines' guests.
    processors: Vec<&'static [u8]>,
}

/// The processors of a guest, and the kinds of its programs.
#[derive(Debug)]
pub struct Processor {
    pub abis: Vec<Abi>,
    models: Vec<&'static [u8]>,
}

/// One kind of a guest's programs.
#[derive(Clone, Debug)]
pub struct Abi {
    pub variant: &'static str,
    pub name: &'static str,
    /// What the list of guests calls it.
    pub core: &'static str,
    /// Pages that the kernel maps into each process: address, name, contents.
    pub kernel_pages: Vec<(u64, &'static str, &'static [u8])>,
    /// The thunk table.
    pub table: &'static [u8],
}

/// A CPU that `-cpu` can name.
#[derive(Clone, Debug)]
pub struct Model {
    pub name: &'static str,
    /// The properties that may be asked for, and which it has.
    pub settings: Vec<(&'static str, bool)>,
    /// By the kinds of programs that it does not run: what it lacks for them.
    pub lacks: Vec<(&'static str, &'static str)>,
    pub on_unicorn: Cpu,
    pub on_native: Cpu,
}

/// A CPU as one of the cores has it.
#[derive(Clone, Debug)]
pub struct Cpu {
    /// Its number in Unicorn; negative: that does not have it.
    pub unicorn: i32,
    pub hwcap: u64,
    /// None: the ISA has no such entry.
    pub hwcap2: Option<u64>,
    /// `machine` of uname(2), and `AT_PLATFORM`.
    pub uname: &'static str,
    pub platform: &'static str,
    /// The system registers that programs may read and that are not 0.
    pub system_registers: Vec<(u32, u64)>,
    pub features: Vec<String>,
    pub cpuinfo: CpuInfo,
}

impl Model {
    /// What it lacks for programs of a variant.
    #[must_use]
    pub fn missing(&self, variant: &str) -> Option<&'static str> {
        let mut all = self.lacks.iter();
        all.find(|(of, _)| *of == variant).map(|(_, what)| *what)
    }
}

impl Processor {
    /// The CPUs, the default one first.
    pub fn models(&self) -> impl Iterator<Item = Model> {
        self.models.iter().map(|data| Reader(data).model())
    }

    /// The kind of programs called `variant`.
    #[must_use]
    pub fn abi(&self, variant: &str) -> Option<&Abi> {
        self.abis.iter().find(|abi| abi.variant == variant)
    }
}

/// What was written down.
pub fn facts() -> &'static Facts {
    static FACTS: OnceLock<Facts> = OnceLock::new();
    FACTS.get_or_init(|| Reader(DATA).facts())
}

/// The processor of the guest of this name.
#[must_use]
pub fn processor(guest: &str) -> Option<Processor> {
    let facts = facts();
    let mut guests = facts.machines.guests.iter();
    let at = guests.position(|rules| rules.name == guest)?;
    Some(Reader(facts.processors[at]).processor())
}

/// The kind of programs that the list of guests calls `core`.
#[must_use]
pub fn abi_on(core: &str) -> Option<Abi> {
    let all = facts().machines.guests.iter();
    all.filter_map(|rules| processor(rules.name))
        .flat_map(|processor| processor.abis)
        .find(|abi| abi.core == core)
}

/// Reads what the build of this very library wrote, so it is whole: a mistake would be one of the
/// two programs, and shows in any test.
struct Reader(&'static [u8]);

impl Reader {
    fn take(&mut self, size: usize) -> &'static [u8] {
        let (first, rest) = self.0.split_at(size);
        self.0 = rest;
        first
    }

    fn number(&mut self) -> u64 {
        let bytes = self.take(8).first_chunk();
        u64::from_le_bytes(*bytes.expect("eight bytes were taken"))
    }

    fn bytes(&mut self) -> &'static [u8] {
        let size = self.number();
        self.take(size as usize)
    }

    fn text(&mut self) -> &'static str {
        std::str::from_utf8(self.bytes()).expect("Python writes UTF-8")
    }

    fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.number()).map(|_| one(self)).collect()
    }

    fn facts(&mut self) -> Facts {
        let options = self.list(|r| OptionRow {
            name: r.text(),
            variable: r.text(),
            kind: r.text(),
        });
        let titles = self.list(|r| Title {
            machine: r.number() as u16,
            bits: r.number() as u8,
            big_endian: match r.number() {
                2 => None,
                order => Some(order == 1),
            },
            title: r.text(),
        });
        let guests = self.list(|r| (r.rules(), r.number()));
        let (guests, sizes): (_, Vec<_>) = guests.into_iter().unzip();
        let processors = sizes.into_iter().map(|size| self.take(size as usize));
        let processors = processors.collect();
        Facts {
            options,
            machines: Machines { guests, titles },
            processors,
        }
    }

    fn rules(&mut self) -> Rules {
        Rules {
            name: self.text(),
            title: self.text(),
            libraries: self.text(),
            machine: self.number() as u16,
            bits: self.number() as u8,
            big_endian: self.number() != 0,
            flags: (self.number() as u32, self.number() as u32),
            triplets: self.list(Self::bytes),
            min_address: self.number(),
            task_end: self.number(),
            stack_end: self.number(),
            dyn_base: self.number(),
            reads_execute: self.number() != 0,
            feature_property: self.number() as u32,
            abi_flags: self.number() as u32,
            minsigstksz: self.number(),
            auxv: self.list(|r| (r.number(), r.number())),
            page_size: self.number(),
            variants: self.list(|r| (r.number() as u32, r.number() as u32, r.text())),
            refusals: self.list(|r| Refusal {
                entry: (r.number(), r.number()),
                flags: (r.number() as u32, r.number() as u32),
                why: r.text(),
            }),
            guarded: self.list(|r| (r.number() as u32, r.number() as i32)),
        }
    }

    fn processor(&mut self) -> Processor {
        let tables = self.list(Self::number);
        let models = self.list(Self::number);
        let abis = self.list(|r| {
            let abi = Abi {
                variant: r.text(),
                name: r.text(),
                core: r.text(),
                kernel_pages: r.list(|r| (r.number(), r.text(), r.bytes())),
                table: &[],
            };
            (abi, r.number() as usize)
        });
        let mut cut = |sizes: Vec<u64>| -> Vec<_> {
            let parts = sizes.into_iter().map(|size| self.take(size as usize));
            parts.collect()
        };
        let (models, tables) = (cut(models), cut(tables));
        let abis = abis.into_iter().map(|(abi, at)| Abi {
            table: tables[at],
            ..abi
        });
        Processor {
            abis: abis.collect(),
            models,
        }
    }

    fn model(&mut self) -> Model {
        Model {
            name: self.text(),
            settings: self.list(|r| (r.text(), r.number() != 0)),
            lacks: self.list(|r| (r.text(), r.text())),
            on_unicorn: self.cpu(),
            on_native: self.cpu(),
        }
    }

    fn cpu(&mut self) -> Cpu {
        Cpu {
            unicorn: self.number() as i32,
            hwcap: self.number(),
            hwcap2: self.list(Self::number).pop(),
            uname: self.text(),
            platform: self.text(),
            system_registers: self.list(|r| (r.number() as u32, r.number())),
            features: self.list(|r| r.text().to_owned()),
            cpuinfo: CpuInfo {
                parts: self.list(Self::text),
                end: self.text(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::guests;

    /// Each guest of the translator's list is declared, and the other way round.
    #[test]
    fn guests_have_one_list() {
        let mut declared = Vec::new();
        for rules in &facts().machines.guests {
            let processor = processor(rules.name).unwrap();
            for abi in &processor.abis {
                let entry = guests::by_name(abi.core).unwrap();
                assert_eq!(entry.command, rules.name);
                let table = crate::thunk::table::Table::parse(abi.table).unwrap();
                table.check().unwrap();
                declared.push(abi.core);
            }
            // Several flags may say the same, and which is looked at first says nothing of the ABIs.
            let variants = rules.variants.iter().map(|(_, _, variant)| *variant);
            let known = processor.abis.iter().map(|abi| abi.variant);
            assert_eq!(
                variants.collect::<BTreeSet<_>>(),
                known.collect::<BTreeSet<_>>()
            );
            assert!(processor.models().next().is_some());
        }
        let mut listed: Vec<_> = guests::all().map(guests::Entry::name).collect();
        declared.sort_unstable();
        // Variants may run on one core.
        declared.dedup();
        listed.sort_unstable();
        assert_eq!(declared, listed);
    }
}
