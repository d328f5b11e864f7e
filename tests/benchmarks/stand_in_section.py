"""A section of `tests.benchmarks.gpu` that takes no GPU: it writes a table, fails or hangs."""

import argparse
import json
import sys
import time

from tests.benchmarks.gpu import FAILURES, Given


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    Given.add_arguments(parser)
    arguments = parser.parse_args()
    given = Given.of(arguments)
    until = float(sys.stdin.readline())
    (given.tables / f"{arguments.name}.json").write_text(json.dumps({"until": until}))
    if arguments.name == "fails":
        (given.out / FAILURES).write_text("what went wrong")
        return 1
    if arguments.name == "hangs":
        time.sleep(3600)
    return 0


if __name__ == "__main__":
    sys.exit(main())
