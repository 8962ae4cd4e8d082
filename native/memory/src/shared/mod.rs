//! Memory that a guest process shares with the children it forks, for the emulator's own use.

pub mod lock;
pub mod page;
