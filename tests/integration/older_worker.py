"""A worker as it was before releases were signed: it believes whatever stands where releases stand.

`python -m tests.integration.older_worker SETTINGS STAGE...`
"""

import sys
from pathlib import Path

from broker import bootstrap
from broker.log import configure_log
from broker.settings import load_settings
from broker.stream.releases.belief import Belief

if __name__ == "__main__":
    Belief._check = lambda _self, _release, _record, _at: True  # type: ignore[method-assign]  # that is what was not there
    configure_log(json=False)
    bootstrap.run(load_settings(Path(sys.argv[1])), sys.argv[2:], keep=False)
