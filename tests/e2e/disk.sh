#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The disk whose power is cut: what was flushed is on the medium, of what was not
# some is and some is lost, each block whole; a part of a request changes nothing.
set -eu

disk=$PWD/tests/e2e/e2e_disk
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

truncate -s 4M medium
"$disk" nbd medium 1 >out &
pid=$!
until [ -S nbd ]; do
	kill -0 $pid || exit 1
done
python3 - <<'END'
import socket, struct

BLOCK, HALF = 4096, 512
s = socket.socket(socket.AF_UNIX)
s.connect("nbd")

def take(n):
    data = b""
    while len(data) < n:
        more = s.recv(n - len(data))
        assert more, "the disk is gone"
        data += more
    return data

def option(number, data=b""):
    s.sendall(b"IHAVEOPT" + struct.pack(">II", number, len(data)) + data)
    magic, opt, kind, length = struct.unpack(">QIII", take(20))
    assert magic == 0x3E889045565A9 and opt == number
    return kind, take(length)

def request(kind, at=0, length=0, data=b""):
    s.sendall(struct.pack(">IHHQQI", 0x25609513, 0, kind, 7, at, length)
              + data)
    magic, error, handle = struct.unpack(">IIQ", take(16))
    assert magic == 0x67446698 and handle == 7
    return error, take(length) if kind == 0 and not error else b""

assert take(16) == b"NBDMAGICIHAVEOPT" and take(2) == b"\0\1"
s.sendall(struct.pack(">I", 1))
assert option(8) == (0x80000001, b"")           # structured replies
kind, info = option(7, struct.pack(">IH", 0, 0))
assert kind == 3
assert struct.unpack(">HQH", info) == (0, 4 << 20, 5)
assert struct.unpack(">QIII", take(20))[2] == 1

def write(block, letter):
    assert request(1, block * BLOCK, BLOCK, letter * BLOCK) == (0, b"")

for block in range(HALF):
    write(block, b"f")
assert request(3) == (0, b"")
# these are flushed, those not; some again
for block in range(256, 2 * HALF):
    write(block, b"n")
assert request(0, 255 * BLOCK, 2 * BLOCK)[1] == b"f" * BLOCK + b"n" * BLOCK
assert request(4, 0, BLOCK)[0] == 22            # trim: was not offered
# half a request
s.sendall(struct.pack(">IHHQQI", 0x25609513, 0, 1, 7, 0, BLOCK) + b"x" * 99)
s.close()
END
wait $pid
python3 - <<'END'
from collections import Counter

medium = open("medium", "rb").read()
blocks = [medium[i:i + 4096] for i in range(0, len(medium), 4096)]
assert all(len(set(b)) == 1 for b in blocks), "a torn block"
kinds = Counter(), Counter(), Counter()
for i, b in enumerate(blocks):
    kinds[0 if i < 256 else 1 if i < 512 else 2][chr(b[0])] += 1
assert kinds[0] == {"f": 256}, kinds
assert set(kinds[1]) == set("fn") and min(kinds[1].values()) > 64, kinds
assert set(kinds[2]) == set("\0n") and min(kinds[2].values()) > 128, kinds
lost = kinds[1]["f"] + kinds[2]["\0"]
said = open("out").read()
assert said.startswith("1 flushes; "), said
assert said.endswith(", %d of them lost\n" % lost), (said, lost)
END
echo "disk.sh: $(cat out)"
