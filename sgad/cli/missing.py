"""Which extra of the package brings what is missing."""

#: Package as it is imported -> the smallest extra that brings it.
EXTRA_OF = {
    "PIL": "train",
    "jinja2": "reports",
    "matplotlib": "reports",
    "numba": "train",
    "pandas": "reports",
    "pytorch_fid": "measures",
    "scipy": "measures",
    "seaborn": "reports",
    "sklearn": "train",
    "snakemake": "workflow",
    "torch_fidelity": "measures",
    "torchvision": "train",
    "tqdm": "train",
}


def missing_package(name: str) -> str:
    """Sentence about a package that is not installed, with the command that installs it."""
    package = name.partition(".")[0]
    if package == "torch":
        return "the package 'torch' is missing: this installation only makes reports; `pip install sgad` brings the networks"
    extra = EXTRA_OF.get(package)
    wanted = f"sgad[{extra}]" if extra else "sgad[all]"
    return f"the package {package!r} is missing; install it with `pip install '{wanted}'` (in a clone: '.{wanted[4:]}')"
