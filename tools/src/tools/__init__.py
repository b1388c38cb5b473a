"""The repository's own tools: what `make check`, `make events`, `make test` and `make promises` run."""
