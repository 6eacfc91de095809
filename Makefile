# What people type. Every target installs what it needs.
.DEFAULT_GOAL := help

VENV := .venv
TOOLS := .tools
UV := $(TOOLS)/uv/bin/uv
HEADGATE := $(VENV)/bin/headgate
# What Python compiles is kept, also where the environment says otherwise: each process of a test run would compile it anew
export PYTHONDONTWRITEBYTECODE :=
SHELL_SCRIPTS := .ci/run scripts/install-uv $(addprefix image/, base build build-tools compose debian go installed lint-engine network settle with-engine) \
    $(wildcard image/*.sh) $(addprefix tests/pipelines/, check login prepare)

.PHONY: help demo test test-go test-long soak test-gitlab gitlab cluster test-cluster lint schema tools validator judges readers registry apiserver cluster-tools flux-crds \
    staticcheck release-tools rehearsal browser gitlab-ci-local image test-image smoke reproducible benchmark clean

help: ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1	/'

demo: $(VENV)/.ready tools ## show the whole product in a minute
	$(HEADGATE) demo

test: $(VENV)/.ready tools validator judges readers registry gitlab-ci-local test-go ## run the tests, but for those that take minutes
	$(VENV)/bin/pytest -n auto -q

test-go: ## run the tests of the engine, of the validator and of what locks them in
	@cd image && ./go ../$(TOOLS) test ./engine/...
	@cd image/lock && ../go ../../$(TOOLS) test ./...
	@cd image/validator && ../go ../../$(TOOLS) test ./...

test-long: $(VENV)/.ready tools validator judges readers registry apiserver flux-crds browser release-tools gitlab-ci-local ## run the tests that take minutes
	$(VENV)/bin/pytest -q -m long -n 3 --dist worksteal

soak: $(VENV)/.ready tools readers ## run what takes longer still: races, random intents, and SOAK texts (100,000, an hour) before all readers
	SOAK=$${SOAK:-100000} $(VENV)/bin/pytest -q -m soak

test-gitlab: $(VENV)/.ready tools registry gitlab-ci-local ## run the tests that a real GitLab can run, on one or on the double
	$(VENV)/bin/pytest -q -m long tests/live

gitlab: $(VENV)/.ready tools registry gitlab-ci-local ## run a GitLab to play with, with an app and a manifest repository
	cd tests && ../$(VENV)/bin/python -m support.playground

cluster: cluster-tools ## run a GitLab and two clusters with Flux to play with
	cd tests && ../$(VENV)/bin/python -m support.demonstration

test-cluster: cluster-tools ## run the tests that apply to clusters with Flux
	$(VENV)/bin/pytest -q -m cluster

lint: $(VENV)/.ready staticcheck ## check style, types, shell scripts and YAML
	image/lint-engine $(TOOLS)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/shellcheck $(SHELL_SCRIPTS)
	$(VENV)/bin/hadolint Dockerfile
	$(VENV)/bin/yamllint --strict .

schema: $(VENV)/.ready ## write the JSON Schemas and reference pages anew
	$(VENV)/bin/python scripts/generate

benchmark: $(VENV)/.ready tools judges ## measure against bare Helm and Kustomize, and against gitopscli
	$(VENV)/bin/python benchmarks/hydrate.py
	$(VENV)/bin/python benchmarks/deliver.py
	$(VENV)/bin/python benchmarks/rehydrate.py

tools: ## build the engine and the reader
	@image/build-tools $(TOOLS)

validator: ## build the validator, which judges final YAML as an API server would (this takes 5 to 10 minutes the first time)
	@image/build-tools $(TOOLS) validator

judges: ## build Helm and Kustomize, with which tests compare the engine, unless PATH has these versions
	@image/build-tools $(TOOLS) judges

readers: ## build the readers of YAML with which tests compare the engine
	@image/build-tools $(TOOLS) readers

registry: ## build the registry that tests run, unless PATH has this version
	@image/build-tools $(TOOLS) registry

apiserver: ## build the Kubernetes API server that tests apply to, unless it is there (this takes 5 to 10 minutes)
	@image/build-tools $(TOOLS) apiserver

cluster-tools: $(VENV)/.ready tools validator registry gitlab-ci-local ## build a cluster with Flux, unless it is there (this takes 10 to 15 minutes)
	@image/build-tools $(TOOLS) cluster

flux-crds: ## make the CRDs of Flux that tests apply Flux objects to, and fetch that of Argo CD's Application
	@image/build-tools $(TOOLS) flux-crds

staticcheck: ## build what checks the engine's sources
	@image/build-tools $(TOOLS) staticcheck

release-tools: ## build crane and cosign, which release the image
	@image/build-tools $(TOOLS) release

rehearsal: $(VENV)/.ready registry release-tools ## release the image that IMAGE_DIGEST names into a registry of its own
	@PYTHONPATH=tests $(VENV)/bin/python release/rehearse.py

browser: ## install the browser that looks at pages in tests, from Debian's packages, where that can be done
	@image/installed chromium-headless-shell || echo "SKIPPED: there is no browser, so tests do not look at pages" >&2

gitlab-ci-local: $(VENV)/.ready ## install what expands CI configurations in tests, unless it is there
	@tests/gitlab-ci-local/install $(TOOLS)/gitlab-ci-local $(VENV)/bin/python
image: ## build the container image, with the engine that runs here or one of its own
	@image/with-engine image/build

test-image: $(VENV)/.ready tools registry gitlab-ci-local ## run hand-offs with all jobs in the image, built by 'make image'
	@image/with-engine $(VENV)/bin/pytest -q -m image -n 2 --dist loadfile tests/image

smoke: ## prove that the image works, built by 'make image'
	@image/with-engine image/smoke.sh

reproducible: ## build the image anew and compare all layers (this takes long)
	@image/with-engine image/reproducible.sh

clean: ## remove what the other targets made
	rm -rf $(VENV) $(TOOLS) .engine .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(UV):
	@mkdir -p $(TOOLS)
	@scripts/install-uv $(TOOLS)/uv

$(VENV)/.ready: $(UV) pyproject.toml uv.lock
	@UV_PYTHON_DOWNLOADS=never $(UV) sync --quiet --frozen --compile-bytecode
	@touch $@
