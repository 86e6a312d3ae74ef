# Everything below runs in a virtual environment that the first target makes by itself, in the cache, outside this folder.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo kubernetes demo-down demo-shell demo-kubectl demo-salt render versions bench-render bench-beacon bench-approve bench-storm bench-day bench-node test test-unit test-functional test-integration test-nodes test-nodes-all lint venv clean-cache

PYTHON ?= python3
PROCESSES ?= 2
NODE ?= worker-1
CACHE := $(or $(KUBE_NODE_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kube_node)
export PYTHONPATH := $(CURDIR)/tests:$(CURDIR)/_utils
export PYTHONPYCACHEPREFIX := $(CACHE)/pycache

# $(call python,OPTION OF BOOTSTRAP) sets the shell's $python to the environment's Python, or ends with the reason why not.
python = python="$$($(PYTHON) -m lab.bootstrap $(1))"
# Kubernetes' own programs where REAL=1 asks for them; those of $KUBEBUILDER_ASSETS come first.
real = $(if $(filter 1,$(REAL)),KUBEBUILDER_ASSETS="$${KUBEBUILDER_ASSETS:-$$("$$python" -m lab.kubernetes)}" && export KUBEBUILDER_ASSETS,true)
pytest = $(real) && "$$python" -m pytest --numprocesses=$(PROCESSES) --dist=loadfile --no-loadscope-reorder

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## From nothing to two Ready nodes; KEEP=1 leaves them running, REAL=1 takes Kubernetes' own programs
	@$(call python,--machines) && $(real) && KEEP=$(KEEP) "$$python" -m lab.demo

kubernetes: ## Kubernetes' own programs, built once out of Debian's source package (root): tells their folder
	@$(call python,--machines) && "$$python" -m lab.kubernetes

demo-down: ## Take the demo away: processes, mounts, namespaces, files
	@$(call python,--machines) && "$$python" -m lab down demo

demo-shell: ## A shell on a node of the demo: NODE=worker-1
	@$(call python) && "$$python" -m lab shell demo $(NODE)

demo-kubectl: ## The real kubectl on the demo's cluster: ARGS='get nodes'
	@$(call python) && "$$python" -m lab kubectl demo $(ARGS)

demo-salt: ## Salt on the demo's master: ARGS="salt '*' test.ping"
	@$(call python) && "$$python" -m lab salt demo $(ARGS)

render: ## The files that the states would put on a node: PILLAR=FILE OUT=DIR
	@$(call python) && "$$python" tests/render.py "$(PILLAR)" "$(OUT)"

versions: ## What is known of each Kubernetes minor, and how it is tested
	@$(call python) && "$$python" tests/versions.py

bench-render: ## Checking and rendering one node in a warm process
	@$(call python) && "$$python" benchmarks/render.py

bench-beacon: ## What the minion's beacon costs: one look in a warm process
	@$(call python) && "$$python" benchmarks/beacon.py

bench-approve: ## Approving N=300 requests: the shell line, ours, a bare client
	@$(call python) && PATH="$$(dirname "$$python"):$$PATH" "$$python" benchmarks/approve.py --nodes $(or $(N),300)

bench-node: ## A highstate on one machine: the first, with nothing to do, test=True, a change (root)
	@$(call python,--machines) && PATH="$$(dirname "$$python"):$$PATH" "$$python" benchmarks/node.py

bench-storm: ## N=1000 simulated nodes knock within a second at a real master; ARGS=--help
	@$(call python) && PATH="$$(dirname "$$python"):$$PATH" "$$python" benchmarks/storm.py --nodes $(or $(N),1000) $(ARGS)

bench-day: ## A simulated day of N=10000 nodes: renewals, a rack that returns, sweeps; ARGS=--help
	@$(call python) && PATH="$$(dirname "$$python"):$$PATH" "$$python" benchmarks/day.py --nodes $(or $(N),10000) $(ARGS)

test: ## Every tier; what this machine can't run is skipped and named at the end
	@$(call python,--try-machines) && $(pytest) $(ARGS)

test-unit: ## Pure functions
	@$(call python) && $(pytest) tests/unit $(ARGS)

test-functional: ## Salt's loader, states and templates
	@$(call python) && $(pytest) tests/functional $(ARGS)

test-integration: ## A real master, minions and reactor against the API server double
	@$(call python) && $(pytest) tests/integration $(ARGS)

test-nodes: ## Machines with systemd (root)
	@$(call python,--try-machines) && $(pytest) tests/nodes $(ARGS)

test-nodes-all: ## The same with all that takes long: a kill at each state, every Debian and runtime of the lab
	@$(call python,--try-machines) && export KUBE_NODE_ALL=1 && $(pytest) tests/nodes $(ARGS)

lint: ## ruff: rules and format
	@$(call python) && "$$python" -m ruff check . && "$$python" -m ruff format --check .

venv: ## Make the virtual environment, print its Python
	@$(call python) && echo "$$python"

clean-cache: ## Remove virtual environments, images and downloads
	rm -rf -- "$(CACHE)"
