//! Tests of the address space, by topic.

mod copies;
