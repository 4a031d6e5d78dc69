"""A client of the rooms on `websockets`: rooms_client.py URL [COOKIE]

It prints which extensions are agreed to, then each message as one JSON object for a line, its bytes as `hex`, and
those of a binary message also as the fields of wsrooms. It sends what the lines on its input say: {room, name, dst,
payload} in wsrooms, {text: TEXT}, {hex: BYTES}, or {close: CODE}.
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
    if "text" in command:
        return command["text"]
    if "hex" in command:
        return bytes.fromhex(command["hex"])
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
    url, *cookie = sys.argv[1:]
    headers = {"Cookie": cookie[0]} if cookie else {}
    async with connect(url, additional_headers=headers) as socket:
        report("open", extensions=socket.response.headers.get("Sec-WebSocket-Extensions"))
        obeying = asyncio.create_task(obey(socket))
        async for message in socket:
            if isinstance(message, bytes):
                report("message", binary=True, hex=message.hex(), **decode(message))
            else:
                report("message", binary=False, hex=message.encode().hex())
        report("close", code=socket.close_code)
        obeying.cancel()


asyncio.run(main())
