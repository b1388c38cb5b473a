"""What a migration may do to tables that the code of the release before still uses: add to them, and nothing else."""

import re
from collections.abc import Iterator
from pathlib import Path

# A file that does more says in a line of its own why no running code minds: what it removes has been unused for a release.
_REASON = re.compile(r"^-- narrows: \S.{20,}$", re.MULTILINE)
_COMMENT = re.compile(r"--[^\n]*")
_BODY = re.compile(r"(\$\w*\$).*?\1", re.DOTALL)
_MADE = re.compile(r"create (?:or replace )?(?:unlogged )?(?:table|view|function|schema) (?:if not exists )?([\w.]+)")
_ALTERED = re.compile(r"alter table (?:if exists )?(?:only )?([\w.]+) (.*)")
_ADDED = re.compile(r"add column (?:if not exists )?(.*)")
# Whatever comes after a comma at the depth of the statement itself is another action.
_ACTION = re.compile(r",\s*(?![^()]*\))")

_WIDENING = (
    r"create (or replace )?(unlogged )?(table|view|function|type|schema|sequence|domain|extension)\b",
    r"create index\b",
    # What a trigger does to the commands of the release before shows when that release's tests run on the new tables.
    r"create (or replace )?(constraint )?trigger\b",
    # Policies are permissive unless they say otherwise: one more lets somebody see more.
    r"create policy (?!.*\bas restrictive\b)",
    r"(grant|comment on|insert into|select|set local)\b",
    r"revoke (all|execute) on function\b",
    r"do \$",
)


def narrowing_statements(sql: str) -> Iterator[str]:
    """The statements of a migration that take something away from, or ask something new of, what was there before it."""
    statements = [" ".join(part.split()) for part in _BODY.sub("$$", _COMMENT.sub("", sql)).lower().split(";")]
    made = {name for statement in statements for name in _MADE.findall(statement)}
    for statement in filter(None, statements):
        if not _is_widening(statement, made):
            yield statement[:90]


def _is_widening(statement: str, made: set[str]) -> bool:
    if altered := _ALTERED.match(statement):
        table, actions = altered.groups()
        return table in made or all(_adds(action) for action in _ACTION.split(actions))
    if (on := re.match(r"create (?:unique index|policy) .*?\bon (?:only )?([\w.]+)", statement)) and on[1] in made:
        return True
    return any(re.match(pattern, statement) for pattern in _WIDENING)


def _adds(action: str) -> bool:
    """A column that the code before can leave out: it may be null, or has a default."""
    added = _ADDED.fullmatch(action.strip())
    return added is not None and ("not null" not in added[1] or " default " in added[1])


def migrations_fit_two_releases(root: Path) -> Iterator[str]:
    """A migration runs while the release before still serves, and after a rollback: it only adds, or says why it may do more."""
    for path in sorted(root.glob("services/*/migrations/*.sql")):
        sql = path.read_text(encoding="utf-8")
        if not _REASON.search(sql):
            for statement in narrowing_statements(sql):
                yield f"{path.relative_to(root)}: running code may need what this changes: {statement}"
