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

/// Of a page, on every guest there is here.
pub const PAGE: u64 = 4096;

/// `address` rounded down to a page.
#[must_use]
pub fn page_start(address: u64) -> u64 {
    address & !(PAGE - 1)
}

/// `address` rounded up to a page; of the last page in 64 bits this is 0.
#[must_use]
pub fn page_align(address: u64) -> u64 {
    address.wrapping_add(PAGE - 1) & !(PAGE - 1)
}
