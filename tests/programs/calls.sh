#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The system calls of a live ublk-evdemo are those that HACKING lists, each with
# the reason why it cannot wait. Linked with tests/lib/fake_ublkev.c, watched by
# strace, and kept busy by a client, timers and signals.
# shellcheck disable=SC2317  # functions are called by name
demo=$(realpath "${1:-tests/programs/fake_evdemo}")
doc=$(ls "${abs_top_srcdir:-.}"/HACKING.md "${abs_top_srcdir:-.}"/HACKING \
	2>/dev/null | head -1)
doc=$(realpath "$doc")
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
strace -o none true 2>/dev/null && command -v python3 >/dev/null || {
	echo "calls.sh: no strace, or it may not trace, or no python3: skipped"
	exit 77
}
await() { # condition...: for up to 20 s
	local i
	for ((i = 0; i < 1000; i++)); do
		"$@" 2>/dev/null && return 0
		sleep .02
	done
	echo "calls.sh: $* does not come true"
	exit 1
}
allowed() { # the words before two blanks
	sed -n "/^What the loop's thread may call/,\$p" "$doc" |
		sed -n 's/^    \([a-z][a-z0-9_, ]*[a-z0-9]\)  .*/\1/p' |
		tr -d ' ' | tr ',' '\n'
}
export UBLK_EV_ROOT=$dir
mkdir -p run sys/block/ublkb7
echo 1 >sys/block/ublkb7/diskseq
strace -f -s 64 -o trace "$demo" --size 1M --recovery reissue --control ctl \
	--stats 1 >out 2>err &
await grep -q ublkb7 out
# the server says so to its scribe, which may have met the name before
pid=$(awk '/sendmsg\(.*\/dev\/ublkb7/ { print $1; exit }' trace)
[ -n "$pid" ] || { echo "calls.sh: nobody says that it is live"; exit 1; }
python3 - <<-'END' || exit 1
	import socket
	def ask(text):
	    s = socket.socket(socket.AF_UNIX)
	    s.settimeout(20)
	    s.connect("ctl")
	    s.sendall(text)
	    s.shutdown(socket.SHUT_WR)
	    return b"".join(iter(lambda: s.recv(4096), b""))
	assert len(ask(b"stats\nresize 2M\nmemory\nhelp\nbad\n").splitlines()) == 5
	assert b"too long" in ask(b"x" * 500 + b"\n")
END
kill -USR1 "$pid"
await grep -q 'in flight: ' err
await grep -q 'stats: read' err
kill "$pid"
ended() {
	! kill -0 "$pid"
}
await ended
wait
# from the line of the device to the end, which looks into /proc who uses it
grep "^$pid " trace | sed -n '/\/dev\/ublkb7/,/--- SIGTERM/p' >live
grep -v '^[0-9]* *[-+<]' live |
	sed -n 's/^[0-9]* *\([a-z_0-9]*\)(.*/\1/p' | sort -u >called
[ "$(wc -l <called)" -ge 5 ] || { echo "calls.sh: nothing seen"; exit 1; }
allowed | sort -u >may
bad=$(comm -23 called may)
[ -z "$bad" ] || {
	echo "calls.sh: not in \"What the loop's thread may call\": $bad"
	# shellcheck disable=SC2086  # a line each
	grep -F "$(printf '%s(\n' $bad)" live | head
	exit 1
}
if grep '[a-z](\([12]\),' live; then
	echo "calls.sh: the loop writes to stdout or stderr itself"
	exit 1
fi
echo "calls.sh: $(wc -l <called) system calls, each of them listed"
