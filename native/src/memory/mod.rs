//! The guest address space.
