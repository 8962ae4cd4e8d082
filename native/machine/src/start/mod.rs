//! Starting a program that was started before, without Python.
//!
//! Python's own start takes longer than a small program runs. So the launcher has this library
//! preloaded into Python's executable, and its constructor (`entry.rs`) runs before Python does
//! anything. When the command is a plain one ([`command`]) and the store has a [`recipe`] for
//! the program, the guest is loaded and run here. Only when it asks for something that is
//! Python's to decide is Python let start; it then takes over the guest as it is
//! (`Process._adopt`). Whatever is not as expected is left to Python from the beginning, which
//! says what is wrong, or writes the recipe for the next time.

pub mod command;
mod entry;
mod files;
mod recipe;

use std::sync::{Arc, Mutex, PoisonError};

use crate::abi::GuestAbi;
use crate::cpu::Exit;
use crate::guests;
use crate::loader::auxv::Credentials;
use crate::loader::stack::{self, Contents, Stack};
use crate::memory::{AddressSpace, MmapRequest, SpaceConfig};
use crate::pair;
use crate::process::{CLONE, GuestThread, Process, Stop, child};
use crate::signal::dispositions::Dispositions;
use crate::signal::host;
use crate::store;
use crate::thunk::exec::OwnExe;
use crate::thunk::path::Sysroot;
use crate::thunk::procfs::Facts;
use crate::thunk::table::Table;
use crate::translator::keep_stocks;
use crate::translator::stock::Place;
use crate::unicorn::{self, UnicornConfig};
use command::Command;
use files::Files;
use recipe::{Op, Recipe, Source};

/// The kinds of entries in the store.
const RECIPES: &str = "start";
const TABLES: &str = "thunks";
/// Says that a program needs Python.
const LATE: &str = "late";

/// A guest that was started without Python, for Python to go on with.
pub struct Started {
    pub space: Arc<AddressSpace>,
    pub table: Arc<Table>,
    pub process: Arc<Process>,
    pub thread: GuestThread,
    /// What is to be decided.
    pub stop: Stop,
    pub command: Command,
    pub stack: Stack,
    /// The program's path on the host, and the emulator's own.
    pub exe: Vec<u8>,
    pub own_exe: Arc<OwnExe>,
    pub sysroot: Vec<u8>,
    pub rest: Vec<u8>,
    /// What the guest inherited, or has made, of the signals that Python's start changes.
    pub dispositions: Dispositions,
}

/// What came of trying.
pub enum Outcome {
    Started(Box<Started>),
    /// There is no recipe under this key.
    Missed(Vec<u8>),
}

static OUTCOME: Mutex<Option<Outcome>> = Mutex::new(None);

/// What came of it, once.
pub fn take_outcome() -> Option<Outcome> {
    OUTCOME
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take()
}

/// Starts the program, and comes back only when Python is needed. `package` is the directory of
/// the Python package.
fn begin(command: Command, package: &[u8]) -> Option<Outcome> {
    let sysroot = match command.sysroot.as_deref() {
        None | Some(b"" | b"/") => &b""[..],
        Some(path) => files::plain(path)?,
    };
    let program = files::open_program(&command, sysroot)?;
    let key = files::key(&command, sysroot, &program, package)?;
    let recipe = store::get(&command.store, RECIPES, &key).and_then(|data| Recipe::parse(&data));
    let Some(recipe) = recipe else {
        return Some(Outcome::Missed(key));
    };
    let opened = command.fd;
    let store = command.store.clone();
    let started = store::get(&store, TABLES, &recipe.table)
        .zip(Files::open(program, &recipe))
        .and_then(|(table, files)| load(command, &recipe, &files, &table));
    let Some(started) = started else {
        return Some(Outcome::Missed(key));
    };
    if let Some(fd) = opened {
        // SAFETY: the kernel opened it for the emulator, so nobody else uses it.
        unsafe { libc::close(fd) };
    }
    // A program that needed Python for more than its children will need it again: then at once,
    // and not when it is in the midst of something.
    let started = if store::get(&store, LATE, &key).is_some() {
        hand_over(started, Stop::Core(Exit::Interrupted))
    } else {
        let started = run(started);
        if !is_about_children(&started.stop, &started.space) {
            // No failure of the store is one of the program.
            let _ = store::put(&store, LATE, &key, b"");
        }
        started
    };
    Some(Outcome::Started(Box::new(started)))
}

/// Puts the program into memory, with one thread at its start.
fn load(command: Command, recipe: &Recipe, files: &Files, table: &[u8]) -> Option<Started> {
    let table = Arc::new(Table::parse(table).ok()?);
    let guest = guests::by_name(&recipe.guest)?;
    let space = AddressSpace::new(SpaceConfig {
        va_bits: recipe.va_bits,
        guest_base: None,
        reserved_va: None,
        mmap_min_addr: recipe.mmap_min_addr,
        page_size: guest.linux.facts().page_size,
    })
    .ok()?;
    for op in &recipe.ops {
        carry_out(op, &space, files)?;
    }
    let stack = build_stack(&command, recipe)?;
    space.write(stack.sp, &stack.data).ok()?;

    let process = Process::new(space.clone(), table.clone(), guest.linux, None).ok()?;
    if !recipe.sysroot.is_empty() {
        let sysroot = Sysroot::new(std::str::from_utf8(&recipe.sysroot).ok()?).ok()?;
        *process.sysroot.write().ok()? = Some(Arc::new(sysroot));
    }
    let exe = files.program_path()?;
    let own_exe = Arc::new(files::own_exe()?);
    let facts = Facts {
        exe: files::guest_path(&exe, &recipe.sysroot).to_vec(),
        code: recipe.code,
        auxv: stack.auxv_bytes.clone(),
        root: recipe.sysroot.clone(),
        machine: recipe.uname.clone(),
        release: None,
    };
    *process.facts.write().ok()? = Arc::new(facts);
    *process.own_exe.write().ok()? = own_exe.clone();
    process.runs(files.program_fd());

    let unicorn = UnicornConfig {
        library: files::path(&recipe.library),
        guest: guest.unicorn,
        model: recipe.model,
        emulate: guest.emulation(recipe.system_registers.clone()),
        features: recipe.features.clone(),
    };
    let stock = Place {
        folder: command.store.clone(),
        program: files.program_identity()?.to_vec(),
    };
    let core = if guest.isa.is_some() {
        pair::open(&recipe.guest, "", unicorn, space.clone(), None, Some(stock)).ok()?
    } else {
        unicorn::open(&unicorn, space.clone()).ok()?
    };
    let mut thread = GuestThread::new(process.clone(), core);
    thread.core.set(process.regs.sp, stack.sp);
    thread.core.set(process.regs.pc, recipe.start);

    child::set_thread_name(files::comm(&command.execfn));
    let base = space.base() as u64;
    child::publish_arguments(
        (base + stack.arg_start, base + stack.arg_end),
        (base + stack.arg_end, base + stack.env_end),
    );
    Some(Started {
        space,
        table,
        process,
        thread,
        stop: Stop::Core(Exit::Interrupted),
        command,
        stack,
        exe,
        own_exe,
        sysroot: recipe.sysroot.clone(),
        rest: recipe.rest.clone(),
        dispositions: Dispositions::save(),
    })
}

/// One operation; None: it went otherwise than when it was recorded.
fn carry_out(op: &Op, space: &AddressSpace, files: &Files) -> Option<()> {
    match *op {
        Op::Mmap {
            addr,
            len,
            prot,
            flags,
            file,
            offset,
            result,
        } => {
            let fd = match file {
                Source::Nothing => -1,
                Source::Program => files.program_fd(),
                Source::Interpreter => files.interpreter_fd()?,
            };
            let request = MmapRequest {
                addr,
                len,
                prot,
                flags,
                fd,
                offset,
            };
            (space.mmap(request) == Ok(result)).then_some(())
        }
        Op::Munmap { addr, len } => space.munmap(addr, len).ok(),
        Op::Mprotect { addr, len, prot } => space.mprotect(addr, len, prot).ok(),
        Op::Write { addr, ref data } => space.write(addr, data).ok(),
        Op::Zero { addr, len } => space.fill_zero(addr, len).ok(),
        Op::MmapBase(addr) => {
            space.set_mmap_base(addr);
            Some(())
        }
        Op::Brk(start) => {
            space.set_brk(start);
            Some(())
        }
        Op::Name {
            addr,
            len,
            ref name,
        } => {
            space.set_name(addr, len, name);
            Some(())
        }
    }
}

fn build_stack(command: &Command, recipe: &Recipe) -> Option<Stack> {
    let mut auxv = recipe.auxv.clone();
    Credentials::current().patch(&mut auxv);
    let mut random = [0; 16];
    // SAFETY: the kernel writes at most 16 bytes; that many are given at once (getrandom(2)).
    let got = unsafe { libc::getrandom(random.as_mut_ptr().cast(), random.len(), 0) };
    if got != 16 {
        return None;
    }
    fn slices(strings: &[Vec<u8>]) -> Vec<&[u8]> {
        strings.iter().map(Vec::as_slice).collect()
    }
    stack::build(Contents {
        top: recipe.stack_top,
        argv: &slices(&command.argv),
        envp: &slices(&command.envp),
        execfn: &command.execfn,
        auxv,
        platform: &recipe.platform,
        base_platform: b"",
        random,
        abi: GuestAbi {
            word_bits: recipe.va_bits,
            big_endian: recipe.big_endian,
            numbers: None,
        },
    })
    .ok()
}

/// Runs the guest to its end, or until Python has to decide something.
fn run(mut started: Started) -> Started {
    let thread = &mut started.thread;
    let stop = loop {
        match thread.run() {
            // There is one thread, so its end is that of the process.
            Stop::Exited { status, .. } => {
                started.process.give_up_all_robust_futexes();
                // What the guest would do about signals is over.
                host::set_mask(!0);
                keep_stocks();
                // SAFETY: ends the process; nothing of ours is to be done before.
                unsafe { libc::_exit(status & 0xff) };
            }
            Stop::Core(Exit::Interrupted) => {}
            stop => break stop,
        }
    };
    hand_over(started, stop)
}

/// Stops for Python.
fn hand_over(mut started: Started, stop: Stop) -> Started {
    started.stop = stop;
    // Python's start must not see the guest's signals, nor change what it does about them.
    host::set_mask(!0);
    started.dispositions = Dispositions::save();
    started
}

/// Whether a stop is for a child process or another program, which shells make in some runs and in
/// others not; or the end.
fn is_about_children(stop: &Stop, space: &AddressSpace) -> bool {
    let is_thread = |flags: u64| flags & libc::CLONE_THREAD as u64 != 0;
    match stop {
        Stop::Syscall { handler, scalars } => match &**handler {
            CLONE => !is_thread(scalars.values[0]),
            // struct clone_args begins with the flags.
            "process:clone3" => {
                let mut flags = [0; 8];
                let known = space.read(scalars.values[0], &mut flags);
                known.is_ok() && !is_thread(u64::from_le_bytes(flags))
            }
            "process:fork" | "process:vfork" => true,
            name => name.starts_with("exec:"),
        },
        Stop::Killed { .. } => true,
        _ => false,
    }
}
