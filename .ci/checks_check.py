"""Do the checks see what is broken? `python .ci/checks_check.py` breaks a copy in every way that check.py and docs.py look for.

Each kind of breakage must be named, and must not have been named before.
"""
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import check
import docs

ROOT = Path(__file__).resolve().parents[1]


def copy_of_repository(folder: Path) -> Path:
    "What git tracks or would track, without the data."
    check.copy_files(ROOT, folder)
    subprocess.run(['git', 'init', '-q', folder], check=True) # the checks ask git for the files
    return folder


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    "Break a text file."
    def apply(root):
        text = (root / name).read_text(encoding='utf-8')
        if old not in text: raise SystemExit(f'{name} no longer holds {old!r}; mend .ci/checks_check.py')
        (root / name).write_text(text.replace(old, new, 1), encoding='utf-8')
    return apply


def add_cell(name: str, kind: str, source: str) -> Callable[[Path], None]:
    "Add a cell to a notebook."
    def apply(root):
        notebook = json.loads((root / name).read_text(encoding='utf-8'))
        cell = dict(cell_type=kind, id='broken00', metadata={}, source=source.splitlines(keepends=True)) | (dict(execution_count=None, outputs=[]) if kind == 'code' else {})
        notebook['cells'].append(dict(sorted(cell.items())))
        (root / name).write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')
    return apply


BREAKAGES = [
    (replace('nbs/02_latents.ipynb', '"metadata": {},', '"metadata": {"trusted": true},'), 'nbdev_clean changes nbs/02_latents.ipynb'),
    (replace('glownb/latents.py', 'import torch', 'import torch # edited by hand'), 'changes glownb/latents.py'),
    (add_cell('nbs/01_layers.ipynb', 'code', '#| export\nfrom glownb.cli import main'), 'layers (number 1) imports cli (number 17)'),
    (replace('nbs/figures/fig2_mean_faces.ipynb', '"parameters"', '"settings"'), 'fig2_mean_faces.ipynb has no cell tagged parameters'),
    (add_cell('nbs/01_layers.ipynb', 'code', '#| export\ndef broken(): "Broken."; return undefined_name'), '01_layers.ipynb: exported cells use undefined_name'),
    (add_cell('nbs/01_layers.ipynb', 'code', 'import unused_module'), '`unused_module` imported but unused'),
    (replace('README.md', 'glownb', 'glownB'), 'README.md is not that of nbs/index.ipynb'),
    (replace('_quarto.yml', 'toc-depth', 'toc_depth'), '_quarto.yml: format.html.toc_depth is no key'),
    (replace('_quarto.yml', '- gallery.ipynb', '- galery.ipynb'), 'the sidebar lists galery.ipynb, but there is no such page'),
    (lambda root: shutil.copy(root / 'nbs/gallery.ipynb', root / 'nbs/unlisted.ipynb'), 'nbs/unlisted.ipynb is not in the sidebar'),
    (add_cell('nbs/gallery.ipynb', 'markdown', '[to nowhere](nowhere.ipynb)'), 'nbs/gallery.ipynb: the link to nowhere.ipynb leads nowhere'),
    (add_cell('nbs/gallery.ipynb', 'markdown', '![a picture](images/none.png)'), 'nbs/gallery.ipynb: the link to images/none.png leads nowhere'),
    (add_cell('nbs/gallery.ipynb', 'markdown', '[to no heading](index.ipynb#nowhere)'), 'index.ipynb has no heading #nowhere'),
    (replace('nbs/gallery.ipynb', '(figures/fig5_targets.ipynb)', '(figures/fig4_expressions.ipynb)'), 'nbs/gallery.ipynb has no link to figures/fig5_targets.ipynb'),
    (add_cell('nbs/gallery.ipynb', 'markdown', 'The value $ x $ and text.'), 'nbs/gallery.ipynb: Pandoc reads no formula'),
    (replace('glownb/latents.py', '__all__ = [', "__all__ = ['unsaid', "),), # what the next line adds is exported
    (replace('glownb/latents.py', '# %% ../nbs', 'def unsaid(\n    x: Tensor, # in [0, 1]\n    n,\n) -> Tensor: ...\n\n# %% ../nbs'),
     'latents.unsaid has no docstring', 'latents.unsaid: the shape of x is not said', 'latents.unsaid: nothing is said of the argument n', 'latents.unsaid: the shape of what it returns is not said'),
] # what breaks the copy, and what must be said of it


def main() -> int:
    problems = lambda root: set(check.problems(root) + docs.problems(root))
    with tempfile.TemporaryDirectory() as folder:
        root = copy_of_repository(Path(folder))
        before = problems(root)
        for apply, *_ in BREAKAGES: apply(root)
        said = problems(root) - before
    expected = [line for _, *lines in BREAKAGES for line in lines]
    wrong = [line for line in expected if not any(line in s for s in said)]
    for line in wrong: print('checks_check: goes unnoticed:', line)
    if not wrong: print(f'checks_check: {len(expected)} breakages, all named')
    return bool(wrong)


if __name__ == '__main__': sys.exit(main())
