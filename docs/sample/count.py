"""Count the birds in a file, one name per line."""

import sys
from collections import Counter
from pathlib import Path


def count(text: str) -> Counter[str]:
    """How often each name occurs; blank lines are not names."""
    return Counter(line.strip() for line in text.splitlines() if line.strip())


if __name__ == "__main__":
    for name, number in count(Path(sys.argv[1]).read_text()).most_common():
        sys.stdout.write(f"{number:4} {name}\n")
