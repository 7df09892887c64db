"""Paths in the checkout. Imports nothing, for tests that run outside the environment."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data"
