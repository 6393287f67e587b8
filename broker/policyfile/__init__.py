"""The policy as a folder of TOML files that people keep and sign, and as the canonical form that is released.

Every fault is told at once, each with file, line, rule and remedy. A release is judged by its shape again when it is read.
"""

import json
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from broker.core.model.identifiers import digest
from broker.core.model.policy import Policy
from broker.errors import PolicyError
from broker.policyfile.building import build
from broker.policyfile.reading import read_folder, shape_of
from broker.policyfile.shapes import PolicyShape

POLICIES = Path(str(files("broker") / "policies"))


def load_policy(folder: Path = POLICIES) -> Policy:
    """Read a folder of policy files; raises PolicyError with one line per fault of shape or of an unknown name."""
    return policy_from_content(policy_content(folder))


def policy_content(folder: Path = POLICIES) -> bytes:
    """Return the canonical form of a folder of policy files: what is released, and what the digest is taken of.

    Equal rules give equal bytes, however they are spread over files. Raises PolicyError as `load_policy`.
    """
    read = read_folder(folder)
    if not read.tables:
        raise PolicyError(f"policy folder `{folder.name}`: no policy files in it: name a folder with files ending in `.toml`")
    shape = shape_of(read)
    if shape is None or read.faults:
        raise PolicyError("\n".join(str(fault) for fault in sorted(read.faults)))
    return canonical(shape)


def canonical(shape: PolicyShape) -> bytes:
    """Return the canonical bytes of a policy; clocks and obligations keep their order, which has a meaning."""
    plain = shape.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for kind in ("rule", "event", "role", "basis", "finding", "source"):
        key = "id" if kind == "rule" else "name"
        plain[kind] = sorted(plain.get(kind, ()), key=lambda one: str(one[key]))
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def policy_from_content(content: bytes) -> Policy:
    """Make the policy of a release's content; raises PolicyError when it is not one."""
    try:
        return build(PolicyShape.model_validate_json(content), digest(content))
    except (ValidationError, ValueError, KeyError) as error:
        first = str(error).splitlines()[0]
        raise PolicyError(f"released policy `{digest(content)[:12]}` cannot be read: {first}") from error


__all__ = ["POLICIES", "canonical", "load_policy", "policy_content", "policy_from_content"]
