"""Scripts that build, install and generate; run from the Makefile."""
