"""Tests of qusr.loader."""
