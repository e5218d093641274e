# Copyright (c) 2026, The kernelops.memfrag authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The front door of the checkout. What a command needs it installs by itself, under .cache/ and .nox/.

PYTHON ?= python3
# Sessions at a time.
JOBS ?= 2

# The user's words reach the program as they are: neither make nor a shell looks into them.
export GIVEN_INVENTORY := $(value INVENTORY)
export GIVEN_ARGS := $(value ARGS)
# Where the user stands, "make -C" or not.
export CALLER := $(PWD)

SESSIONS := @$(PYTHON) tests/tools/sessions.py

.DEFAULT_GOAL := help
.PHONY: help audit test lint format units sanity integration docs walkthrough package release oracle robustness browser screenshots monitoring fleet scale molecule molecule-kernels molecule-monitoring molecule-role clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20
	@echo
	@echo "make audit INVENTORY=hosts.ini ARGS='-l node17 -e memfrag_since=-1d'"

audit: ## audit this machine, or INVENTORY, and write a report; ARGS go to ansible-playbook
	@$(PYTHON) tests/tools/audit.py

test: ## every test there is
	$(SESSIONS) --jobs $(JOBS)

lint: ## linters, types, licences, changelog
	$(SESSIONS) lint

format: ## lay out the Python code
	$(SESSIONS) format

units: ## unit tests, with the newest Ansible and one Python: the quick ones
	$(SESSIONS) quick

sanity: ## ansible-test sanity, with each Ansible
	$(SESSIONS) --jobs $(JOBS) sanity

integration: ## ansible-test integration, with the oldest and the newest Ansible and Python
	$(SESSIONS) --jobs $(JOBS) integration

docs: ## the documentation as a site, under .cache/docs
	$(SESSIONS) docs

walkthrough: ## run every command and playbook of the documentation; ARGS=README.md
	$(SESSIONS) walkthrough

package: ## build the collection and have Galaxy's importer look at it
	$(SESSIONS) package

release: ## rehearse a release in a clone; ARGS='prepare 1.0.0', ARGS=artifacts
	$(SESSIONS) release

oracle: ## the journal reader on 20,000 reports of simulated machines; ARGS='--seed 2'
	$(SESSIONS) oracle

robustness: ## kills, races, failing system calls and lying nodes by the hundred
	$(SESSIONS) robustness

browser: ## the report in headless Chromium
	$(SESSIONS) browser

screenshots: ## the sample report and its screenshots anew, for README and documentation
	$(SESSIONS) screenshots

monitoring: ## rules, alerts and dashboards, by promtool, node_exporter and Prometheus of Debian
	$(SESSIONS) monitoring

.PHONY: monitoring-series
monitoring-series: ## record anew what virtual machines say while their memory fragments; ARGS=linux-6.12
	$(SESSIONS) series

.PHONY: peers
peers: ## verdicts, CPU and memory beside other tools; ARGS='--sizes 100e6'
	$(SESSIONS) peers

scale: ## an execution environment, and a fleet in slices in its containers; ARGS='--hosts 10000 --canned'
	$(SESSIONS) scale

fleet: ## an audit over real ssh, hosts in network namespaces; as root
	$(SESSIONS) fleet

molecule: ## the tuning role in containers
	$(SESSIONS) molecule

molecule-kernels: export GIVEN_ARGS := $(or $(value ARGS),all)
molecule-kernels: ## real, different kernels in virtual machines; a quarter of an hour
	$(SESSIONS) kernels

molecule-monitoring: ## an alert about a virtual machine, mended by ansible-rulebook until it is resolved; some minutes
	$(SESSIONS) loop

molecule-role: ## the monitoring role in containers with Prometheus and node_exporter; some minutes
	$(SESSIONS) monitoring_role

clean: ## remove what these commands made, reports excepted
	rm -rf .cache .nox .ansible .mypy_cache .pytest_cache .ruff_cache .hypothesis dist tests/output tests/integration/inventory
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
