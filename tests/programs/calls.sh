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
# the interpreter itself: what the name leads to may be a script that looks for it
python=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null)
strace -o none true 2>/dev/null && [ -n "$python" ] || {
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
mkdir -p dev run sys/block/ublkb7
echo 1 >sys/block/ublkb7/diskseq
# syslogd: writes what it is sent to the file of its second argument
cat >syslogd.py <<-'END'
	import socket, sys
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.bind(sys.argv[1])
	while True:
	    line = s.recv(4096)
	    with open(sys.argv[2], "ab") as f:
	        f.write(line + b"\n")
END
"$python" -IS syslogd.py dev/log syslog &
syslogd=$!
trap 'kill $syslogd; rm -rf "$dir"' EXIT
await test -S dev/log
ended() { # also as long as nobody has reaped it
	! kill -0 "$pid" || grep -q '^State:.*Z' "/proc/$pid/status"
}
bad() {
	echo "calls.sh:${how:+ $how:} $*"
	exit 1
}
# watch LOG [OPTION...]: a server's whole life, whose log is that file
watch() {
	log=$1
	shift
	rm -f out err trace syslog
	strace -f -s 64 -o trace "$demo" --size 1M --recovery reissue \
		--control "$dir/ctl" --stats 1 "$@" >out 2>err &
	await grep -q ublkb7 out
	# the server says so to its scribe, which may have met the name before
	pid=$(awk '/sendmsg\(.*\/dev\/ublkb7/ { print $1; exit }' trace)
	[ -n "$pid" ] || bad "nobody says that it is live"
	"$python" -IS - <<-'END' || exit 1
		import socket
		def ask(text):
		    s = socket.socket(socket.AF_UNIX)
		    s.settimeout(20)
		    s.connect("ctl")
		    s.sendall(text)
		    s.shutdown(socket.SHUT_WR)
		    return b"".join(iter(lambda: s.recv(4096), b""))
		text = b"stats\nresize 2M\nmemory\nhelp\nbad\n"
		answers = ask(text).splitlines()
		assert len(answers) == 5 and b'"resized":true' in answers[1]
		assert b"too long" in ask(b"x" * 500 + b"\n")
	END
	kill -USR1 "$pid"
	await grep -q 'in flight: ' "$log"
	await grep -q 'stats: read' "$log"
	kill "$pid"
	await ended
	wait $!
	# from the line of the device to the end, which looks into /proc who
	# uses it
	grep "^$pid " trace | sed -n '/\/dev\/ublkb7/,/--- SIGTERM/p' >live
	grep -v '^[0-9]* *[-+<]' live |
		sed -n 's/^[0-9]* *\([a-z_0-9]*\)(.*/\1/p' | sort -u >called
	[ "$(wc -l <called)" -ge 5 ] || bad "nothing seen"
	unlisted=$(comm -23 called may)
	[ -z "$unlisted" ] || {
		# shellcheck disable=SC2086  # a line each
		grep -F "$(printf '%s(\n' $unlisted)" live | head
		bad "not in \"What the loop's thread may call\": $unlisted"
	}
	if grep '[a-z](\([12]\),' live; then
		bad "the loop writes to stdout or stderr itself"
	fi
	echo "calls.sh:${how:+ $how:} $(wc -l <called) system calls, all listed"
}
allowed | sort -u >may
how=
watch err
# a thread of the library's waits for the file system
how=file
watch err --file disk
if grep ftruncate live; then
	bad "the loop makes the file longer itself"
fi
[ "$(stat -c %s disk)" = $((2 << 20)) ] || bad "the file is not longer"
# what a daemon says is for syslog, in its own name
how=daemon
watch syslog --daemon
grep -q "ublk-evdemo\[$pid\]: stats: read" syslog ||
	bad "not in the name of $pid: $(head -1 syslog)"
# a syslogd that sleeps holds up nobody
how="syslogd stopped"
"$demo" --size 1M --control ctl --daemon --pidfile pid >out 2>err ||
	bad "$(cat err)"
pid=$(cat pid)
kill -STOP $syslogd
for ((i = 0; i < 300; i++)); do
	kill -USR1 "$pid"
done
"$python" -IS - <<-'END' || bad "it does not answer"
	import socket
	s = socket.socket(socket.AF_UNIX)
	s.settimeout(20)
	s.connect("ctl")
	s.sendall(b"stats\n")
	assert s.recv(4096).startswith(b"{")
END
kill "$pid"
await ended
kill -CONT $syslogd
echo "calls.sh: $how: it serves on"
