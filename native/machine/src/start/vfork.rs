//! vfork(2) and posix_spawn(3) without Python: a child that lives in this memory
//! (`native/kernel/src/process/share.rs`), whose parent waits for it, and which does little more than to
//! execute a program.
//!
//! That program begins by a real execve(2) of what this process was started with (`qusr/again.py` says with which
//! words). When the child needs Python before, its parent, which waits, hands both over: Python goes on
//! with the child where it is.

use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::crew::Held;
use super::run::wants_core;
use super::{Launch, Program, Started, command, log};
use crate::cpu::Exit;
use crate::facts;
use crate::process::aside;
use crate::process::clone::CloneRequest;
use crate::process::exec::Execve;
use crate::process::share::{Child, Life, Made};
use crate::process::{Execution, GuestThread, Process, Stop};
use crate::signal::host::{self, Mailbox};
use crate::signal::{SIG_IGN, bit};

/// What the code of a start after an execve does behind the paths (`qusr/again.py`).
const MARK: &[u8] = b"#qusr-start exec\n";
/// What an executable with all in it is then called, and its path (`native/static`).
const NAME: &[u8] = b"qusr-again";
const ITSELF: &[u8] = b"/proc/self/exe";
const CODE: &[u8] = b"from qusr import interp\ninterp.executed()\n";

/// The flags of such a clone: those of vfork(2), and what glibc's posix_spawn(3) adds.
const PLAIN: u64 = (libc::CLONE_VM
    | libc::CLONE_VFORK
    | libc::CLONE_SETTLS
    | libc::CLONE_CHILD_SETTID
    | libc::CLONE_CHILD_CLEARTID
    | libc::CLONE_PARENT_SETTID) as u64
    | 0x1_0000_0000;

impl Launch {
    /// Whether Python and this library are parts of one executable.
    pub(super) fn is_embedded(&self) -> bool {
        self.extension.is_empty()
    }

    /// What an execve that starts qusr anew executes.
    fn executable(&self) -> Vec<u8> {
        match (self.is_embedded(), self.library.is_empty()) {
            (true, _) => ITSELF.to_vec(),
            (false, true) => self.python.clone(),
            (false, false) => self.extension.clone(),
        }
    }

    /// And the host's environment for it: where the other half is.
    fn environment(&self) -> Vec<Vec<u8>> {
        let (name, value) = match (self.is_embedded(), self.library.is_empty()) {
            (true, _) => return Vec::new(),
            (false, true) => ("LD_PRELOAD", &self.extension),
            (false, false) => (command::LIBRARY, &self.library),
        };
        vec![[name.as_bytes(), b"=", value].concat()]
    }
}

/// A child that needs Python, for its parent's Python.
pub struct Borrowed {
    pub made: Made,
    pub thread: GuestThread,
    /// What it has stopped for.
    pub stop: Stop,
    pub slot: Arc<Slot>,
}

/// What is to be done when the child is gone; true: in order.
pub type After = Box<dyn FnOnce(bool) + Send>;

/// What parent and child tell each other.
#[derive(Default)]
pub struct Slot {
    needs: Mutex<Option<(GuestThread, Stop)>>,
    life: Mutex<Option<Box<dyn Life>>>,
    after: Mutex<Option<After>>,
    /// 1 when the life is there.
    ready: AtomicU32,
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slot {
    /// Python is there: the child goes on with `life`, on its own host thread, and `after` is done in the end.
    pub fn go_on(&self, life: Box<dyn Life>, after: After) {
        *lock(&self.after) = Some(after);
        *lock(&self.life) = Some(life);
        self.ready.store(1, Ordering::SeqCst);
        // SAFETY: wakes waiters on a word of ours; another process of this memory may be one.
        unsafe { libc::syscall(libc::SYS_futex, self.ready.as_ptr(), libc::FUTEX_WAKE, 1) };
    }

    /// Waits for Python.
    fn wait(&self) -> Option<Box<dyn Life>> {
        while self.ready.load(Ordering::SeqCst) == 0 {
            // SAFETY: the kernel compares and waits on a word of ours.
            unsafe {
                libc::syscall(
                    libc::SYS_futex,
                    self.ready.as_ptr(),
                    libc::FUTEX_WAIT,
                    0,
                    std::ptr::null::<libc::timespec>(),
                );
            }
        }
        lock(&self.life).take()
    }
}

/// Whether it is a clone of the kind that is made here.
#[must_use]
pub fn is_plain(request: &CloneRequest) -> bool {
    request.has(libc::CLONE_VFORK)
        && request.flags & !PLAIN == 0
        && request.set_tid_size == 0
        && request.exit_signal == libc::SIGCHLD as u64
}

/// Makes the child and waits for it. None: the guest has its result; else Python is needed, first of all
/// by the child.
pub fn vfork(started: &mut Started, held: Held<'_>, request: &CloneRequest) -> Option<Borrowed> {
    let mut thread = match started.thread.lend(request.flags) {
        Ok(thread) => thread,
        Err(_) => {
            started.thread.finish_call(-i64::from(libc::EAGAIN));
            return None;
        }
    };
    thread.begin_clone(request);
    // Its threads must not die with what the child waits for.
    started.thread.process.actions.die_orderly();
    let process = Arc::clone(&thread.process);
    let (owner, word) = (Arc::clone(&process), Arc::clone(&thread.clear_child_tid));
    let slot = Arc::new(Slot::default());
    let (lent, kept) = (Arc::clone(&slot), Arc::clone(&slot));
    let borrower = Borrower {
        thread,
        execution: None,
        request: *request,
        program: Arc::clone(&started.program),
    };
    let life = Box::new(Early {
        borrower: Some(borrower),
        slot: lent,
        python: None,
    });
    let host = request.to_host(&started.thread.process);
    let made = started.thread.share(
        &host,
        &process,
        life,
        Box::new(move |in_order| {
            owner.child_is_gone(&word);
            let after = lock(&kept.after).take();
            if let Some(after) = after {
                after(in_order);
            }
        }),
    );
    let made = match made {
        Ok(made) => made,
        Err(errno) => {
            started.thread.finish_call(-i64::from(errno));
            return None;
        }
    };
    // The memory is shared by now.
    drop(held);
    if request.has(libc::CLONE_PARENT_SETTID) {
        store_tid(&started.thread.process, request.parent_tid, made.pid);
    }
    made.begin();
    started.thread.wait_for_borrower(&made);
    let needs = if made.takes_request() {
        lock(&slot.needs).take()
    } else {
        None
    };
    let Some((thread, stop)) = needs else {
        started.thread.finish_call(i64::from(made.pid));
        return None;
    };
    Some(Borrowed {
        made,
        thread,
        stop,
        slot,
    })
}

/// Stores an id; `put_user`'s failure is ignored (kernel/fork.c).
fn store_tid(process: &Process, address: u64, tid: i32) {
    let bytes = if process.abi.big_endian {
        tid.to_be_bytes()
    } else {
        tid.to_le_bytes()
    };
    let _ = process.space.write(address, &bytes);
}

/// The child's life, first without Python.
struct Early {
    /// Until Python has it.
    borrower: Option<Borrower>,
    slot: Arc<Slot>,
    /// What it is from then on.
    python: Option<Box<dyn Life>>,
}

impl Life for Early {
    fn live(&mut self, child: &Child) {
        let Some(borrower) = &mut self.borrower else {
            return;
        };
        let stop = borrower.live(child);
        log::entry(&borrower.program.launch, &stop);
        host::set_mask(!0);
        let blocked = borrower.thread.signals.blocked;
        let thread = self.borrower.take().map(|borrower| borrower.thread);
        *lock(&self.slot.needs) = thread.map(|thread| (thread, stop));
        child.ask();
        self.python = self.slot.wait();
        host::set_mask(blocked);
        if let Some(life) = &mut self.python {
            life.live(child);
        }
    }
}

/// The child.
struct Borrower {
    thread: GuestThread,
    /// The execve under way.
    execution: Option<Execution>,
    request: CloneRequest,
    program: Arc<Program>,
}

impl Borrower {
    /// Its life, on the donor's stack, until it needs Python for this stop.
    fn live(&mut self, child: &Child) -> Stop {
        self.begin();
        child.has_begun();
        loop {
            match self.thread.run() {
                Stop::Exited { status, .. } => {
                    self.ends(child);
                    // SAFETY: ends the process; nothing of ours is to be done before.
                    unsafe { libc::_exit(status & 0xff) };
                }
                Stop::Killed { signal } if !wants_core(&self.thread.process) => {
                    let number = signal.0;
                    drop(signal);
                    self.ends(child);
                    host::die_beside_others(number);
                }
                Stop::Core(Exit::Interrupted) => {}
                stop => {
                    if !self.attend(child, &stop) {
                        return stop;
                    }
                }
            }
        }
    }

    fn begin(&mut self) {
        let process = &self.thread.process;
        process.actions.die_orderly();
        process.actions.take_back();
        self.thread.set_mask(self.thread.signals.blocked);
        if self.request.flags & 0x1_0000_0000 != 0 {
            self.thread.process.actions.reset_for_exec();
        }
        if self.request.has(libc::CLONE_CHILD_SETTID) {
            // SAFETY: takes nothing.
            let tid = unsafe { libc::getpid() };
            store_tid(&self.thread.process, self.request.child_tid, tid);
        }
    }

    fn ends(&mut self, child: &Child) {
        self.thread.process.give_up_all_robust_futexes();
        self.thread.thread_ends();
        host::set_mask(!0);
        self.thread.signals.mailbox.hand_on();
        Mailbox::detach();
        child.is_in_order(true);
        aside::be_alone();
    }

    /// False: Python has to decide.
    fn attend(&mut self, child: &Child, stop: &Stop) -> bool {
        let Stop::Syscall { handler, scalars } = stop else {
            return false;
        };
        let machines = &facts::facts().machines;
        let exec = self
            .thread
            .prepare_exec(handler, &scalars.values, &self.program.exe, machines);
        exec.is_some_and(|prepared| self.execve(child, prepared))
    }

    /// execve(2). False: it cannot be made here, and Python has to.
    fn execve(&mut self, child: &Child, prepared: Result<Execve, i32>) -> bool {
        let execve = match prepared {
            Ok(execve) => execve,
            Err(errno) => {
                self.thread.finish_call(-i64::from(errno));
                return true;
            }
        };
        let execution = if execve.prepared.plan.is_none() {
            let program = execve.prepared;
            let path = program.host_path.clone();
            self.thread.execution(path, program.argv, execve.envp)
        } else {
            if self.thread.is_bound() || !self.is_installed() {
                return false;
            }
            let (argv, envp) = self.again(execve);
            self.thread
                .execution(self.program.launch.executable(), argv, envp)
        };
        let execution = self.execution.insert(execution);
        child.is_in_order(true);
        let result = execution.run();
        child.is_in_order(false);
        self.execution = None;
        self.thread.set_mask(self.thread.signals.blocked);
        self.thread.finish_call(result);
        true
    }

    /// Whether Python can be started from here: the guest may have changed its root or its user.
    fn is_installed(&self) -> bool {
        use std::ffi::CString;
        let may = |path: &[u8], mode: i32| {
            CString::new(path).is_ok_and(|path| {
                // SAFETY: the path is a C string.
                unsafe {
                    libc::faccessat(libc::AT_FDCWD, path.as_ptr(), mode, libc::AT_EACCESS) == 0
                }
            })
        };
        let launch = &self.program.launch;
        let own = super::files::own_exe();
        own.is_some_and(|own| own.path == launch.settings.own_exe.path)
            && may(&launch.executable(), libc::X_OK)
            && (launch.is_embedded() || may(&launch.extension, libc::R_OK))
    }

    /// The words of the start that executes a program, and its environment. The program's file goes
    /// with them, open.
    fn again(&self, execve: Execve) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let Execve { prepared, envp } = execve;
        let fd = prepared.file.into_raw_fd();
        // SAFETY: takes numbers only. It is closed by the start.
        unsafe { libc::fcntl(fd, libc::F_SETFD, 0) };
        let number = |number: usize| number.to_string().into_bytes();
        let state = self.state();
        let launch = &self.program.launch;
        let called = match launch.is_embedded() {
            true => NAME,
            false => &launch.python,
        };
        let mut words: Vec<Vec<u8>> = [called, b"-I", b"-S", b"-c"].map(<[u8]>::to_vec).into();
        words.push([MARK, &launch.code[..], CODE].concat());
        words.extend([fd.to_string().into_bytes(), prepared.execfn, prepared.path]);
        words.push(number(state.len()));
        words.extend(state);
        words.push(number(prepared.argv.len()));
        words.extend(prepared.argv);
        words.extend(envp);
        (words, launch.environment())
    }

    /// What the new program is told beside its arguments; each is `name=value`.
    fn state(&self) -> Vec<Vec<u8>> {
        let launch = &self.program.launch;
        let mut state = Vec::new();
        let mut tell = |name: &str, value: &[u8]| {
            state.push([name.as_bytes(), b"=", value].concat());
        };
        tell("sysroot", &self.program.sysroot);
        if let Some(store) = &launch.settings.store {
            tell("store", store);
        }
        for (name, text) in [("core", &launch.core), ("opt", &launch.opt)] {
            if !text.is_empty() {
                tell(name, text.as_bytes());
            }
        }
        if let Some(cpu) = &launch.cpu {
            tell("cpu", cpu.as_bytes());
        }
        if let Some(release) = &launch.settings.release {
            tell("uname_release", release);
        }
        for (name, number) in [
            ("stack_size", launch.stack_size),
            ("guest_base", launch.guest_base),
            ("reserved_va", launch.reserved_va),
            ("seed", launch.settings.seed),
        ] {
            if let Some(number) = number {
                tell(name, number.to_string().as_bytes());
            }
        }
        if let Some(path) = &launch.unicorn {
            tell("unicorn", path);
        }
        if let Some(log) = &launch.log {
            tell("log", log);
        }
        if self.program.read_implies_exec {
            tell("read_implies_exec", b"1");
        }
        let ignored = self.ignored();
        if !ignored.is_empty() {
            tell("ignored", ignored.as_bytes());
        }
        let limits = self.thread.process.own_limits();
        let limits = limits
            .iter()
            .map(|(which, soft, hard)| format!("{which}:{soft}:{hard}"));
        let limits: Vec<_> = limits.collect();
        if !limits.is_empty() {
            tell("limits", limits.join(" ").as_bytes());
        }
        state
    }

    /// The letters (`qusr/interp.py`) of the signals that Python's start would change though the guest
    /// ignores them.
    fn ignored(&self) -> String {
        let letters = [(libc::SIGPIPE, 'p'), (libc::SIGXFSZ, 'x')];
        let ignored = self.thread.signals.actions.with(|table| {
            (1..).zip(table.iter()).fold(0, |mask, (signal, action)| {
                let is_ignored = action.handler == SIG_IGN;
                mask | if is_ignored { bit(signal) } else { 0 }
            })
        });
        let all = letters
            .iter()
            .filter(|(signal, _)| ignored & bit(*signal) != 0);
        all.map(|(_, letter)| letter).collect()
    }
}
