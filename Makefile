# make demo    separate the example recordings, and print the scores of the stems with and without context;
#              MODEL=FILE.tflite uses another model than the bundled one
# make test    lint, types and tests
# make bench   run the benchmarks of docs/benchmarks.md and write the tables
# make bench-gpu  run the benchmarks of the GPU section, on a machine with a GPU
# make bench-live  time a live signal, with other cores idle and busy
# make docs    build the site of docs/ in build/site and check the links
# make web     build the page that separates in the browser in build/web; requires npm (Node 18 or later)
# make check   lint, types, generated documents and the quick tests: under 3 minutes on two cores
# make release build the source archive and both wheels in dist/, check them, and write SHA256SUMS; requires npm
# make bench-batch  time batches of recordings in one process and on all cores
# make peers   score and time other installed tools and `dss`; TESTSET="FOLDER ..." replaces the small test set with
#              synthetic voices, PEERS="--dtln FILE FILE ..." adds tools without a package
# make report  write build/example-report.html for a small test set with synthetic voices
# make conversions  score Keras and the exported files, and write the table of docs/benchmarks.md;
#              TESTSET="FOLDER ..." replaces the small test set with synthetic voices
# make rooms   simulate rooms and write the table of docs/experiments/02-rooms.md; RIRS=FOLDER adds measured rooms
# make readme  measure the README's scores and draw its picture again
# make fuzz    test 10,000 damaged recordings, 1,000 damaged models, 200 kills at random moments; SEED=N repeats a
#              run, MINUTES limits each of the three
# make clean   remove everything that these targets create
#
# Requires Python >= 3.10 with venv, and npm where noted. The targets create their own virtual environments.
# To use another Python: make demo PYTHON=python3.12

PYTHON ?= python3
PIP_INSTALL = -m pip install -qq --disable-pip-version-check

EXAMPLES = examples/two_talkers.flac examples/conversation.flac
MODEL ?= lite
TESTSET ?= build/conversions
PACKAGE = pyproject.toml README.md LICENSE \
          $(shell find dss_cli configs models share -type f -not -name '*.pyc' -not -name '.*')

.PHONY: demo separate check test fuzz docs web web-packages release bench bench-gpu bench-live bench-batch peers \
        report conversions rooms readme clean
.DELETE_ON_ERROR:

demo: separate
	@.venv/bin/python examples/demo.py out out/without-context

separate: .venv/installed
	.venv/bin/dss separate $(EXAMPLES) --model $(MODEL) --output-dir out --overwrite
	.venv/bin/dss separate $(EXAMPLES) --model $(MODEL) --context none --output-dir out/without-context --overwrite

# A file runs in one process, which shares its fixtures; files with slow tests begin (tests/conftest.py).
PARALLEL = -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: .venv-test/installed
	.venv-test/bin/ruff check
	.venv-test/bin/ruff format --check
	.venv-test/bin/mypy
	.venv-test/bin/python -m tools.update_docs --check folders models share schema
	.venv-test/bin/python -m pytest $(PARALLEL) -m "not slow and not alone"

docs: .venv-docs/installed
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet
	@echo "build/site/index.html"

web: web/node_modules/installed .venv/installed
	.venv/bin/python -m tools.web_page build/web

release: .venv-test/installed web
	rm -rf dist
	.venv-test/bin/python -m tools.release dist

test: .venv-test/installed web-packages
	.venv-test/bin/ruff check
	.venv-test/bin/ruff format --check
	.venv-test/bin/mypy
	.venv-test/bin/python -m pytest $(PARALLEL) -m "not alone"
	.venv-test/bin/python -m pytest -m alone

SEED := $(or $(SEED),$(shell date +%s))
MINUTES ?= 60
FUZZ = --seed $(SEED) --minutes $(MINUTES) --document docs/robustness.md

fuzz: .venv-test/installed
	.venv-test/bin/python -m tools.fuzz audio --count 10000 $(FUZZ)
	.venv-test/bin/python -m tools.fuzz models --count 1000 $(FUZZ)
	.venv-test/bin/python -m tools.fuzz kills --count 200 $(FUZZ)

bench: .venv/installed build/base-untrained.tflite
	.venv/bin/python -m tools.update_docs bench

# The published size with untrained weights, which have no effect on the speed.
build/base-untrained.tflite: .venv-test/installed
	.venv-test/bin/dss export --untrained --configuration base -o build --overwrite

bench-gpu: .venv/installed
	@.venv/bin/python $(PIP_INSTALL) '.[energy]'
	.venv/bin/python -m tools.update_docs bench-gpu

bench-live: .venv/installed
	.venv/bin/python -m tools.update_docs bench-live

bench-batch: .venv/installed
	.venv/bin/python -m tools.batch_speed --document docs/benchmarks.md

peers: .venv-test/installed $(TESTSET:%=%/test-set.json)
	.venv-test/bin/python -m tools.peers.compare $(TESTSET) $(PEERS) --document docs/benchmarks.md

report: .venv-test/installed
	rm -rf build/synthetic
	.venv-test/bin/dss simulate-test-set build/synthetic --preset quick --count 2 --seconds 2 --seed 1
	.venv-test/bin/dss evaluate build/synthetic --report build/example-report.html --overwrite --quiet

conversions: .venv-test/installed $(TESTSET:%=%/test-set.json)
	.venv-test/bin/python -m tools.conversions $(TESTSET) \
	    --weights models/lite.weights.h5 --document docs/benchmarks.md

build/conversions/test-set.json: | .venv-test/installed
	rm -rf build/conversions
	.venv-test/bin/dss simulate-test-set build/conversions --preset quick --count 4 --seconds 4 --seed 1

rooms: .venv-test/installed
	.venv-test/bin/python -m tools.room_table $(RIRS:%=--rirs %) --document docs/experiments/02-rooms.md

readme: separate .venv-test/installed
	.venv-test/bin/python -m tools.update_docs scores
	.venv-test/bin/python examples/plot_example.py out docs/images/two_talkers.png

# The wheel as users install it: not editable, without TensorFlow.
.venv/installed: $(PACKAGE)
	@echo "Installing dss into .venv ..."
	@$(PYTHON) -m venv .venv
	@.venv/bin/python $(PIP_INSTALL) .
	@touch $@

.venv-test/installed: pyproject.toml
	@echo "Installing dss, TensorFlow and the test tools into .venv-test ..."
	@$(PYTHON) -m venv .venv-test
	@.venv-test/bin/python $(PIP_INSTALL) -e '.[dev,train]'
	@touch $@

# Packages for building and testing the page, pinned by the lockfile; their own scripts are not run.
web/node_modules/installed: web/package-lock.json
	cd web && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

web-packages:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory web/node_modules/installed || \
	    echo "tests of the page: skipped, npm could not install their packages" >&2; \
	else echo "tests of the page: skipped, no npm" >&2; fi

# Only the tools of the site: the package is not imported.
.venv-docs/installed: pyproject.toml
	@$(PYTHON) -m venv .venv-docs
	@.venv-docs/bin/python $(PIP_INSTALL) 'mkdocs-material>=9.5,<10'
	@touch $@

clean:
	rm -rf .venv .venv-test .venv-docs web/node_modules out dist build .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find dss_cli examples tests -name __pycache__ -type d -prune -exec rm -rf {} +
