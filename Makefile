# Every command of this repository. `make` alone explains them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:
.SILENT:

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.ready
TRAIN_STAMP := .venv-train/.ready
SCHEMA_SITE := .venv-terraform
LOCKS := requirements/bootstrap.txt requirements/dev.txt
LOCK := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
FORMATTED := libs services deploy tests tools notebooks
IMAGE_LISTS := $(patsubst requirements/%.in,%,$(wildcard requirements/images/*.in))



.PHONY: help setup train-setup model up down status logs reset demo check format test unit faults bench events replay promises lock cost lab-results terraform-schemas test-terraform test-cluster test-upgrade images sbom test-images go-tools publish promote retire smoke backup restore drill

help:  ## Show this page
	echo "Bloom: what you can say here (each command first installs what is missing)"
	echo
	awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	echo
	echo "Options: replay AT=offset or moment SWAP=1  ·  logs SERVICE=auth-api  ·  faults/bench ROW=1,2 LONG=1  ·  up KAFKA_NODES=3 OBS=1  ·  test ONLY=path"
	echo "Next: make up"

setup: $(STAMP)  ## Install everything this repository needs, at locked versions, into .venv
	echo "Ready. Next: make up (the whole platform) or make test (everything that is checked)."

$(STAMP): $(LOCKS) tools/workspace.sh $(wildcard libs/*/pyproject.toml services/*/pyproject.toml)
	bash tools/workspace.sh "$(PYTHON)" "$(VENV)"
	touch $(STAMP)

train-setup: $(TRAIN_STAMP)  ## Install what making models needs (PyTorch, 6 GB) into .venv-train
	echo "Ready. Next: make model SOURCE=<folder of the weights> DATA=<development set>"

$(TRAIN_STAMP): requirements/train.txt tools/train_workspace.sh | $(STAMP)
	bash tools/train_workspace.sh "$(PYTHON)" "$(VENV)" .venv-train
	touch $(TRAIN_STAMP)

model: $(TRAIN_STAMP)  ## Make the start-up model from its weights: SOURCE=folder DATA=development set, ANEW=1 from the start
	cd services/ml-scoring
	../../.venv-train/bin/python -m training "$(abspath $(SOURCE))" "$(abspath $(DATA))" $(if $(ANEW),--anew)

up: $(STAMP)  ## Start the whole platform on this machine, wait until it is ready, print addresses and logins
	$(RUN) -m local_stack up

down: $(STAMP)  ## Stop the platform, keep its data
	$(RUN) -m local_stack down

status: $(STAMP)  ## Show every component with its state and address
	$(RUN) -m local_stack status

logs: $(STAMP)  ## Follow the log of one component: make logs SERVICE=auth-api
	$(RUN) -m local_stack logs $(SERVICE)

reset: $(STAMP)  ## Delete the local data after asking (YES=1 does not ask)
	$(RUN) -m local_stack reset $(if $(YES),--yes)

demo: $(STAMP)  ## Tell the stories of a visit and of a crisis on the running platform
	$(RUN) -m local_stack demo

backup: $(STAMP)  ## Back up databases, topics' settings and places of consumers, sealed (TO=folder)
	$(RUN) -m local_stack backup $(if $(TO),--to "$(abspath $(TO))")

restore: $(STAMP)  ## Bring the platform back to a backup, after asking (FROM=folder, else the last one; YES=1)
	$(RUN) -m local_stack restore $(if $(FROM),--from "$(abspath $(FROM))") $(if $(YES),--yes)

drill: $(STAMP)  ## Back up, destroy PostgreSQL, restore, print RPO and RTO, after asking (YES=1)
	$(RUN) -m local_stack drill $(if $(YES),--yes)

check: $(STAMP)  ## Format, lint, types, import contracts, architecture, generated files (no servers)
	$(RUN) -m tools.check

format: $(STAMP)  ## Rewrite the Python files in the one format
	$(VENV)/bin/ruff format $(FORMATTED)
	$(VENV)/bin/ruff check --fix $(FORMATTED)
	echo "Formatted. Next: make check"

unit: $(STAMP)  ## Tests that need no server, in seconds
	$(RUN) -m pytest -q -m "not server" $(ONLY)
	echo "Unit tests passed. Next: make test"

test: $(STAMP)  ## Everything CI runs: checks, tests on real servers, faults in their short form
	$(RUN) -m tools.verify $(ONLY)

test-cluster: $(STAMP)  ## The chart on a real API server with simulated nodes (Go builds it once, 30 min): ONLY=qa picks values
	$(RUN) -m tests.cluster $(ONLY)

test-upgrade: $(STAMP)  ## The code of before on the tables of now, by its own tests: FROM=tag, ONLY=billing picks services
	$(RUN) -m tests.upgrade $(ONLY) $(if $(FROM),--from $(FROM))

faults: $(STAMP)  ## Kill things and look whether anything was lost: ROW=1,2 picks rows, LONG=1 the long form
	$(RUN) -m tests.faults $(if $(ROW),--row $(ROW)) $(if $(LONG),--long)

bench: $(STAMP)  ## Paired benchmarks with their goals: ROW=name picks rows, LONG=1 the long form
	$(RUN) -m tests.bench $(if $(ROW),--row $(ROW)) $(if $(LONG),--long)

events: $(STAMP)  ## Regenerate what is generated: schemas, docs/events.md, AsyncAPI, OpenAPI, problems, dashboards, Terraform's catalogue and pages, promises
	$(RUN) -m tools.generate

images: $(STAMP)  ## Build the images with docker, podman or buildah: ENGINE=podman picks one, ONLY="auth gateway" some
	$(RUN) -m images build $(ONLY)

test-images: $(STAMP)  ## Build the images and try them: user, size, content, health, read-only start, signals (ONLY="auth")
	BLOOM_IMAGES="$(ONLY)" $(RUN) -m pytest -q tests/images

sbom: $(STAMP)  ## Write a CycloneDX bill of materials for each image into .local/sbom
	$(RUN) -m images sbom $(ONLY)

go-tools: $(STAMP)  ## Build the checks' Go programs (actionlint, tflint, kubeconform, promtool) into .local/go-tools
	$(RUN) -m tools.go_tools

publish: $(STAMP)  ## Give the images to a registry: REGISTRY=host/path, REGISTRY_USER and REGISTRY_PASSWORD in the environment
	$(RUN) -m images publish $(ONLY)

promote: $(STAMP)  ## Have an environment run what was published (TO=dev), or what the one before it runs (FROM=dev TO=qa)
	$(if $(TO),,echo "Say which: make promote TO=dev, or FROM=dev TO=qa" >&2; exit 2)
	$(RUN) -m images promote $(TO) $(if $(FROM),--from $(FROM))

retire: $(STAMP)  ## Remove a preview: ENVIRONMENT=preview-12
	$(RUN) -m images retire $(ENVIRONMENT)

smoke: $(STAMP)  ## Ask an environment's gateway until it answers: URL=https://...
	$(RUN) -m images smoke "$(URL)"

replay: $(STAMP)  ## Rebuild a metric, or people or sessions, from the log and compare: METRIC=appointments.booked FROM=2026-11-01
	$(if $(METRIC),,echo "Say which: make replay METRIC=appointments.booked FROM=2026-11-01" >&2; exit 2)
	$(RUN) -m local_stack run analytics replay $(METRIC) $(if $(FROM),--from $(FROM)) $(if $(AT),--at $(AT)) $(if $(SWAP),--swap)

promises: $(STAMP)  ## Print how many promises of the contract are shown by a test
	$(RUN) -m tools.promises print

cost: $(STAMP)  ## Print what a cell costs a month at 1 k, 10 k and 100 k users, beside the contract's figures
	$(RUN) -m tools.terraform.cost

lab-results: $(STAMP)  ## Write the archive of the lab results' function, which Terraform uploads
	$(RUN) -m tools.terraform.package

$(SCHEMA_SITE)/.ready: requirements/terraform.txt | $(STAMP)
	$(VENV)/bin/uv pip install --quiet --target $(SCHEMA_SITE) --no-deps --require-hashes -r requirements/terraform.txt
	touch $(SCHEMA_SITE)/.ready

terraform-schemas: $(SCHEMA_SITE)/.ready  ## Read anew what Google's and Confluent's providers take, from wheels made from their schemas
	$(RUN) -m tools.terraform.schemas $(SCHEMA_SITE)
	echo "Written. Next: git diff terraform/schemas, then make check"

test-terraform: $(SCHEMA_SITE)/.ready  ## Validate and test the Terraform modules with Terraform itself (AWS), and the schemas of the others
	$(RUN) -m tools.terraform.verify $(SCHEMA_SITE)

lock: $(STAMP)  ## Resolve requirements/*.in anew into hashed locks
	$(LOCK) requirements/bootstrap.in -o requirements/bootstrap.txt
	$(LOCK) requirements/dev.in -o requirements/dev.txt
	for name in runtime local sbom $(IMAGE_LISTS); do $(LOCK) -c requirements/dev.txt requirements/$$name.in -o requirements/$$name.txt; done
	$(LOCK) requirements/train.in -o requirements/train.txt
	$(LOCK) --no-deps requirements/terraform.in -o requirements/terraform.txt
	echo "Locked. Next: make setup"
