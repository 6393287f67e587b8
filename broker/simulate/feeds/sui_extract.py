"""Writes a council's identity extract: its own numbers with names, birth dates, postcodes and NHS numbers."""

import csv
from collections.abc import Iterable
from random import Random
from typing import TextIO

from broker.simulate.area import Child

_COLUMNS = (
    "SourceID", "DOB", "Surname", "Forename", "Gender", "PostCode", "ActiveCIN", "ActiveCLA", "ActiveCP", "ActiveReferral",
    "ActiveEHM", "Ethnicity", "ImmigrationStatus", "NHSNumber",
)  # fmt: skip


def write_extract(out: TextIO, children: Iterable[Child], *, messy_from: int, seed: int) -> int:
    """Write the extract and return how many rows it has; from child number `messy_from` on it is as untidy as real ones."""
    rows = 0
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for child in children:
        random = Random(f"{seed}/{child.number}/extract")
        messy = child.number >= messy_from
        row = [
            child.local_id,
            f"{child.birth_date:%d/%m/%Y}",
            child.family.upper(),
            child.given,
            {"M": "Male", "F": "Female"}[child.sex],
            "" if messy and random.random() < 0.02 else child.postcode,
            "Y",
            *[""] * 6,
            "" if messy and random.random() < 0.15 else child.nhs_number,
        ]
        writer.writerow(row)
        rows += 1
        if messy and random.random() < 0.01:  # the same person twice, as case systems do
            writer.writerow(row)
            rows += 1
    return rows
