"""Runs inside the test's machine in place of pi: executes what comes on stdin, one JSON line each.

In: {"run": shell command}. Out: {"code", "out"} on stdout. Never: started by a test of the host.
"""

import json
import subprocess
import sys

for line in sys.stdin:
    done = subprocess.run(["/bin/bash", "-c", json.loads(line)["run"]], capture_output=True, text=True, check=False)
    sys.stdout.write(json.dumps({"code": done.returncode, "out": done.stdout + done.stderr}) + "\n")
    sys.stdout.flush()
sys.stderr.write("stdin ended\n")
sys.exit(7)
