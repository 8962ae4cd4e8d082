//! From a program's file to memory that it runs in, as the kernel's fs/exec.c and fs/binfmt_elf.c
//! have it: `#!` lines, ELF headers and their checks, the interpreter, the mappings, the first stack.
//!
//! [`program::prepare`] does all that can fail while the old image still stands, [`image::load`]
//! fills an empty address space. What differs between guests is in their [`rules`].

pub mod auxv;
pub mod elf;
pub mod error;
pub mod ident;
pub mod image;
pub mod program;
pub mod rules;
pub mod script;
pub mod stack;

pub use error::LoadError;

/// Of the host's pages, and of most guests'.
pub const PAGE: u64 = 4096;

/// `address` rounded down to a page of so many bytes.
#[must_use]
pub fn page_start(address: u64, page: u64) -> u64 {
    address & !(page - 1)
}

/// `address` rounded up to a page of so many bytes; of the last page in 64 bits this is 0.
#[must_use]
pub fn page_align(address: u64, page: u64) -> u64 {
    address.wrapping_add(page - 1) & !(page - 1)
}
