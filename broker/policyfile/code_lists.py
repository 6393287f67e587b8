"""What the codes of national returns mean: data with its source, beside this module, and no part of any policy."""

import tomllib
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from broker.core.account.words import CodeList, CodeLists


@cache
def load_code_lists() -> CodeLists:
    """Return every code list that comes with the program, by the scheme under which events hold its codes."""
    text = files(__package__).joinpath("code_lists.toml").read_text("utf-8")
    return MappingProxyType({scheme: CodeList(**one) for scheme, one in tomllib.loads(text).items()})
