"""Numbers of people who do not exist: sound by their check digits, and outside every range that is given to anybody."""

_UPN_LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"
_POSTCODE_LETTERS = "ABDEFGHJLNPQRSTUWXYZ"  # letters that the second half of a postcode may end in
MOST_CHILDREN = 300_000  # what the test range of NHS numbers holds, in steps of three


def nhs_number(child: int) -> str:
    """Return the NHS number of a child: in the test range that starts with 999, its check digit sound."""
    for step in range(3):
        first = f"999{child * 3 + step:06d}"
        check = 11 - sum(int(digit) * weight for digit, weight in zip(first, range(10, 1, -1), strict=True)) % 11
        if check != 10:
            return f"{first}{check % 11}"
    raise AssertionError(child)  # neighbours differ by two in their sums: one of three is always sound


def unique_pupil_number(child: int, *, wrong_letter: bool = False) -> str:
    """Return the UPN of a child: a local authority code that none has, and the right check letter unless asked otherwise."""
    digits = f"999{child:09d}"
    place = sum(int(digit) * weight for digit, weight in zip(digits, range(2, 14), strict=True)) % 23
    return f"{_UPN_LETTERS[(place + wrong_letter) % 23]}{digits}"


def local_id(child: int) -> str:
    """Return a council's own number for a child."""
    return f"ESK{child + 40_000:07d}"


def record_number(child: int) -> str:
    """Return a hospital's own record number for a child."""
    return f"T{child + 500_000:07d}"


def telephone(household: int) -> str:
    """Return a mobile number from the range reserved for drama."""
    return f"07700 900{household % 1000:03d}"


def postcode(household: int, *, safe: bool = False) -> str:
    """Return a postcode in an area that does not exist; `safe` ones are used for nothing else, so that a leak shows."""
    letters = len(_POSTCODE_LETTERS)
    district = 90 + household // 4000 % 10 if safe else 1 + household // 4000 % 89
    rest = household % 4000
    return f"QX{district} {rest // letters**2}{_POSTCODE_LETTERS[rest // letters % letters]}{_POSTCODE_LETTERS[rest % letters]}"
