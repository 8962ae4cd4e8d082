//! Tests that need the library: `QUSR_TEST_LIBUNICORN` names it.
