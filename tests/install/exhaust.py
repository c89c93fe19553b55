# SPDX-License-Identifier: Apache-2.0
"""exhaust.py PORT N: opens N connections, more than the server has descriptors for, and closes them."""

import socket
import sys

port, n = int(sys.argv[1]), int(sys.argv[2])
held = [socket.create_connection(("127.0.0.1", port)) for _ in range(n)]
turned_away = 0
for connection in held:
    connection.settimeout(10)
    # HTTP/2 begins with the server's settings; who was turned away reads an end.
    try:
        turned_away += connection.recv(1) == b""
    except ConnectionResetError:
        turned_away += 1
print("%d of %d turned away" % (turned_away, n))
sys.exit(0 if 0 < turned_away < n else 1)
