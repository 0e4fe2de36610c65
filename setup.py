"Everything that setuptools needs stands in settings.ini."
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
config = ConfigParser(delimiters=["="])
config.read(here / "settings.ini", encoding="utf-8")
cfg = config["DEFAULT"]
beside = {"glownb.data": "data", "glownb.nbs.figures": "nbs/figures"}
pythons = ["3.11", "3.12", "3.13"]

setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=(here / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    keywords=cfg["keywords"],
    author=cfg["author"],
    author_email=cfg["author_email"],
    url=cfg["git_url"],
    license="Apache-2.0",
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "License :: OSI Approved :: Apache Software License",
        "Natural Language :: English",
        *(f"Programming Language :: Python :: {v}" for v in pythons),
    ],
    # what ships beside the code: glownb looks for data/ and nbs/figures/ inside the package first
    packages=[*find_packages(include=["glownb", "glownb.*"]), *beside],
    package_dir=beside,
    package_data={"glownb.data": ["**/*"], "glownb.nbs.figures": ["*.ipynb"]},
    python_requires=f">={cfg['min_python']}",
    install_requires=cfg["requirements"].split(),
    extras_require={"dev": cfg["dev_requirements"].split()},
    entry_points={
        "console_scripts": cfg["console_scripts"].split("\n"),
        "nbdev": [f"{cfg['lib_name']}={cfg['lib_name']}._modidx:d"],
    },
    zip_safe=False,
)
