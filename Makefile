# Two commands do everything on a fresh machine (Debian with Rust): `make demo` and `make test`.

# One target folder for all clones, outside of them.
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/andon/target
VENV := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/andon/venv
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.PHONY: demo test setup lint bench nightly build

demo: ## a whole workshop in one process, board on http://127.0.0.1:8080
	cargo build --profile demo --bin andon
	$(CARGO_TARGET_DIR)/demo/andon demo $(ARGS)

build: ## the service, optimised
	cargo build --release --bin andon

test: setup ## installs what is missing, then runs every test but the long ones
	PATH="$(VENV)/bin:$$PATH" cargo test --release --workspace --tests

setup: ## mosquitto, chromium and postgresql from apt, aiosmtpd, datafusion, duckdb, seaweedfs and schemathesis from PyPI
	@sh tests/setup.sh "$(VENV)" "$(SUDO)"

bench: ## figures beside floors and targets
	cargo bench

lint: ## clippy over everything
	cargo clippy --release --workspace --all-targets

nightly: setup ## the same with the long counts, and the tests that take minutes
	PATH="$(VENV)/bin:$$PATH" ANDON_KILLS=200 ANDON_BROKER_KILLS=50 ANDON_SLEEP_S=60 ANDON_SOAK_S=1800 ANDON_CRASHES=100000 PROPTEST_CASES=500 cargo test --release --workspace --no-fail-fast -- --include-ignored
