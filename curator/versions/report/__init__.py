"""The report page: one version, or the comparison of two, as one HTML file that loads nothing.

In: an engine with the tables that `curator.versions.report.write` creates, and what the manifests
state. Out: the text of the page: figures, charts and a browser of sampled rows.
"""

from curator.versions.report.comparison import render_comparison
from curator.versions.report.page import VersionInfo, render_report

__all__ = ["VersionInfo", "render_comparison", "render_report"]
