"""`curator sql` reads the views and nothing else, whatever the query says."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from curator.core.errors import UsageError
from curator.versions.views import run_query
from datastore.engine import Engine, NotReadOnlyError, check_is_select
from datastore.store import Store
from tests.worlds import make_world


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store whose path needs quotes in SQL, opened as `curator sql` opens it."""
    from curator import RunOptions, build

    home = tmp_path_factory.mktemp("world")
    mirror, recipe = make_world(home)
    build(recipe, home / "it's [a] store", options=RunOptions(mirror=mirror))
    with Store(home / "it's [a] store", readonly=True) as opened:
        yield opened


def digests_of_files(store: Store) -> dict[Path, str]:
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in store.root.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM rows",
        "FROM versions SELECT name;",
        "WITH a AS (SELECT 1 AS x) SELECT * FROM a",
        "VALUES (1), (2)",
        "DESCRIBE verdicts",
        "SHOW TABLES",
        "SUMMARIZE verdicts",
        "EXPLAIN SELECT 1",
        " explain\nanalyze SELECT count(*) FROM problems",
        "SELECT * FROM quarantine",
        "PIVOT verdicts ON outcome IN ('passed', 'failed') USING count(*) GROUP BY check_name",
    ],
)
def test_reading_the_views_works(store: Store, query: str) -> None:
    names, _ = run_query(store, query)
    assert names


@pytest.mark.parametrize(
    "query",
    [
        "COPY (SELECT 1) TO '{file}'",
        "COPY rows TO '{object}' (USE_TMP_FILE false)",
        "EXPLAIN ANALYZE COPY (SELECT 1 AS a) TO '{object}' (FORMAT csv, USE_TMP_FILE false)",
        "EXPLAIN (ANALYZE) COPY (SELECT 1 AS a) TO '{object}' (USE_TMP_FILE false)",
        "EXPLAIN /* */ ANALYZE COPY (SELECT 1 AS a) TO '{object}' (USE_TMP_FILE false)",
        "SELECT 1; COPY (SELECT 1) TO '{object}' (USE_TMP_FILE false)",
        "EXPORT DATABASE '{file}'",
        "ATTACH '{file}' AS other",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 1",
        "SET enable_external_access = true",
        "RESET allowed_paths",
        "PRAGMA enable_profiling",
        "PRAGMA database_list; SELECT 1",
        "CREATE TABLE t AS SELECT 1",
        "CREATE SECRET (TYPE s3)",
        "CREATE OR REPLACE VIEW rows AS SELECT 1",
        "CALL enable_logging(storage='file', storage_path='{file}')",
        "BEGIN",
        "CHECKPOINT",
        "VACUUM",
        "PREPARE p AS SELECT 1",
        "DROP VIEW rows",
        "USE memory",
        "PIVOT verdicts ON outcome USING count(*)",
        "",
        "-- nothing",
    ],
)
def test_any_other_statement_is_refused_and_changes_nothing(
    store: Store, tmp_path: Path, query: str
) -> None:
    before = digests_of_files(store)
    an_object = next(store.root.glob("objects/*/*.parquet"))
    paths = {"file": tmp_path / "written", "object": str(an_object).replace("'", "''")}
    with pytest.raises(UsageError, match=r"not read-only: expected one SELECT, saw: [^\n]+$"):
        run_query(store, query.format(**paths))
    assert digests_of_files(store) == before
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM read_blob('{file}')",
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM read_json('{file}')",
        "SELECT * FROM sniff_csv('{file}')",
        "SELECT * FROM read_parquet('{file}')",
        "SELECT * FROM parquet_metadata('{file}')",
        "SELECT * FROM read_duckdb('{file}')",
        "SELECT * FROM '{file}'",
        "SELECT * FROM query('SELECT * FROM read_text(''{file}'')')",
        "SELECT * FROM query_table('{file}')",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM read_text('{manifests}')",
        "SELECT * FROM read_blob('/proc/self/environ')",
        "SELECT * FROM read_csv('/dev/stdin')",
        "SELECT * FROM 'http://127.0.0.1:9/x.parquet'",
        "SELECT * FROM read_text('https://127.0.0.1:9/x')",
        "SELECT * FROM duckdb_secrets()",
        "SELECT getenv('HOME')",
        "SELECT * FROM store",
        "SELECT * FROM arrow_scan(1, 2, 3)",
    ],
)
def test_nothing_else_can_be_read(store: Store, tmp_path: Path, query: str) -> None:
    (tmp_path / "secret.csv").write_text("a,b\nsecret,2\n")
    paths = {
        "file": tmp_path / "secret.csv",
        "folder": tmp_path,
        "manifests": str(store.root / "versions").replace("'", "''") + "/*/*.json",
    }
    with pytest.raises(UsageError) as caught:
        run_query(store, query.format(**paths))
    assert "secret,2" not in str(caught.value)
    assert "not read-only" not in str(caught.value)


def test_a_function_that_writes_cannot_write(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    query = f"SELECT * FROM enable_profiling(format = 'json', save_location = '{file}')"
    run_query(store, f"{query}, range(1000)")
    assert not file.exists()


def test_a_locked_engine_spills_to_its_own_folder(tmp_path: Path) -> None:
    with Engine("40MB", 2, spill=tmp_path) as engine:
        engine.lock([])
        query = "SELECT md5(range::VARCHAR) AS a FROM range(1500000) ORDER BY a"
        assert sum(batch.num_rows for batch in engine.batches(query)) == 1_500_000


@pytest.mark.parametrize(
    "query",
    [
        "EXPLAIN COPY a TO 'b'",
        "EXPLAIN ANALYZE COPY a TO 'b'",
        "EXPLAIN (ANALYZE, FORMAT json) COPY a TO 'b'",
        "EXPLAIN SELECT 1; COPY a TO 'b'",
        "EXPLAIN CREATE TABLE a AS SELECT 1",
    ],
)
def test_explain_is_refused_unless_it_explains_a_select(query: str) -> None:
    check_is_select("EXPLAIN ANALYZE SELECT 'COPY'")
    with pytest.raises(NotReadOnlyError):
        check_is_select(query)


@pytest.mark.parametrize("words", ["hidden", "SELECT 42", "SET threads = 1"])
def test_the_parser_opens_no_file(store: Store, tmp_path: Path, words: str) -> None:
    # IMPORT DATABASE is replaced by the statements of these files while a query is parsed.
    for name in ("schema.sql", "load.sql"):
        (tmp_path / name).write_text(words)
    for query in (f"IMPORT DATABASE '{tmp_path}'", f"EXPLAIN IMPORT DATABASE '{tmp_path}'"):
        with pytest.raises(UsageError) as error:
            run_query(store, query)
        assert "hidden" not in str(error.value)
        assert "INTERNAL" not in str(error.value)
