# The front door. `make demo` and `make test` set everything up by themselves.
#
#   make setup      .venv with the exact packages of requirements.lock and the `psyche` command; with
#                   Rust here also the fast codec and update, which `make native` builds alone
#   make demo       a whole network on this machine            (ARGS="--rounds 50 --json")
#   make test       pytest on all cores, nothing else          (ARGS="tests/client -k config -n 0")
#   make check      all else: lint, types, contracts, spelling, Rust, generated files, the program's bytes
#   make program    compile the program into the package       (needs Rust, see tools/sbf/README.md)
#   make idl generate golden    rewrite what comes from the Rust sources
#   make docs       rewrite what the pages of docs/ repeat from the code
#   make bench      measure what docs/BENCHMARKS.md claims
#   make format lock clean
#
# Everything below runs from a fresh clone on a Debian with python3, its venv module, make and git.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

PROGRAM := sdk/psyche_sdk/_program/coordinator.so
IDL := idl/coordinator.json
GENERATED := sdk/psyche_sdk/_generated
GOLDEN := tests/golden
TABLE := client/psyche_client/optim/dct2.bin
DEPLOY := target/deploy
CODEC := Cargo.lock Cargo.toml $(wildcard crates/*/Cargo.toml crates/*/pyproject.toml crates/*/src/*.rs)
# Empty in a copy of the tree that shares another's .venv (tools/check-unchanged).
SETUP := setup
RUFF := $(BIN)/ruff

# What a lock file leaves open is the machine's: pip and uv ask whatever index this machine is set up for.
EXTRAS := client test check build

.DEFAULT_GOAL := help
.PHONY: help cargo setup native demo test check lint types contracts spelling rust unchanged leaks \
	program idl generate golden bench docs format lock clean

help:
	@sed -n 's/^#   //p' Makefile

setup: $(VENV)/.ready $(VENV)/.native

$(VENV)/.ready: requirements.lock tools/bootstrap.lock pyproject.toml tools/make-venv
	@tools/make-venv "$(PYTHON)" "$(VENV)"
	@touch $@

# Only a build makes the file: without Rust it is looked for again each time.
$(VENV)/.native: $(CODEC) tools/make-native | $(VENV)/.ready
	@tools/make-native "$(VENV)"

native: $(VENV)/.ready
	@tools/make-native "$(VENV)" --must

demo: setup
	@$(BIN)/psyche demo $(ARGS)

test: setup
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: setup lint types contracts spelling leaks rust unchanged

lint: setup
	$(RUFF) check
	$(RUFF) format --check
	$(BIN)/python tools/write_docs.py --check

types: setup
	$(BIN)/mypy
	$(BIN)/pyright

contracts: setup
	$(BIN)/lint-imports

spelling: setup
	git ls-files | grep -vE '^($(GENERATED)|$(GOLDEN))/|\.lock$$|\.so$$' | xargs $(BIN)/codespell

leaks:
	tools/check-leaks

rust: cargo
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo test --workspace --locked

cargo:
	@command -v cargo >/dev/null || \
		{ printf 'error: no cargo here\n\nhint: install Rust (rustup), or run `make test`, which needs none\n' >&2; exit 1; }

# Works on a copy of the tree, so that a tree with changes of its own can be checked too.
unchanged: setup cargo
	tools/check-unchanged $(IDL) $(GENERATED) $(GOLDEN) $(TABLE) $(PROGRAM)

program:
	PATH="$$PATH:$(CURDIR)/tools/sbf" cargo-build-sbf --manifest-path programs/coordinator/Cargo.toml \
		--sbf-out-dir $(DEPLOY)
	mkdir -p $(dir $(PROGRAM))
	install -m 644 $(DEPLOY)/coordinator.so $(PROGRAM)

idl: cargo
	mkdir -p $(dir $(IDL))
	cargo run --quiet --locked -p xtask -- idl

golden: $(SETUP) cargo
	mkdir -p $(GOLDEN)
	cargo run --quiet --locked -p xtask -- golden
	$(BIN)/python -m psyche_client.optim.golden schedule $(GOLDEN)/schedule.json
	$(BIN)/python -m psyche_client.optim.golden topk $(GOLDEN)/topk.json
	$(BIN)/python -m psyche_client.optim.golden payload $(GOLDEN)/payload.json
	$(BIN)/python -m psyche_client.optim.golden aggregate $(GOLDEN)/aggregate.json
	$(BIN)/python -m psyche_client.optim.golden table $(TABLE)

generate: $(SETUP)
	$(BIN)/python -m idl2py --error-base psyche_sdk._error_base:ProgramError $(IDL) $(GENERATED)

bench: setup
	$(BIN)/python -m benchmarks $(ARGS)

docs: setup
	$(BIN)/python tools/write_docs.py

format: setup
	$(RUFF) check --fix --quiet
	$(RUFF) format
	cargo fmt --all

# Rewrites the lock from pyproject.toml; versions that still fit are kept.
lock: setup
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 $(addprefix --extra ,$(EXTRAS)) pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
		--python-version 3.11 tools/bootstrap.in -o tools/bootstrap.lock

clean:
	rm -rf $(VENV) target dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
