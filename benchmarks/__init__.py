"""One file a claim; `make bench` prints their tables as Markdown."""
