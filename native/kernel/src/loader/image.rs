//! Maps plans into a guest's address space, as fs/binfmt_elf.c does.
//!
//! The rules are those of Linux 6.x (`elf_load`, `load_elf_binary`, `load_elf_interp`),
//! quirks included: a segment's bss is anonymous, readable and writable memory
//! whatever `p_flags` say; the tail of the last file page is cleared only if the segment
//! is writable; of overlapping pages the later segment's win.

use std::os::fd::RawFd;

use libc::{
    MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_GROWSDOWN, MAP_NORESERVE, MAP_PRIVATE,
    PROT_EXEC, PROT_READ, PROT_WRITE,
};

use super::elf::{Plan, Segment, Stack};
use super::error::{LoadError, text};
use super::rules::Rules;
use super::{PAGE, page_align, page_start};
use crate::memory::{AddressSpace, MmapRequest};

/// The stack of a guest whose limit is "unlimited" or larger than this, in 32 and 64 bits.
const MAX_STACK: [u64; 2] = [64 << 20, 1 << 30];
const MIN_STACK: u64 = 128 << 10;
/// The kernel's distances between the stack and other mappings.
const MIN_GAP: u64 = 128 << 20;
const STACK_GUARD_PAGES: u64 = 256;

/// What of an address space the loader needs; the errors are errnos.
pub trait Space {
    /// The end of what the guest can map.
    fn limit(&self) -> u64;
    /// The end of where things without an address of their own are placed.
    fn map_window(&self) -> u64;
    fn mmap(&self, request: MmapRequest) -> Result<u64, i32>;
    fn munmap(&self, addr: u64, len: u64) -> Result<(), i32>;
    fn mprotect(&self, addr: u64, len: u64, prot: i32) -> Result<(), i32>;
    fn write(&self, addr: u64, data: &[u8]) -> Result<(), i32>;
    fn fill_zero(&self, addr: u64, len: u64) -> Result<(), i32>;
    /// Where mappings without an address are placed downwards from.
    fn set_mmap_base(&self, addr: u64) -> Result<(), i32>;
    /// Where the heap starts.
    fn set_brk(&self, start: u64) -> Result<(), i32>;
    /// Names a range for /proc/self/maps.
    fn set_name(&self, addr: u64, len: u64, name: &str) -> Result<(), i32>;
}

impl Space for AddressSpace {
    fn limit(&self) -> u64 {
        self.limit()
    }

    fn map_window(&self) -> u64 {
        self.map_window()
    }

    fn mmap(&self, request: MmapRequest) -> Result<u64, i32> {
        self.mmap(request)
    }

    fn munmap(&self, addr: u64, len: u64) -> Result<(), i32> {
        self.munmap(addr, len)
    }

    fn mprotect(&self, addr: u64, len: u64, prot: i32) -> Result<(), i32> {
        self.mprotect(addr, len, prot)
    }

    fn write(&self, addr: u64, data: &[u8]) -> Result<(), i32> {
        self.write(addr, data).map_err(|_| libc::EFAULT)
    }

    fn fill_zero(&self, addr: u64, len: u64) -> Result<(), i32> {
        self.fill_zero(addr, len).map_err(|_| libc::EFAULT)
    }

    fn set_mmap_base(&self, addr: u64) -> Result<(), i32> {
        self.set_mmap_base(addr);
        Ok(())
    }

    fn set_brk(&self, start: u64) -> Result<(), i32> {
        self.set_brk(start);
        Ok(())
    }

    fn set_name(&self, addr: u64, len: u64, name: &str) -> Result<(), i32> {
        self.set_name(addr, len, name);
        Ok(())
    }
}

/// An open ELF file with its plan; `path` is for messages.
#[derive(Clone, Copy, Debug)]
pub struct ElfFile<'a> {
    pub plan: &'a Plan,
    pub fd: RawFd,
    pub path: &'a [u8],
}

/// Where the parts of a program ended up.
#[derive(Clone, Debug)]
pub struct Image {
    pub plan: Plan,
    /// What was added to the addresses of the file, modulo 2^64.
    pub bias: u64,
    /// The program's own entry, `AT_ENTRY`.
    pub entry: u64,
    pub interp_entry: Option<u64>,
    /// The interpreter's bias, `AT_BASE`.
    pub base: u64,
    /// `AT_PHDR`.
    pub phdr: u64,
    pub brk: u64,
    pub stack_bottom: u64,
    pub stack_top: u64,
    /// The `READ_IMPLIES_EXEC` personality: every `PROT_READ` mapping is executable too.
    pub read_implies_exec: bool,
}

impl Image {
    /// Where execution starts; some guests' lowest bits choose an instruction set.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.interp_entry.unwrap_or(self.entry)
    }

    /// `start_code` and `end_code` of /proc/PID/stat.
    #[must_use]
    pub fn code_range(&self) -> (u64, u64) {
        let (start, end) = self.plan.code_range();
        (start.wrapping_add(self.bias), end.wrapping_add(self.bias))
    }

    /// `start_data` and `end_data` of /proc/PID/stat.
    #[must_use]
    pub fn data_range(&self) -> (u64, u64) {
        let (start, end) = self.plan.data_range();
        (start.wrapping_add(self.bias), end.wrapping_add(self.bias))
    }
}

/// Why something is not mapped.
enum Failure {
    /// The address space's errno.
    Space(i32),
    Load(LoadError),
}

impl From<i32> for Failure {
    fn from(errno: i32) -> Self {
        Self::Space(errno)
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

/// Maps a program and its interpreter, and the stack, into an empty space.
///
/// `stack_size` is the limit of the stack (`RLIMIT_STACK`, or `-s`); `pie_base` takes the place of
/// the address where programs without one go. Addresses are not randomised: the same program gets
/// the same ones each time.
///
/// # Errors
/// What does not fit.
pub fn load(
    space: &dyn Space,
    rules: &Rules,
    program: ElfFile<'_>,
    interp: Option<ElfFile<'_>>,
    stack_size: u64,
    pie_base: Option<u64>,
) -> Result<Image, LoadError> {
    let loader = Loader { space, rules };
    let loaded = loader.load(program, interp, stack_size, pie_base);
    loaded.map_err(|failure| match failure {
        Failure::Load(error) => error,
        Failure::Space(errno) => {
            let what = format!("cannot be mapped: {}", text(errno));
            LoadError::of(program.path, what, errno)
        }
    })
}

/// Maps a page that the kernel maps into each process (`Arch.kernel_pages`).
///
/// A space that was made smaller (`-R`) may have no room for it; only old programs need those.
///
/// # Errors
/// Something else is there.
pub fn map_kernel_page(
    space: &dyn Space,
    address: u64,
    name: &str,
    page: &[u8],
) -> Result<(), LoadError> {
    let size = page_align(page.len() as u64, PAGE);
    if space.limit() < address + size {
        return Ok(());
    }
    let map = || -> Result<(), i32> {
        space.mmap(MmapRequest {
            addr: address,
            len: size,
            prot: PROT_READ | PROT_WRITE,
            flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
            fd: -1,
            offset: 0,
        })?;
        let mut page = page.to_vec();
        page.resize(size as usize, 0);
        space.write(address, &page)?;
        space.mprotect(address, size, PROT_READ | PROT_EXEC)?;
        space.set_name(address, size, name)
    };
    map().map_err(|errno| {
        let what = format!("the kernel's page {name}: {}", text(errno));
        LoadError::new(what, errno)
    })
}

struct Loader<'a> {
    space: &'a dyn Space,
    rules: &'a Rules,
}

impl Loader<'_> {
    /// The kernel's `TASK_SIZE`: the end of what user memory there is.
    fn task_size(&self) -> u64 {
        match self.rules.task_end {
            0 => self.space.limit(),
            end => self.space.limit().min(end),
        }
    }

    /// The kernel's `DEFAULT_MAP_WINDOW`: the end of where it places things.
    fn map_window(&self) -> u64 {
        self.space.map_window().min(self.task_size())
    }

    /// The kernel's `STACK_TOP`.
    fn stack_top(&self) -> u64 {
        match self.rules.stack_end {
            0 => page_start(self.map_window(), self.rules.page_size),
            end => self.space.limit().min(end),
        }
    }

    fn load(
        &self,
        program: ElfFile<'_>,
        interp: Option<ElfFile<'_>>,
        stack_size: u64,
        pie_base: Option<u64>,
    ) -> Result<Image, Failure> {
        let plan = program.plan;
        // The tables in arch/arm/kernel/elf.c and arch/arm64/include/asm/elf.h.
        let implied = self.rules.reads_execute && plan.stack == Stack::Default;
        let (stack_bottom, stack_top) = self.map_stack(plan, stack_size, implied)?;
        let mut mapper = Mapper::new(self, program, implied);
        if interp.is_none() {
            // For a dynamic program the dynamic linker does this, not the kernel.
            mapper.guarded = self.rules.code_protection(plan.features);
        }
        let mut bias = 0;
        let mut brk = aligned(plan.end(), plan.page);
        if plan.is_dyn() {
            // The kernel's ELF_ET_DYN_BASE, which need not be the start of a page.
            let base = pie_base.unwrap_or_else(|| match self.rules.dyn_base {
                0 => self.map_window() / 3 * 2,
                base => base,
            });
            // Without an interpreter it may itself be one (`ld.so program`): it goes where
            // interpreters go, out of the way of the program it will load.
            let has_hint = (interp.is_some() || pie_base.is_some()) && base != 0;
            bias = mapper.bias(if has_hint { base } else { 0 }, plan.alignment())?;
            brk = if has_hint {
                aligned((plan.end() as i128 + bias) as u128, plan.page)
            } else {
                page_align(base, plan.page)
            };
            mapper.map_all(bias, MAP_FIXED)?;
        } else {
            mapper.map_all(0, MAP_FIXED_NOREPLACE)?;
        }
        let entry = self.entry(program, bias)?;
        let (mut base, mut interp_entry) = (0, None);
        if let Some(file) = interp {
            let mut mapper = Mapper::new(self, file, implied);
            mapper.guarded = self.rules.code_protection(file.plan.features);
            if file.plan.is_dyn() {
                base = mapper.bias(0, file.plan.page)?;
            }
            mapper.map_all(base, MAP_FIXED)?;
            interp_entry = Some(self.entry(file, base)?);
        }
        if self.rules.stack_end != 0 {
            brk = brk.min(self.rules.stack_end);
        }
        self.space.set_brk(brk)?;
        Ok(Image {
            plan: plan.clone(),
            bias: bias as u64,
            entry,
            interp_entry,
            base: base as u64,
            phdr: plan.phdr_vaddr().wrapping_add(bias as u64),
            brk,
            stack_bottom,
            stack_top,
            read_implies_exec: implied,
        })
    }

    fn entry(&self, file: ElfFile<'_>, bias: i128) -> Result<u64, LoadError> {
        let entry = i128::from(file.plan.entry) + bias;
        if entry >= self.task_size().into() {
            let what = format!("bad ELF file: the entry point {entry:#x} is outside of memory");
            return Err(LoadError::of(file.path, what, libc::EINVAL));
        }
        Ok(entry as u64)
    }

    /// Maps the whole stack at once, down to its limit: its bottom and its top.
    ///
    /// The kernel lets it grow on faults instead. Untouched pages cost nothing, and a
    /// program finds the same: it can use the stack down to the limit and gets SIGSEGV
    /// below it. `MAP_GROWSDOWN` asks the address space to keep the guard gap free.
    fn map_stack(&self, plan: &Plan, size: u64, implied: bool) -> Result<(u64, u64), Failure> {
        let top = self.stack_top();
        let most = MAX_STACK[usize::from(plan.ident.bits == 64)];
        let size = page_align(size.min(most).min(top / 2).max(MIN_STACK), plan.page);
        if size >= top {
            let what = format!("no room for a stack: the guest has {top:#x} bytes");
            return Err(LoadError::new(what, libc::ENOMEM).into());
        }
        let executable = plan.stack == Stack::Executable || implied;
        let flags = MAP_ANONYMOUS | MAP_NORESERVE | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE;
        let bottom = self.space.mmap(MmapRequest {
            addr: top - size,
            len: size,
            prot: PROT_READ | PROT_WRITE | if executable { PROT_EXEC } else { 0 },
            flags: MAP_PRIVATE | flags,
            fd: -1,
            offset: 0,
        })?;
        self.space.set_name(bottom, size, "[stack]")?;
        // mmap_base of mm/util.c: at least 128 MiB below the top, for other stack limits later.
        let gap = (size + STACK_GUARD_PAGES * plan.page)
            .max(MIN_GAP)
            .min(top / 6 * 5);
        self.space.set_mmap_base(page_start(top - gap, plan.page))?;
        Ok((bottom, top))
    }
}

/// As [`page_align`], of an end that may be 2^64.
fn aligned(end: u128, page: u64) -> u64 {
    end.next_multiple_of(page.into()) as u64
}

/// Maps the segments of one file.
struct Mapper<'a> {
    loader: &'a Loader<'a>,
    file: ElfFile<'a>,
    reads_execute: bool,
    /// Added to the protection of code.
    guarded: i32,
}

impl<'a> Mapper<'a> {
    fn new(loader: &'a Loader<'a>, file: ElfFile<'a>, reads_execute: bool) -> Self {
        Self {
            loader,
            file,
            reads_execute,
            guarded: 0,
        }
    }

    /// `make_prot` of the kernel, with the personality applied as mmap does.
    fn prot(&self, segment: &Segment) -> i32 {
        let mut prot = segment.prot;
        if self.reads_execute && prot & PROT_READ != 0 {
            prot |= PROT_EXEC;
        }
        if prot & PROT_EXEC != 0 {
            prot |= self.guarded;
        }
        prot
    }

    /// The checks that the kernel makes against `TASK_SIZE`.
    fn check_range(&self, segment: &Segment, bias: i128, limit: u64) -> Result<(), LoadError> {
        let start = i128::from(segment.vaddr) + bias;
        let limit = i128::from(limit);
        if start < 0 || start >= limit || i128::from(segment.memsz) > limit - start {
            let sign = if start < 0 { "-" } else { "" };
            let what = format!(
                "segment at {sign}{:#x} of {:#x} bytes is outside of the guest's memory \
                 (it ends at {limit:#x})",
                start.unsigned_abs(),
                segment.memsz
            );
            return Err(LoadError::of(self.file.path, what, libc::ENOMEM));
        }
        Ok(())
    }

    fn map_all(&self, bias: i128, first_flags: i32) -> Result<(), Failure> {
        let limit = self.loader.task_size();
        let segments = &self.file.plan.segments;
        for segment in segments {
            self.check_range(segment, bias, limit)?;
        }
        let mut flags = first_flags;
        for segment in segments {
            let address = (i128::from(segment.vaddr) + bias) as u64;
            self.map_segment(segment, address, flags)?;
            flags = MAP_FIXED;
        }
        Ok(())
    }

    /// `elf_load` of the kernel.
    fn map_segment(&self, segment: &Segment, address: u64, flags: i32) -> Result<(), Failure> {
        let space = self.loader.space;
        let page = self.file.plan.page;
        let start = page_start(address, page);
        let prot = self.prot(segment);
        let file_end = address + segment.filesz;
        let mut zero_start = start;
        if segment.filesz != 0 {
            zero_start = page_align(file_end, page);
            let Some(offset) = segment.offset.checked_sub(address - start) else {
                return Err(libc::EINVAL.into());
            };
            space.mmap(MmapRequest {
                addr: start,
                len: zero_start - start,
                prot,
                flags: MAP_PRIVATE | flags,
                fd: self.file.fd,
                offset,
            })?;
        }
        if segment.memsz <= segment.filesz {
            return Ok(());
        }
        if segment.filesz != 0 && prot & PROT_WRITE != 0 && zero_start != file_end {
            space.fill_zero(file_end, zero_start - file_end)?;
        }
        let zero_end = page_align(address + segment.memsz, page);
        if zero_end > zero_start {
            // vm_brk_flags: data protection, executable only if the segment is.
            let executable = self.reads_execute || segment.prot & PROT_EXEC != 0;
            space.mmap(MmapRequest {
                addr: zero_start,
                len: zero_end - zero_start,
                prot: PROT_READ | PROT_WRITE | if executable { PROT_EXEC } else { 0 },
                flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                fd: -1,
                offset: 0,
            })?;
        }
        Ok(())
    }

    /// Finds room for an ET_DYN file, at `hint` if that is given, and gives its load bias.
    fn bias(&self, hint: u64, alignment: u64) -> Result<i128, Failure> {
        let plan = self.file.plan;
        let size = plan.end().next_multiple_of(plan.page.into()) - u128::from(plan.start());
        let limit = self.loader.space.limit();
        if size + u128::from(alignment) > limit.into() {
            let what = format!(
                "needs {size:#x} bytes of memory, aligned to {alignment:#x}: \
                 the guest has {limit:#x}"
            );
            return Err(LoadError::of(self.file.path, what, libc::ENOMEM).into());
        }
        let place = match hint {
            0 => 0,
            hint => match hint & !(alignment - 1) {
                0 => alignment,
                place => place,
            },
        };
        let found = self.find(place, size as u64, alignment)?;
        Ok(i128::from(found) - i128::from(plan.start()))
    }

    /// A free place of `size` bytes: at `hint` if given and free, aligned downwards.
    fn find(&self, hint: u64, size: u64, alignment: u64) -> Result<u64, i32> {
        let (flags, slack) = match hint {
            0 => (0, alignment - self.file.plan.page),
            _ => (MAP_FIXED_NOREPLACE, 0),
        };
        let space = self.loader.space;
        let found = space.mmap(MmapRequest {
            addr: hint,
            len: size + slack,
            prot: 0,
            flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags,
            fd: -1,
            offset: 0,
        })?;
        space.munmap(found, size + slack)?;
        Ok((found + slack) & !(alignment - 1))
    }
}
