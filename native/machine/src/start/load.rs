//! A prepared program becomes a guest process: memory, stack, process and its first thread.

use std::ffi::OsStr;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files;
use crate::abi::GuestAbi;
use crate::loader::auxv::{Credentials, Facts as AuxFacts};
use crate::loader::error::LoadError;
use crate::loader::image::{Image, map_kernel_page};
use crate::loader::program::Prepared;
use crate::loader::stack::{self, Contents, Stack};
use crate::machine::Machine;
use crate::memory::AddressSpace;
use crate::pair;
use crate::process::{GuestThread, Process};
use crate::store::{self, file_identity};
use crate::thunk::exec::OwnExe;
use crate::thunk::path::Sysroot;
use crate::thunk::procfs::{Facts, Layout};
use crate::translator::Log;
use crate::translator::stock::Place;
use crate::unicorn;

/// Why there is no process.
#[derive(Debug)]
pub enum Refusal {
    /// The program cannot be run.
    Load(LoadError),
    /// The options cannot be.
    Usage(String),
}

impl From<LoadError> for Refusal {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

/// What a process is like, beside its program.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The limit of the stack, in bytes.
    pub stack_size: u64,
    /// `release` of uname(2), where it is not to be the host's.
    pub release: Option<Vec<u8>>,
    /// Makes AT_RANDOM the same in each run.
    pub seed: Option<u64>,
    /// Where the store is.
    pub store: Option<Vec<u8>>,
    /// Unicorn's library.
    pub library: PathBuf,
    pub own_exe: Arc<OwnExe>,
}

/// A process with its program, ready to run.
pub struct Loaded {
    pub image: Image,
    pub stack: Stack,
    pub process: Arc<Process>,
    pub thread: GuestThread,
    /// The program's path on the host.
    pub exe: Vec<u8>,
}

/// Fills `space`, which is empty. `before` is what ran here until an execve; `log` gets what the native core
/// logs.
///
/// # Errors
/// What does not fit, or why there is no core.
pub fn load(
    prepared: &Prepared,
    envp: &[Vec<u8>],
    machine: &Machine,
    space: &Arc<AddressSpace>,
    settings: &Settings,
    before: Option<&Process>,
    log: Option<Log>,
) -> Result<Loaded, Refusal> {
    if machine.native.is_some() {
        space.set_own_protections(machine.entry.linux.own_protections(&machine.cpu.features));
    }
    let image = prepared.install(&**space, machine.rules, settings.stack_size)?;
    if image.read_implies_exec {
        space.set_read_implies_exec(true);
    }
    for (address, name, page) in &machine.abi.kernel_pages {
        map_kernel_page(&**space, *address, name, page)?;
    }

    let failed = |errno| LoadError::of_errno(&prepared.path, errno);
    let table = machine.table().map_err(Refusal::Usage)?;
    let linux = machine.entry.linux;
    let reads_clocks = machine.native.is_some();
    let process =
        Process::new(space.clone(), table, linux, before, reads_clocks).map_err(failed)?;
    let mut dice = Dice(settings.seed);
    let in_getrandom = |errno| LoadError::of_errno(b"getrandom", errno);
    let random = dice.next().map_err(in_getrandom)?;
    let stack = build_stack(prepared, envp, machine, &image, process.vdso, random)?;
    stack.store(&**space)?;
    let root = &prepared.sysroot[..];
    if let Some(before) = before {
        process.follow(before);
    } else if !root.is_empty() {
        let found = Sysroot::new(Path::new(OsStr::from_bytes(root)));
        let found = found.map_err(|error| failed(error.raw_os_error().unwrap_or(libc::EIO)))?;
        *lock(&process.sysroot) = Some(Arc::new(found));
    }
    let fd = prepared.file.as_raw_fd();
    // Behind chroot there may be no /proc.
    let real = || files::real_path(&prepared.host_path);
    let exe = files::path_of(fd).or_else(real);
    let exe = exe.ok_or_else(|| failed(libc::ENOENT))?;
    *lock(&process.facts) = Arc::new(Facts {
        exe: files::guest_path(&exe, root).to_vec(),
        auxv: stack.auxv_bytes.clone(),
        root: root.to_vec(),
        machine: machine.cpu.uname.as_bytes().to_vec(),
        release: settings.release.clone(),
        cpuinfo: machine.cpu.cpuinfo.clone(),
        layout: Layout {
            code: image.code_range(),
            data: image.data_range(),
            sp: stack.sp,
            args: (stack.arg_start, stack.arg_end),
            env: (stack.arg_end, stack.env_end),
        },
    });
    *lock(&process.own_exe) = settings.own_exe.clone();
    process.runs(fd, Path::new(OsStr::from_bytes(&prepared.host_path)));

    let unicorn = machine.unicorn(settings.library.clone());
    let core = match (machine.direct, &machine.native) {
        (Some(direct), _) => Ok((direct.open)(space.clone())),
        (None, Some(options)) => {
            let identity = |fd| store::fstat(fd).map(|info| file_identity(&info).to_vec());
            let interpreter = prepared.interpreter.as_ref();
            let (start, end) = image.code_range();
            let stock = settings.store.clone().zip(identity(fd));
            let stock = stock.map(|(folder, program)| Place {
                folder,
                program,
                image: start..end,
                interpreter: interpreter.and_then(|found| identity(found.file.as_raw_fd())),
            });
            let (guest, space) = (machine.abi.core, space.clone());
            pair::open(guest, options, unicorn, space, log, stock)
        }
        (None, None) => unicorn::open(&unicorn, space.clone()),
    };
    let mut thread = GuestThread::new(process.clone(), core.map_err(Refusal::Usage)?);
    thread.core.set(process.regs.sp, stack.sp);
    thread.core.set(process.regs.pc, image.start());
    let seeded = settings.seed.is_some();
    let begun = linux.begin(thread.core.as_mut(), &mut || dice.next(), seeded);
    begun.map_err(in_getrandom)?;
    let float_abi = prepared.plan.as_ref().map_or(0, |plan| plan.float_abi);
    linux.begin_floats(thread.core.as_mut(), float_abi);
    Ok(Loaded {
        image,
        stack,
        process,
        thread,
        exe,
    })
}

fn lock<T>(of: &std::sync::RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    of.write()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The first stack of a program, below the end of the stack's mapping.
fn build_stack(
    prepared: &Prepared,
    envp: &[Vec<u8>],
    machine: &Machine,
    image: &Image,
    vdso: u64,
    random: [u8; 16],
) -> Result<Stack, Refusal> {
    fn slices(strings: &[Vec<u8>]) -> Vec<&[u8]> {
        strings.iter().map(Vec::as_slice).collect()
    }
    let stack = stack::build(Contents {
        top: image.stack_top,
        argv: &slices(&prepared.argv),
        envp: &slices(envp),
        execfn: &prepared.execfn,
        auxv: vector(image, machine, vdso),
        platform: machine.cpu.platform.as_bytes(),
        random,
        abi: GuestAbi::of(machine.rules.bits, machine.rules.big_endian),
    });
    Ok(stack.map_err(stack::Error::explain)?)
}

/// The auxiliary vector of an image on a machine, with this process's ids.
fn vector(image: &Image, machine: &Machine, vdso: u64) -> Vec<(u64, u64)> {
    let facts = AuxFacts {
        phdr: image.phdr,
        phent: image.plan.phentsize,
        phnum: image.plan.phnum,
        base: image.base,
        entry: image.entry,
        hwcap: machine.cpu.hwcap,
        hwcap2: machine.cpu.hwcap2,
        minsigstksz: machine.min_signal_stack(),
        own: &machine.rules.auxv,
        vdso,
        page_size: machine.rules.page_size,
        platform: !machine.cpu.platform.is_empty(),
        ..AuxFacts::default()
    };
    let mut vector = facts.vector();
    Credentials::current().patch(&mut vector);
    vector
}

/// What is random in a new program: the host's randomness, or what follows from a seed.
struct Dice(Option<u64>);

impl Dice {
    fn next(&mut self) -> Result<[u8; 16], i32> {
        let Some(seed) = self.0 else {
            return random();
        };
        // Two numbers on.
        self.0 = Some(seed.wrapping_add(2_u64.wrapping_mul(STEP)));
        Ok(seeded(seed))
    }
}

/// 16 bytes of the host's randomness, or its errno.
fn random() -> Result<[u8; 16], i32> {
    let mut bytes = [0; 16];
    // SAFETY: the kernel writes at most 16 bytes; that many are given at once (getrandom(2)).
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if got == 16 {
        Ok(bytes)
    } else {
        Err(std::io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or(libc::EIO))
    }
}

/// By which SplitMix64's state grows.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Two numbers that follow from a seed, by SplitMix64 (Steele, Lea, Flood: "Fast Splittable
/// Pseudorandom Number Generators", OOPSLA 2014).
#[must_use]
pub fn seeded(seed: u64) -> [u8; 16] {
    let mix = |step: u64| {
        let z = seed.wrapping_add(step.wrapping_mul(STEP));
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mix(1).to_le_bytes());
    bytes[8..].copy_from_slice(&mix(2).to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_give_the_published_numbers() {
        // The first two of SplitMix64 from 1234567 (prng.di.unimi.it/splitmix64.c).
        let bytes = seeded(1_234_567);
        assert_eq!(bytes[..8], 6_457_827_717_110_365_317u64.to_le_bytes());
        assert_eq!(bytes[8..], 3_203_168_211_198_807_973u64.to_le_bytes());
    }
}
