//! What the compiler takes for granted: a C library's functions on memory, and an unwinder.

use core::arch::asm;
use core::ffi::{c_char, c_int, c_void};

// The string instructions, and volatile reads: a plain loop is one in which the compiler sees
// the very function, and calls it.

/// # Safety
/// As C's.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut c_void, from: *const c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller's promise: both have `size` bytes. DF is clear (System V ABI, 3.2.1).
    unsafe {
        asm!(
            "rep movsb",
            inout("rcx") size => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags),
        );
    }
    to
}

/// # Safety
/// As C's.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut c_void, from: *const c_void, size: usize) -> *mut c_void {
    if (to as usize).wrapping_sub(from as usize) >= size {
        // SAFETY: upwards, nothing is overwritten that is still to be read.
        return unsafe { memcpy(to, from, size) };
    }
    // SAFETY: the caller's promise; from the last byte downwards, and DF is cleared again.
    unsafe {
        asm!(
            "std",
            "rep movsb",
            "cld",
            inout("rcx") size => _,
            inout("rdi") to.byte_add(size).byte_sub(1) => _,
            inout("rsi") from.byte_add(size).byte_sub(1) => _,
            options(nostack),
        );
    }
    to
}

/// # Safety
/// As C's.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut c_void, byte: c_int, size: usize) -> *mut c_void {
    // SAFETY: the caller's promise: there are `size` bytes.
    unsafe {
        asm!(
            "rep stosb",
            inout("rcx") size => _, inout("rdi") to => _, in("eax") byte,
            options(nostack, preserves_flags),
        );
    }
    to
}

/// # Safety
/// As C's.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, size: usize) -> c_int {
    for index in 0..size {
        // SAFETY: the caller's promise: both have `size` bytes.
        let (a, b) = unsafe {
            (
                one.add(index).read_volatile(),
                other.add(index).read_volatile(),
            )
        };
        if a != b {
            return c_int::from(a) - c_int::from(b);
        }
    }
    0
}

/// # Safety
/// As C's.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, size: usize) -> c_int {
    // SAFETY: the same promise.
    unsafe { memcmp(one, other, size) }
}

/// # Safety
/// As C's.
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const c_char) -> usize {
    let mut length = 0;
    // SAFETY: the caller's promise: there is a null, and nothing behind it is read.
    while unsafe { text.add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}

// The compiled `alloc` refers to an unwinder. A panic ends the process, so neither is called.

#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() {}
