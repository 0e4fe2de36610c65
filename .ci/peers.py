"""Other people's Glows, as `bench.py` measures them: each from a checkout, with its own code for the loss, as published, in float32.

A peer is a class called like its project. It is made of the folder of a checkout and of a `GlowConfig`, whose size, levels, depth, width
and coupling it follows, and has `step` (one of training), `encode` and `decode`.
"""

import importlib
import sys
from functools import partial
from math import log
from pathlib import Path

import torch

from glownb.core import InputError
from glownb.flow.glow import GlowConfig


def imported(folder: Path, name: str, file: str):
    "A module of a checkout."
    if not (folder / file).exists():
        raise InputError(f'{folder} is no checkout of that project: there is no {file} in it')
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))


class Peer:
    "A model, its optimizer, and steps of training."

    model: torch.nn.Module

    def begin(self, lr: float = 1e-4) -> None:
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=lr)

    def step(self, x: torch.Tensor) -> None:  # (B, 3, S, S) in [0, 1]
        self.optimizer.zero_grad()
        self.loss(x).backward()
        self.optimizer.step()


class rosinality(Peer):
    "github.com/rosinality/glow-pytorch: its `model.py`, and the loss of its `train.py`."

    def __init__(self, folder: Path, config: GlowConfig):
        module = imported(folder, 'model', 'model.py')
        module.AffineCoupling = partial(module.AffineCoupling, filter_size=config.width)
        affine = config.coupling == 'affine'
        self.model = module.Glow(3, config.depth, config.n_levels, affine=affine, conv_lu=config.lu)
        self.n_bins = config.n_bins
        self.begin()

    def loss(self, x):
        log_p, logdet, _ = self.model(x - 0.5 + torch.rand_like(x) / self.n_bins)
        n = x[0].numel()
        return (log(self.n_bins) * n - logdet - log_p).mean() / (log(2) * n)

    def encode(self, x):
        return self.model(x - 0.5)[2]

    def decode(self, z):
        return self.model.reverse(z, reconstruct=True)


class normflows(Peer):
    "github.com/VincentStimper/normalizing-flows: `MultiscaleFlow` of `GlowBlock`, as in its example."

    def __init__(self, folder: Path, config: GlowConfig):
        nf = imported(folder, 'normflows', 'normflows/__init__.py')
        n, scale = config.n_levels, config.coupling == 'affine'
        block = partial(nf.flows.GlowBlock, scale=scale, use_lu=config.lu)
        bases, flows, merges = [], [], []
        for i in range(n):  # from the top
            side, channels = config.image_size >> (n - i), 3 * 2 ** (n + 1 - i)
            steps = [block(channels, config.width) for _ in range(config.depth)]
            flows.append([*steps, nf.flows.Squeeze()])
            merges += [nf.flows.Merge()] * (i > 0)
            shape = (channels if i == 0 else channels // 2, side, side)
            bases.append(nf.distributions.DiagGaussian(shape, trainable=True))
        self.model = nf.MultiscaleFlow(bases, flows, merges, class_cond=False)
        self.n_bins = config.n_bins
        self.begin()

    def loss(self, x):
        return self.model.forward_kld(x + torch.rand_like(x) / self.n_bins)

    def encode(self, x):
        return self.model.inverse_and_log_det(x)[0]

    def decode(self, z):
        return self.model.forward_and_log_det(z)[0]


PEERS = dict(rosinality=rosinality, normflows=normflows)


def find_peers(given: list[str]) -> dict[str, Path]:  # name → folder
    "What `--peer NAME=FOLDER` names; raises InputError where it cannot be."
    found = {}
    for text in given:
        name, _, folder = text.partition('=')
        if name not in PEERS or not folder:
            raise InputError(
                f'--peer takes NAME=FOLDER with {" or ".join(PEERS)} as name, got {text!r}'
            )
        if not Path(folder).is_dir():
            raise InputError(f'--peer {text}: there is no folder {folder}')
        found[name] = Path(folder).resolve()
    return found
