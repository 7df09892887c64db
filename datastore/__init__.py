"""A store for data pipelines: immutable Parquet objects, append-only ledgers, memos and versions.

One folder, many processes; DuckDB does the relational work. The store knows nothing about
mathematics. Start reading at `store.py`; the other modules build on `files.py` and `locks.py`.
"""
