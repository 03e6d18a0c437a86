# The two commands of the README are `make run` and `make test`; each does all its own set-up.
.PHONY: run test docs setup bench clean

run: setup
	@.ci/demo

test: setup
	@.ci/test

docs: setup
	@.venv/bin/python -m pui.cli.docs

bench: setup
	@.venv/bin/python -m tests.benchmarks

setup:
	@.ci/setup

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
