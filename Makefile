# make run    build qusr in .venv and run a first program under it
# make test   install what the tests need, build the guest programs, run pytest
# make static  dist/qusr-static: all commands and their Python in one file; wheels built later carry it
# make test-cores   native's guests on the Unicorn core, on native without optimisations,
#                   with a code cache that is full again and again, and on lesser hosts
# make lint   ruff, mypy, clippy, rustfmt, cargo test
# make bench  measure qusr beside qemu-user and native code
# ARGS is handed to pytest or to the benchmarks: make test ARGS='tests/test_smoke.py -x'

VENV := .venv
BIN := $(VENV)/bin
CARGO := cargo
JOBS ?= $(shell nproc)
ARGS ?=
# The Debian roots that the tests run programs of.
ROOTS = $(shell $(BIN)/python -m tests.emulators roots)

# Made files that stand for a whole step: the step is done again when its inputs are newer.
DEV := $(VENV)/.dev-installed
BUILT := $(VENV)/.qusr-built

NATIVE := $(shell find native -name target -prune -o \( -name '*.rs' -o -name 'Cargo.*' \) -print)
# What the extension takes from Python's declarations (native/machine/build.rs).
DECLARED := qusr/facts.py qusr/options.py $(shell find qusr/arch qusr/syscalls -name '*.py')

.PHONY: run build static test test-cores lint check-python check-rust bench testbins prebuilt tools clean

run: build
	for program in testbins/prebuilt/hello-*; do $(BIN)/qusr-$${program##*-} $$program || exit; done

build: $(BUILT)

$(DEV): requirements-dev.txt tools/make-venv
	tools/make-venv $(VENV)
	touch $@

# An editable install: Python sources are used where they are, so only Rust ones are compiled, with what
# Python declares in them.
$(BUILT): $(DEV) pyproject.toml $(wildcard commands/scripts/*) $(NATIVE) $(DECLARED)
	CARGO=$(CARGO) tools/need-rust
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release --quiet
	touch $@

# Compiled for as many minutes as the extension.
static: $(DEV)
	CARGO=$(CARGO) tools/need-rust
	tools/build-static dist/qusr-static
	cp dist/qusr-static commands/scripts/qusr-static.new
	mv commands/scripts/qusr-static.new commands/scripts/qusr-static

tools:
	tools/install-packages

testbins: tools
	python3 testbins/build.py

prebuilt: tools
	python3 testbins/build.py --prebuilt

test: build tools static
	for root in $(ROOTS); do tools/debian-root $$root >/dev/null || exit; done
	tools/run-tests $(BIN)/python -m pytest -n $(JOBS) $(ARGS)

# The default core of some guests is native: here what the other one, and native with all of its
# optimisations off, make of the same programs. Unicorn lets LDAR and STLR be misaligned.
OTHER_CORES := tests/test_testbins.py tests/test_smoke.py -k
# A sample on a processor before x86-64-v3, where the default core is Unicorn, and on a single one.
OTHER_HOSTS := tests/test_smoke.py tests/test_testbins.py -k "test_smoke or be/ or threads/atomics or threads/sync"
OF_OTHER_CORES = $(shell $(BIN)/python -m tests.emulators native)
# What of these programs the core direct does not do: docs/direct-core.md.
NOT_DIRECT := ptrace/signals or ptrace/syscalls or process/confined or process/borrowed or x86/ldt
test-cores: build tools
	for root in $(ROOTS); do tools/debian-root $$root >/dev/null || exit; done
	tools/run-tests $(BIN)/python -m pytest -q -n $(JOBS) --core unicorn tests/guests $(OTHER_CORES) "$(OF_OTHER_CORES)"
	tools/run-tests $(BIN)/python -m pytest -q -n $(JOBS) --core native,no-all $(OTHER_CORES) "$(OF_OTHER_CORES)"
	tools/run-tests $(BIN)/python -m pytest -q -n $(JOBS) --core native,cache=1M $(OTHER_CORES) "$(OF_OTHER_CORES)"
	tools/run-tests $(BIN)/python -m pytest -q -n $(JOBS) $(OTHER_CORES) "$(OF_OTHER_CORES)"
	tools/run-tests $(BIN)/python -m pytest -q -n $(JOBS) --core direct tests/test_testbins.py -k "x86_64 and not ($(NOT_DIRECT))"
	QUSR_MASK_CPU=avx2 tools/run-tests $(BIN)/python -m pytest -q -n $(JOBS) $(OTHER_HOSTS)
	tools/run-tests taskset -c $$($(BIN)/python -c 'import os; print(min(os.sched_getaffinity(0)))') $(BIN)/python -m pytest -q $(OTHER_HOSTS)

lint: check-python check-rust

check-python: $(DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict qusr tools testbins tests $(wildcard bench)

# The lines of the decode tables for which the translator uses what not every host has.
MASKED_LINES := aes sha vmull_p64 simd_different

# The tests of the Rust core load Unicorn's library out of its Python package.
check-rust: export QUSR_TEST_LIBUNICORN = $(abspath $(shell \
	ls $(VENV)/lib/python3*/site-packages/unicorn/lib/libunicorn.so.2 2>/dev/null))
check-rust: $(DEV)
	cd native && $(CARGO) fmt --check
	cd native && $(CARGO) clippy -q --all-targets -- -D warnings
	cd native && $(CARGO) test -q
	for line in $(MASKED_LINES); do \
		(cd native && QUSR_MASK_CPU=aes,sha,pclmulqdq QUSR_FUZZ_ONLY=$$line $(CARGO) test -q -p qusr-guests -- \
			instructions_agree floating_point_agrees) || exit; done
	cd native/launcher && $(CARGO) fmt --check
	cd native/launcher && $(CARGO) clippy -q -- -D warnings
	cd native/static && $(CARGO) fmt --check

bench: build tools
	$(BIN)/python -m bench $(ARGS)

clean:
	rm -rf $(VENV) native/target testbins/build dist .pytest_cache .mypy_cache .ruff_cache
	rm -f qusr/_native*.so
	find commands/scripts -name 'qusr*' ! -name qusr-binfmt -delete
	find qusr tests tools testbins bench -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
