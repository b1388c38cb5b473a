"""What `make backup`, `make restore` and `make drill` do on the platform of this machine."""

import base64
import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from local_stack.commands import agrees, running_stack
from local_stack.demo import demo
from local_stack.errors import StackError
from local_stack.paths import state_folder
from local_stack.recovery.backup import back_up, note_success
from local_stack.recovery.drill import drill as measure
from local_stack.recovery.manifest import NAME
from local_stack.recovery.restore import Restored, check_backup
from local_stack.recovery.restore import restore as bring_back
from local_stack.recovery.sealing import Seal
from local_stack.secret_files import new_key, secret
from local_stack.stack import Stack, load_stack, only_one_command

KEY = "BLOOM_BACKUP_KEY"
"""The variable with the key, 32 bytes in base64; without it the local stack makes one and keeps it beside its backups."""


def backup(to: Path | None) -> int:
    """Back up the running platform into a new folder, and tell Prometheus."""
    backups = _backups()
    folder = to or backups / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    with only_one_command(state_folder()):
        manifest = back_up(running_stack(), folder, _seal())
    file = note_success(backups, manifest, datetime.now(UTC))
    size = sum(each.bytes for each in manifest.databases.values())
    print(f"{len(manifest.databases)} databases, {size / 1e6:.1f} MB sealed, {len(manifest.topics)} topics: {folder}")
    print(f"For Prometheus: {file}. Next: make restore FROM={folder}, or make drill")
    return 0


def restore(source: Path | None, *, is_sure: bool) -> int:
    """Bring the platform back to a backup (the last one, unless another is named), after asking."""
    folder, seal = source or _latest(), _seal()
    stack = load_stack(state_folder())
    if stack is None:
        raise StackError("restore", "the platform was never started here; run `make up` first")
    manifest = check_backup(stack, folder, seal)
    if not is_sure and not agrees("restore", f"Replace all databases by those of {manifest.shows:%Y-%m-%d %H:%M:%S} UTC? [y/N] "):
        print("Nothing was changed.")
        return 1
    with only_one_command(state_folder()):
        restored = bring_back(stack, folder, seal, _say)
    print(f"\n{restored.rows} rows, {len(restored.topics)} topics mended, {len(restored.groups)} groups of consumers sent back.")
    print(f"What is on the log and in no database any more: {keep_findings(folder, restored)}. Next: make status")
    return 0


def drill(*, is_sure: bool) -> int:
    """Back up, tell the demo's stories, destroy PostgreSQL and topics' settings, restore, print RPO and RTO; asks before."""
    question = "Destroy and restore the databases of the local platform? What is written meanwhile is lost. [y/N] "
    if not is_sure and not agrees("drill", question):
        print("Nothing was changed.")
        return 1
    stack, folder = running_stack(), _backups() / f"drill-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    with only_one_command(state_folder()):
        found = measure(stack, folder, _seal(), lambda: _live_on(stack), _say)
    print("\n" + "\n".join(found.lines()))
    print(f"\nWhat is on the log and in no database any more: {keep_findings(folder, found.restored)}. Next: make demo")
    return 0


def keep_findings(folder: Path, restored: Restored) -> Path:
    """Write what was found on the log beside the backup: ids, types and times, for whoever has to see to it."""
    file = folder / f"restored-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    found = {
        name: [each._asdict() for each in events]
        for name, events in (("lost", restored.found.lost), ("again", restored.found.again))
    }
    file.write_text(json.dumps({"seconds": restored.seconds, **asdict(restored.found), **found}, indent=1))
    return file


def _live_on(stack: Stack) -> None:
    print("  meanwhile, two stories:\n", flush=True)
    demo(stack)


def _say(step: str, seconds: float) -> None:
    print(f"  {step:<32} {seconds:6.1f} s", flush=True)


def _backups() -> Path:
    folder = state_folder() / "backups"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _latest() -> Path:
    found = sorted(path.parent for path in _backups().glob(f"*/{NAME}"))
    if not found:
        raise StackError("restore", "there is no backup; run `make backup` first")
    return max(found, key=lambda folder: (folder / NAME).stat().st_mtime)


def _seal() -> Seal:
    """The key that backups are sealed with; it lies apart from the other secrets, which `make reset` deletes."""
    told = os.environ.get(KEY) or secret(state_folder() / "backup-key", "key", new_key)
    try:
        key = base64.b64decode(told, validate=True)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise StackError("backup", f"{KEY} is not 32 bytes in base64")
    return Seal(key)
