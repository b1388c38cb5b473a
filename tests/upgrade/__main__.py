"""`python -m tests.upgrade [service ..]`: the code of before on the tables of now, as an upgrade and a rollback meet it.

The code of before is a release's (`--from v1.2`), or for each service what its newest migration met. Its own
tests on real servers are its witnesses: they run in a copy of that tree, on databases made by the migrations of now.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.upgrade.before import Before, CannotTell, before, copied, run_tests

from local_stack.paths import ROOT
from tools.rules import services

# What no tests can live with: it shows that the run would notice.
PLANTED = """do $$ declare victim text; begin
    for victim in select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'
        and table_name not in ('schema_migrations', 'outbox', 'inbox')
    loop execute format('alter table %I rename to %I', victim, victim || '_moved'); end loop;
end $$;
"""


def main(names: list[str], release: str | None) -> int:
    """Run the tests of every service with an older version, and one of them against a planted breach; 1 when one is wrong."""
    try:
        older = [found for name in names or [path.name for path in services(ROOT)] if (found := before(name, release))]
    except CannotTell as trouble:
        print(f"upgrade: {trouble}", file=sys.stderr)
        return 1
    if not older:
        print("No service has a migration that an older version of its code lacks: there is nothing to show.")
        return 0
    broken = [one.service for one in older if not holds(one)]
    if broken:
        print(f"upgrade: what was there before does not live with the tables of {', '.join(broken)}", file=sys.stderr)
        return 1
    if holds(older[0], planted=PLANTED):
        print("upgrade: the tests passed on tables that were moved away, so they show nothing", file=sys.stderr)
        return 1
    print(f"The code of before works on the tables of {', '.join(one.service for one in older)}; a planted breach was noticed.")
    return 0


def holds(one: Before, planted: str | None = None) -> bool:
    """Whether the older version's own tests pass on the tables of now, or on those with a breach planted into them."""
    what = "with a planted breach" if planted else f"{', '.join(one.lacks)} beneath"
    print(f"\n── {one.service} as of {one.commit[:9]}, {what}", flush=True)
    with tempfile.TemporaryDirectory(prefix="bloom-upgrade-") as place:
        tree = copied(one, Path(place))
        if planted:
            folder = tree / "services" / one.service / "migrations"
            (folder / f"{len(list(folder.glob('*.sql'))) + 1:04}_planted.sql").write_text(planted)
        return run_tests(one, tree, quick=planted is not None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.upgrade", description=__doc__)
    parser.add_argument("service", nargs="*", help="all without a name")
    parser.add_argument("--from", dest="release", metavar="RELEASE", help="a tag or commit; else what each newest migration met")
    given = parser.parse_args()
    try:
        sys.exit(main(given.service, given.release))
    except subprocess.CalledProcessError as error:
        sys.exit(f"upgrade: {' '.join(error.cmd[:3])} failed: {error.stderr}")
