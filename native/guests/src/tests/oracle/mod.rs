//! Instructions that Unicorn cannot judge, against qemu-user: a small guest program (`arm.c`, `arm.S`) executes
//! thousands of them, each under a state of its own.

mod arm;
mod riscv;
