"""The house rules that a program can see: each rule yields one sentence per place that breaks it.

tests/architecture holds the repository to all of them, and plants a breach of each to see it bite.
"""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

from local_stack.names import import_name
from tools.migration_rules import migrations_fit_two_releases

ROOMS = frozenset(
    {"__init__", "__main__", "main", "worker", "relay", "socket", "routes", "agents", "dependencies", "schemas", "use_cases",
     "repository", "clients", "windows", "model", "domain", "settings", "py"}
)  # fmt: skip
BANNED_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "constants", "types"})
BUSINESS_WORDS = re.compile(
    r"\b(patients?|therapists?|appointments?|invoices?|visits?|conversations?|clinic\w*|diagnos\w*)\b", re.IGNORECASE
)
SECRET_FIELDS = frozenset({"email", "password", "display_name", "name", "body", "text", "token", "cookie", "address", "phone"})
# The list of tenants itself; the keys of the one issuer, whose tokens name their tenant; how far a log of all tenants was read,
# and which files it is in.
WITHOUT_TENANT = frozenset(
    {"tenants", "signing_keys", "partitions", "handled_batches", "lake_positions", "lake_files", "lake_dates", "lake_aside"}
)
LONGEST_FUNCTION, LONGEST_FILE, LONGEST_TEST_FILE = 40, 300, 450
README_HEADINGS = ["For", "Owns", "Answers", "Listens to", "Publishes", "Processes", "Settings"]
DOWNLOAD = re.compile(r"https?://\S+\.(whl|jar|tgz|tar\.gz|deb|zip)\b")


def tracked(root: Path, *suffixes: str) -> list[Path]:
    """The files git knows or would take, with one of these suffixes (all when none is given)."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout.decode().split("\0")
    paths = [root / name for name in names if name]
    return [path for path in paths if path.is_file() and (not suffixes or path.suffix in suffixes)]


def is_test(path: Path, root: Path) -> bool:
    """Whether the file lies below a folder called tests."""
    return "tests" in path.relative_to(root).parts


def trees(root: Path, *, tests: bool = True) -> Iterator[tuple[Path, ast.Module]]:
    """Every Python file with its syntax tree."""
    for path in tracked(root, ".py"):
        if tests or not is_test(path, root):
            yield path, ast.parse(path.read_text())


def services(root: Path) -> list[Path]:
    """The folders of the services."""
    return sorted(path.parent for path in (root / "services").glob("*/pyproject.toml"))


def only_known_rooms(root: Path) -> Iterator[str]:
    """A service has the rooms of the plan and no others."""
    for service in services(root):
        for package in (service / "src").iterdir():
            for entry in package.iterdir() if package.is_dir() else ():
                if entry.name.split(".")[0] not in ROOMS and entry.name != "__pycache__":
                    yield f"{entry.relative_to(root)}: no such room in a service"


def names_that_say_something(root: Path) -> Iterator[str]:
    """No file is called utils, helpers, common and so on."""
    for path in tracked(root, ".py", ".sh", ".ts", ".tsx"):
        if path.stem in BANNED_NAMES:
            yield f"{path.relative_to(root)}: the name says nothing"


def no_packages_below_tests(root: Path) -> Iterator[str]:
    """An __init__.py below tests makes same-named test files hide each other in importlib mode."""
    for path in tracked(root, ".py"):
        if path.name == "__init__.py" and is_test(path, root):
            yield f"{path.relative_to(root)}: no __init__.py below tests"


def modules_say_what_they_are_for(root: Path) -> Iterator[str]:
    """Every module outside tests has a docstring."""
    for path, tree in trees(root, tests=False):
        if tree.body and ast.get_docstring(tree) is None:
            yield f"{path.relative_to(root)}: no module docstring"


def public_library_names_are_documented(root: Path) -> Iterator[str]:
    """Public classes and functions of the libraries, and public methods of their public classes, have docstrings."""
    for path, tree in trees(root, tests=False):
        if path.relative_to(root).parts[0] != "libs":
            continue
        for node in tree.body:
            yield from undocumented(node, str(path.relative_to(root)))


def undocumented(node: ast.stmt, place: str) -> Iterator[str]:
    """The public name this statement defines, and those of its members, that have no docstring."""
    if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
        return
    overload = any(ast.unparse(decorator).endswith(("overload", "override", ".setter")) for decorator in node.decorator_list)
    if ast.get_docstring(node) is None and not overload:
        yield f"{place}:{node.lineno} {node.name}: public in a library, without a docstring"
    if isinstance(node, ast.ClassDef):
        for member in node.body:
            yield from undocumented(member, place)


def small_functions_and_files(root: Path) -> Iterator[str]:
    """Outside tests a function has at most 40 lines; a file has at most 300, a test file 450."""
    for path, tree in trees(root):
        test, place = is_test(path, root), path.relative_to(root)
        length = len(path.read_text().splitlines())
        if length > (LONGEST_TEST_FILE if test else LONGEST_FILE):
            yield f"{place}: {length} lines"
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not test:
                size = (node.end_lineno or node.lineno) - node.lineno + 1
                if size > LONGEST_FUNCTION:
                    yield f"{place}:{node.lineno} {node.name}: {size} lines"


def settings_are_built_by_roots_only(root: Path) -> Iterator[str]:
    """Nothing happens at import: no module level of a library or service builds Settings, an app or a pool."""
    for path, tree in trees(root, tests=False):
        if path.relative_to(root).parts[0] not in {"libs", "services"}:
            continue
        for node in tree.body:
            for call in ast.walk(node) if isinstance(node, ast.Assign | ast.AnnAssign | ast.Expr) else ():
                if isinstance(call, ast.Call) and re.fullmatch(
                    r"(.*\.)?(Settings|FastAPI|App|create_app|create_worker|create_pool)", ast.unparse(call.func)
                ):
                    yield f"{path.relative_to(root)}:{call.lineno}: {ast.unparse(call.func)}() at import"


def service_kit_knows_no_business(root: Path) -> Iterator[str]:
    """service_kit may contain no business word."""
    for path in tracked(root, ".py", ".sql"):
        if "service_kit" not in path.relative_to(root).parts:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if word := BUSINESS_WORDS.search(line):
                yield f"{path.relative_to(root)}:{number}: the business word '{word.group()}'"


def logs_take_ids_only(root: Path) -> Iterator[str]:
    """No log call passes a field whose name says it holds a person's data or a secret."""
    for path, tree in trees(root, tests=False):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not re.fullmatch(r"(.*\.)?_?log(ger)?\.\w+", ast.unparse(node.func)):
                continue
            for keyword in node.keywords:
                if keyword.arg in SECRET_FIELDS:
                    yield f"{path.relative_to(root)}:{node.lineno}: logs a field called {keyword.arg}"


def sql_is_never_pasted_together(root: Path) -> Iterator[str]:
    """Statements given to the database are constants with parameters: no f-string, %, + or format() in the call itself."""
    verbs = {"execute", "fetch", "fetchrow", "fetchval", "executemany", "cursor"}
    for path, tree in trees(root, tests=False):
        if path.relative_to(root).parts[0] != "services":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in verbs and node.args:
                first = node.args[0]
                if isinstance(first, ast.JoinedStr | ast.BinOp) or (
                    isinstance(first, ast.Call) and ast.unparse(first.func).endswith(".format")
                ):
                    yield f"{path.relative_to(root)}:{node.lineno}: a statement pasted together"


def business_tables_are_tenant_isolated(root: Path) -> Iterator[str]:
    """Every table of a service has a tenant and forces row-level security."""
    for service in services(root):
        migrations = "\n".join(
            path.read_text() for path in sorted((service / "migrations").glob("*.sql")) if "plumbing" not in path.name
        )
        for table, body in re.findall(
            r"create table (?:if not exists )?(\w+) \((.*?)\n\);", migrations, re.DOTALL | re.IGNORECASE
        ):
            if not re.search(r"tenant_id\s+uuid", body) and table not in WITHOUT_TENANT:
                yield f"{service.relative_to(root)}: table {table} has no tenant_id"
            if not re.search(rf"alter table {table}\s+force row level security", migrations, re.IGNORECASE) and not re.search(
                rf"'{table}'", migrations
            ):
                yield f"{service.relative_to(root)}: table {table} does not force row-level security"


def plumbing_is_the_library_copy(root: Path) -> Iterator[str]:
    """Each service's 0001_plumbing.sql is service_kit/outbox.sql with the service's own role names."""
    canonical = root / "libs/service-kit/src/service_kit/outbox.sql"
    for service in services(root):
        copy = service / "migrations/0001_plumbing.sql"
        name = import_name(service.name)
        if not copy.exists() or copy.read_text() != canonical.read_text().replace("{app}", f"{name}_app").replace(
            "{relay}", f"{name}_relay"
        ):
            yield f"{copy.relative_to(root)} is not service_kit/outbox.sql with {name}'s roles"


def readmes_have_the_seven_headings(root: Path) -> Iterator[str]:
    """A service's README is one page with always the same seven headings."""
    for service in services(root):
        text = (service / "README.md").read_text() if (service / "README.md").exists() else ""
        if re.findall(r"^## (.+)$", text, re.MULTILINE) != README_HEADINGS:
            yield f"{service.relative_to(root)}/README.md: headings are not {', '.join(README_HEADINGS)}"


def no_download_addresses(root: Path) -> Iterator[str]:
    """Nothing committed names where a package is downloaded from."""
    for path in tracked(root, ".txt", ".toml", ".lock", ".xml", ".sh", ".json", ".yml", ".yaml"):
        if DOWNLOAD.search(path.read_text(errors="replace")) or path.name == "uv.lock":
            yield f"{path.relative_to(root)}: a download address"


def services_never_call_each_other(root: Path) -> Iterator[str]:
    """Synchronous calls between services stay at zero: only the room clients may open an HTTP client."""
    for path, tree in trees(root, tests=False):
        place = path.relative_to(root).with_suffix("")
        # services/<name>/src/<package>/<room>
        if place.parts[0] != "services" or place.parts[4:5] == ("clients",):
            continue
        for node in ast.walk(tree):
            names = (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            if {name.split(".")[0] for name in names} & {"httpx", "aiohttp", "requests", "urllib3"}:
                yield f"{path.relative_to(root)}: an HTTP client outside clients"


def services_declare_their_packages(root: Path) -> Iterator[str]:
    """Each service names itself and its packages in a pyproject.toml, all of them locked in requirements/runtime.txt."""
    locked = (root / "requirements/runtime.txt").read_text().lower() if (root / "requirements/runtime.txt").exists() else ""
    own = {"bloom-events", "bloom-service-kit"}
    for manifest in [*root.glob("libs/*/pyproject.toml"), *root.glob("services/*/pyproject.toml")]:
        for requirement in tomllib.loads(manifest.read_text())["project"].get("dependencies", []):
            name = re.split(r"[\[<>=~! ]", requirement)[0].lower()
            if name not in own and f"{name}==" not in locked:
                yield f"{manifest.relative_to(root)}: {name} is not locked in requirements/runtime.txt"


RULES = (
    only_known_rooms,
    names_that_say_something,
    no_packages_below_tests,
    modules_say_what_they_are_for,
    public_library_names_are_documented,
    small_functions_and_files,
    settings_are_built_by_roots_only,
    service_kit_knows_no_business,
    logs_take_ids_only,
    sql_is_never_pasted_together,
    business_tables_are_tenant_isolated,
    plumbing_is_the_library_copy,
    migrations_fit_two_releases,
    readmes_have_the_seven_headings,
    no_download_addresses,
    services_never_call_each_other,
    services_declare_their_packages,
)
