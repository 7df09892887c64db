"""The parts of an audit: open a dataset, detect its columns, find near duplicates, tell results."""
