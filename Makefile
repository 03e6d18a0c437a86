# The two commands of the README are `make run` and `make test`; each does all its own set-up.
.PHONY: run test test-slow fuzz docs security setup bench clean

run: setup
	@.ci/demo

test: setup
	@.ci/test

# What takes minutes more: the pack built twice and compared, and the like.
test-slow: setup
	@.ci/test -m slow

# Coverage-guided fuzzing of everything that reads hostile bytes: FUZZ_SECONDS (60) for each of some twenty targets,
# or only those of TARGETS="rpc mux". Findings are kept under build/fuzz with the command that runs one again.
fuzz: setup
	@.ci/fuzz $(TARGETS)

docs: setup
	@.venv/bin/python -m pui.cli.docs

# The tables of docs/security.md, from the last run of the tests (build/security-cases.json).
security: setup
	@.venv/bin/python -m tests.support.security_page

bench: setup
	@.venv/bin/python -m tests.benchmarks

setup:
	@.ci/setup

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
