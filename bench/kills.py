"""Kills a build at random moments, restarts it each time, and reports whether anything was lost.

    python bench/kills.py mathinstruct --mirror DIR --allow-missing --kills 50

In: a recipe and the options of `curator build`. Out: the digests without and with kills, the number
of results that were computed again although a build before had stored them, and of concurrent
readers that failed. Exit code 1 on failure. A program that is in two shards may run in two workers
at the same time, with or without kills; those are counted, too.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path


def curator(*args: str) -> list[str]:
    """Return a command line as a list."""
    return [sys.executable, "-m", "curator", *args]


def digest_of(build: list[str]) -> str:
    """Run a complete build and return the digest of its version."""
    done = subprocess.run([*build, "--json"], check=True, capture_output=True, text=True)
    return str(json.loads(done.stdout)["digest"])


class WrittenResults:
    """All results that were ever written to a store's journals, which a build compacts."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._journals: dict[str, list[bytes]] = {}
        self.repeated = 0
        """Results that a build wrote although they had been stored before it started."""

    def update(self) -> None:
        """Read the current journals. To be called after each build; each writes new journals."""
        known = self.keys()
        for path in self._store.glob("ledgers/*/*.journal"):
            lines = [line for line in path.read_bytes().split(b"\n")[:-1] if line.count(b" ") > 2]
            keys = [line.split(b" ")[1] for line in lines]
            if path.name not in self._journals:
                self.repeated += sum(key in known for key in keys)
            self._journals[path.name] = keys

    def keys(self) -> Counter[bytes]:
        """Count how often each key was written."""
        return Counter(key for keys in self._journals.values() for key in keys)


def kill_repeatedly(
    build: list[str], store: Path, written: WrittenResults, kills: int, longest: float, seed: int
) -> Counter[str]:
    """Start and kill the build repeatedly, with concurrent readers; return counts of events."""
    generator = random.Random(seed)
    events: Counter[str] = Counter()
    for _ in range(kills):
        written.update()
        process = subprocess.Popen(
            build, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        wait = generator.uniform(0.05, longest)
        try:
            process.wait(wait)
            events["ended before the kill"] += 1
        except subprocess.TimeoutExpired:
            if (store / "FORMAT").exists() and generator.random() < 0.3:
                reader = curator("status", "--store", str(store), "--json")
                succeeded = subprocess.run(reader, capture_output=True, check=False).returncode == 0
                events["reader succeeded" if succeeded else "reader failed"] += 1
            process.send_signal(signal.SIGKILL)
            process.wait()
            events["killed"] += 1
    return events


def main() -> int:
    """Build without kills, then with kills, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe")
    parser.add_argument("--mirror", required=True)
    parser.add_argument("--allow-missing", action="store_true")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    options = [
        "--mirror",
        arguments.mirror,
        *(["--allow-missing"] if arguments.allow_missing else []),
    ]
    with tempfile.TemporaryDirectory() as folder:
        whole, broken = Path(folder, "whole"), Path(folder, "broken")
        start = time.monotonic()
        expected = digest_of(curator("build", arguments.recipe, *options, "--store", str(whole)))
        seconds = time.monotonic() - start
        build = curator("build", arguments.recipe, *options, "--store", str(broken))
        reference, restarted = WrittenResults(whole), WrittenResults(broken)
        reference.update()
        longest = max(1.5, seconds / arguments.kills)
        events = kill_repeatedly(build, broken, restarted, arguments.kills, longest, arguments.seed)
        restarted.update()
        digest = digest_of(build)
        restarted.update()
        once, again = reference.keys(), restarted.keys()
        at_once = sum(again.values()) - len(again) - restarted.repeated
        unfinished = list((broken / "tmp").iterdir())
        print(f"build without kills  {seconds:8.1f} s  digest {expected[:16]}")
        print(f"after {arguments.kills} kills{'':10} digest {digest[:16]}")
        print(f"results              {len(once):8,}    with kills {len(again):,}")
        print(f"computed again       {restarted.repeated:8,}    by two workers at once {at_once:,}")
        print(f"unfinished files     {len(unfinished):8,}")
        for what, count in sorted(events.items()):
            print(f"{what:20} {count:8,}")
        if events["ended before the kill"] == arguments.kills:
            print("Every build ended before its kill. Use fewer kills, or a larger recipe.")
            return 1
        passed = digest == expected and not restarted.repeated and set(once) == set(again)
        passed = passed and not unfinished and not events["reader failed"]
        return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
