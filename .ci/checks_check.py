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
    subprocess.run(['git', 'init', '-q', folder], check=True)  # the checks ask git for the files
    return folder


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    "Break a text file."

    def apply(root):
        text = (root / name).read_text(encoding='utf-8')
        if old not in text:
            raise SystemExit(f'{name} no longer holds {old!r}; mend .ci/checks_check.py')
        (root / name).write_text(text.replace(old, new, 1), encoding='utf-8')

    return apply


def add_cell(name: str, kind: str, source: str) -> Callable[[Path], None]:
    "Add a cell to a notebook."

    def apply(root):
        notebook = json.loads((root / name).read_text(encoding='utf-8'))
        cell = dict(
            cell_type=kind, id='broken00', metadata={}, source=source.splitlines(keepends=True)
        ) | (dict(execution_count=None, outputs=[]) if kind == 'code' else {})
        notebook['cells'].append(dict(sorted(cell.items())))
        (root / name).write_text(
            json.dumps(notebook, indent=1, ensure_ascii=False) + '\n', encoding='utf-8'
        )

    return apply


def add_lines(name: str, lines: str) -> Callable[[Path], None]:
    "Add lines to a text file."

    def apply(root):
        with (root / name).open('a', encoding='utf-8') as file:
            file.write(lines)

    return apply


def add_measured(root: Path) -> None:
    "Add a card and its record, with other weights and another number than were measured."
    folder = root / 'data' / 'weights'
    folder.mkdir(parents=True)
    for name in ('faces-64.json', 'faces-64.md'):
        shutil.copy(ROOT / 'data' / 'weights' / name, folder / name)
    card = (folder / 'faces-64.md').read_text(encoding='utf-8')
    (folder / 'faces-64.md').write_text(
        card.replace('| 0 bytes |', '| 1 bytes |'), encoding='utf-8'
    )
    (folder / 'faces-64.safetensors').write_bytes(b'other weights')


def copy(name: str, to: str) -> Callable[[Path], None]:
    return lambda root: shutil.copy(root / name, root / to)


BREAKAGES = [
    (
        replace('nbs/11_flow.latents.ipynb', '"metadata": {},', '"metadata": {"trusted": true},'),
        'nbdev_clean changes nbs/11_flow.latents.ipynb',
    ),
    (
        replace('glownb/flow/latents.py', 'import torch', 'import torch # edited by hand'),
        'changes glownb/flow/latents.py',
    ),
    (
        add_cell('nbs/10_flow.layers.ipynb', 'code', '#| export\nfrom glownb.cli import main'),
        'flow.layers (number 10) imports cli (number 99)',
    ),
    (
        replace('nbs/figures/fig2_mean_faces.ipynb', '"parameters"', '"settings"'),
        'fig2_mean_faces.ipynb has no cell tagged parameters',
    ),
    (
        add_cell(
            'nbs/10_flow.layers.ipynb',
            'code',
            '#| export\ndef broken(): "Broken."; return undefined_name',
        ),
        '10_flow.layers.ipynb: exported cells use undefined_name',
    ),
    (
        add_cell('nbs/10_flow.layers.ipynb', 'code', 'import unused_module'),
        '`unused_module` imported but unused',
    ),
    (
        add_cell('nbs/10_flow.layers.ipynb', 'code', f'long_line = "{"x" * 140}"'),
        'Line too long (154 > 140)',
    ),
    (
        add_cell('nbs/10_flow.layers.ipynb', 'code', 'if 1>0: print( "tight" )'),
        'nbs/10_flow.layers.ipynb is not formatted',
    ),
    (
        add_cell('nbs/10_flow.layers.ipynb', 'code', '#| export\nfrom glownb.flow import Glow'),
        'flow.layers imports flow, which is no module',
    ),
    (
        copy('nbs/12_flow.glow.ipynb', 'nbs/11_flow.glow.ipynb'),
        '11_flow.latents.ipynb and 11_flow.glow.ipynb are both number 11',
    ),
    (
        copy('nbs/00_core.ipynb', 'nbs/27_weights.core.ipynb'),
        '27_weights.core.ipynb makes the module core, not weights.core',
    ),
    (
        replace('glownb/flow/__init__.pyi', 'from .latents import Latents as Latents\n', ''),
        'glownb/flow/__init__.pyi is not what its modules offer',
    ),
    (
        add_lines('glownb/core.py', 'filler = 0\n' * 700),
        'glownb/core.py has ',
    ),
    (
        copy('glownb/flow/latents.py', 'glownb/flow/more.py'),
        'latents.py and glownb/flow/more.py both export Latents',
    ),
    (
        add_measured,
        'data/weights/faces-64.json was measured on other weights',
        'data/weights/faces-64.md quotes other numbers than were measured',
    ),
    (
        add_cell(
            'nbs/gallery.ipynb', 'markdown', 'A 99 %<!-- faces-64: median skill there --> gain'
        ),
        'nbs/gallery.ipynb quotes other numbers than were measured',
    ),
    (
        add_cell('nbs/library.ipynb', 'markdown', 'A 99 %<!-- faces-64: beauty --> gain'),
        'nbs/library.ipynb quotes faces-64: beauty, which data/weights/faces-64.json does not hold',
    ),
    (replace('README.md', 'glownb', 'glownB'), 'README.md is not that of nbs/index.ipynb'),
    (
        replace('_quarto.yml', 'toc-depth', 'toc_depth'),
        '_quarto.yml: format.html.toc_depth is no key',
    ),
    (
        replace('_quarto.yml', '- gallery.ipynb', '- galery.ipynb'),
        'the sidebar lists galery.ipynb, but there is no such page',
    ),
    (
        copy('nbs/gallery.ipynb', 'nbs/unlisted.ipynb'),
        'nbs/unlisted.ipynb is not in the sidebar',
    ),
    (
        add_cell('nbs/gallery.ipynb', 'markdown', '[to nowhere](nowhere.ipynb)'),
        'nbs/gallery.ipynb: the link to nowhere.ipynb leads nowhere',
    ),
    (
        add_cell('nbs/gallery.ipynb', 'markdown', '![a picture](images/none.png)'),
        'nbs/gallery.ipynb: the link to images/none.png leads nowhere',
    ),
    (
        add_cell('nbs/gallery.ipynb', 'markdown', '[to no heading](index.ipynb#nowhere)'),
        'index.ipynb has no heading #nowhere',
    ),
    (
        replace(
            'nbs/gallery.ipynb', '(figures/fig5_targets.ipynb)', '(figures/fig4_expressions.ipynb)'
        ),
        'nbs/gallery.ipynb has no link to figures/fig5_targets.ipynb',
    ),
    (
        replace('nbs/library.ipynb', '(47_people.draw.ipynb)', '(46_people.picture.ipynb)'),
        'nbs/library.ipynb has no link to 47_people.draw.ipynb',
    ),
    (
        add_cell('nbs/gallery.ipynb', 'markdown', 'The value $ x $ and text.'),
        'nbs/gallery.ipynb: Pandoc reads no formula',
    ),
    (
        add_cell('nbs/gallery.ipynb', 'markdown', '### Bare\n\n### Next\n\nText.'),
        "nbs/gallery.ipynb: nothing stands below the heading '### Bare'",
    ),
    (
        replace('nbs/index.ipynb', '"kernelspec"', '"widgets": {}, "kernelspec"'),
        'nbs/index.ipynb: its metadata hold the state of widgets',
    ),
    (
        add_cell('nbs/gallery.ipynb', 'markdown', '![](images/transfer.jpg)'),
        'nbs/gallery.ipynb: the picture images/transfer.jpg has no alternative text',
    ),
    (
        add_cell('nbs/gallery.ipynb', 'markdown', 'Say so with --aligned.'),
        'nbs/gallery.ipynb: --aligned becomes a dash',
    ),
    (
        replace('nbs/14_flow.growing.ipynb', '"#| code-fold: true\\n",\n', ''),
        'nbs/14_flow.growing.ipynb: test imports are shown before any content',
    ),
    (
        replace(
            'nbs/26_weights.names.ipynb', 'is brought to cache/', 'is brought to /tmp/x/cache/'
        ),
        'nbs/26_weights.names.ipynb: the output of cell 9cd1c760 names a temporary path',
    ),
    (
        replace('glownb/flow/latents.py', '__all__ = [', "__all__ = ['unsaid', "),
    ),  # what the next line adds is exported
    (
        replace(
            'glownb/flow/latents.py',
            '# %% ../../nbs',
            'def unsaid(\n    x: Tensor, # in [0, 1]\n    n,\n) -> Tensor: ...\n\n# %% ../../nbs',
        ),
        'flow.latents.unsaid has no docstring',
        'flow.latents.unsaid: the shape of x is not said',
        'flow.latents.unsaid: nothing is said of the argument n',
        'flow.latents.unsaid: the shape of what it returns is not said',
    ),
]  # what breaks the copy, and what must be said of it


PAGE_BREAKAGES = [
    ('```python\ndef f(\n  x:[`Glow`](https://a.b/c.html)\n)\n```', 'stands in a signature'),
    ('[a [`Glow`](./page.html) of ours](page.html)', 'a link within the link'),
    ('[there](none.html)', 'the link to none.html leads nowhere'),
    ('[`Glow.none`](./page.html#glow.none)', 'page.html has no heading #glow.none'),
    ('![](made/fig.png)', 'the picture made/fig.png has no alternative text'),
    ('Say so with --aligned.', '--aligned becomes a dash'),
    ('## Bare\n\n## Next\n\nText.', "nothing stands below the heading '## Bare'"),
]  # on a page that Quarto would read, and what must be said of it
PICTURE = 'the picture of cell broken00 has no alternative text'


def broken_page(folder: Path) -> list[str]:
    "What is said of a page with all of these faults; of one without any, nothing may be said."
    cell = lambda source, kind='markdown', **more: dict(
        cell_type=kind, id='broken00', source=source, **more
    )
    front = cell('---\noutput-file: page.html\n---', 'raw')
    fine = [front, cell('## Glow\n\n[it](page.html#glow), `--out`, ![a face](x.png)')]
    drawn = dict(output_type='display_data', data={'image/jpeg': 'AAAA'})
    broken = [
        *fine,
        *(cell(text) for text, _ in PAGE_BREAKAGES),
        cell('draw()', 'code', outputs=[drawn]),
    ]
    said = []
    for cells in (fine, broken):
        (folder / '12_page.ipynb').write_text(json.dumps(dict(cells=cells)), encoding='utf-8')
        said.append(docs.page_problems(folder))
    return said[1] if not said[0] else []


def main() -> int:
    problems = lambda root: set(check.problems(root) + docs.problems(root))
    with tempfile.TemporaryDirectory() as folder:
        root = copy_of_repository(Path(folder))
        before = problems(root)
        for apply, *_ in BREAKAGES:
            apply(root)
        said = problems(root) - before
    with tempfile.TemporaryDirectory() as folder:
        of_page = broken_page(Path(folder))
    expected = [(line, said) for _, *lines in BREAKAGES for line in lines]
    expected += [(line, of_page) for _, line in PAGE_BREAKAGES] + [(PICTURE, of_page)]
    wrong = [line for line, found in expected if not any(line in s for s in found)]
    for line in wrong:
        print('checks_check: goes unnoticed:', line)
    if not wrong:
        print(f'checks_check: {len(expected)} breakages, all named')
    return bool(wrong)


if __name__ == '__main__':
    sys.exit(main())
