# make figures   the paper's figures, of built-in people; of yours: PHOTOS=… SOURCE=… TARGET=…
# make test      every notebook, isolated from each other
# Both set everything up in .venv first; the second run starts at once.

SHELL := /bin/bash
BIN := .venv/bin

PHOTOS ?=
WEIGHTS ?=
SOURCE ?=
TARGET ?=
EXPRESSION ?=
ALPHAS ?=
OUT ?= figures
SMOKE ?=

.DEFAULT_GOAL := help
.PHONY: help install figures test bench prepare check clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | sed -n 1,3p

install: .venv/.installed

.venv/.installed: settings.ini setup.py .ci/install
	@bash .ci/install

figures: install
	@$(BIN)/glownb figures --out '$(OUT)' \
	  $(if $(PHOTOS),--photos '$(PHOTOS)') $(if $(WEIGHTS),--weights '$(WEIGHTS)') \
	  $(if $(SOURCE),--source '$(SOURCE)') $(if $(TARGET),--target '$(TARGET)') \
	  $(if $(EXPRESSION),--expression '$(EXPRESSION)') $(if $(ALPHAS),--alphas '$(ALPHAS)') $(if $(SMOKE),--smoke)

test: install
	@$(BIN)/python .ci/test.py

# speed and memory, as ratios to a peer or a limit
bench: install
	@$(BIN)/python .ci/bench.py

# what a commit needs: modules, clean notebooks and README made of the notebooks, and the checks
prepare: install
	@$(BIN)/nbdev_export
	@$(BIN)/nbdev_clean
	@$(BIN)/python .ci/readme.py
	@$(BIN)/python .ci/check.py
	@$(BIN)/python .ci/test.py

check: install
	@$(BIN)/python .ci/check.py

clean:
	rm -rf .venv figures _docs _proc build dist *.egg-info
