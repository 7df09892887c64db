"""The report page: what a version is, as one HTML file that asks nothing of the network.

In: an engine with the tables that `curator.versions.report.write` makes of a version
(or of two, to compare), and
what its manifest says. Out: the text of the page: figures, charts, and a browser of sampled rows.
"""

from curator.versions.report.comparison import Compared, comparison_page
from curator.versions.report.page import Reported, report_page

__all__ = ["Compared", "Reported", "comparison_page", "report_page"]
