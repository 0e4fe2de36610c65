"""Build the documentation site into _docs: `python .ci/website.py`, or make docs.

With `--pages`, stop before Quarto and leave its input in _proc.

nbdev turns notebooks into pages for Quarto: what is exported becomes a description with its arguments. Here each page gets what nbdev
leaves out (what follows the title in the first cell, the fields of dataclasses) and two links, to open the notebook in Colab and to
download it; and the figures are made and shown in the gallery and on their own pages.
"""

import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import yaml

from docs import comments, has_fields, said_of
from package import ROOT, modules

NBS, FIGURES, PAGES, SITE = (
    ROOT / 'nbs',
    ROOT / '_figures' / 'figures',
    ROOT / '_proc',
    ROOT / '_docs',
)
NO_QUARTO = """Quarto builds the site, and it is not installed. Get it from https://quarto.org/docs/get-started,
or with: .venv/bin/pip install quarto-cli. Then run make docs again.
Without it, `.venv/bin/python .ci/docs.py` checks pages, links and arguments,
and `.venv/bin/python .ci/website.py --pages` makes Quarto's input."""
# how a notebook that was opened in Colab, or was downloaded, gets the glownb that it was written for
INSTALL = """# installs glownb where it is missing, as in Colab
from importlib.util import find_spec
if find_spec('glownb') is None:
    %pip install --quiet git+{git_url}"""


def settings() -> dict:
    from nbdev.config import get_config

    return {
        k: get_config()[k] for k in ('git_url', 'branch', 'user', 'repo', 'doc_host', 'doc_baseurl')
    }


def make_figures() -> None:
    "The figures of the built-in people in _figures, made anew where something that they are made of is newer."
    sources = [
        p
        for pattern in ('nbs/figures/*.ipynb', 'glownb/*.py', 'data/weights/*')
        for p in ROOT.glob(pattern)
    ]
    page = FIGURES / 'index.html'
    if page.exists() and page.stat().st_mtime > max(p.stat().st_mtime for p in sources):
        return
    shutil.rmtree(FIGURES, ignore_errors=True)
    FIGURES.parent.mkdir(exist_ok=True)
    subprocess.run(
        [Path(sys.executable).with_name('glownb'), 'figures'],
        cwd=FIGURES.parent,
        check=True,
        stdout=subprocess.DEVNULL,
    )  # the command is quoted on the pages


def make_pages() -> None:
    "What Quarto reads, in _proc."
    from nbdev.quarto import refresh_quarto_yml
    from nbdev.serve import proc_nbs

    refresh_quarto_yml()
    proc_nbs(force=True)
    if FIGURES.is_dir():
        shutil.copytree(FIGURES, PAGES / 'figures' / 'made')
    fields = fields_of_dataclasses()
    for page in sorted(PAGES.rglob('*.ipynb')):
        name = page.relative_to(PAGES)
        notebook = nbformat.read(page, 4)
        cells = [
            part
            for cell in notebook.cells
            for part in (
                cell,
                fields.get(''.join(re.findall(r'^show_doc\((\w+)\)$', cell.source, re.M))),
            )
            if part
        ]
        first = [
            nbformat.v4.new_markdown_cell(after_title(nbformat.read(NBS / name, 4).cells[0].source))
        ]
        if name.parts[0] == 'figures':
            first.append(nbformat.v4.new_markdown_cell(figure_text(name.stem, 'made')))
        if name == Path('gallery.ipynb'):
            cells += [
                nbformat.v4.new_markdown_cell(
                    f'## {about(p)["title"]}\n\n{figure_text(p.stem, "figures/made")}'
                )
                for p in sorted(FIGURES.glob('*.json'))
            ]
        notebook.cells = [cells[0], *(cell for cell in first if cell.source), *cells[1:]]
        add_links(notebook, name)
        nbformat.write(notebook, page)


def after_title(text: str) -> str:
    "The first cell of a notebook without its title and purpose, which nbdev takes out for the head of the page."
    return re.sub(r'^#\s+\S.*\n*(?:^>\s.*\n*)?', '', text, count=1, flags=re.M).strip()


def fields_of_dataclasses() -> dict:
    "The fields of each class that is made of fields, as a cell with a table."
    tables = {}
    for path in modules(ROOT):
        source = path.read_text(encoding='utf-8')
        says = comments(source)
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef) and has_fields(node):
                rows = [field_row(m, says) for m in node.body if isinstance(m, ast.AnnAssign)]
                text = '\n'.join([FIELDS_HEAD, *rows])
                tables[node.name] = nbformat.v4.new_markdown_cell(text)
    return tables


FIELDS_HEAD = '| | **Type** | **Default** | **Details** |\n|---|---|---|---|'


def field_row(field: ast.AnnAssign, says: dict) -> str:
    "One field as a row of a table."
    plain = lambda text: re.sub(r'([|*_<>$])', r'\\\1', text)
    kind, details = ast.unparse(field.annotation), said_of(field, says)
    default = f'`{ast.unparse(field.value)}`' if field.value else ''
    return f'| `{field.target.id}` | {plain(kind)} | {default} | {plain(details)} |'


def add_links(notebook, name: Path) -> None:
    "Below the table of contents of a page: open its notebook in Colab, download it."
    front, s = notebook.cells[0], settings()
    if front.cell_type != 'raw' or not front.source.startswith('---'):
        front = nbformat.v4.new_raw_cell('---\n---')
        notebook.cells.insert(0, front)
    said = yaml.safe_load(front.source.strip().strip('-')) or {}
    copy = f'notebooks/{name.as_posix()}'
    said['code-links'] = [
        dict(
            text='Open in Colab',
            icon='play-circle',
            href=f'https://colab.research.google.com/github/{s["user"]}/{s["repo"]}/blob/gh-pages/{copy}',
            target='_blank',
        ),
        dict(text='Download notebook', icon='download', href='../' * (len(name.parts) - 1) + copy),
    ]
    front.source = f'---\n{yaml.safe_dump(said, allow_unicode=True, sort_keys=False)}---'


def about(path: Path) -> dict:
    return json.loads(path.read_text(encoding='utf-8'))


def figure_text(name: str, folder: str) -> str:
    "A figure with its claim, as Markdown; empty where it was not made."
    if not (FIGURES / f'{name}.json').exists():
        return ''
    says = about(FIGURES / f'{name}.json')
    files = ' · '.join(
        f'[{s.upper()}]({folder}/{name}.{s})'
        for s in ('svg', 'json', 'csv')
        if (FIGURES / f'{name}.{s}').exists()
    )
    lines = [
        f'![]({folder}/{name}.png){{fig-alt="{says["title"]}"}}',
        *(
            f'**{head}:** {says[key]}'
            for head, key in (('The paper', 'claim'), ('Measured here', 'measured'))
            if says.get(key)
        ),
        f'`{says["command"]}` · {files}',
    ]
    return '\n\n'.join(lines)


def copy_notebooks() -> None:
    "The notebooks themselves, for Colab and for download: with a cell that installs glownb, and with links that lead to the site."
    from nbdev.doclinks import _nbpath2html  # which numbers of notebooks do not reach an address

    s = settings()
    for path in sorted(p for p in NBS.rglob('*.ipynb') if (PAGES / p.relative_to(NBS)).exists()):
        notebook, folder = nbformat.read(path, 4), path.parent.relative_to(NBS)

        def to_site(link, folder=folder):
            target = (NBS / folder / link[1]).resolve()
            if not target.is_relative_to(NBS):
                there = f'{s["git_url"]}/blob/{s["branch"]}/{target.relative_to(ROOT)}'
            else:
                page = _nbpath2html(target) if target.suffix == '.ipynb' else target
                there = f'{s["doc_host"]}{s["doc_baseurl"]}/{page.relative_to(NBS)}'
            return f']({there}{link[2] or ""})'

        for cell in notebook.cells:
            if cell.cell_type == 'markdown':
                cell.source = re.sub(
                    r'\]\((?![a-z]+:|#)([^()\s#]+)(#[^()\s]*)?\)', to_site, cell.source
                )
        notebook.cells.insert(1, nbformat.v4.new_code_cell(INSTALL.format(**s)))
        out = SITE / 'notebooks' / path.relative_to(NBS)
        out.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--pages', action='store_true', help='stop before Quarto and leave its input in _proc'
    )
    only_pages = parser.parse_args().pages
    os.environ['PATH'] = (
        f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'  # of a .venv that is not active
    )
    if not only_pages and not shutil.which('quarto'):
        sys.exit(NO_QUARTO)
    make_figures()
    make_pages()
    if only_pages:
        return print(f'{len(list(PAGES.rglob("*.ipynb")))} pages for Quarto in {PAGES.name}')
    subprocess.run(['quarto', 'render', PAGES, '--no-cache'], check=True)
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.move(PAGES / SITE.name, SITE)
    copy_notebooks()
    (SITE / '.nojekyll').touch()  # GitHub Pages would leave out names that begin with _
    print(f'the site is in {SITE.name}; begin with {SITE.name}/index.html')


if __name__ == '__main__':
    main()
