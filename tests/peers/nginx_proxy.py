"""Becomes an nginx on a port that the system chooses, which nginx by itself cannot be told to use.

A socket that is bound here, and never listens, keeps the port for nginx: both may have it as long as one listens.
That nginx listens is for the caller to find out. The one argument is JSON: nginx (the program), folder (to keep its
files in), host, port, upstream (host:port), read_timeout (as nginx writes times).
"""

import json
import os
import pathlib
import socket
import sys

options = json.loads(sys.argv[1])
keeper = socket.socket()
keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
keeper.bind((options["host"], options["port"]))
host, port = keeper.getsockname()

folder = pathlib.Path(options["folder"])
folder.mkdir(parents=True, exist_ok=True)
template = pathlib.Path(__file__).with_name("nginx.conf").read_text()
values = {"LISTEN": f"{host}:{port}", "UPSTREAM": options["upstream"], "READ_TIMEOUT": options["read_timeout"]}
for name, value in values.items():
    template = template.replace(f"@{name}@", value)
folder.joinpath("nginx.conf").write_text(template)

print(json.dumps({"event": "port", "port": port}), flush=True)
os.set_inheritable(keeper.fileno(), True)
program = options["nginx"]
os.execv(program, [program, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")])
