"""Dies, and leaves a grandchild that keeps its pipes open: in its group, out of it, or without a trace."""

import os
import subprocess
import sys

from plain import HELLO, requests, say

WHERE = sys.argv[1]

for number, method, params in requests():
    if method == "die":
        options = {"start_new_session": WHERE != "group"}
        if WHERE == "hidden":
            options["env"] = {}
        child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import signal; signal.pause()"], **options)
        print(f"grandchild {child.pid}", file=sys.stderr, flush=True)
        os._exit(4)
    say(number, HELLO if method == "initialize" else params)
