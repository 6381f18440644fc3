"""The command `keys` of `af-hosting`: makes API keys, and writes nothing down."""

from __future__ import annotations

import argparse
import secrets

from .cli import MISUSED, OK, CommandError, Subparsers
from .errors import ConfigurationError


def register(subparsers: Subparsers) -> None:
    """Add the command and its arguments."""
    parser = subparsers.add_parser(
        "keys", help="make API keys for callers", description="Make API keys; the host is given their hashes alone."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    new = commands.add_parser(
        "new",
        help="print a new key, and the entry that lets its holder in",
        description="Print a new key, once, and the entry that lets its holder in. Nothing is kept anywhere.",
    )
    new.add_argument("--name", help="whose key it is; a second key of one name is for rotation (default: a random one)")
    new.add_argument("--tenant", help="the tenant that its holder belongs to (default: the default tenant)")
    new.add_argument("--expires", help="the day or time from which it is refused, in UTC: 2030-01-31 (default: never)")
    new.set_defaults(func=_new)


def _new(args: argparse.Namespace) -> int:
    from .auth.keys import API_KEYS_VARIABLE, ApiKey, expiry_of, hash_key, new_key
    from .types import DEFAULT_TENANT

    key = new_key()
    name = f"key-{secrets.token_hex(4)}" if args.name is None else args.name
    tenant = DEFAULT_TENANT if args.tenant is None else args.tenant
    try:
        made = ApiKey(name=name, hash=hash_key(key), tenant=tenant, expires=expiry_of(args.expires or ""))
    except ConfigurationError as error:
        raise CommandError(error.message, exit_code=MISUSED) from error
    print(
        f"The key of {made.name}, shown this once and kept nowhere:\n\n  {key}\n\n"
        f"Its entry for the host; entries in one variable are separated by commas:\n\n"
        f"  {API_KEYS_VARIABLE}={made.entry}\n"
    )
    return OK
