# Every target does all of its set-up, on a machine that has only Python 3.11 or newer, pip and make.
PORT ?= 8000
ARGS ?=
BIN := .venv/bin
SERVES := .venv/.serves
READY := .venv/.ready
# A Python that is named may be another one than before: scripts/setup looks, which is quick when it is not.
NEEDS := uv.lock pyproject.toml $(wildcard packages/*/pyproject.toml) scripts/setup $(if $(PYTHON),named)
# Most tests wait for processes that they have started, so that four at once suit two cores.
# Files are begun in the order of `testpaths`: those with processes first, so that none is left to the end alone.
PYTEST := $(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help serve test torture lint format types layers check bench clean named

help: ## Say what there is
	@sed -n 's/^\([a-z]*\): .*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name text; do printf '%-16s %s\n' "$$name" "$$text"; done
	@echo "  ARGS=\"...\" goes to the program behind serve, test, torture and bench; PORT=8000 is where serve listens."
	@echo "  PYTHON=... names the interpreter: a .venv that was made of another one is made anew."

serve: $(SERVES) ## Serve the demo agent on http://127.0.0.1:$PORT
	@exec $(BIN)/af-hosting demo --port $(PORT) $(ARGS)

test: $(READY) ## Run every test
	@$(PYTEST) $(ARGS)

torture: $(READY) ## Run every test at full figures: more sessions, bodies, kills (takes its time)
	@AF_HOSTING_FIGURES=full $(PYTEST) -o timeout=3600 $(ARGS)

lint: $(READY) ## Lint, and check the format
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

format: $(READY) ## Mend the format and what the linter can mend
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

types: $(READY) ## Check types, strictly
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright
	@for package in $(notdir $(wildcard packages/*/src/*)); do \
		PATH="$(CURDIR)/$(BIN):$$PATH" PYRIGHT_PYTHON_IGNORE_WARNINGS=1 pyright --ignoreexternal --verifytypes $$package || exit 1; \
	done

layers: $(READY) ## Check that no layer imports a higher one
	@$(BIN)/lint-imports

check: lint types layers test ## All of the above that must pass

bench: $(READY) ## Measure, beside plain Starlette
	@$(BIN)/python -m benchmarks $(ARGS)

clean: ## Remove what these targets made
	rm -rf .venv .hypothesis .import_linter_cache .pytest_cache .ruff_cache dist tests/clients/node/node_modules tests/clients/node/.install.lock
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What serving needs is a fifth of what developing needs.
$(SERVES): $(NEEDS)
	@echo "Setting up .venv ..."
	@PYTHON="$(PYTHON)" scripts/setup --no-dev --inexact
	@touch $@

$(READY): $(NEEDS)
	@echo "Setting up .venv for development ..."
	@PYTHON="$(PYTHON)" scripts/setup
	@touch $(SERVES) $@
