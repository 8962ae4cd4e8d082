//! An ELF file's [`Plan`]: what it asks of the kernel, checked as fs/binfmt_elf.c does.
//!
//! Only the ELF header and the program headers are looked at, for only they matter to Linux: a
//! file whose sections and symbols are garbage runs. They are read in bounded amounts, so a corrupt
//! file can neither make this slow nor lead it anywhere. A plan has link-time addresses only;
//! where a position-independent file ends up is decided by [`super::image`].

use std::os::fd::RawFd;

use super::error::LoadError;
use super::ident::{EHDR, ET_DYN, Ident, Kind, kind};
use super::rules::Machines;
use super::{PAGE, page_start};

/// Sizes of a program header in 32 and 64 bits.
const PHDR: [u64; 2] = [32, 56];
/// The table of program headers is at most 64 KiB (`load_elf_phdrs`).
const MAX_PHDR_BYTES: u64 = 65536;
const PATH_MAX: u64 = 4096;
/// The kernel reads no longer property note than this (`parse_elf_properties`).
const MAX_PROPERTY_BYTES: u64 = 1024;

const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
const PT_GNU_STACK: u32 = 0x6474_e551;
const PT_GNU_PROPERTY: u32 = 0x6474_e553;
const PF_X: u32 = 1;
const PF_W: u32 = 2;
const PF_R: u32 = 4;
const NT_GNU_PROPERTY_TYPE_0: u32 = 5;

/// What `PT_GNU_STACK` said (the kernel's `EXSTACK_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stack {
    /// Nothing: it is for the architecture to decide.
    #[default]
    Default,
    NotExecutable,
    Executable,
}

/// One `PT_LOAD` program header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub vaddr: u64,
    pub memsz: u64,
    pub offset: u64,
    pub filesz: u64,
    /// `PROT_*`.
    pub prot: i32,
    pub align: u64,
}

/// What the loader has to know of one ELF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub ident: Ident,
    pub entry: u64,
    pub phoff: u64,
    pub phentsize: u64,
    pub phnum: u64,
    pub segments: Vec<Segment>,
    pub interp: Option<Vec<u8>>,
    pub stack: Stack,
    /// The bits of the property that the guest's rules name.
    pub features: u32,
    /// What its code takes floating-point registers for (`fp_abi` of struct mips_abiflags); 0: anything.
    pub float_abi: u8,
    /// The size of the guest's pages.
    pub page: u64,
}

impl Plan {
    /// Whether the file may be loaded anywhere.
    #[must_use]
    pub fn is_dyn(&self) -> bool {
        self.ident.kind == ET_DYN
    }

    /// The lowest page of all segments.
    #[must_use]
    pub fn start(&self) -> u64 {
        let starts = self.segments.iter().map(|s| page_start(s.vaddr, self.page));
        starts.min().unwrap_or(0)
    }

    /// The end of the highest segment; in 64 bits this can be 2^64.
    #[must_use]
    pub fn end(&self) -> u128 {
        let ends = self.segments.iter().map(Segment::end);
        ends.max().unwrap_or(0)
    }

    /// The largest sensible `p_align`, at least a page (the kernel's `maximum_alignment`).
    #[must_use]
    pub fn alignment(&self) -> u64 {
        let aligns = self.segments.iter().map(|s| s.align);
        aligns
            .filter(|align| align.is_power_of_two())
            .fold(self.page, u64::max)
    }

    /// Where the program headers are in memory: in the last segment that holds them.
    #[must_use]
    pub fn phdr_vaddr(&self) -> u64 {
        let phoff = self.phoff;
        let holds = |s: &&Segment| phoff >= s.offset && phoff - s.offset < s.filesz;
        let found = self.segments.iter().rfind(holds);
        found.map_or(0, |s| (phoff - s.offset).wrapping_add(s.vaddr))
    }

    /// `start_code` and `end_code` of /proc/PID/stat, before the bias.
    #[must_use]
    pub fn code_range(&self) -> (u64, u64) {
        let code = || {
            let all = self.segments.iter();
            all.filter(|s| s.prot & libc::PROT_EXEC != 0)
        };
        (
            code().map(|s| s.vaddr).min().unwrap_or(0),
            code().map(Segment::file_end).max().unwrap_or(0),
        )
    }

    /// `start_data` and `end_data` of /proc/PID/stat, before the bias.
    #[must_use]
    pub fn data_range(&self) -> (u64, u64) {
        let all = || self.segments.iter();
        (
            all().map(|s| s.vaddr).max().unwrap_or(0),
            all().map(Segment::file_end).max().unwrap_or(0),
        )
    }

    /// Refuses what the kernel would refuse, and files that are cut off.
    ///
    /// The kernel finds most of these only when the old image is gone, and then
    /// kills the process; here they are found before anything is mapped.
    fn check(&self, path: &[u8], file_size: u64) -> Result<(), LoadError> {
        let bad = |what: String, errno| Err(LoadError::of(path, what, errno));
        if self.segments.is_empty() {
            let what = "bad ELF file: nothing to load (no PT_LOAD)";
            return bad(what.into(), libc::ENOEXEC);
        }
        let bits = self.ident.bits;
        for (number, s) in self.segments.iter().enumerate() {
            let segment = format!("bad ELF file: segment {number}");
            if s.filesz > s.memsz {
                let what = format!("{segment} is larger in the file than in memory");
                return bad(what, libc::EINVAL);
            }
            if s.end() > 1 << bits {
                let what = format!("{segment} does not fit into {bits} bits");
                return bad(what, libc::EINVAL);
            }
            if s.filesz == 0 {
                continue;
            }
            if (s.offset ^ s.vaddr) & (self.page - 1) != 0 {
                let what = format!("{segment} has an offset that does not fit its address");
                return bad(what, libc::EINVAL);
            }
            let end = u128::from(s.offset) + u128::from(s.filesz);
            if end > u128::from(file_size) {
                let what = format!(
                    "truncated: segment {number} ends at byte {end} and the file at {file_size}"
                );
                return bad(what, libc::ENOEXEC);
            }
        }
        Ok(())
    }
}

impl Segment {
    /// In 64 bits this can be 2^64.
    fn end(&self) -> u128 {
        u128::from(self.vaddr) + u128::from(self.memsz)
    }

    /// Where what comes of the file ends.
    fn file_end(&self) -> u64 {
        self.vaddr.wrapping_add(self.filesz)
    }
}

/// At most `size` bytes of a file at `offset`; offsets that no file can have read as its end.
pub(super) fn read(fd: RawFd, path: &[u8], size: u64, offset: u64) -> Result<Vec<u8>, LoadError> {
    let Ok(offset) = i64::try_from(offset) else {
        return Ok(Vec::new());
    };
    let mut data = vec![0; size as usize];
    let mut at = 0;
    while at < data.len() {
        let part = &mut data[at..];
        // SAFETY: the kernel writes at most so many bytes into the buffer.
        let got = unsafe {
            libc::pread(
                fd,
                part.as_mut_ptr().cast(),
                part.len(),
                offset.saturating_add(at as i64),
            )
        };
        match got {
            0 => break,
            1.. => at += got as usize,
            _ => match errno() {
                libc::EINTR => {}
                // A seek beyond what the file system supports is the kernel's EINVAL.
                libc::EINVAL | libc::EOVERFLOW => break,
                errno => return Err(LoadError::of_errno(path, errno)),
            },
        }
    }
    data.truncate(at);
    Ok(data)
}

pub(super) fn errno() -> i32 {
    let error = std::io::Error::last_os_error();
    error.raw_os_error().unwrap_or(libc::EIO)
}

/// The fields of a header, in the file's byte order.
struct Fields<'a> {
    data: &'a [u8],
    big_endian: bool,
    bits: u8,
}

impl Fields<'_> {
    fn get<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.data[at..at + N]);
        if self.big_endian {
            bytes.reverse();
        }
        bytes
    }

    fn half(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.get(at))
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.get(at))
    }

    /// A field of the class's width, in 32 and in 64 bits at these places.
    fn wide(&self, at: [usize; 2]) -> u64 {
        match self.bits {
            32 => self.word(at[0]).into(),
            _ => u64::from_le_bytes(self.get(at[1])),
        }
    }
}

/// A program header.
struct Phdr {
    kind: u32,
    flags: u32,
    offset: u64,
    vaddr: u64,
    filesz: u64,
    memsz: u64,
    align: u64,
}

/// The plan of the ELF file open at `fd`; `path` is for messages.
///
/// # Errors
/// What is wrong with the file, with the errno of execve(2).
pub fn read_plan(fd: RawFd, path: &[u8], machines: &Machines) -> Result<Plan, LoadError> {
    let head = read(fd, path, EHDR[1] as u64, 0)?;
    let not_run = |what: String| Err(LoadError::of(path, what, libc::ENOEXEC));
    let Some(ident) = Ident::parse(&head) else {
        return not_run(not_elf(&head).into());
    };
    if !ident.is_program() {
        return not_run(format!("not a program: {}", ident.kind_title()));
    }
    let fields = Fields {
        data: &head,
        big_endian: ident.big_endian,
        bits: ident.bits,
    };
    let wide = usize::from(ident.bits == 64);
    let (phentsize, phnum) = [(42, 44), (54, 56)][wide];
    let mut plan = Plan {
        ident,
        entry: fields.wide([24, 24]),
        phoff: fields.wide([28, 32]),
        phentsize: fields.half(phentsize).into(),
        phnum: fields.half(phnum).into(),
        segments: Vec::new(),
        interp: None,
        stack: Stack::default(),
        features: 0,
        float_abi: 0,
        page: PAGE,
    };
    let phdrs = program_headers(fd, path, &plan)?;
    let loads = phdrs.iter().filter(|phdr| phdr.kind == PT_LOAD);
    plan.segments = loads.map(segment).collect();
    plan.interp = interpreter(fd, path, &phdrs)?;
    // The last one counts, as in the kernel.
    if let Some(phdr) = phdrs.iter().rfind(|phdr| phdr.kind == PT_GNU_STACK) {
        plan.stack = match phdr.flags & PF_X {
            0 => Stack::NotExecutable,
            _ => Stack::Executable,
        };
    }
    let guest = ident.guest(machines);
    if let Some(guest) = guest {
        plan.page = guest.page_size;
    }
    if let Some(wanted) = guest
        .map(|guest| guest.feature_property)
        .filter(|&wanted| wanted != 0)
    {
        plan.features = features(fd, path, &ident, &phdrs, wanted)?;
    }
    let flags = guest.map_or(0, |guest| guest.abi_flags);
    if let Some(phdr) = phdrs.iter().find(|phdr| flags != 0 && phdr.kind == flags) {
        plan.float_abi = float_abi(fd, path, phdr)?;
    }
    let size = size_of(fd).map_err(|errno| LoadError::of_errno(path, errno))?;
    plan.check(path, size)?;
    match guest.and_then(|guest| guest.refusal(plan.entry, ident.flags)) {
        Some(why) => not_run(why.into()),
        None => Ok(plan),
    }
}

fn size_of(fd: RawFd) -> Result<u64, i32> {
    // SAFETY: all bytes zero are a stat.
    let mut info: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills a valid stat.
    match unsafe { libc::fstat(fd, &raw mut info) } {
        0 => Ok(info.st_size as u64),
        _ => Err(errno()),
    }
}

fn not_elf(head: &[u8]) -> &'static str {
    let cut = head.len() < EHDR[0] || (head[4] == 2 && head.len() < EHDR[1]);
    match kind(head) {
        Kind::Empty => "empty file",
        Kind::BadElf if cut => "truncated ELF header",
        Kind::BadElf => "bad ELF header (class or byte order)",
        Kind::Text => "a text file, not a program",
        Kind::Script => "a script, not an ELF file",
        Kind::Data | Kind::Elf => "not an ELF file",
    }
}

/// The program headers, with the limits of `load_elf_phdrs`.
fn program_headers(fd: RawFd, path: &[u8], plan: &Plan) -> Result<Vec<Phdr>, LoadError> {
    let (size, count) = (plan.phentsize, plan.phnum);
    let right = PHDR[usize::from(plan.ident.bits == 64)];
    let bad = |what: String| Err(LoadError::of(path, what, libc::ENOEXEC));
    if count == 0 {
        return bad("not a program: no program headers".into());
    }
    if size != right {
        return bad(format!(
            "bad ELF file: program headers of {size} bytes instead of {right}"
        ));
    }
    if size * count > MAX_PHDR_BYTES {
        return bad(format!("bad ELF file: {count} program headers"));
    }
    let table = read(fd, path, size * count, plan.phoff)?;
    if table.len() as u64 != size * count {
        return bad("truncated: the program headers are missing".into());
    }
    let entries = table.chunks_exact(size as usize).map(|data| {
        let fields = Fields {
            data,
            big_endian: plan.ident.big_endian,
            bits: plan.ident.bits,
        };
        Phdr {
            kind: fields.word(0),
            flags: fields.word(if plan.ident.bits == 32 { 24 } else { 4 }),
            offset: fields.wide([4, 8]),
            vaddr: fields.wide([8, 16]),
            filesz: fields.wide([16, 32]),
            memsz: fields.wide([20, 40]),
            align: fields.wide([28, 48]),
        }
    });
    Ok(entries.collect())
}

fn segment(phdr: &Phdr) -> Segment {
    let pairs = [
        (PF_R, libc::PROT_READ),
        (PF_W, libc::PROT_WRITE),
        (PF_X, libc::PROT_EXEC),
    ];
    let set = pairs.iter().filter(|(flag, _)| phdr.flags & flag != 0);
    Segment {
        vaddr: phdr.vaddr,
        memsz: phdr.memsz,
        offset: phdr.offset,
        filesz: phdr.filesz,
        prot: set.map(|(_, prot)| prot).sum(),
        align: phdr.align,
    }
}

/// The interpreter's path: of the first `PT_INTERP`, others are not looked at.
fn interpreter(fd: RawFd, path: &[u8], phdrs: &[Phdr]) -> Result<Option<Vec<u8>>, LoadError> {
    let Some(phdr) = phdrs.iter().find(|phdr| phdr.kind == PT_INTERP) else {
        return Ok(None);
    };
    let size = phdr.filesz;
    let bad = |what: String, errno| Err(LoadError::of(path, what, errno));
    if !(2..=PATH_MAX).contains(&size) {
        let what = format!("bad ELF file: an interpreter path of {size} bytes");
        return bad(what, libc::ENOEXEC);
    }
    let name = read(fd, path, size, phdr.offset)?;
    if name.len() as u64 != size {
        let what = "truncated: the interpreter path is missing";
        return bad(what.into(), libc::EIO);
    }
    if name.last() != Some(&0) {
        let what = "bad ELF file: the interpreter path has no end";
        return bad(what.into(), libc::ENOEXEC);
    }
    let end = name.iter().position(|&byte| byte == 0);
    Ok(end.map(|end| name[..end].to_vec()))
}

/// `fp_abi` of struct mips_abiflags, whose bytes are in the file (`arch_elf_pt_proc` of arch/mips/kernel/elf.c).
fn float_abi(fd: RawFd, path: &[u8], phdr: &Phdr) -> Result<u8, LoadError> {
    const SIZE: u64 = 24;
    if phdr.filesz < SIZE {
        let what = "bad ELF file: ABI flags that are too short";
        return Err(LoadError::of(path, what, libc::EINVAL));
    }
    let flags = read(fd, path, SIZE, phdr.offset)?;
    flags.get(7).copied().ok_or_else(|| {
        let what = "truncated: the ABI flags are missing";
        LoadError::of(path, what, libc::EIO)
    })
}

/// The bits of the property `wanted` in `PT_GNU_PROPERTY`, by the rules of `parse_elf_properties`.
fn features(
    fd: RawFd,
    path: &[u8],
    ident: &Ident,
    phdrs: &[Phdr],
    wanted: u32,
) -> Result<u32, LoadError> {
    let Some(phdr) = phdrs.iter().rfind(|phdr| phdr.kind == PT_GNU_PROPERTY) else {
        return Ok(0);
    };
    let bad = || {
        let what = "bad ELF file: a malformed GNU property note";
        LoadError::of(path, what, libc::ENOEXEC)
    };
    if phdr.filesz > MAX_PROPERTY_BYTES {
        return Err(bad());
    }
    let note = read(fd, path, phdr.filesz, phdr.offset)?;
    if note.len() < 16 {
        let what = "truncated: the GNU property note is missing";
        return Err(LoadError::of(path, what, libc::EIO));
    }
    let fields = |data| Fields {
        data,
        big_endian: ident.big_endian,
        bits: ident.bits,
    };
    let head = fields(&note);
    let (namesz, descsz, kind) = (head.word(0), head.word(4), head.word(8));
    if kind != NT_GNU_PROPERTY_TYPE_0 || namesz != 4 || &note[12..16] != b"GNU\0" {
        return Err(bad());
    }
    let description = note[16..].get(..descsz as usize).ok_or_else(bad)?;
    properties(&fields(description), wanted).ok_or_else(bad)
}

/// Walks the properties, which must come in ascending order of their type.
fn properties(description: &Fields<'_>, wanted: u32) -> Option<u32> {
    let align = usize::from(description.bits / 8);
    let (mut rest, mut previous, mut found) = (description.data, None, 0);
    while !rest.is_empty() {
        if rest.len() < 8 {
            return None;
        }
        let fields = Fields {
            data: rest,
            ..*description
        };
        let (kind, size) = (fields.word(0), fields.word(4) as usize);
        let step = size.next_multiple_of(align);
        if step > rest.len() - 8 || previous.is_some_and(|previous| kind <= previous) {
            return None;
        }
        if kind == wanted {
            if size != 4 {
                return None;
            }
            found = fields.word(8);
        }
        previous = Some(kind);
        rest = &rest[8 + step..];
    }
    Some(found)
}
