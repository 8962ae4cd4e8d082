//! System-call thunks: declarations compiled to a table, executed here.
//!
//! `qusr/syscalls/` declares, `qusr/syscalls/compiler.py` compiles,
//! [`table`] reads the result and [`exec`] makes the calls: [`prepare`] turns the guest's
//! arguments into the host's, [`writeback`] hands results back. [`reads`] tells a debugger what calls read.

pub mod convert;
mod direct;
pub mod exec;
pub mod host;
mod lazy;
mod links;
pub mod map_files;
mod msg;
pub mod path;
pub mod pin;
mod prepare;
pub mod procfs;
mod reader;
pub mod reads;
mod records;
pub mod review;
mod robust;
pub mod running;
pub mod scratch;
pub mod table;
mod waitmask;
pub mod walk;
mod writeback;
