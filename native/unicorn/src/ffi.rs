//! The C interface of libunicorn, as far as we use it: declared by hand and resolved
//! at run time, so that neither building nor starting qusr needs the library until a
//! guest runs on it. Names and numbers are those of `unicorn.h`.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use libloading::os::unix::Library;

use crate::stops::Image;
use crate::target::{self, Target};

/// `uc_engine`: opaque.
#[repr(C)]
pub struct Engine {
    _opaque: [u8; 0],
}

/// `uc_context`: a copy of a processor's state, opaque too.
#[repr(C)]
pub struct Context {
    _opaque: [u8; 0],
}

/// `uc_tlb_entry`: what a TLB-fill callback answers.
#[repr(C)]
pub struct TlbEntry {
    pub paddr: u64,
    pub perms: u32,
}

pub const OK: c_int = 0;
pub const ERR_EXCEPTION: c_int = 21;

pub const PROT_READ: u32 = 1;
pub const PROT_WRITE: u32 = 2;
pub const PROT_EXEC: u32 = 4;
pub const PROT_ALL: u32 = 7;

pub const MEM_WRITE: c_int = 17;
pub const MEM_FETCH: c_int = 18;

pub const HOOK_INTR: c_int = 1 << 0;
pub const HOOK_INSN: c_int = 1 << 1;
pub const HOOK_CODE: c_int = 1 << 2;
pub const HOOK_BLOCK: c_int = 1 << 3;
pub const HOOK_MEM_READ_WRITE: c_int = 1 << 10 | 1 << 11;
pub const HOOK_INSN_INVALID: c_int = 1 << 14;
pub const HOOK_TLB_FILL: c_int = 1 << 17;

pub const TLB_VIRTUAL: c_int = 1;

/// `UC_CTL_WRITE(type, nr)`.
const fn ctl_write(kind: u32, nr: u32) -> u32 {
    kind | nr << 26 | 1 << 30
}
const CTL_PAGE_SIZE: u32 = ctl_write(1, 1);
const CTL_USE_EXITS: u32 = ctl_write(4, 1);
const CTL_EXITS: u32 = ctl_write(6, 2);
const CTL_CPU_MODEL: u32 = ctl_write(7, 1);
const CTL_TB_REMOVE_CACHE: u32 = ctl_write(9, 2);
const CTL_TB_FLUSH: u32 = ctl_write(10, 0);
const CTL_TLB_FLUSH: u32 = ctl_write(11, 0);
const CTL_TLB_TYPE: u32 = ctl_write(12, 1);

pub type IntrCallback = extern "C" fn(*mut Engine, u32, *mut c_void);
pub type BlockCallback = extern "C" fn(*mut Engine, u64, u32, *mut c_void);
pub type AccessCallback = extern "C" fn(*mut Engine, c_int, u64, c_int, i64, *mut c_void);
pub type InsnCallback = extern "C" fn(*mut Engine, *mut c_void);
pub type InvalidInsnCallback = extern "C" fn(*mut Engine, *mut c_void) -> bool;
pub type TlbFillCallback =
    extern "C" fn(*mut Engine, u64, c_int, *mut TlbEntry, *mut c_void) -> bool;

type Ctl = unsafe extern "C" fn(*mut Engine, u32, ...) -> c_int;
type HookAdd = unsafe extern "C" fn(
    *mut Engine,
    *mut usize,
    c_int,
    *mut c_void,
    *mut c_void,
    u64,
    u64,
    ...
) -> c_int;

/// The loaded library. Its functions are as `unsafe` as the C ones: the engine must be
/// open, and only one thread may use it at a time (but for [`Api::emu_stop`]).
pub struct Api {
    pub open: unsafe extern "C" fn(c_int, c_int, *mut *mut Engine) -> c_int,
    pub close: unsafe extern "C" fn(*mut Engine) -> c_int,
    pub reg_read: unsafe extern "C" fn(*mut Engine, c_int, *mut c_void) -> c_int,
    pub reg_write: unsafe extern "C" fn(*mut Engine, c_int, *const c_void) -> c_int,
    pub emu_start: unsafe extern "C" fn(*mut Engine, u64, u64, u64, usize) -> c_int,
    pub emu_stop: unsafe extern "C" fn(*mut Engine) -> c_int,
    pub mem_map_ptr: unsafe extern "C" fn(*mut Engine, u64, u64, u32, *mut c_void) -> c_int,
    pub mem_map: unsafe extern "C" fn(*mut Engine, u64, u64, u32) -> c_int,
    pub mem_read: unsafe extern "C" fn(*mut Engine, u64, *mut c_void, u64) -> c_int,
    pub mem_write: unsafe extern "C" fn(*mut Engine, u64, *const c_void, u64) -> c_int,
    context_alloc: unsafe extern "C" fn(*mut Engine, *mut *mut Context) -> c_int,
    context_size: unsafe extern "C" fn(*mut Engine) -> usize,
    context_save: unsafe extern "C" fn(*mut Engine, *mut Context) -> c_int,
    context_restore: unsafe extern "C" fn(*mut Engine, *mut Context) -> c_int,
    context_free: unsafe extern "C" fn(*mut Context) -> c_int,
    strerror: unsafe extern "C" fn(c_int) -> *const c_char,
    ctl: Ctl,
    hook_add: HookAdd,
    hook_del: unsafe extern "C" fn(*mut Engine, usize) -> c_int,
    path: PathBuf,
    library: Library,
    /// None: it is not built as expected.
    image: Option<Image>,
}

/// The libraries loaded so far; in practice one. They stay loaded until the process ends.
static LOADED: Mutex<Vec<(std::path::PathBuf, Arc<Api>)>> = Mutex::new(Vec::new());

impl Api {
    /// Loads the library at `path`, once a process.
    pub fn load(path: &Path) -> Result<Arc<Self>, String> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, api)) = loaded.iter().find(|(known, _)| known == path) {
            return Ok(Arc::clone(api));
        }
        let api = Arc::new(Self::load_new(path)?);
        loaded.push((path.to_owned(), Arc::clone(&api)));
        Ok(api)
    }

    fn load_new(path: &Path) -> Result<Self, String> {
        let problem = |what: &dyn std::fmt::Display| {
            format!("cannot load the unicorn library {}: {what}", path.display())
        };
        if let Some(why) = super::same_libc::refusal() {
            return Err(problem(&why));
        }
        // SAFETY: loading runs the library's initialisers; the path is the one that the
        // user's Python environment names as unicorn's.
        let mut library = unsafe { Library::new(path) }.map_err(|e| problem(&e))?;
        macro_rules! symbol {
            ($name:literal) => {{
                // SAFETY: the types are those of unicorn.h of version 2, which is checked below.
                *unsafe { library.get($name) }.map_err(|e| problem(&e))?
            }};
        }
        let version: unsafe extern "C" fn(*mut u32, *mut u32) -> u32 = symbol!(b"uc_version\0");
        // SAFETY: both pointers may be null.
        let version = unsafe { version(std::ptr::null_mut(), std::ptr::null_mut()) };
        let (major, minor, patch) = (version >> 24, version >> 16 & 0xff, version >> 8 & 0xff);
        if major != 2 || (minor, patch) < (1, 2) {
            return Err(problem(&format_args!(
                "version {major}.{minor}.{patch} found, 2.1.2 or a later 2.x needed"
            )));
        }
        Ok(Self {
            open: symbol!(b"uc_open\0"),
            close: symbol!(b"uc_close\0"),
            reg_read: symbol!(b"uc_reg_read\0"),
            reg_write: symbol!(b"uc_reg_write\0"),
            emu_start: symbol!(b"uc_emu_start\0"),
            emu_stop: symbol!(b"uc_emu_stop\0"),
            mem_map_ptr: symbol!(b"uc_mem_map_ptr\0"),
            mem_map: symbol!(b"uc_mem_map\0"),
            mem_read: symbol!(b"uc_mem_read\0"),
            mem_write: symbol!(b"uc_mem_write\0"),
            context_alloc: symbol!(b"uc_context_alloc\0"),
            context_size: symbol!(b"uc_context_size\0"),
            context_save: symbol!(b"uc_context_save\0"),
            context_restore: symbol!(b"uc_context_restore\0"),
            context_free: symbol!(b"uc_context_free\0"),
            strerror: symbol!(b"uc_strerror\0"),
            ctl: symbol!(b"uc_ctl\0"),
            hook_add: symbol!(b"uc_hook_add\0"),
            hook_del: symbol!(b"uc_hook_del\0"),
            path: path.to_owned(),
            image: {
                let handle = library.into_raw();
                // SAFETY: the handle that was just given back. The library stays loaded: it is never closed.
                unsafe {
                    library = Library::from_raw(handle);
                    Image::of(handle)
                }
            },
            library,
        })
    }

    /// The part of it that is a target's.
    pub fn target(&self, name: &'static str) -> Target {
        // SAFETY: the image and the library are one, which stays loaded.
        unsafe { target::prepare(&self.path, &self.library, self.image.as_ref(), name) }
    }

    /// An error number as a `Result` with unicorn's own words.
    pub fn check(&self, what: &str, error: c_int) -> Result<(), String> {
        if error == OK {
            return Ok(());
        }
        // SAFETY: takes any number, returns a string constant.
        let text = unsafe { CStr::from_ptr((self.strerror)(error)) };
        Err(format!("unicorn: {what}: {}", text.to_string_lossy()))
    }

    /// # Safety
    /// `engine` is open and not running.
    pub unsafe fn set_cpu_model(&self, engine: *mut Engine, model: c_int) -> Result<(), String> {
        // SAFETY: UC_CTL_CPU_MODEL takes one int.
        self.check("CPU model", unsafe {
            (self.ctl)(engine, CTL_CPU_MODEL, model)
        })
    }

    /// Sets the page size; the default for ARM is 1 KiB, for the sake of old cores.
    ///
    /// # Safety
    /// `engine` is open and nothing else was done with it.
    pub unsafe fn set_page_size(&self, engine: *mut Engine, size: u32) -> Result<(), String> {
        // SAFETY: UC_CTL_UC_PAGE_SIZE takes one uint32_t.
        self.check("page size", unsafe {
            (self.ctl)(engine, CTL_PAGE_SIZE, size)
        })
    }

    /// # Safety
    /// `engine` is open and not running.
    pub unsafe fn use_virtual_tlb(&self, engine: *mut Engine) -> Result<(), String> {
        // SAFETY: UC_CTL_TLB_TYPE takes one int.
        self.check("TLB type", unsafe {
            (self.ctl)(engine, CTL_TLB_TYPE, TLB_VIRTUAL)
        })
    }

    /// Shows `look` what the library keeps of the processor, behind a head of its own, and takes it back if
    /// that gives true with its result. Unlike a write of the program counter this ends no run.
    ///
    /// # Safety
    /// `engine` is open and not within translated code.
    pub unsafe fn with_state<T>(
        &self,
        engine: *mut Engine,
        look: impl FnOnce(&mut [u8]) -> (T, bool),
    ) -> Result<T, String> {
        let mut context = std::ptr::null_mut();
        // SAFETY: the pointer is ours to be written.
        self.check("a copy of the state", unsafe {
            (self.context_alloc)(engine, &raw mut context)
        })?;
        // SAFETY: the context is one of this engine's and as long as the library says; it is freed last.
        unsafe {
            let saved = self.check("saving", (self.context_save)(engine, context));
            let result = saved.and_then(|()| {
                let size = (self.context_size)(engine);
                let bytes = std::slice::from_raw_parts_mut(context.cast::<u8>(), size);
                let (result, changed) = look(bytes);
                if changed {
                    self.check("restoring", (self.context_restore)(engine, context))?;
                }
                Ok(result)
            });
            (self.context_free)(context);
            result
        }
    }

    /// Makes `until` of `emu_start` mean nothing: only a hook, a fault, or [`Api::emu_stop`] ends a run.
    ///
    /// # Safety
    /// `engine` is open and not running.
    pub unsafe fn use_exits(&self, engine: *mut Engine) -> Result<(), String> {
        // SAFETY: UC_CTL_UC_USE_EXITS takes one int.
        self.check("exits", unsafe {
            (self.ctl)(engine, CTL_USE_EXITS, 1 as c_int)
        })
    }

    /// The addresses before which a run ends. Code translated already is not changed by this.
    ///
    /// # Safety
    /// `engine` is open and not running; [`Api::use_exits`] was called.
    pub unsafe fn set_exits(&self, engine: *mut Engine, exits: &[u64]) {
        // SAFETY: UC_CTL_UC_EXITS takes an array and its length. It cannot fail once enabled.
        unsafe { (self.ctl)(engine, CTL_EXITS, exits.as_ptr(), exits.len()) };
    }

    /// Forgets all cached address translations.
    ///
    /// # Safety
    /// `engine` is open and not within translated code.
    pub unsafe fn flush_tlb(&self, engine: *mut Engine) {
        // SAFETY: takes no argument and cannot fail.
        unsafe { (self.ctl)(engine, CTL_TLB_FLUSH) };
    }

    /// Forgets all translated code.
    ///
    /// # Safety
    /// `engine` is open and not within translated code.
    pub unsafe fn flush_code(&self, engine: *mut Engine) {
        // SAFETY: takes no argument and cannot fail.
        unsafe { (self.ctl)(engine, CTL_TB_FLUSH) };
    }

    /// Forgets the code translated from `start..end`. Asks the TLB-fill callback for `start`.
    ///
    /// # Safety
    /// `engine` is open and not within translated code.
    pub unsafe fn remove_code(&self, engine: *mut Engine, start: u64, end: u64) {
        // SAFETY: takes two 64-bit addresses; fails only for an empty range, which means nothing.
        unsafe { (self.ctl)(engine, CTL_TB_REMOVE_CACHE, start, end) };
    }

    /// # Safety
    /// `callback` has the type that `kind` asks for; `user` is valid as long as the engine.
    unsafe fn hook(
        &self,
        engine: *mut Engine,
        kind: c_int,
        callback: *mut c_void,
        user: *mut c_void,
    ) -> Result<(), String> {
        // SAFETY: the caller's promise; begin > end means every address.
        unsafe { self.hook_range(engine, kind, callback, user, (1, 0)) }.map(drop)
    }

    /// # Safety
    /// As of [`Api::hook`].
    unsafe fn hook_range(
        &self,
        engine: *mut Engine,
        kind: c_int,
        callback: *mut c_void,
        user: *mut c_void,
        (first, last): (u64, u64),
    ) -> Result<usize, String> {
        let mut handle = 0;
        // SAFETY: the caller's promise.
        let error =
            unsafe { (self.hook_add)(engine, &raw mut handle, kind, callback, user, first, last) };
        self.check("hook", error)?;
        Ok(handle)
    }

    /// Has `callback` called before each instruction, where what is translated from now on has one; gives a name
    /// for [`Api::unhook`].
    ///
    /// # Safety
    /// `engine` is open; `user` is what the callback expects and outlives the engine.
    pub unsafe fn hook_instructions(
        &self,
        engine: *mut Engine,
        callback: BlockCallback,
        user: *mut c_void,
    ) -> Result<usize, String> {
        // SAFETY: the callback has the C type of the hook.
        unsafe { self.hook_range(engine, HOOK_CODE, callback as *mut c_void, user, (1, 0)) }
    }

    /// Has `callback` called before each load and store of translated code, as above.
    ///
    /// # Safety
    /// `engine` is open; `user` is what the callback expects and outlives the engine.
    pub unsafe fn hook_accesses(
        &self,
        engine: *mut Engine,
        callback: AccessCallback,
        user: *mut c_void,
    ) -> Result<usize, String> {
        let callback = callback as *mut c_void;
        // SAFETY: the callback has the C type of the hooks.
        unsafe { self.hook_range(engine, HOOK_MEM_READ_WRITE, callback, user, (1, 0)) }
    }

    /// Ends a hook.
    ///
    /// # Safety
    /// `engine` is open and not running, `hook` is of it.
    pub unsafe fn unhook(&self, engine: *mut Engine, hook: usize) {
        // SAFETY: the caller's promise. It cannot fail for a hook that there is.
        unsafe { (self.hook_del)(engine, hook) };
    }

    /// Has `callback` called before the instruction at an address, where what is translated from now on has one.
    ///
    /// # Safety
    /// `engine` is open; `user` is what the callback expects and outlives the engine.
    pub unsafe fn hook_address(
        &self,
        engine: *mut Engine,
        callback: BlockCallback,
        user: *mut c_void,
        at: u64,
    ) -> Result<(), String> {
        // SAFETY: the callback has the C type of the hook.
        unsafe { self.hook_range(engine, HOOK_CODE, callback as *mut c_void, user, (at, at)) }
            .map(drop)
    }

    /// Has `callback` called at the start of every block; gives a name for [`Api::unhook`].
    ///
    /// # Safety
    /// `engine` is open; `user` is what the callback expects and outlives the engine.
    pub unsafe fn hook_blocks(
        &self,
        engine: *mut Engine,
        callback: BlockCallback,
        user: *mut c_void,
    ) -> Result<usize, String> {
        // SAFETY: the callback has the C type of the hook.
        unsafe { self.hook_range(engine, HOOK_BLOCK, callback as *mut c_void, user, (1, 0)) }
    }

    /// Has `callback` called at each of these instructions (`UC_*_INS_*`), one without a result or operands.
    ///
    /// # Safety
    /// `engine` is open; `user` is what the callback expects and outlives the engine.
    pub unsafe fn hook_instruction(
        &self,
        engine: *mut Engine,
        instruction: c_int,
        callback: InsnCallback,
        user: *mut c_void,
    ) -> Result<(), String> {
        let mut handle = 0;
        let callback = callback as *mut c_void;
        // SAFETY: the callback has the C type of the hook, whose further argument is one int.
        let error = unsafe {
            (self.hook_add)(
                engine,
                &raw mut handle,
                HOOK_INSN,
                callback,
                user,
                1,
                0,
                instruction,
            )
        };
        self.check("hook", error)
    }

    /// # Safety
    /// `engine` is open; `user` is what the callbacks expect and outlives the engine.
    pub unsafe fn hooks(
        &self,
        engine: *mut Engine,
        intr: IntrCallback,
        invalid: InvalidInsnCallback,
        tlb_fill: TlbFillCallback,
        user: *mut c_void,
    ) -> Result<(), String> {
        // SAFETY: each callback has the C type of its hook.
        unsafe {
            self.hook(engine, HOOK_INTR, intr as *mut c_void, user)?;
            self.hook(engine, HOOK_INSN_INVALID, invalid as *mut c_void, user)?;
            self.hook(engine, HOOK_TLB_FILL, tlb_fill as *mut c_void, user)
        }
    }
}

/// A copy of a processor's state.
pub struct Saved {
    api: Arc<Api>,
    context: *mut Context,
}

impl Saved {
    /// # Safety
    /// `engine` is open and not running.
    pub unsafe fn of(api: &Arc<Api>, engine: *mut Engine) -> Result<Self, String> {
        let mut context = std::ptr::null_mut();
        // SAFETY: the pointer is ours to be written.
        api.check("a copy of the state", unsafe {
            (api.context_alloc)(engine, &raw mut context)
        })?;
        let api = Arc::clone(api);
        let saved = Self { api, context };
        // SAFETY: the context is one of this engine's.
        saved.api.check("saving", unsafe {
            (saved.api.context_save)(engine, context)
        })?;
        Ok(saved)
    }

    /// Makes the state that of then.
    ///
    /// # Safety
    /// `engine` is that of [`Saved::of`], open and not running.
    pub unsafe fn restore(&self, engine: *mut Engine) {
        // SAFETY: the context is one of this engine's. What memory it would need it has.
        unsafe { (self.api.context_restore)(engine, self.context) };
    }
}

impl Drop for Saved {
    fn drop(&mut self) {
        // SAFETY: allocated by the library.
        unsafe { (self.api.context_free)(self.context) };
    }
}
