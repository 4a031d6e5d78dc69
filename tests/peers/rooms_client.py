"""A client of the wsrooms protocol on `websockets`: rooms_client.py URL

It prints each message as one JSON object for a line, and sends what the lines on its input say: {room, name, dst,
payload}, or {close: CODE}.
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect


def report(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def decode(message):
    fields = []
    while message:
        end = 4 + int.from_bytes(message[:4], "big")
        fields.append(message[4:end].decode())
        message = message[end:]
    return dict(zip(("room", "name", "dst", "src", "payload"), fields, strict=True))


def encode(command):
    fields = [command["room"], command["name"], command["dst"], "", command["payload"]]
    fields = [field.encode() for field in fields]
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


async def obey(socket):
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        if "close" in command:
            await socket.close(command["close"])
        else:
            await socket.send(encode(command))


async def main():
    async with connect(sys.argv[1]) as socket:
        obeying = asyncio.create_task(obey(socket))
        async for message in socket:
            binary = isinstance(message, bytes)
            report("message", binary=binary, **decode(message if binary else message.encode()))
        report("close", code=socket.close_code)
        obeying.cancel()


asyncio.run(main())
