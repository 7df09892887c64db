"""Golds in doubt: collect what speaks against each gold answer, and rank the suspects."""
