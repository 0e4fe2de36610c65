"""Make README.md of nbs/index.ipynb; with `--check` only say whether it would change."""

import posixpath
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def readme() -> str:
    "The text of README.md."
    import nbformat
    from nbconvert import MarkdownExporter
    from nbconvert.preprocessors import ClearOutputPreprocessor

    notebook = nbformat.read(ROOT / 'nbs' / 'index.ipynb', 4)
    notebook.cells = [c for c in notebook.cells if not re.match(r'#\|\s*hide', c.source)]
    notebook, _ = ClearOutputPreprocessor().preprocess(notebook, {})
    notebook.metadata['language_info'] = {'name': 'python'}  # how code is coloured
    text, _ = MarkdownExporter().from_notebook_node(notebook)
    text = (
        re.sub(r'\n{3,}', '\n\n', text).strip().replace('```\n\n```python\n', '\n')
    )  # cells that follow each other are one block
    return (
        '<!-- made from nbs/index.ipynb by make prepare; edit that -->\n\n'
        + re.sub(r'\]\((?!https?:|mailto:|#|/)([^)\s]+)', from_root, text)
        + '\n'
    )


def from_root(link: re.Match) -> str:
    "A link that leads from nbs/ to a file, as it is written at the top of the repository."
    return '](' + posixpath.normpath(f'nbs/{link[1]}')


if __name__ == '__main__':
    path, text = ROOT / 'README.md', readme()
    if '--check' in sys.argv[1:]:
        sys.exit(path.read_text(encoding='utf-8') != text)
    path.write_text(text, encoding='utf-8')
