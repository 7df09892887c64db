"""Golds in doubt: what a version says against its own gold answers, without running anything."""
