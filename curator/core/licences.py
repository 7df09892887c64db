"""Licences whose terms are known: SPDX identifiers, and the names that the Hub has for them."""

FREE = {
    "Apache-2.0": "apache-2.0",
    "BSD-3-Clause": "bsd-3-clause",
    "CC-BY-4.0": "cc-by-4.0",
    "CC-BY-SA-4.0": "cc-by-sa-4.0",
    "CC0-1.0": "cc0-1.0",
    "MIT": "mit",
    "ODC-By-1.0": "odc-by",
}
"""SPDX identifiers that allow commercial use -> the Hub's names for them."""

RESTRICTED = {
    "CC-BY-NC-4.0": "cc-by-nc-4.0",
    "CC-BY-NC-SA-4.0": "cc-by-nc-sa-4.0",
    "CC-BY-NC-ND-4.0": "cc-by-nc-nd-4.0",
}
"""SPDX identifiers that forbid commercial use -> the Hub's names for them."""
