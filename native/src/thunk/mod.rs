//! System-call thunks: declarations compiled to a table, executed here.
