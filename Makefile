# make demo    a first index, of this Python's own standard library, and what it answers
# make serve   the same index asked over HTTP: a page in the browser, and an API
# make lab     a small world, models trained on it, the whole study of them, its report: lab-run/study/report/report.html
# make test    the tests      make test-long    what takes long      make lint    style, types, layers
# make docs    the pages of docs/ and the reference, as build/docs/index.html
# make fuzz SECONDS=600       damaged, hostile and random input; exit 1 on a find, with the command that repeats it
# make bench CORPUS=…         what an index of your corpus costs
# make bench-queries TOKENS=….u16 PEERS=…/bin/python    questions against the peers
# make bench-encode TOKENIZER=tokenizer.json            MB/s of encoding, by kind of corpus and number of processes
# make bench-gpu     the suffix sort on a GPU, checked and timed
# make bench-scale SIZES=10M,100M,1G    how the cost of a build and of every question grows
# make bench-build TOKENS=….u16 PEERS=…/bin/python      the suffix sort against its peers
PYTHON ?= python3
BIN := .venv/bin
SECONDS ?= 600

.PHONY: demo serve lab test test-long fuzz lint docs bench bench-build bench-encode bench-gpu bench-queries bench-scale clean

demo: .venv/core
	$(BIN)/suffixindex demo demo-index

serve: .venv/serve
	test -f demo-index/manifest.json || $(BIN)/suffixindex demo demo-index
	$(BIN)/suffixindex serve demo=demo-index

lab: .venv/dev
	$(BIN)/python -m analysis lab lab-run --seed 0

test: .venv/dev
	$(BIN)/python -m pytest -n logical --dist loadgroup

test-long: .venv/dev
	$(BIN)/python -m pytest -n logical --dist loadgroup -m 'long or not long' --hypothesis-profile=long

fuzz: .venv/dev
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(if $(TARGET),--target $(TARGET)) $(if $(SEED),--seed $(SEED))

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy docs hatch_build.py
	$(BIN)/lint-imports

docs: .venv/dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

bench: .venv/dev
	$(BIN)/python -m benchmarks.scaling $(CORPUS)

bench-encode: .venv/dev
	$(BIN)/python -m benchmarks.encoding $(if $(TOKENIZER),--tokenizer $(TOKENIZER))

bench-gpu: .venv/dev
	$(BIN)/python -m benchmarks.gpu $(if $(TOKENS),--tokens $(TOKENS))

bench-queries: .venv/dev
	$(BIN)/python -m benchmarks.queries --tokens $(TOKENS) $(if $(PEERS),--peers $(PEERS))

bench-scale: .venv/dev
	$(BIN)/python -m benchmarks.scale $(CORPUS) $(if $(SIZES),--sizes $(SIZES)) $(if $(TOKENIZER),--tokenizer $(TOKENIZER)) \
		$(if $(PEERS),--peers $(PEERS)) --keep

bench-build: .venv/dev
	$(BIN)/python -m benchmarks.build --tokens $(TOKENS) $(if $(PEERS),--peers $(PEERS))

clean:
	rm -rf .venv build demo-index lab-run

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv

.venv/core: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/serve: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[serve]'
	@touch $@ .venv/core

.venv/dev: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ .venv/core
