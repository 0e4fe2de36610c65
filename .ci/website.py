"""Build the documentation site into _docs: `python .ci/website.py`, or make docs.

With `--pages`, stop before Quarto and leave its input in _proc.

nbdev turns notebooks into pages for Quarto: what is exported becomes a description with its arguments. Here each page gets what nbdev
leaves out (what follows the title in the first cell, the fields of dataclasses) and two links, to open the notebook in Colab and to
download it; and the figures are made and shown in the gallery and on their own pages.
"""

import argparse
import ast
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from html import escape
from pathlib import Path
from unittest import mock

import nbformat
import yaml

from check import tell
from docs import LINK, NESTED, anchors_of_pages, comments, has_fields, page_problems, said_of
from package import ROOT, modules

NBS, FIGURES, PAGES, SITE = (
    ROOT / 'nbs',
    ROOT / '_figures' / 'figures',
    ROOT / '_proc',
    ROOT / '_docs',
)
NO_QUARTO = (
    'website: Quarto, which builds the site, is not installed and could not be brought '
    '(quarto-cli downloads it, which needs a network); '
    'get it from https://quarto.org/docs/get-started, then run make docs again'
)
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


def bring_quarto() -> None:
    "Quarto as the system has it; else PyPI's quarto-cli beside this Python, which downloads the program."
    if shutil.which('quarto'):
        return
    pip = ['uv', 'pip', 'install', '--python', sys.executable]
    pip = pip if shutil.which('uv') else [sys.executable, '-m', 'pip', 'install']
    print('website: installing Quarto (quarto-cli), about 130 MB')
    subprocess.run([*pip, '--quiet', 'quarto-cli'], capture_output=True)
    if not shutil.which('quarto'):
        sys.exit(NO_QUARTO)


def make_figures() -> None:
    "The figures of the built-in people in _figures, made anew where something that they are made of is newer."
    sources = [
        p
        for pattern in ('nbs/figures/*.ipynb', 'glownb/**/*.py', 'data/weights/*')
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
    with mock.patch('nbdev.processors._do_eval', is_run):
        proc_nbs(force=True, n_workers=0)  # here, where the patch holds
    if FIGURES.is_dir():
        shutil.copytree(FIGURES, PAGES / 'figures' / 'made')
    heads = (
        ('The paper', 'claim'),
        ('Measured here', 'measured'),
    )  # a figure's page begins with the claim
    fields = fields_of_dataclasses()
    found = dict(commands())
    callbacks = {c.callback.__name__ for c in found.values()} | {
        'options'
    }  # words before a command
    reference = ['## Commands', *(command_text(*c) for c in found.items())]
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
            first.append(nbformat.v4.new_markdown_cell(figure_text(name.stem, 'made', heads[1:])))
        if name == Path('gallery.ipynb'):
            cells += [
                nbformat.v4.new_markdown_cell(
                    f'## {about(p)["title"]}\n\n{figure_text(p.stem, "figures/made", heads)}'
                )
                for p in sorted(FIGURES.glob('*.json'))
            ]
        notebook.cells = [cells[0], *(cell for cell in first if cell.source), *cells[1:]]
        notebook.cells = [c for c in notebook.cells if not shows_command(c, callbacks)]
        if name == Path('99_cli.ipynb'):
            k = next(i for i, c in enumerate(notebook.cells) if c.source.startswith('## '))
            notebook.cells[k:k] = [nbformat.v4.new_markdown_cell(t) for t in reference]
        for step in (plain_signatures, plain_tables, name_imports, drop_empty, describe_pictures):
            step(notebook)
        add_links(notebook, name)
        nbformat.write(notebook, page)
    link_names(anchors_of_pages(PAGES))


def is_run(cell) -> bool:
    "Whether a page needs what a cell does: what it exports or imports, but no test that imports."
    if cell.cell_type != 'code' or not (tree := cell.parsed_()):
        return False
    if cell.directives_.get('eval:', [''])[0].lower() == 'false':
        return False
    if cell.directives_.keys() & {'export', 'exports', 'exporti', 'exec_doc'}:
        return True
    is_shown = any(n.func.id == 'show_doc' for n in calls_by_name(tree))
    return is_shown or all(isinstance(n, ast.Import | ast.ImportFrom) for n in tree)


def calls_by_name(tree: list) -> list:
    "Calls of functions that have a plain name."
    nodes = [n for part in tree for n in ast.walk(part) if isinstance(n, ast.Call)]
    return [n for n in nodes if isinstance(n.func, ast.Name)]


def commands(command=None, name: str = 'glownb'):
    "Each command with its full name, as the shell knows it."
    import typer

    from glownb import cli

    command = command or typer.main.get_command(cli.app)
    if not getattr(command, 'commands', None):
        yield name, command
        return
    for word, inner in command.commands.items():
        yield from commands(inner, f'{name} {word}')


def command_text(name: str, command) -> str:
    "A command: what it does, examples to paste, its words and options."
    says, *examples = re.split(r'^Example: ', inspect.cleandoc(command.help), flags=re.M)
    rows = [option_row(p) for p in command.params if p.name != 'help']
    table = [['Word or option', 'Default', 'Details'], ['---'] * 3, *rows] if rows else []
    parts = [f'### {name}', plain(says.strip())]
    if examples:
        parts.append('\n'.join(['```bash', *(e.strip() for e in examples), '```']))
    return '\n\n'.join([*parts, '\n'.join(f'| {" | ".join(row)} |' for row in table)])


def option_row(option) -> list[str]:
    "An option as its help has it."
    is_word = option.param_type_name == 'argument'
    name = option.name.upper() if is_word else ', '.join([*option.opts, *option.secondary_opts])
    default = option.default
    if option.required:
        said = 'required'
    else:
        said = '' if default in (None, False, ()) or callable(default) else f'`{default}`'
    return [f'`{name}`', said, plain(' '.join((option.help or '').split()))]


def plain(text: str) -> str:
    "Text in which Pandoc finds nothing but spans of code: no option becomes a dash, no @eve a citation."
    return re.sub(r'(`[^`]*`)|([\\*_<>$@|\'"~^#\[\]-])', lambda m: m[1] or f'\\{m[2]}', text)


def shows_command(cell, callbacks: set[str]) -> bool:
    "Whether a cell tells of a command as a function of Python, which it is for nobody."
    said = re.search(r'^show_doc\((\w+)\)$', cell.source, re.M)
    return bool(said) and said[1] in callbacks


def plain_signatures(notebook) -> None:
    "Signatures are blocks of code, where nbdev's links stand as raw Markdown: names again."
    unlinked = lambda block: re.sub(r'\[(`?[^`\]\n]+`?)\]\(https?://[^)\s]+\)', r'\1', block[0])
    for cell in notebook.cells:
        for data in (o.data for o in cell.get('outputs', []) if 'data' in o):
            if text := data.get('text/markdown'):
                fenced = re.sub(r'^ *```.*?^ *```', unlinked, text, flags=re.M | re.S)
                data['text/markdown'] = re.sub(
                    r'^> *.*\($|^ +\w+:.*$', unlinked, fenced, flags=re.M
                )


def plain_tables(notebook) -> None:
    "A table as HTML by itself: for an output of that kind Quarto loads jQuery and RequireJS."
    for data in (o.data for c in notebook.cells for o in c.get('outputs', []) if 'data' in o):
        if html := data.pop('text/html', None):
            data['text/markdown'] = f'```{{=html}}\n{html}\n```'


def name_imports(notebook) -> None:
    "What tests import is folded; the line that unfolds it says what it is."
    for cell in notebook.cells:
        if cell.cell_type == 'code' and cell.source.startswith('#| code-fold: true\n'):
            cell.source = f'#| code-summary: Imports of the examples\n{cell.source}'


def drop_empty(notebook) -> None:
    "Take out headings below which the page shows nothing, since what stood there is told elsewhere."
    kept = []
    for cell in reversed(notebook.cells):
        shown = re.sub(r'<!--.*?-->', '', cell.source, flags=re.S).strip()
        depth, is_bare = heading_depth(cell), '\n' not in shown
        if not shown or depth and is_bare and (not kept or 0 < heading_depth(kept[-1]) <= depth):
            continue
        kept.append(cell)
    notebook.cells = kept[::-1]


def heading_depth(cell) -> int:
    "How deep the heading is that a cell begins with; 0 without one."
    found = re.match(r'#+(?= )', cell.source) if cell.cell_type == 'markdown' else None
    return len(found[0]) if found else 0


def describe_pictures(notebook) -> None:
    "A picture without words of its own is described by the sentence above it."
    says = ''
    for cell in notebook.cells:
        if cell.cell_type == 'markdown' and cell.source.strip():
            last = re.sub(r'[*`#$]|\]\([^)]*\)|\[', '', cell.source.strip().split('\n\n')[-1])
            says = ' '.join(last.split())
        if any(k.startswith('image/') for o in cell.get('outputs', []) for k in o.get('data', ())):
            if says and 'fig-alt' not in cell.source:
                cell.source = f'#| fig-alt: {json.dumps(says, ensure_ascii=False)}\n{cell.source}'


def link_names(anchors: dict[str, set[str]]) -> None:
    "Links that nbdev makes of names lead to pages of this build, to what is there; never from within a link."
    address = ''.join(settings()[k] for k in ('doc_host', 'doc_baseurl'))
    for page in sorted(PAGES.rglob('*.ipynb')):
        notebook = nbformat.read(page, 4)
        above = '../' * (len(page.relative_to(PAGES).parts) - 1) or './'

        def link(found, above=above):
            there = anchors.get(found[2], ())  # a method may be told with its class
            anchor = next((a for a in (found[3], found[3].split('.')[0]) if a in there), None)
            return f'{found[1]}({above}{found[2]}#{anchor})' if anchor else found[1][1:-1]

        def mended(text, link=link):
            text = re.sub(
                rf'(\[[^\[\]\n]*\])\({re.escape(address)}/([^()#\s]+)#([^()\s]+)\)', link, text
            )
            return NESTED.sub(lambda m: '[' + re.sub(LINK, r'\1', m[1]) + ']', text)

        for cell in notebook.cells:
            if cell.cell_type == 'markdown':
                cell.source = mended(cell.source)
            for data in (o.data for o in cell.get('outputs', []) if 'data' in o):
                if text := data.get('text/markdown'):
                    data['text/markdown'] = mended(text)
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
                text = field_table(rows)
                tables[node.name] = nbformat.v4.new_markdown_cell(text)
    return tables


def field_table(rows: list[list[str]]) -> str:
    "A table of fields; without the defaults where there are none."
    rows = [['**Field**', '**Type**', '**Default**', '**Details**'], ['---'] * 4, *rows]
    if not any(row[2] for row in rows[2:]):
        rows = [[*row[:2], row[3]] for row in rows]
    return '\n'.join(f'| {" | ".join(row)} |' for row in rows)


def field_row(field: ast.AnnAssign, says: dict) -> list[str]:
    "One field as a row of a table."
    escaped = lambda text: plain(escape(text, quote=False)).replace(
        '\\|', '&#124;'
    )  # no cell ends there
    code = lambda node: f'<code>{escaped(ast.unparse(node))}</code>' if node else ''
    kind, details = code(field.annotation), plain(said_of(field, says))
    return [f'`{field.target.id}`', kind, code(field.value), details]


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


def figure_text(name: str, folder: str, heads: tuple) -> str:
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
        *(f'**{head}:** {says[key]}' for head, key in heads if says.get(key)),
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
    if not only_pages:
        bring_quarto()
    make_figures()
    make_pages()
    whole = f'{len(list(PAGES.rglob("*.ipynb")))} pages for Quarto in {PAGES.name}'
    if tell('website', page_problems(PAGES), whole):
        sys.exit(1)
    if only_pages:
        return
    subprocess.run(['quarto', 'render', PAGES, '--no-cache'], check=True)
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.move(PAGES / SITE.name, SITE)
    copy_notebooks()
    (SITE / '.nojekyll').touch()  # GitHub Pages would leave out names that begin with _
    print(f'the site is in {SITE.name}; begin with {SITE.name}/index.html')


if __name__ == '__main__':
    main()
