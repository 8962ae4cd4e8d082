//! clone(2) with CLONE_THREAD: a guest thread is a host thread, which the C library makes, whether
//! Python has a part in the process or not.
//!
//! The host call is not the guest's, so which flags go together is checked in `clone.rs`, and what a thread has of its own
//! (descriptors, directory, namespaces) it gets by unshare(2) as the first thing.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use libc::{
    CLONE_CHILD_SETTID, CLONE_FILES, CLONE_FS, CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET,
    CLONE_NEWNS, CLONE_NEWUTS, CLONE_PARENT_SETTID, CLONE_PIDFD, CLONE_SYSVSEM, CLONE_VFORK,
};

use super::Process;
use super::clone::{CLONE_NEWTIME, CloneRequest};
use super::thread::GuestThread;
use crate::signal::host::{self, Mailbox};

/// What a thread can have of its own, by the flags that ask for it.
const OWN: u64 = (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET)
    as u64
    | CLONE_NEWTIME;
/// And what it has of its own without them.
const SHARED: u64 = (CLONE_FS | CLONE_FILES | CLONE_SYSVSEM) as u64;
/// `PIDFD_THREAD` (linux/pidfd.h), since Linux 6.9.
const PIDFD_THREAD: i32 = libc::O_EXCL;

/// What a thread does once it is made, on its own host thread.
pub type Life = Box<dyn FnOnce() + Send>;
/// What is done with its tid before either thread goes on.
pub type Enter = Box<dyn FnOnce(i32) + Send>;

/// What a host thread has to know of the guest thread that it is for.
pub struct Seat {
    process: Arc<Process>,
    mailbox: Arc<Mailbox>,
    blocked: u64,
}

/// A thread that is about to be made.
struct Newborn {
    request: CloneRequest,
    seat: Seat,
    enter: Enter,
    life: Life,
    told: Arc<Told>,
}

/// What its creator waits for: the tid, or the errno.
#[derive(Default)]
struct Told {
    answer: Mutex<Option<Result<i32, i32>>>,
    changed: Condvar,
}

impl Told {
    fn tell(&self, answer: Result<i32, i32>) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        self.changed.notify_one();
    }

    fn wait(&self) -> Result<i32, i32> {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(answer) = *answer {
                return answer;
            }
            answer = self
                .changed
                .wait(answer)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl GuestThread {
    /// The thread that `request` asks for, with its registers, for [`GuestThread::start`].
    ///
    /// # Errors
    /// What kept the core from being made.
    pub fn sibling(&self, request: &CloneRequest) -> Result<Self, String> {
        let mut child = self.duplicate()?;
        child.begin_clone(request);
        if own(request) & (CLONE_FS | CLONE_NEWNS) as u64 != 0 {
            child.own_directory();
        }
        Ok(child)
    }

    /// For [`GuestThread::start`].
    #[must_use]
    pub fn seat(&self) -> Seat {
        Seat {
            process: Arc::clone(&self.process),
            mailbox: Arc::clone(&self.signals.mailbox),
            blocked: self.signals.blocked,
        }
    }

    /// Makes a host thread for another one ([`GuestThread::sibling`]), which runs that in `life`; its tid.
    ///
    /// # Errors
    /// The errno of clone(2). Neither `enter` nor `life` is done then.
    pub fn start(
        &mut self,
        request: &CloneRequest,
        seat: Seat,
        enter: Enter,
        life: Life,
    ) -> Result<i32, i32> {
        if request.has(CLONE_PIDFD) {
            // Not to be had is known before there is a thread.
            pidfd_of(own_tid())?;
        }
        let told = Arc::<Told>::default();
        let newborn = Newborn {
            request: *request,
            seat,
            enter,
            life,
            told: Arc::clone(&told),
        };
        // The new host thread inherits this mask: no signal may reach it before it has its own.
        host::set_mask(!0);
        self.announce_clone(request.event());
        let result = make(newborn).and_then(|()| told.wait());
        self.announce_clone(0);
        self.adopt();
        let tid = result?;
        self.trace_event(request.event(), tid as u64);
        if request.has(CLONE_VFORK) {
            self.wait_for_child(tid);
        }
        Ok(tid)
    }

    /// Makes this the guest thread of the calling host thread, with its signal mask.
    pub fn adopt(&mut self) {
        self.seat().take();
    }

    /// The calling host thread, whose this was, is no guest thread's any more. It may outlive this object.
    pub fn leave(&self) {
        host::set_mask(!0);
        self.signals.mailbox.hand_on();
        Mailbox::detach();
    }
}

impl Seat {
    /// The calling host thread is its from now on.
    fn take(&self) {
        self.process.actions.take_back();
        self.mailbox.attach();
        host::set_mask(self.blocked);
    }
}

/// The flags of unshare(2) for what it has of its own.
fn own(request: &CloneRequest) -> u64 {
    request.flags & OWN | !request.flags & SHARED
}

/// A detached thread with the C library's usual stack, which is that of Python's threads: it may run Python's handlers.
fn make(newborn: Newborn) -> Result<(), i32> {
    let newborn = Box::into_raw(Box::new(newborn));
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let mut made = MaybeUninit::<libc::pthread_t>::uninit();
    // SAFETY: the attributes are initialised before they are used; `enter` takes the box over, unless there is no thread.
    let error = unsafe {
        libc::pthread_attr_init(attributes.as_mut_ptr());
        libc::pthread_attr_setdetachstate(attributes.as_mut_ptr(), libc::PTHREAD_CREATE_DETACHED);
        let error = libc::pthread_create(
            made.as_mut_ptr(),
            attributes.as_ptr(),
            enter,
            newborn.cast(),
        );
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        error
    };
    if error == 0 {
        return Ok(());
    }
    // SAFETY: made above, and nobody has taken it.
    drop(unsafe { Box::from_raw(newborn) });
    Err(libc::EAGAIN)
}

extern "C" fn enter(newborn: *mut c_void) -> *mut c_void {
    // SAFETY: what `make` has handed over.
    let newborn = unsafe { Box::from_raw(newborn.cast::<Newborn>()) };
    newborn.begin();
    std::ptr::null_mut()
}

impl Newborn {
    fn begin(self) {
        let tid = own_tid();
        if let Err(errno) = self.settle(tid) {
            self.told.tell(Err(errno));
            return;
        }
        (self.enter)(tid);
        self.seat.take();
        self.told.tell(Ok(tid));
        drop((self.told, self.seat));
        (self.life)();
    }

    /// Gets what is its own, and stores its ids.
    fn settle(&self, tid: i32) -> Result<(), i32> {
        let request = &self.request;
        let store = |address: u64, id: i32| {
            let bytes = if self.seat.process.abi.big_endian {
                id.to_be_bytes()
            } else {
                id.to_le_bytes()
            };
            // put_user's failure is ignored (kernel/fork.c).
            let _ = self.seat.process.space.write(address, &bytes);
        };
        let pidfd = if request.has(CLONE_PIDFD) {
            let fd = pidfd_of(tid)?;
            store(request.pidfd, fd.as_raw_fd());
            Some(fd)
        } else {
            None
        };
        let own = own(request);
        // SAFETY: touches no memory.
        if own != 0 && unsafe { libc::unshare(own as i32) } < 0 {
            return Err(errno());
        }
        if own & CLONE_FILES as u64 == 0 {
            // Otherwise it is its creator's only, and this copy is closed.
            pidfd.map(OwnedFd::into_raw_fd);
        }
        for (flag, address) in [
            (CLONE_PARENT_SETTID, request.parent_tid),
            (CLONE_CHILD_SETTID, request.child_tid),
        ] {
            if request.has(flag) {
                store(address, tid);
            }
        }
        Ok(())
    }
}

fn pidfd_of(tid: i32) -> Result<OwnedFd, i32> {
    // SAFETY: touches no memory.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, tid, PIDFD_THREAD) };
    if fd < 0 {
        return Err(errno());
    }
    // SAFETY: just opened.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

fn errno() -> i32 {
    let error = std::io::Error::last_os_error();
    error.raw_os_error().unwrap_or(libc::EAGAIN)
}

fn own_tid() -> i32 {
    // SAFETY: gettid touches no memory.
    unsafe { libc::gettid() }
}
