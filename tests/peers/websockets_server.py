"""An echo server on Python `websockets`: the same options, commands and lines as ws_server.js.

`ping` is here the library's own keepalive, `ping_interval` and `ping_timeout` alike.
"""

import asyncio
import json
import sys

from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

OPTIONS = json.loads(sys.argv[1])
REFUSALS = list(OPTIONS.get("refuse", []))
SUBPROTOCOLS = OPTIONS.get("subprotocols")
KEEPALIVE = OPTIONS["ping"] / 1000 if "ping" in OPTIONS else None
LARGEST = 64 << 20


def report(event, **what):
    print(json.dumps({"event": event, **what}), flush=True)


class Connection(ServerConnection):
    """Says which pings and pongs came in: the library answers and matches them silently."""

    def process_event(self, event):
        if isinstance(event, Frame) and event.opcode in (Opcode.PING, Opcode.PONG):
            report(event.opcode.name.lower(), data=bytes(event.data).decode("latin-1"))
        super().process_event(event)


def refuse(connection, _request):
    if not REFUSALS:
        return None
    refusal = REFUSALS.pop(0)
    report("refused", status=refusal["status"])
    response = connection.respond(refusal["status"], "")
    for name, value in refusal.get("headers", {}).items():
        response.headers[name] = str(value)
    return response


def choose(_connection, offered):
    return next((name for name in offered if name in (SUBPROTOCOLS or [])), None)


async def handle(connection):
    report(
        "open",
        subprotocol=connection.subprotocol,
        offered=connection.request.headers.get("Sec-WebSocket-Extensions"),
        authorization=connection.request.headers.get("Authorization"),
        extensions=connection.response.headers.get("Sec-WebSocket-Extensions"),
    )
    try:
        while True:
            await connection.send(await connection.recv())
    except Exception:  # The end, of whichever kind: `close` says which.
        await connection.wait_closed()
    report("close", code=connection.close_code, reason=connection.close_reason)


async def fragments(connection, parts):
    async def with_pings():
        for at, part in enumerate(parts):
            yield part
            await connection.ping(f"after {at}")

    await connection.send(with_pings())


async def obey(server, command):
    what = command.pop("do")
    if what == "shutdown":
        server.close(**command)
        return
    for connection in server.connections:
        if what == "fragments":
            await fragments(connection, **command)
        elif what in ("close", "ping"):
            await getattr(connection, what)(**command)


async def read_commands(server):
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=LARGEST)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    running = set()
    while line := await lines.readline():
        task = asyncio.create_task(obey(server, json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)


async def main():
    server = await serve(
        handle,
        OPTIONS["host"],
        OPTIONS["port"],
        create_connection=Connection,
        process_request=refuse,
        select_subprotocol=choose,
        subprotocols=SUBPROTOCOLS,
        ping_interval=KEEPALIVE,
        ping_timeout=KEEPALIVE,
        max_size=LARGEST,
    )
    report("listening", port=server.sockets[0].getsockname()[1])
    commands = asyncio.create_task(read_commands(server))
    closed = asyncio.create_task(server.wait_closed())
    # Who gives the commands is there as long as it listens to us.
    await asyncio.wait({commands, closed}, return_when=asyncio.FIRST_COMPLETED)
    if commands.done():
        commands.result()
    commands.cancel()
    closed.cancel()


asyncio.run(main())
