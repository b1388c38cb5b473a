"""`python -m images build|sbom|publish|promote|retire|smoke`: everything about images between the code and the environments."""

import argparse
import json
import os
import sys
import urllib.error
from collections.abc import Sequence

from images.catalog import Image, image, images
from images.engine import EngineError
from images.environments import PromotionError
from local_stack.paths import ROOT, state_folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 1 with one line when it cannot be done, 2 when what was asked for makes no sense."""
    given = _parser().parse_args(arguments)
    try:
        print(given.run(given))
    except ValueError as error:
        print(f"images: {error}", file=sys.stderr)
        return 2
    except (EngineError, PromotionError) as error:
        print(f"images: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m images", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, run, words in (
        ("build", _build, "build images with the engine of this machine"),
        ("sbom", _write_bills, "write the bills of materials of their packages"),
        ("publish", _publish, "give images to the registry of REGISTRY"),
    ):
        command = commands.add_parser(name, help=words)
        command.add_argument("names", nargs="*", help="images by name; all without one")
        command.set_defaults(run=run)
    promoting = commands.add_parser("promote", help="have an environment run what was published, or what another one runs")
    promoting.add_argument("environment")
    promoting.add_argument("--from", dest="origin", default="", help="the environment before it; none takes what was published")
    promoting.set_defaults(run=_promote)
    retiring = commands.add_parser("retire", help="remove a preview")
    retiring.add_argument("environment")
    retiring.set_defaults(run=_retire)
    asking = commands.add_parser("smoke", help="ask an environment's gateway until it answers")
    asking.add_argument("url")
    asking.set_defaults(run=_smoke)
    return parser


def _wanted(given: argparse.Namespace) -> list[Image]:
    return [image(name) for name in given.names] or images()


def _build(given: argparse.Namespace) -> str:
    from images.building import build_images
    from images.engine import open_engine

    wanted = _wanted(given)
    with open_engine() as engine:
        build_images(engine, wanted)
    return f"{len(wanted)} images built. Next: make test-images"


def _write_bills(given: argparse.Namespace) -> str:
    from images.sbom import bill_of_materials, written

    folder = state_folder() / "sbom"
    folder.mkdir(parents=True, exist_ok=True)
    for each in _wanted(given):
        path = folder / f"{each.name}.cdx.json"
        path.write_text(written(bill_of_materials(each.tag, (ROOT / each.lock).read_text())))
        print(f"Wrote {path}.")
    return "Next: give them to whoever keeps your inventory."


def _publish(given: argparse.Namespace) -> str:
    from images.building import revision
    from images.engine import open_engine
    from images.publishing import digests_file, publish, sign_in

    registry = os.environ.get("REGISTRY")
    if not registry:
        raise ValueError("REGISTRY is not set: say where images are published, such as registry.example.test/bloom")
    with open_engine() as engine:
        sign_in(engine, registry)
        published = publish(engine, _wanted(given), registry, revision())
    digests_file().write_text(json.dumps(published, indent=1))
    return f"{len(published)} images published. Next: make promote TO=dev"


def _promote(given: argparse.Namespace) -> str:
    from images.environments import promote, publish_to, published_images
    from images.publishing import digests_file

    if given.origin:
        is_new = promote(ROOT, given.origin, given.environment)
    else:
        is_new = publish_to(ROOT, given.environment, published_images(digests_file()))
    return f"{given.environment} {'is told to run it' if is_new else 'runs it already'}."


def _retire(given: argparse.Namespace) -> str:
    from images.environments import retire

    return f"{given.environment} {'is removed' if retire(ROOT, given.environment) else 'was not there'}."


def _smoke(given: argparse.Namespace) -> str:
    from images.smoke import await_answers

    try:
        await_answers(given.url)
    except (TimeoutError, urllib.error.URLError) as error:
        raise EngineError(f"{given.url} does not answer as it should: {error}") from error
    return f"{given.url} answers."


if __name__ == "__main__":
    sys.exit(main())
