"""Audit a dataset without a recipe: open it, detect its columns, check it, and report findings."""
