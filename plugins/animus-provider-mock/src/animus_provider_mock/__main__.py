"""`python -m animus_provider_mock`: the same process as the console script."""

from __future__ import annotations

from animus_provider_mock.plugin import main

main()
