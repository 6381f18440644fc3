"""The commands `migrate`, `purge` and `adopt` of `af-hosting`: what operators do to a host's database."""

from __future__ import annotations

import argparse
import os
import re
from typing import Any, Final

from .cli import FAILED, MISUSED, OK, CommandError, Subparsers
from .types import DEFAULT_TENANT

DATABASE_VARIABLE: Final = "AF_HOSTING_DATABASE"
"""Environment variable with the database that the commands are about."""

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SHOWN: Final = 10
"""Ids that are named before the rest is counted."""


def register_migrate(subparsers: Subparsers) -> None:
    """Add the command and its arguments."""
    parser = subparsers.add_parser(
        "migrate",
        help="bring a database's schema up to date",
        description="Bring the schema of a host's database up to date. A host does the same when it starts.",
    )
    _add_database(parser)
    parser.add_argument(
        "--check", action="store_true", help="only look; the exit code is 1 when the schema is not up to date"
    )
    parser.set_defaults(func=_migrate)


def register_purge(subparsers: Subparsers) -> None:
    """Add the command and its arguments."""
    parser = subparsers.add_parser(
        "purge",
        help="forget what callers said",
        description="Forget conversations, with their branches and all that belongs to them, while hosts go on. "
        "What is given together has to fit together.",
    )
    _add_database(parser)
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--principal", type=_name, metavar="ID", help="the conversations of this principal")
    whose.add_argument("--anonymous", action="store_true", help="those of callers of whom nobody said who they are")
    parser.add_argument("--session", type=_name, metavar="KEY", help="the conversation with this session key")
    parser.add_argument("--tenant", type=_name, metavar="T", help="the tenant of these (default: the default tenant)")
    parser.add_argument(
        "--older-than", metavar="AGE", type=_age, help="those that nobody has used for so long: 30d, 12h, 45m"
    )
    parser.add_argument(
        "--with-shared", action="store_true", help="a principal's conversations also when others take part in them"
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be forgotten")
    parser.set_defaults(func=_purge)


def register_adopt(subparsers: Subparsers) -> None:
    """Add the command and its arguments."""
    parser = subparsers.add_parser(
        "adopt",
        help="give what anonymous callers wrote to a principal",
        description="Make what anonymous callers wrote, before the host authenticated anybody, a principal's.",
    )
    _add_database(parser)
    parser.add_argument("--to", type=_name, metavar="ID", required=True, help="the principal")
    parser.add_argument(
        "--tenant", type=_name, metavar="T", default=DEFAULT_TENANT, help="the tenant (default: the default one)"
    )
    parser.add_argument("--session", type=_name, metavar="KEY", help="only the conversation with this session key")
    parser.add_argument("--dry-run", action="store_true", help="only say what would change hands")
    parser.set_defaults(func=_adopt)


def _add_database(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "database",
        metavar="DATABASE",
        nargs="?",
        help=f"its URL, as the host's database= (default: the environment variable {DATABASE_VARIABLE})",
    )


def _migrate(args: argparse.Namespace) -> int:
    from ._state.database import described, open_engine
    from ._state.sql.migrations import STEPS, migrate, version_of

    database = _database(args)
    engine = open_engine(database, create=not args.check)
    try:
        before, now = version_of(engine), len(STEPS)
        if args.check and before < now:
            print(f"{described(database)}: schema version {before}; this release needs {now}.")
            return FAILED
        migrate(engine, apply=not args.check)
    finally:
        engine.dispose()
    told = f"schema version {now}, up to date" if before == now else f"from schema version {before} to {now}"
    print(f"{described(database)}: {told}.")
    return OK


def _purge(args: argparse.Namespace) -> int:
    from ._state.database import open_engine
    from ._state.sql.operation import require_current
    from ._state.sql.purge import purge
    from ._state.sql.selection import Selection

    if args.principal is None and not args.anonymous and args.session is None and args.older_than is None:
        raise CommandError(
            "purge needs to know what: --principal, --anonymous, --session, or --older-than.", exit_code=MISUSED
        )
    selection = Selection(
        tenant=args.tenant,
        principal=args.principal,
        is_anonymous=args.anonymous,
        session=args.session,
        older_than=args.older_than,
    )
    engine = open_engine(_database(args))
    try:
        require_current(engine)
        purged = purge(engine, selection, with_shared=args.with_shared, dry_run=args.dry_run)
    finally:
        engine.dispose()
    print("Would be forgotten:" if args.dry_run else "Forgotten:")
    _print_counts(
        {
            "sessions": purged.sessions,
            "turns": purged.turns,
            "records": purged.records,
            "answers": purged.answers,
            "idempotency keys": purged.claims,
            "checkpoints": purged.checkpoints,
            "tasks": purged.tasks,
            "events": purged.events,
            "documents": purged.documents,
        }
    )
    if purged.shared:
        print(
            f"Of {purged.shared} conversations with others only ids and records: what was said is still in their "
            "history. With --with-shared they are forgotten, too."
        )
    return OK


def _adopt(args: argparse.Namespace) -> int:
    from ._state.database import open_engine
    from ._state.sql.adoption import adopt
    from ._state.sql.operation import require_current

    engine = open_engine(_database(args))
    try:
        require_current(engine)
        adopted = adopt(engine, to=args.to, tenant=args.tenant, session=args.session, dry_run=args.dry_run)
    finally:
        engine.dispose()
    print(f"{'Would become' if args.dry_run else 'Now'} of {args.to} in tenant {args.tenant}:")
    _print_counts(
        {
            "turns": adopted.turns,
            "idempotency keys": adopted.claims,
            "tasks": adopted.tasks,
            "documents": adopted.documents,
        }
    )
    if not adopted.conflicts:
        return OK
    more = len(adopted.conflicts) - _SHOWN
    names = ", ".join(adopted.conflicts[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
    raise CommandError(f"{args.to} has ids of the same name already, so these stay as they are: {names}.")


def _database(args: argparse.Namespace) -> str:
    database: Any = args.database or os.environ.get(DATABASE_VARIABLE)
    if not database:
        raise CommandError(
            f"no database is named. Give its URL, or set {DATABASE_VARIABLE}: sqlite:///./state/host.db",
            exit_code=MISUSED,
        )
    return database


def _name(said: str) -> str:
    try:
        said.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"{said!r} is no UTF-8, as all names in a database are") from None
    return said


def _age(said: str) -> float:
    found = re.fullmatch(r"(\d+)([smhdw])", said.strip())
    if found is None or not int(found[1]):
        raise argparse.ArgumentTypeError(f"{said!r} is no age; write 30d, 12h, or 45m")
    return int(found[1]) * _SECONDS[found[2]]


def _print_counts(counts: dict[str, int]) -> None:
    for name, count in counts.items():
        print(f"{count:>8}  {name}")
