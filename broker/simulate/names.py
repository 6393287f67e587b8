"""Small own lists of words, from which invented people and places are named."""

from itertools import islice
from random import Random

_FIRST_HALVES = (
    "Ash", "Bram", "Cald", "Dun", "Elm", "Farn", "Gar", "Hazel", "Ings", "Kell", "Lang", "Mar", "Nether", "Oak", "Pen",
    "Quar", "Raven", "Sed", "Thorn", "Under", "Wex", "Yar",
)  # fmt: skip
_SECOND_HALVES = (
    "acre", "beck", "combe", "dale", "ebury", "field", "garth", "holt", "ley", "mere", "moor", "rigg", "shaw", "stead",
    "thwaite", "wick",
)  # fmt: skip
_GIRLS = (
    "Ada", "Amara", "Beatrix", "Ceri", "Dalia", "Elowen", "Farah", "Gwen", "Hana", "Imogen", "Jaya", "Kezia", "Leila",
    "Maeve", "Nadia", "Orla", "Petra", "Rhian", "Safiya", "Tamsin", "Una", "Yasmin", "Zofia", "Zoë",
)  # fmt: skip
_BOYS = (
    "Arlo", "Bilal", "Callum", "Dafydd", "Emeka", "Finlay", "Gethin", "Haris", "Idris", "Jago", "Kofi", "Lorcan", "Milo",
    "Nikhil", "Osian", "Pavel", "Rafe", "Samir", "Teodor", "Umar", "Viktor", "Wilf", "Yusuf", "André",
)  # fmt: skip
_SIDES = ("North", "South", "East", "West", "Green", "Cross")
_STREETS = ("Lantern Row", "Mill Ginnel", "Tanners Bank", "Kiln Rise", "Chandler Way", "Osier Lane", "Pound Street", "Weir View")


def family_name(random: Random) -> str:
    """Return a family name; one in twelve is double, one in thirty has an apostrophe, as systems write differently."""
    name = random.choice(_FIRST_HALVES) + random.choice(_SECOND_HALVES)
    kind = random.random()
    if kind < 1 / 12:
        return f"{name}-{random.choice(_FIRST_HALVES)}{random.choice(_SECOND_HALVES)}"
    return f"O'{name}" if kind < 1 / 12 + 1 / 30 else name


def given_names(random: Random, sexes: list[str]) -> list[str]:
    """Return one given name for each sex in a family, none of them twice."""
    girls, boys = iter(random.sample(_GIRLS, len(_GIRLS))), iter(random.sample(_BOYS, len(_BOYS)))
    return [next(girls if sex == "F" else boys) for sex in sexes]


def street(random: Random) -> str:
    """Return the name of a street."""
    return random.choice(_STREETS)


def place_names(random: Random, count: int) -> list[str]:
    """Return different names for schools and practices."""
    pairs = [first + second for first in _FIRST_HALVES for second in _SECOND_HALVES]
    places = random.sample(pairs, min(count, len(pairs)))
    again = (f"{place} {_SIDES[turn % len(_SIDES)]}" for turn in range(count) for place in places)
    return [*places, *islice(again, count - len(places))]
