//! How Linux loads the programs of a machine. What a guest's rules are is declared in Python
//! (`qusr/arch/<isa>/`), and given to this crate by whoever knows the guests.

/// One guest, as `qusr.arch.base.Guest` describes it; the fields are explained there.
#[derive(Clone, Debug)]
pub struct Rules {
    pub name: &'static str,
    pub title: &'static str,
    pub machine: u16,
    pub bits: u8,
    pub big_endian: bool,
    /// Mask and value of `e_flags`, which tell its programs from those of another guest of the same machine.
    pub flags: (u32, u32),
    pub libraries: &'static str,
    /// Where its libraries may be below /usr, best first.
    pub triplets: Vec<&'static [u8]>,
    pub min_address: u64,
    pub task_end: u64,
    pub stack_end: u64,
    pub dyn_base: u64,
    pub reads_execute: bool,
    pub feature_property: u32,
    pub abi_flags: u32,
    pub minsigstksz: u64,
    /// Entries of the auxiliary vector that are its own: type and value.
    pub auxv: Vec<(u64, u64)>,
    /// In bytes, at least the host's.
    pub page_size: u64,
    /// Mask and value of `e_flags`, and the variant's name.
    pub variants: Vec<(u32, u32, &'static str)>,
    pub refusals: Vec<Refusal>,
    /// Bit of the features, and what the kernel adds to the protection of code.
    pub guarded: Vec<(u32, i32)>,
}

/// What `elf_check_arch` refuses.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Mask and value of the entry point.
    pub entry: (u64, u64),
    /// Mask and value of `e_flags`.
    pub flags: (u32, u32),
    pub why: &'static str,
}

impl Rules {
    /// What is assumed of a machine that is no guest's.
    #[must_use]
    pub fn unknown(machine: u16, bits: u8, big_endian: bool) -> Self {
        let of_32_bits = |value: u64| if bits == 32 { value } else { 0 };
        Self {
            name: "",
            title: "",
            machine,
            bits,
            big_endian,
            flags: (0, 0),
            libraries: "",
            triplets: Vec::new(),
            min_address: 0x1_0000,
            task_end: of_32_bits((1 << 32) - super::PAGE),
            stack_end: 0,
            dyn_base: of_32_bits(0x40_0000),
            reads_execute: false,
            feature_property: 0,
            abi_flags: 0,
            minsigstksz: 0,
            auxv: Vec::new(),
            page_size: super::PAGE,
            variants: vec![(0, 0, "")],
            refusals: Vec::new(),
            guarded: Vec::new(),
        }
    }

    /// Which of the guest's kinds of programs one with these `e_flags` is.
    #[must_use]
    pub fn variant(&self, flags: u32) -> &'static str {
        let mut all = self.variants.iter();
        let found = all.find(|(mask, value, _)| flags & mask == *value);
        found.map_or("", |(_, _, name)| name)
    }

    /// Why the kernel's `elf_check_arch` refuses a program.
    #[must_use]
    pub fn refusal(&self, entry: u64, flags: u32) -> Option<&'static str> {
        let applies = |refusal: &&Refusal| {
            entry & refusal.entry.0 == refusal.entry.1 && flags & refusal.flags.0 == refusal.flags.1
        };
        self.refusals.iter().find(applies).map(|found| found.why)
    }

    /// What the kernel adds to the protection of code with these features.
    #[must_use]
    pub fn code_protection(&self, features: u32) -> i32 {
        let has = |(bit, _): &&(u32, i32)| features & bit != 0;
        self.guarded.iter().filter(has).map(|(_, prot)| prot).sum()
    }
}

/// The name that people have for a machine without a guest.
#[derive(Clone, Debug)]
pub struct Title {
    pub machine: u16,
    /// 0: of either class.
    pub bits: u8,
    /// None: in either byte order.
    pub big_endian: Option<bool>,
    pub title: &'static str,
}

/// All machines that have a name.
#[derive(Clone, Debug, Default)]
pub struct Machines {
    pub guests: Vec<Rules>,
    /// The more special ones first.
    pub titles: Vec<Title>,
}

impl Machines {
    /// The guest that runs programs of an ELF machine with these `e_flags`.
    #[must_use]
    pub fn guest(&self, machine: u16, bits: u8, big_endian: bool, flags: u32) -> Option<&Rules> {
        let wanted = (machine, bits, big_endian);
        let mut all = self.guests.iter();
        all.find(|guest| {
            (guest.machine, guest.bits, guest.big_endian) == wanted
                && flags & guest.flags.0 == guest.flags.1
        })
    }

    /// The guest called `name`.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Rules> {
        self.guests.iter().find(|guest| guest.name == name)
    }

    /// The name people know an ELF machine by: `RISC-V 64`.
    #[must_use]
    pub fn title(&self, machine: u16, bits: u8, big_endian: bool, flags: u32) -> String {
        if let Some(guest) = self.guest(machine, bits, big_endian, flags) {
            return guest.title.to_owned();
        }
        let fits = |title: &&Title| {
            title.machine == machine
                && [0, bits].contains(&title.bits)
                && title.big_endian.is_none_or(|order| order == big_endian)
        };
        if let Some(found) = self.titles.iter().find(fits) {
            return found.title.to_owned();
        }
        match self.guests.iter().find(|guest| guest.machine == machine) {
            // Of a class or byte order that there is not: a damaged header, most likely.
            Some(guest) => {
                let order = if big_endian { "big" } else { "little" };
                format!("a {order}-endian {bits}-bit kind of {}", guest.title)
            }
            None => format!("unknown machine {machine} ({bits}-bit)"),
        }
    }
}
