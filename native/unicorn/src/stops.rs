//! Keeps the engine from stopping in the middle of an instruction.
//!
//! Unicorn's translator lets a block end not only at its start but also behind every load and
//! store, with the program counter *on* the instruction (`check_exit_request` in
//! qemu/tcg/tcg-op.c). For a stop that a hook asks for this is harmless. For one from another
//! thread or a signal handler it is not: the instruction is executed again when the guest goes
//! on, although `ldr x0, [x0]` has lost its address and `ldadd` has added.
//!
//! `check_exit_request` emits that code, and is called through the library's procedure linkage
//! table. So its slot there is pointed at a function of ours, which emits it only for
//! engines that count instructions (where the code stands behind the hook of an instruction, and
//! before the instruction itself). The check at the start of each block is emitted elsewhere and stays.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::target::{SLOTS, for_each_slot};

/// `void check_exit_request(TCGContext *)`.
pub type CheckExitRequest = unsafe extern "C" fn(*mut c_void);

thread_local! {
    /// This thread's engine counts instructions.
    static COUNTING: Cell<bool> = const { Cell::new(false) };
}

/// Each target's own.
static ORIGINALS: [OnceLock<CheckExitRequest>; SLOTS] = [const { OnceLock::new() }; SLOTS];
static REPLACEMENTS: [extern "C" fn(*mut c_void); SLOTS] = for_each_slot!(check);

/// Whether what this thread translates is to end at every instruction.
pub fn set_counting(counting: bool) {
    COUNTING.set(counting);
}

extern "C" fn check<const SLOT: usize>(context: *mut c_void) {
    if COUNTING.get()
        && let Some(original) = ORIGINALS[SLOT].get()
    {
        // SAFETY: the library's own function with its own argument.
        unsafe { original(context) };
    }
}

/// Elf64_Dyn, Elf64_Rela, Elf64_Sym of elf(5).
#[repr(C)]
struct Dyn {
    tag: i64,
    value: u64,
}

#[repr(C)]
struct Rela {
    offset: u64,
    info: u64,
    addend: i64,
}

#[repr(C)]
struct Sym {
    name: u32,
    info: u8,
    other: u8,
    section: u16,
    value: u64,
    size: u64,
}

const DT_PLTRELSZ: i64 = 2;
const DT_STRTAB: i64 = 5;
const DT_SYMTAB: i64 = 6;
const DT_JMPREL: i64 = 23;
const R_X86_64_JUMP_SLOT: u64 = 7;

/// The loaded library, as the dynamic linker describes it.
pub struct Image {
    base: u64,
    plt: *const Rela,
    plt_entries: usize,
    symbols: *const Sym,
    strings: *const c_char,
}

// SAFETY: the dynamic linker's tables, which are only read, of a library that stays loaded.
unsafe impl Send for Image {}
// SAFETY: the same.
unsafe impl Sync for Image {}

impl Image {
    /// # Safety
    /// `handle` is what `dlopen` gave for a library that stays loaded.
    pub unsafe fn of(handle: *mut c_void) -> Option<Self> {
        #[repr(C)]
        struct LinkMap {
            base: u64,
            name: *const c_char,
            dynamic: *const Dyn,
        }
        let mut map: *const LinkMap = std::ptr::null();
        // SAFETY: RTLD_DI_LINKMAP stores one pointer.
        let error = unsafe {
            libc::dlinfo(
                handle,
                libc::RTLD_DI_LINKMAP,
                (&raw mut map).cast::<c_void>(),
            )
        };
        if error != 0 || map.is_null() {
            return None;
        }
        // SAFETY: the dynamic linker's own record of a loaded library.
        let (base, mut entry) = unsafe { ((*map).base, (*map).dynamic) };
        let mut found = [0u64; 24];
        loop {
            // SAFETY: the dynamic section ends with an entry of tag 0.
            let Dyn { tag, value } = unsafe { entry.read() };
            match tag {
                0 => break,
                1..24 => found[tag as usize] = value,
                _ => {}
            }
            // SAFETY: not at the end.
            entry = unsafe { entry.add(1) };
        }
        // glibc relocates these in place; other dynamic linkers leave them as they are in the file.
        let addr = |tag: i64| match found[tag as usize] {
            0 => None,
            value if value < base => Some(value + base),
            value => Some(value),
        };
        Some(Self {
            base,
            plt: addr(DT_JMPREL)? as *const Rela,
            plt_entries: found[DT_PLTRELSZ as usize] as usize / size_of::<Rela>(),
            symbols: addr(DT_SYMTAB)? as *const Sym,
            strings: addr(DT_STRTAB)? as *const c_char,
        })
    }

    /// The slot by which the library calls the function of this name.
    fn slot(&self, name: &CStr) -> Option<&AtomicUsize> {
        for n in 0..self.plt_entries {
            // SAFETY: within the table; its entries name symbols, and these strings, of the library.
            let (rela, symbol) = unsafe {
                let rela = self.plt.add(n).read();
                let symbol = self.symbols.add((rela.info >> 32) as usize).read();
                (rela, CStr::from_ptr(self.strings.add(symbol.name as usize)))
            };
            if rela.info & 0xffff_ffff == R_X86_64_JUMP_SLOT && symbol == name {
                // SAFETY: the slot is a pointer in the library's data, which stays loaded.
                return Some(unsafe { &*((self.base + rela.offset) as *const AtomicUsize) });
            }
        }
        None
    }

    /// Has the library call `replacement` where it calls its own function of this name.
    pub fn redirect(&self, name: &CStr, replacement: usize) -> bool {
        let Some(slot) = self.slot(name) else {
            return false;
        };
        let page = std::ptr::from_ref(slot) as usize & !0xfff;
        // SAFETY: the page is the library's table of such slots; a linker may have made it read-only.
        let error = unsafe {
            libc::mprotect(
                page as *mut c_void,
                0x1000,
                libc::PROT_READ | libc::PROT_WRITE,
            )
        };
        if error == 0 {
            slot.store(replacement, Ordering::SeqCst);
        }
        error == 0
    }
}

/// Makes engines of a target stop between blocks only. False when the library is not built as expected; then
/// stops must be asked for by hooks at the start of blocks.
pub fn only_between_blocks(
    image: &Image,
    slot: usize,
    name: &CStr,
    function: CheckExitRequest,
) -> bool {
    let _ = ORIGINALS[slot].set(function);
    image.redirect(name, REPLACEMENTS[slot] as *const () as usize)
}
