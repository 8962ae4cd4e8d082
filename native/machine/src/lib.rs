//! The parts put together: the cores that a guest gets, and its start without Python.

use qusr_cpu as cpu;
use qusr_guests as guests;
use qusr_kernel::{abi, loader, process, signal, thunk};
use qusr_memory as memory;
use qusr_store as store;
use qusr_translator as translator;
use qusr_unicorn as unicorn;

pub mod facts;
pub mod machine;
pub mod pair;
pub mod start;
