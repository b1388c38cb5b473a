"""What operators see of the lake: how far it is behind, what it wrote, what it put aside. Types of events, never ids."""

from __future__ import annotations

from service_kit.metrics import counter, gauge, histogram

BEHIND_RECORDS = gauge("lake_behind_records", "Records in the log that are in no file yet, when the last round began.")
WRITTEN_AT = gauge("lake_written_at_seconds", "When a round last came to its end, in seconds since 1970.")
ROUND_SECONDS = histogram("lake_round_seconds", "Seconds that a round took.", buckets=(1, 5, 15, 60, 300, 900, 3600))
ROWS = counter("lake_rows", "Rows written from the log, by type of event.", "type")
FILES = counter("lake_files", "Files by what became of them: written, compacted, removed or orphan.", "outcome")
ASIDE = counter("lake_records_aside", "Records that are in no file because nobody can read them, by reason.", "reason")
