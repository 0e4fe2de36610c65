"""Write what each folder of the package offers: `python .ci/fronts.py`; `.ci/check.py` says where that was forgotten.

A folder offers the public names of its modules, lazily (SPEC 1), and its stub `__init__.pyi` lists them for editors.
Those of the package itself are chosen by hand, in `glownb/__init__.pyi`.
"""

from pathlib import Path

from package import ROOT, modules, public_names

INIT = '''"{says}"

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
'''
SAYS = dict(
    flow='The flow: layers, latents of all levels, Glow.',
    judges='Who is it, and what does the face do?',
    lab='The explorer, JupyterLab around it, and the doctor.',
    method='Transfers, the choice of alpha, scores, claims.',
    people='Built-in people: names, heads, skin, hair, pictures.',
    photos='Photos in and out, faces where they belong.',
    pictures='Plots, movies, figures.',
    studies='Large studies: plans, engine, results, reports.',
    testing='What serves tests alone.',
    training='Fitting flows and judges.',
    weights='Weights: downloads, foreign formats, names.',
)


def front_files(root: Path) -> dict[Path, str]:
    "What the files of all folders should hold."
    folders = {}
    for path in modules(root):
        if path.parent.name != 'glownb':
            folders.setdefault(path.parent, []).append(path)
    files = {}
    for folder, paths in folders.items():
        taken = {p.stem for p in paths}  # a module hides a name like its own
        lines = []
        for path in paths:
            names = sorted(set(public_names(path)) - taken)
            lines += [f'from .{path.stem} import {name} as {name}' for name in names]
        says = SAYS.get(folder.name, f'The rooms of {folder.name}.')
        files[folder / '__init__.py'] = INIT.format(says=says)
        files[folder / '__init__.pyi'] = '\n'.join(lines) + '\n'
    return files


def stale_fronts(root: Path) -> list[str]:
    "Folders of the package whose lists are not those of their modules."
    wrong = []
    for path, text in front_files(root).items():
        if not path.exists() or path.read_text(encoding='utf-8') != text:
            wrong.append(
                f'{path.relative_to(root)} is not what its modules offer; run make prepare'
            )
    return wrong


if __name__ == '__main__':
    for path, text in front_files(ROOT).items():
        path.write_text(text, encoding='utf-8')
