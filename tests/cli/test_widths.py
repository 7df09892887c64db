"""Lines of a few commands fit 80 columns, however long the names are."""

from pathlib import Path

from curator.cli.render_diff import print_key_changes
from curator.core.progress import TeacherProgress
from curator.versions.diff import KeyChange
from tests.worlds import curator


def test_keys_of_a_recipe_fit_the_screen_and_keep_their_end(capsys) -> None:  # type: ignore[no-untyped-def]
    keys = [
        KeyChange("subsets.a_subset_with_a_long_name.source.columns.question", "q" * 90, ""),
        KeyChange("seed", "1", "2"),
    ]
    print_key_changes(keys)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].startswith("…") and "source.columns.question " in lines[1]
    assert lines[2].split() == ["seed", "1", "2"]


def test_a_teacher_with_many_failures_fits_the_screen() -> None:
    line = str(
        TeacherProgress("generating theoremqa_cot", 123_456, 4_000_000, 2_000_000, 9_999, 4_096,
                        1_234_567, 654_321, 10**10, 1234.5)
    )  # fmt: skip
    assert "1.2M refused" in line and "654k failed" in line


def test_new_says_what_it_wrote_and_what_comes_next_in_two_lines(tmp_path: Path) -> None:
    name = "a-name-that-is-rather-long-but-valid"
    done = curator("new", name, "--from", "existing-data", cwd=tmp_path)
    assert done.stdout.splitlines() == [
        f"Wrote {name}.yaml, which extends existing-data.",
        f"Edit it, then run: curator preview {name}.yaml",
    ]
