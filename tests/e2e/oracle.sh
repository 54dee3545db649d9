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
echo "oracle.sh: old, swapped, torn and zero blocks are found"
