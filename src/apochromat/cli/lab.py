"""The extra that the twin and the lens engine need."""

from __future__ import annotations

from importlib.util import find_spec

from apochromat.cli.errors import UsageError


def require_lab(verb: str) -> None:
    """Refuse a verb whose extra is missing with the command that installs it."""
    missing = [name for name in ("jax", "scipy", "matplotlib") if find_spec(name) is None]
    if missing:
        raise UsageError(f"{verb} needs {', '.join(missing)}, not installed: pip install 'apochromat[lab]'")
