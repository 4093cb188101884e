"""Programs that run beside the realm: what a client does, each a script for `python3 -c`."""

from __future__ import annotations

#: Sends argv[1] chats, argv[2] a second, each over a connection of its own; prints a JSON object.
TALK = """
import json, sys, time, urllib.request
count, rate = int(sys.argv[1]), float(sys.argv[2])
URL = "http://127.0.0.1:18800/ipc"
failed, seqs, slowest = [], [], 0.0
def ask(command, **args):
    body = json.dumps({"command": command, "args": args}).encode()
    with urllib.request.urlopen(urllib.request.Request(URL, body), timeout=30) as answer:
        return json.load(answer)
if not ask("register", agentId="talker", name="Talker").get("ok"):
    sys.exit("cannot register")
start = time.monotonic()
for number in range(count):
    time.sleep(max(0.0, start + number / rate - time.monotonic()))
    began = time.monotonic()
    try:
        answer = ask("world-chat", agentId="talker", text=f"{sys.argv[3]} {number}")
        seqs.append(answer["seq"]) if answer.get("ok") else failed.append(str(answer))
    except Exception as error:
        failed.append(f"{number}: {error!r} {getattr(error, 'read', bytes)()!r}")
    slowest = max(slowest, time.monotonic() - began)
print(json.dumps({"sent": count, "failed": failed, "seqs": seqs, "slowest": round(slowest, 2)}))
"""

#: Opens a WebSocket through TLS at argv[1] and prints the type of the first message.
WATCH = """
import base64, json, os, socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
with socket.create_connection(("127.0.0.1", 443), 10) as plain:
    with context.wrap_socket(plain, server_hostname=sys.argv[1]) as line:
        key = base64.b64encode(os.urandom(16)).decode()
        line.sendall((f"GET /ws HTTP/1.1\\r\\nHost: {sys.argv[1]}\\r\\nUpgrade: websocket\\r\\n"
            f"Connection: Upgrade\\r\\nSec-WebSocket-Key: {key}\\r\\nSec-WebSocket-Version: 13\\r\\n"
            f"Origin: https://{sys.argv[1]}\\r\\n\\r\\n").encode())
        file = line.makefile("rb")
        print(file.readline().decode().strip())
        while file.readline().strip():
            pass
        mask = os.urandom(4)
        hello = json.dumps({"type": "subscribe"}).encode()
        line.sendall(bytes([0x81, 0x80 | len(hello)]) + mask
            + bytes(b ^ mask[n % 4] for n, b in enumerate(hello)))
        head = file.read(2)
        size = head[1] & 127
        if size > 125:
            size = int.from_bytes(file.read(2 if size == 126 else 8), "big")
        print(json.loads(file.read(size))["type"])
"""

#: Asks argv[1] through TLS at the address argv[3], one request after another; prints how many got through.
FLOOD = """
import http.client, socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
class Line(http.client.HTTPSConnection):
    def connect(self):
        plain = socket.create_connection((sys.argv[3], 443), 2)
        self.sock = context.wrap_socket(plain, server_hostname=sys.argv[1])
line, answered, cut = Line(sys.argv[1]), 0, 0
while answered < int(sys.argv[4]) and cut < 20:
    try:
        line.request("GET", "/health/live")
        line.getresponse().read()
        answered += 1
    except (OSError, http.client.HTTPException):
        cut += 1
        line.close()
print(answered)
"""
