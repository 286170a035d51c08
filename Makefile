# Every target sets up what it needs, and runs again without harm. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CARGO := cargo
JAVASCRIPT := "bindings-node/**/*.{js,mjs,ts,mts}" "examples/**/*.{mjs,ts,tsx,css}" "tests/**/*.{mjs,jsx}" "scripts/*.{cjs,mjs}"
VENV := target/venv
PYTHON := $(VENV)/bin/python
# `make fuzz SANITIZER=address` needs the nightly toolchain; coverage alone does not.
SANITIZER := none
FUZZ := CARGO_PROFILE_RELEASE_LTO=off $(CARGO) $(if $(filter-out none,$(SANITIZER)),+nightly) fuzz
FUZZ_BUILD := --sanitizer $(SANITIZER) --features libfuzzer
TARGETS = $(shell $(CARGO) fuzz list)
SECONDS := 3600
KILLS := 2000
FREEZES := 300
BEGINS := 100000
SEQUENCES := 20000
RUNS := 1000000
RACES := 100000
TURNS := 1000
PLATFORMS := linux-x64-gnu linux-x64-musl linux-arm64-gnu linux-arm64-musl
RECORDS := 100000
MESSAGES := 200000
CHATS := 100000
ROTATION_KILLS := 200
CUTS := 1200
ANSWERS := 20
PROCESSES := 8
SLOTS := 4
# What storm, contend, upgrade and tails run on: sqlite or postgres. RESTARTS crashes that server in a storm.
STORE := sqlite
RESTARTS := 0
# Extension modules must not link libpython; the interpreter that loads them has it.
export PYO3_BUILD_EXTENSION_MODULE := 1

.PHONY: help demo example test lint bench bench-languages simulate storm effects answers waiting steer contend upgrade tails replicas chats cuts proxies vanish rotate packages roots surface fuzz clean node python ffi build npm header

help: ## This list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: ## The main job, on SQLite: a turn, a kill, a race, an export
	@scripts/need.sh cargo node cc
	$(CARGO) build --locked -p turnkeep-node
	@cp --remove-destination target/debug/libturnkeep_node.so target/debug/turnkeep-demo.node
	@TURNKEEP_NATIVE=target/debug/turnkeep-demo.node node examples/demo/demo.mjs

# A running process may have the file before mapped: it is replaced, and not written over.
example: ## A chat with a NestJS server and a React page, on http://127.0.0.1:3000
	@scripts/need.sh cargo node npm cc
	$(CARGO) build --locked -p turnkeep-node
	@cp --remove-destination target/debug/libturnkeep_node.so target/debug/turnkeep-demo.node
	cd examples/nestjs && npm ci --no-audit --no-fund && npm run --silent build
	cd examples/nestjs && TURNKEEP_NATIVE=$(CURDIR)/target/debug/turnkeep-demo.node npm start --silent

test: $(VENV)/.done npm build ## Every suite, and one total
	@scripts/need.sh valgrind gcc g++ nm strip postgres pgbouncer
	-@scripts/need.sh chromium nginx caddy # Without them what needs them is counted as skipped.
	@$(PYTHON) tests/run.py

build: # What the suites of all languages run on: one build, so that features are resolved once.
	@scripts/need.sh cargo cc
	$(CARGO) build --locked --workspace --all-targets
	@cp --remove-destination target/debug/libturnkeep_node.so target/debug/turnkeep.node
	@cp --remove-destination target/debug/libturnkeep_python.so bindings-python/python/turnkeep/_native.abi3.so

lint: $(VENV)/.done npm build header ## Formatting, lints, documentation, header, types
	$(CARGO) fmt --all --check
	$(CARGO) run --locked --quiet -p turnkeep-surface -- . --check
	$(CARGO) clippy --locked --workspace --all-targets --features turnkeep-tests/simulation -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps
	bindings-node/node_modules/.bin/prettier --check --log-level warn $(JAVASCRIPT)
	cd bindings-node && npm run --silent types
	cd examples/nestjs && npm ci --no-audit --no-fund --silent && npm run --silent types
	$(VENV)/bin/ruff check bindings-python tests && $(VENV)/bin/ruff format --check bindings-python tests
	cd bindings-python && ../$(VENV)/bin/mypy && \
		MYPYPATH=python PYTHONPATH=python ../$(VENV)/bin/python -m mypy.stubtest turnkeep --allowlist stubtest-allowlist.txt --ignore-unused-allowlist
	$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/{fault,wish}.yml

bench: ## Benchmarks; each prints its ratio to a peer measured in the same run
	@scripts/need.sh cargo node npm cc c++ python3
	$(CARGO) bench --locked -p turnkeep
	$(CARGO) run --locked --release -p turnkeep-tests --bin bench-providers
	$(CARGO) build --locked --release -p turnkeep-node -p turnkeep-python -p turnkeep-ffi
	@$(MAKE) --no-print-directory bench-languages

bench-languages: bindings-node/bench/node_modules/.done # Needs what `bench` has built.
	@cp --remove-destination target/release/libturnkeep_node.so target/release/turnkeep.node
	@mkdir -p target/bench && rm -rf target/bench/turnkeep && cp -r bindings-python/python/turnkeep target/bench/
	@cp --remove-destination target/release/libturnkeep_python.so target/bench/turnkeep/_native.abi3.so
	TURNKEEP_NATIVE=target/release/turnkeep.node node bindings-node/bench/functions.mjs
	TURNKEEP_NATIVE=target/release/turnkeep.node TURNKEEP_PYTHON=target/bench node bindings-node/bench/export.mjs
	PYTHONPATH=target/bench python3 bindings-python/bench/functions.py target/release/libturnkeep_ffi.so

simulate: ## SEEDS (100000) random schedules with faults; SEED=n replays one, MUTATION=name breaks a rule on purpose
	@scripts/need.sh cargo
	@$(CARGO) build --locked --quiet --release -p turnkeep-tests --features simulation --bin simulate
	@SEEDS=$(SEEDS) SEED=$(SEED) FROM=$(FROM) MUTATION=$(MUTATION) target/release/simulate

# A debug build: it is there sooner, and most of a storm is waiting.
storm: ## KILLS (2000) kills and FREEZES (300) freezes of processes on one STORE; RESTARTS of a server; or FREEZE_ALL / CLOCK rounds
	@scripts/need.sh cargo cc $(filter postgres,$(STORE))
	$(CARGO) build --locked -p turnkeep-tests --bin storm --bin sleepers --bin turn-child
ifneq ($(FREEZE_ALL)$(CLOCK),)
	@$(if $(FREEZE_ALL),target/debug/sleepers rounds=$(FREEZE_ALL) store=$(STORE) seed=$(SEED))
	@$(if $(CLOCK),target/debug/sleepers rounds=$(CLOCK) clock=1 store=$(STORE) seed=$(SEED))
else
	@target/debug/storm kills=$(KILLS) freezes=$(FREEZES) seed=$(SEED) slots=$(SLOTS) store=$(STORE) restarts=$(RESTARTS)
endif

effects: ## KILLS (2000) kills, and some freezes, of processes whose tools count in the STORE's own database
	@scripts/need.sh cargo cc $(filter postgres,$(STORE))
	$(CARGO) build --locked -p turnkeep-tests --bin effects
	@target/debug/effects kills=$(KILLS) store=$(STORE) seed=$(SEED)

answers: ## KILLS (2000) kills of the process that asks for answers and of the one that gives them, on one STORE
	@scripts/need.sh cargo cc $(filter postgres,$(STORE))
	$(CARGO) build --locked -p turnkeep-tests --bin answers
	@target/debug/answers kills=$(KILLS) store=$(STORE) seed=$(SEED)

waiting: ## RUNS (1000000) runs that wait in one file: what they cost, and how soon one that is answered goes on, in figures
	@scripts/need.sh cargo cc
	$(CARGO) build --locked -p turnkeep-tests --bin waiting
	@target/debug/waiting runs=$(RUNS)

steer: ## RACES (100000) of messages that join runs against ends, stops, kills and take-overs of these, on one STORE
	@scripts/need.sh cargo cc $(filter postgres,$(STORE))
	$(CARGO) build --locked -p turnkeep-tests --bin steer
	@target/debug/steer races=$(RACES) store=$(STORE) seed=$(SEED)

contend: ## BEGINS (100000) contended begins in 100 chats, from 8 engines in 8 PROCESSES on one STORE
	@scripts/need.sh cargo cc $(filter postgres,$(STORE))
	$(CARGO) build --locked -p turnkeep-tests --bin contend
	@target/debug/contend begins=$(BEGINS) processes=$(PROCESSES) connections=8 store=$(STORE)

upgrade: ## TURNS (1000) of two versions at a time on one STORE, one of which writes what the other does not know
	@scripts/need.sh cargo cc $(filter postgres,$(STORE))
	$(CARGO) build --locked -p turnkeep-tests --bin upgrade --bin worker-child
	@target/debug/upgrade turns=$(TURNS) store=$(STORE) seed=$(SEED)

tails: ## SEQUENCES (20000) readers that come and go, in 2 processes, over live and finished runs in a STORE
	@scripts/need.sh cargo cc $(filter postgres,$(STORE))
	$(CARGO) build --locked -p turnkeep-tests --bin tails
	@target/debug/tails sequences=$(SEQUENCES) store=$(STORE)

replicas: ## What it costs to be several processes on one PostgreSQL server: stops, tails, steps, WAL, in figures
	@scripts/need.sh cargo cc postgres pgbouncer
	$(CARGO) build --locked --release -p turnkeep-tests --bin replicas
	@for what in stop tail steps wal; do target/release/replicas $$what; done

chats: ## Lists, searches and exports of a STORE with 200000 MESSAGES and 100000 CHATS, in figures
	@scripts/need.sh cargo cc $(filter postgres,$(STORE))
	$(CARGO) build --locked --release -p turnkeep-tests --bin chats
	@target/release/chats messages=$(MESSAGES) chats=$(CHATS) store=$(STORE)

cuts: npm build ## CUTS (1200) cuts of a page's connection over ANSWERS (20) answers, and of official clients over 3 processes
	cd bindings-node && CUTS=$(CUTS) ANSWERS=$(ANSWERS) TURNKEEP_NATIVE=$(CURDIR)/target/debug/turnkeep.node \
		node --test --test-reporter=spec --test-name-pattern "cut at random" test/client.test.mjs
	@scripts/need.sh postgres
	cd tests/servers && npm ci --no-audit --no-fund --silent && CUTS=$(CUTS) NODE_PATH=$$PWD/node_modules \
		TURNKEEP_NATIVE=$(CURDIR)/target/debug/turnkeep.node node --test --test-reporter=spec replicas.test.mjs

proxies: npm build ## nginx and Caddy with an idle timeout of 5 s, and a tool that is silent for 20
	-@scripts/need.sh nginx caddy
	cd tests/servers && npm ci --no-audit --no-fund --silent && SLOW=1 NODE_PATH=$$PWD/node_modules \
		TURNKEEP_NATIVE=$(CURDIR)/target/debug/turnkeep.node node --test --test-reporter=spec proxies.test.mjs

vanish: npm build ## TURNS (1000), twice, whose clients vanish at random: what is held in the end, in figures
	cd bindings-node && TURNS=$(TURNS) TURNKEEP_NATIVE=$(CURDIR)/target/debug/turnkeep.node \
		node --test --test-reporter=spec test/vanish.test.mjs

rotate: ## ROTATION_KILLS (200) kills of processes that seal RECORDS (100000) stored keys anew
	@scripts/need.sh cargo cc
	$(CARGO) build --locked -p turnkeep-tests --bin rotate
	@target/debug/rotate records=$(RECORDS) kills=$(ROTATION_KILLS) seed=$(SEED)

surface: ## Writes what only converts, in every language, from the description of the surface; `lint` checks it
	@scripts/need.sh cargo
	$(CARGO) run --locked --quiet -p turnkeep-surface -- .

fuzz: ## Every fuzz target (or TARGETS) for SECONDS (3600) each; what they find goes to fuzz/artifacts/
	@scripts/need.sh cargo cargo-fuzz g++
	@for target in $(TARGETS); do \
		mkdir -p target/fuzz/$$target fuzz/regressions/$$target; \
		$(FUZZ) run $(FUZZ_BUILD) $$target target/fuzz/$$target fuzz/corpus/$$target fuzz/regressions/$$target -- \
			-dict=fuzz/words.dict -max_total_time=$(SECONDS) -max_len=65536 -timeout=20 -rss_limit_mb=4096; \
	done

node: ## The npm package, in bindings-node/
	@scripts/need.sh cargo node cc
	$(CARGO) build --locked --release -p turnkeep-node
	@cp --remove-destination target/release/libturnkeep_node.so bindings-node/$$(node scripts/native-name.cjs)
	@cd bindings-node && node -e 'require("./index.js")' && echo "bindings-node/ is ready: npm pack, or npm install ./bindings-node"

packages: ## The npm packages, in target/npm/: `turnkeep`, and native halves for PLATFORMS of Linux, cross-compiled
	@scripts/need.sh cargo node npm python3 strip
	@for platform in $(PLATFORMS); do \
		file=$$(scripts/cross.sh $$platform); halves="$${halves:-} $$platform=$$file"; \
	done; node scripts/npm-packages.mjs target/npm $$halves

roots: ## What `packages` has made, in other roots: an old glibc, musl, arm64 under qemu. Needs root; installs what it needs from Debian
	@scripts/need.sh debootstrap qemu-aarch64
	@tests/packages/roots.sh target/npm

python: $(VENV)/.done ## A wheel, in target/wheels/
	@scripts/need.sh cargo cc
	$(VENV)/bin/maturin build --locked --release -m bindings-python/Cargo.toml --out target/wheels

ffi: ## Library, header and pkg-config file, in target/dist/
	@scripts/need.sh cargo cc
	$(CARGO) build --locked --release -p turnkeep-ffi
	@scripts/dist.sh target/release target/dist

clean: ## Removes what the other targets made
	$(CARGO) clean
	rm -rf bindings-node/node_modules bindings-node/bench/node_modules bindings-node/*.node bindings-python/python/turnkeep/_native.abi3.so

header: # The committed header is what cbindgen makes of the sources.
	TURNKEEP_HEADER_CHECK=1 $(CARGO) build --locked --workspace --all-targets

npm: bindings-node/node_modules/.done

bindings-node/node_modules/.done: bindings-node/package-lock.json
	@scripts/need.sh node npm
	cd bindings-node && npm ci --no-audit --no-fund
	@touch $@

# better-sqlite3 is compiled where there is no binary of it for this Node; only the benchmarks need it.
bindings-node/bench/node_modules/.done: bindings-node/bench/package-lock.json
	cd bindings-node/bench && npm ci --no-audit --no-fund
	@touch $@

$(VENV)/.done: tests/requirements.txt
	@scripts/need.sh python3
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	@touch $@
