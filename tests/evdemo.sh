#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ublk-evdemo as a process, linked with tests/fake_ublkev.c: its lines, files,
# signals and exit statuses.
# shellcheck disable=SC2317  # check() calls the functions by name
demo=${1:-tests/fake_evdemo}
dir=$(mktemp -d) || exit 1
demo=$(realpath "$demo")
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
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
gone() { [ ! -e "$1" ] && [ ! -L "$1" ]; }
await() { # condition...: for up to 5 s
	local i
	for ((i = 0; i < 250; i++)); do
		"$@" 2>/dev/null && return 0
		sleep .02
	done
	return 1
}
dead() { ! kill -0 "$1" 2>/dev/null; }
# what the last one wrote must not be taken for what the next one writes: a
# signal would come before there is a daemon, when its process is still a copy
# of this shell, which then runs the trap above
forget() { rm -f out err; }
ask() {
	python3 - "$@" <<-'END'
	import socket, sys
	s = socket.socket(socket.AF_UNIX)
	s.settimeout(5)
	s.connect(sys.argv[1])
	s.sendall(("\n".join(sys.argv[2:]) + "\n").encode())
	s.shutdown(socket.SHUT_WR)
	print(b"".join(iter(lambda: s.recv(4096), b"")).decode(), end="")
	END
}

# --- foreground: line, control socket, SIGUSR1, SIGTERM, nothing left
"$demo" --control ctl --pidfile pid --stats 1 >out 2>err &
pid=$!
check "line" await has '^/dev/ublkb7$' out
check "pidfile" [ "$(cat pid)" = $pid ]
if command -v python3 >/dev/null; then
	ask ctl stats help nonsense >answer
	check "stats" has '"device":"/dev/ublkb7"' answer
	check "help" has '"commands"' answer
	check "unknown" has '"error":"unknown command' answer
fi
"$demo" --control ctl >out2 2>err2
check "second socket" [ $? = 1 ]
check "second socket" has 'somebody listens' err2
"$demo" --pidfile pid >out2 2>err2
check "second pidfile" [ $? = 1 ]
check "second pidfile" has "process $pid" err2
kill -USR1 $pid
check "dump" await has 'tag 3 READ offset 4096' err
check "stats line" await has 'stats: read' err
kill $pid
wait $pid
check "SIGTERM" [ $? = 0 ]
check "pidfile removed" gone pid
check "socket removed" gone ctl
check "one line of stdout" [ "$(wc -l <out)" = 1 ]

# --- a stop that hangs is ended by the second signal
forget
FAKE_STUCK=1 "$demo" >out 2>err &
pid=$!
check "line" await has ublkb7 out
kill -INT $pid
check "stopping" await has stopping err
kill -INT $pid
wait $pid
check "abort" [ $? = 0 ]

# --- told to end before it is live
forget
FAKE_NEVER=1 "$demo" --pidfile pid >out 2>err &
pid=$!
check "pidfile" await test -s pid
kill $pid
wait $pid
check "early SIGTERM" [ $? = 0 ]
check "no line" [ ! -s out ]

# --- failure: one line, status 1, nothing left
FAKE_ERR=17 "$demo" --control ctl --pidfile pid >out 2>err
check "failure" [ $? = 1 ]
check "failure's line" has \
	'^ublk-evdemo: ADD_DEV: File exists: it is taken$' err
check "one line" [ "$(wc -l <err)" = 1 ]
check "nothing left" gone pid
check "nothing left" gone ctl

# --- broken stdout does not end it
forget
"$demo" >&- 2>err &
pid=$!
check "closed stdout" await has 'stdout: Bad file' err
check "serves" kill $pid
wait $pid
check "closed stdout" [ $? = 0 ]

# --- daemon
"$demo" --daemon --pidfile pid --control ctl >out 2>err
check "daemon" [ $? = 0 ]
check "daemon's line" has '^/dev/ublkb7$' out
pid=$(cat pid)
check "daemon lives" kill -0 "$pid"
check "daemon's stdout" [ "$(readlink /proc/"$pid"/fd/1)" = /dev/null ]
check "daemon's cwd" [ "$(readlink /proc/"$pid"/cwd)" = / ]
kill -HUP "$pid"
kill "$pid"
check "daemon ends" await dead "$pid"
check "daemon's pidfile" gone pid
check "daemon's socket" gone ctl
FAKE_ERR=17 "$demo" --daemon --pidfile pid >out 2>err
check "daemon fails" [ $? = 1 ]
check "daemon's error" has 'ADD_DEV: File exists' err
check "daemon's pidfile" gone pid

# --- --delete
"$demo" --delete 3 >out 2>err
check "delete" [ $? = 0 ]
FAKE_ERR=19 "$demo" --delete 3 >out 2>err
check "delete nothing" [ $? = 1 ]
check "delete nothing" has 'No such device' err

# --- usage
"$demo" --size 0 >out 2>err
check "usage" [ $? = 2 ]
check "usage" [ "$(wc -l <err)" = 1 ]
"$demo" --help >out 2>err
check "help" [ $? = 0 ]
"$demo" --version >/dev/full 2>err
check "full stdout" [ $? = 1 ]

[ $failed = 0 ] && echo "evdemo.sh: all passed"
exit $failed
