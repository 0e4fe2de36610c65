# make figures   the paper's figures, of built-in people; of yours: PHOTOS=… (a folder of people)
# make test      every notebook, isolated from each other
# make docs      the documentation site in _docs; brings Quarto where there is none
# All set everything up in .venv first; the second run starts at once.

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
PEERS ?=

# what the shell gets to see, to the letter: quotes and dollars included
unexport PHOTOS WEIGHTS SOURCE TARGET EXPRESSION ALPHAS OUT SMOKE
export GLOWNB_PHOTOS := $(value PHOTOS)
export GLOWNB_WEIGHTS := $(value WEIGHTS)
export GLOWNB_SOURCE := $(value SOURCE)
export GLOWNB_TARGET := $(value TARGET)
export GLOWNB_EXPRESSION := $(value EXPRESSION)
export GLOWNB_ALPHAS := $(value ALPHAS)
export GLOWNB_OUT := $(value OUT)

.DEFAULT_GOAL := help
.PHONY: help install figures test docs bench soak kill-test prepare check dist constraints clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | sed -n 1,4p

install: .venv/.installed

.venv/.installed: settings.ini setup.py constraints.txt .ci/install
	@bash .ci/install

figures: install
	@$(BIN)/glownb figures --out "$$GLOWNB_OUT" \
	  $(if $(value PHOTOS),--photos "$$GLOWNB_PHOTOS") $(if $(value WEIGHTS),--weights "$$GLOWNB_WEIGHTS") \
	  $(if $(value SOURCE),--source "$$GLOWNB_SOURCE") $(if $(value TARGET),--target "$$GLOWNB_TARGET") \
	  $(if $(value EXPRESSION),--expression "$$GLOWNB_EXPRESSION") \
	  $(if $(value ALPHAS),--alphas "$$GLOWNB_ALPHAS") $(if $(SMOKE),--smoke)

test: install
	@$(BIN)/python .ci/test.py

docs: install
	@$(BIN)/python .ci/website.py

# speed and memory, as ratios to a peer or a limit; checkouts of peers: PEERS='rosinality=… normflows=…'
bench: install
	@$(BIN)/python .ci/bench.py $(foreach p,$(PEERS),--peer '$p')

# half an hour of the explorer and a large study: does anything grow?
soak: install
	@$(BIN)/python .ci/soak.py

# kills at random moments: nothing that was reported done is lost, nothing is corrupt
kill-test: install
	@$(BIN)/python .ci/kill_test.py

# what a commit needs: modules, clean notebooks and README made of the notebooks, and the checks
prepare: install
	@$(BIN)/nbdev_export
	@$(BIN)/nbdev_clean
	@$(BIN)/python .ci/fronts.py
	@$(BIN)/python .ci/readme.py
	@$(BIN)/python .ci/check.py
	@$(BIN)/python .ci/test.py

check: install
	@$(BIN)/python .ci/check.py

# what a release uploads, in dist: wheel and source distribution
dist: install
	@rm -rf dist
	@$(BIN)/python -m build

# write down the versions that are installed here, after their tests have passed
constraints: install
	@$(BIN)/python .ci/constraints.py

clean:
	rm -rf .venv figures _docs _figures _proc build dist *.egg-info
