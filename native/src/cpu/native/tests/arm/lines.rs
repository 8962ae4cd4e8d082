//! Straight lines of random instructions.
