# What a person does with roslet's source: see README.md. Every target installs nothing outside this checkout but
# Debian packages (setup) and what `make install` names.

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd
KUBELET ?= roslet
SELECTION ?= node-conformance
DEMO_DIR ?= /var/lib/roslet-demo

# The Node that scripts/setup put here goes before the machine's own.
export PATH := $(CURDIR)/.tools/node_modules/.bin:$(PATH)
# Where there is no sudo the program itself says that it needs root.
SUDO := $(if $(filter 0,$(shell id -u)),,$(shell command -v sudo))

help:
	@echo 'make run         set up, build, run the pods in examples/ and watch them come up'
	@echo 'make clean-run   stop these pods and remove everything that make run left on the machine'
	@echo 'make test        set up and run every check and test'
	@echo 'make test-v2     set up and run the tests of host processes on cgroup v2, in a virtual machine'
	@echo 'make conformance run the [NodeConformance] specs of Kubernetes against roslet (KUBELET=go: the Go kubelet; SELECTION=node-features: others)'
	@echo 'make build       build bin/roslet'
	@echo 'make install     put roslet on PATH with its unit and default config (PREFIX=$(PREFIX), DESTDIR)'
	@echo 'make uninstall   remove what make install put there, but not the configuration'
	@echo 'make bench       print the benchmark tables (PART=core, node or ros: one of them)'
	@echo 'make lint        check format, lint, types, dependency rule, unused code'
	@echo 'make format      format the source and fix what can be fixed'
	@echo 'make generate    regenerate the code that is generated'

run: build
	@$(SUDO) env DEMO_DIR="$(DEMO_DIR)" scripts/demo run

clean-run:
	@$(SUDO) env DEMO_DIR="$(DEMO_DIR)" scripts/demo clean

setup-run:
	@scripts/setup run

setup-test:
	@scripts/setup test

setup-test-v2:
	@scripts/setup test-v2

build: setup-run
	@node scripts/build.ts

test: setup-test
	@node scripts/test.ts

test-v2: setup-test-v2
	@node scripts/test.ts build 'cgroup v2'

conformance: setup-test
	@node scripts/build.ts
	@$(SUDO) env PATH="$$PATH" node test/conformance/main.ts --kubelet '$(KUBELET)' --selection '$(SELECTION)'

bench: setup-test
	@node scripts/build.ts
	@$(SUDO) env PATH="$$PATH" node bench/main.ts $(PART)

lint: setup-run
	@node scripts/test.ts 'formatting and lint' types 'generated code' 'dependency rule' 'unused code'

format: setup-run
	@npm run --silent format

generate: setup-run
	@npm run --silent generate

install:
	@PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' UNITDIR='$(UNITDIR)' DESTDIR='$(DESTDIR)' scripts/install

uninstall:
	@PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' UNITDIR='$(UNITDIR)' DESTDIR='$(DESTDIR)' scripts/install --uninstall

clean:
	rm -rf dist bin build

.PHONY: help run clean-run setup-run setup-test setup-test-v2 build test test-v2 conformance bench lint format generate install uninstall clean
