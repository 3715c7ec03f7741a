"""What `tests.forked` has loaded before it forks: every verb's imports, and the compiled kernels.

Importing this is loading it. Belongs here: nothing that starts a thread or opens a file for good.
"""

import pytest  # noqa: F401 - the entry point of a run without testers, which a child imports again

import ingest.worker  # noqa: F401
from hanhtrinh.warming import warm_formats, warm_rules

warm_formats()
warm_rules()
