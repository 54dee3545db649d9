#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the tests of ublk-evdemo as a process share, which is linked with
# tests/lib/fake_ublkev.c: sourced by evdemo*.sh, each of which ends with
# finish.
# shellcheck disable=SC2034,SC2317  # used, and called, by who sources this
demo=${1:-tests/programs/fake_evdemo}
me=${0##*/}
dir=$(mktemp -d) || exit 1
demo=$(realpath "$demo")
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
# in place of /run and /sys; the latter knows the disk that is always made here
export UBLK_EV_ROOT=$dir/root
mkdir -p root/run root/sys/block/ublkb7
echo 5 >root/sys/block/ublkb7/diskseq
[ "$(id -u)" = 0 ] || export XDG_RUNTIME_DIR=$dir/root/run
failed=0

check() { # what, condition...
	local what=$1
	shift
	if ! "$@"; then
		echo "FAIL: $what: $*"
		sed 's/^/    /' out err 2>/dev/null
		failed=1
	fi
}
has() { grep -q -- "$1" "$2"; }
fails() { ! "$@"; }
gone() { [ ! -e "$1" ] && [ ! -L "$1" ]; }
await() { # condition...: for up to 60 s, on a busy machine
	local i
	for ((i = 0; i < 3000; i++)); do
		"$@" 2>/dev/null && return 0
		sleep .02
	done
	return 1
}
# also as long as process 1 of this machine has not reaped it
dead() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.*Z' "/proc/$1/status"; }
# what the last one wrote must not be taken for what the next one writes: a
# signal would come before there is a daemon, when its process is still a copy
# of this shell, which then runs the trap above
forget() { rm -f out err; }
ask() {
	"$python" -IS - "$@" <<-'END'
	import socket, sys
	s = socket.socket(socket.AF_UNIX)
	s.settimeout(5)
	s.connect(sys.argv[1])
	s.sendall(("\n".join(sys.argv[2:]) + "\n").encode())
	s.shutdown(socket.SHUT_WR)
	print(b"".join(iter(lambda: s.recv(4096), b"")).decode(), end="")
	END
}

# the interpreter itself: what the name leads to may be a script that looks for it
python=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null) ||
	echo "$me: no python3: THE CONTROL SOCKET IS NOT TESTED"

# --- an upgrade
released() { ask ctl stats | grep -q '"state":"OTHER"'; }
early_end() { # a successor is told to end before it is live
	successor
	check "released" await released
	kill $pid2
	check "waits" await has 'stopping when it is live' err2
}
first() { # arguments: starts one that can be taken over
	forget
	rm -f out2 err2
	"$demo" --size 1M --recovery reissue --control ctl "$@" >out 2>err &
	pid=$!
	check "line" await has ublkb7 out
}
successor() { # arguments: starts one
	"$demo" --take-over ctl "$@" >out2 2>err2 &
	pid2=$!
}

# --- a server that dies
state=root/run/ublk-ev/7.json
killed() { # arguments: starts a server and kills it
	forget
	"$demo" --recovery reissue "$@" >out 2>err &
	pid=$!
	check "line" await has ublkb7 out
	kill -KILL $pid
	wait $pid 2>/dev/null
	check "state" test -s $state
}

finish() {
	[ $failed = 0 ] || exit 1
	[ -n "$python" ] || exit 77
	echo "$me: all passed"
	exit 0
}
