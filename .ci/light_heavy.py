"""Train the flow of the study of tones: `python .ci/light_heavy.py OUT.safetensors [--groups FOLDER]`.

It is `faces-64-untaught` but for one thing: eight in ten of the people that it learns from have a light tone (Monk 1–5), not five. The
groups are the same, with the same looks, poses, lights and noise, in the same order and from the same random weights; three in five of the
people of a darker tone give their place to somebody of a light one.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
import torch

from glownb.flow.glow import GlowConfig
from glownb.method.claims import DARKER_FROM
from glownb.people.draw import TRAINING_SEEDS
from glownb.people.person import Person
from glownb.people.picture import render_photos
from glownb.photos.images import to_uint8
from glownb.training.loop import TrainConfig, complete, finish, training_people
from glownb.training.teaching import Groups, TeachConfig, TeachRun, group_photos, groups_path

SHARE = 0.6  # of people of a darker tone, half of all, who give their place
APART = 1_000_000  # between the seed of somebody and that of who comes next


def in_place_of(person: Person) -> Person:
    "Who stands there: the person, or somebody of a light tone."
    rng = np.random.default_rng([person.seed, 20])
    if person.tone < DARKER_FROM or rng.random() >= SHARE:
        return person
    others = (Person(person.seed + i * APART) for i in range(1, 1000))
    return next(other for other in others if other.tone < DARKER_FROM)


class LightGroups(Groups):
    "Groups in which light tones prevail."

    def photos(self, number: int):
        of_people, alphas = group_photos(self.config, number)
        return [[p.of(in_place_of(p.person)) for p in photos] for photos in of_people], alphas

    def render(self, number: int) -> None:
        of_people, alphas = self.photos(number)
        shape = self.pictures.shape[1:]
        self.pictures[number] = to_uint8(render_photos(sum(of_people, []), self.size)).view(shape)
        self.alphas[number] = [1.0] * self.config.looks + alphas
        self.known[number] = True  # a likelihood needs neither inner faces nor Action Units


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('out', type=Path)
    parser.add_argument('--groups', type=Path, help='keep the rendered groups here')
    args = parser.parse_args()
    torch.set_num_threads(1)
    config, lessons = TrainConfig(2400, 4, lr=2e-3, warmup=60), TeachConfig(weight=0.0)
    shape = GlowConfig(64, 4, 8, 128, lu=True, quantize=False)
    place = args.groups or groups_path(args.out)
    assert min(TRAINING_SEEDS) + APART in TRAINING_SEEDS
    groups = LightGroups(place, lessons, 800, 64)
    run = TeachRun(shape, config, lessons)
    groups.complete()
    info = complete(run, groups, args.out, unseen=training_people(64)[1])
    finish(run, args.out, info | dict(teach=repr(lessons), people='80 % Monk 1-5'), half=True)
    if not args.groups:
        shutil.rmtree(place)


if __name__ == '__main__':
    main()
