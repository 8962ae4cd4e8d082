//! Instructions that Unicorn cannot judge, against qemu-user: a small guest program (`arm.c`, `arm.S`, `aarch64.c`) executes
//! thousands of them, each under a state of its own.

mod aarch64;
mod arm;
mod batch;
mod mips;
mod riscv;
mod sve;
mod twister;
mod vectors;
