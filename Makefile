# Two commands for a fresh machine: `make demo` and `make test`.

PYTHON = .venv/bin/python
TEST_ENVIRONMENT = CERPLY_ENV=test FF_GAMIFICATION_V1=true FF_CERTIFICATES_V1=true FF_MANAGER_NOTIFICATIONS_V1=true \
	ADMIN_TOKEN=dev-admin-token-12345
# A PostgreSQL for as long as the command runs, unless DATABASE_URL names one.
WITH_DATABASE = $(PYTHON) -m cerply.management.postgres --ephemeral --

.PHONY: demo demo-reset test test-fast lint lock setup checkers interop

demo: setup
	@exec $(PYTHON) -m cerply.management.demo

demo-reset: setup
	@exec $(PYTHON) -m cerply.management.demo --reset

# What pyproject.toml asks for and nothing of where it comes from; pins stay as they are, as far as they may. The image
# has no use for what only development needs.
COMPILE = .venv/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.12 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock"

lock: setup
	$(COMPILE) --group dev -o requirements.lock
	$(COMPILE) --constraint requirements.lock -o requirements-production.lock

# Two at once, each with a database of its own.
test: setup checkers interop
	$(TEST_ENVIRONMENT) $(WITH_DATABASE) $(PYTHON) -m pytest -q -m "not slow" -n 2
	$(TEST_ENVIRONMENT) $(WITH_DATABASE) $(PYTHON) -m pytest -q -m slow -n 2

test-fast: setup checkers
	$(TEST_ENVIRONMENT) $(WITH_DATABASE) $(PYTHON) -m pytest -q -m "not slow" -n 2

lint: setup
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	CERPLY_ENV=test DATABASE_URL=postgres:///none $(PYTHON) -m mypy
	.venv/bin/lint-imports --no-cache

setup:
	@sh scripts/setup.sh

checkers:
	@sh scripts/setup_checkers.sh

# Verifiers that others wrote. Without Node.js the tests that need them are left out, and pytest's last lines say so.
interop:
	@sh scripts/setup_interop.sh
