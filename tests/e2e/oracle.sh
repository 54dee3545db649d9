#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The oracle of the crash cases finds what is planted: on a plain file, a block
# that is old, of another place, torn, or never written; and nothing else.
set -eu

oracle=$PWD/tests/e2e/e2e_oracle
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

fail() {
	echo "oracle.sh: $*" >&2
	exit 1
}

truncate -s 1M disk
"$oracle" write disk 256 witness >out &
pid=$!
# each block was written twice at least when so many were
until [ "$(od -An -v -tu4 -w12 witness 2>/dev/null |
	awk '$2 > 1 { n++ } END { print n + 0 }')" -ge 128 ]; do
	kill -0 $pid || fail "the writer has ended: $(cat out)"
done
touch witness.stop
wait $pid || fail "the writer: $?"
for what in '' flushed; do
	# shellcheck disable=SC2086  # an argument, or none
	"$oracle" check disk 256 witness $what >out ||
		fail "a sound disk is found unsound: $(cat out)"
done
for fault in old swapped torn zero; do
	cp disk spoilt
	"$oracle" plant spoilt 256 witness $fault || fail "$fault: not planted"
	for what in '' flushed; do
		status=0
		# shellcheck disable=SC2086  # an argument, or none
		"$oracle" check spoilt 256 witness $what >out || status=$?
		[ $status = 1 ] || fail "$fault: not found"
		[ "$(wc -l <out)" = 1 ] || fail "$fault: more than one is found"
	done
done

# After a power cut a block may be older than what was answered, unless that was
# flushed; and what was found then has to stay.
cp disk spoilt
cp witness older
"$oracle" plant spoilt 256 older old
python3 - older <<-'END'
	import struct, sys
	data = bytearray(open(sys.argv[1], "rb").read())
	for at in range(8, len(data), 12):
	    data[at:at + 4] = struct.pack("=I", 0)
	open(sys.argv[1], "wb").write(data)
END
"$oracle" check spoilt 256 older flushed >out || fail "not flushed: $(cat out)"
grep -qx '1 of 256 blocks are older than what was answered' out ||
	fail "said: $(cat out)"
"$oracle" check spoilt 256 older >out || fail "not kept: $(cat out)"
"$oracle" plant spoilt 256 older zero
! "$oracle" check spoilt 256 older flushed >out || fail "it may not go back"
echo "oracle.sh: old, swapped, torn and zero blocks are found"
