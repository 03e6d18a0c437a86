# The two commands of the README are `make run` and `make test`; each does all its own set-up.
.PHONY: run test test-slow docs setup bench clean

run: setup
	@.ci/demo

test: setup
	@.ci/test

# What takes minutes more: the pack built twice and compared, and the like.
test-slow: setup
	@.ci/test -m slow

docs: setup
	@.venv/bin/python -m pui.cli.docs

bench: setup
	@.venv/bin/python -m tests.benchmarks

setup:
	@.ci/setup

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
