# make repro   run the pipeline          make test   run the tests
# make lint    check style and types     make lock   pin the newest versions
# make fresh   does dvc.lock fit?        make smoke  run the pipeline on the digits, in a copy
# make own     run it on a folder of real pictures, in the copy own/
# make cluster install Dask, with whose workers records are built on several machines
# make export  FORMAT=onnx, litert or saved_model: write the model to exports/; OPTIONS='--int8' adds to it
# make bench   measure speed             make bench-full  and the accuracies, and draw them: hours
# make -s report BASE=main               compare with a revision: Markdown on standard output;
#                                        OPTIONS='--picture curves.png --max-drop 0.005' adds to it
# make -s compare BASE=main SEEDS=5      train both sides over seeds, and say what the change does
# make page                              write the results as one HTML file, page/index.html;
#                                        BASE=main compares with a revision
# make -s predict IMAGES=photos          classify pictures: CSV on standard output;
#                                        OPTIONS='--output photos.parquet --top 5' adds to it
# GPU=1 behind any of them installs TensorFlow with CUDA; run `make clean` before changing over.
.PHONY: repro report compare page predict cluster export test test-all lint format fresh smoke own bench bench-full lock clean
.DELETE_ON_ERROR:

PYTHON ?= python3
REQUIREMENTS := $(if $(GPU),requirements-gpu.txt,requirements.txt)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1

repro: .venv/$(REQUIREMENTS)
	@git rev-parse --git-dir >/dev/null 2>&1 || .venv/bin/dvc config core.no_scm 2>/dev/null | grep -qx true || \
	{ echo "repro: error: expected a clone, received a folder without Git, which DVC refuses; clone the project, or \
	run \`.venv/bin/dvc config core.no_scm true\` and make repro again" >&2; exit 1; }
	.venv/bin/dvc repro

# What the user names is text: make does not expand it, and the shell gets it from the environment.
COMPARED := $(filter-out undefined,$(origin BASE))
BASE ?= main
SEEDS ?= 5
FORMAT ?= onnx
IMAGES ?= data/images
OPTIONS ?=
override BASE := $(value BASE)
override SEEDS := $(value SEEDS)
override FORMAT := $(value FORMAT)
override IMAGES := $(value IMAGES)
override OPTIONS := $(value OPTIONS)
export BASE SEEDS FORMAT IMAGES OPTIONS

report: .venv/$(REQUIREMENTS)
	@.venv/bin/python -m stages.review.report --base="$$BASE" --options="$$OPTIONS"

compare: .venv/$(REQUIREMENTS)
	@.venv/bin/python -m stages.review.compare --base="$$BASE" --seeds="$$SEEDS"

page: .venv/$(REQUIREMENTS)
	@.venv/bin/python -m stages.page.write $(if $(COMPARED),--base="$$BASE")

predict: .venv/$(REQUIREMENTS)
	@.venv/bin/python -m stages.serving.predict --options="$$OPTIONS" -- "$$IMAGES"

cluster: .venv/requirements-cluster.txt

export: .venv/requirements-export.txt
	@.venv/bin/python -m stages.serving.export --options="$$OPTIONS" -- "$$FORMAT"

# Tests in which the processor's own arithmetic matters run again as older processors compute: as one that has only AVX2,
# unless this is such a one, and without oneDNN.
NUMERIC := $(addprefix tests/test_,activation_layer.py activations.py batch_norm.py convolution_layer.py dropout.py max_pooling.py \
	muon.py conv_relu_pool.py inference_mode.py xla_batch_norm.py)
PYTEST := .venv/bin/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

test: .venv/requirements-dev.txt .venv/oldest-keras
	! grep -qs avx512 /proc/cpuinfo || ONEDNN_MAX_CPU_ISA=AVX2 $(PYTEST) --quiet $(NUMERIC) tests/test_resident.py
	TF_ENABLE_ONEDNN_OPTS=0 $(PYTEST) --quiet $(NUMERIC)
	$(PYTEST) $(if $(LONG),,-m "not long")

test-all: LONG := 1
test-all: test

lint: .venv/requirements-dev.txt
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.venv/bin/check-jsonschema --builtin-schema vendor.gitlab-ci .gitlab-ci.yml

format: .venv/requirements-dev.txt
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

fresh: .venv/$(REQUIREMENTS)
	.venv/bin/python -m stages.review.freshness

smoke: .venv/$(REQUIREMENTS)
	.ci/smoke

own: .venv/$(REQUIREMENTS)
	.ci/own

bench: .venv/requirements-bench.txt
	.venv/bin/python -m benchmarks step
	.venv/bin/python -m benchmarks data_path
	.venv/bin/python -m benchmarks accuracy --quick

bench-full: .venv/requirements-bench.txt
	.venv/bin/python -m benchmarks ablation
	.venv/bin/python -m benchmarks tutorials
	.venv/bin/python -m benchmarks learning
	-.venv/bin/python -m benchmarks accuracy
	$(if $(GPU),-.venv/bin/python -m benchmarks accuracy --device gpu)
	.venv/bin/python -m benchmarks picture

PIP := .venv/bin/python -m pip install --quiet --disable-pip-version-check
# pip itself compiles on one core.
COMPILE := .venv/bin/python -m compileall -qq -j 0 .venv/lib || true

# .venv has a copy of each file that is installed, so that a changed file is installed again.
.venv/requirements.txt .venv/requirements-gpu.txt: .venv/%: %
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit("expected Python 3.11, 3.12 or \
	3.13, which TensorFlow 2.21 is built for; received %s. Name one: make PYTHON=python3.12" % sys.version.split()[0])'
	test -d .venv || $(PYTHON) -m venv .venv
	$(PIP) --no-compile --requirement $<
	$(COMPILE)
	cp $< $@

.venv/requirements-cluster.txt .venv/requirements-dev.txt .venv/requirements-export.txt .venv/requirements-bench.txt: .venv/%: % .venv/$(REQUIREMENTS)
	$(PIP) --no-compile --requirement $<
	$(COMPILE)
	cp $< $@

.venv/oldest-keras: requirements-oldest.txt .venv/$(REQUIREMENTS)
	rm -rf $@
	$(PIP) --no-deps --target $@ --requirement $<

UV_COMPILE := .venv/bin/uv pip compile --quiet --upgrade --universal --fork-strategy fewest --python-version 3.11 --no-annotate --custom-compile-command 'make lock'

lock: .venv/requirements.txt
	$(PIP) uv
	$(UV_COMPILE) pyproject.toml --extra cpu --output-file requirements.txt
	$(UV_COMPILE) pyproject.toml --extra gpu --constraint requirements.txt --output-file requirements-gpu.txt
	$(UV_COMPILE) --group export --constraint requirements.txt --output-file requirements-export.txt
	$(UV_COMPILE) --group cluster --constraint requirements.txt --output-file requirements-cluster.txt
	$(UV_COMPILE) --group dev --constraint requirements.txt --constraint requirements-export.txt --constraint requirements-cluster.txt --output-file requirements-dev.txt

clean:
	rm -rf .venv .axe-core .hypothesis .mypy_cache .pytest_cache .ruff_cache
