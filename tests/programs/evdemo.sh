#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ublk-evdemo as a process: its lines, files, signals and exit statuses.
# shellcheck disable=SC2154  # of evdemo_lib.sh
# shellcheck source=tests/programs/evdemo_lib.sh
. "$(dirname -- "$0")/evdemo_lib.sh"

# --- foreground: line, control socket, SIGUSR1, SIGTERM, nothing left
"$demo" --control ctl --pidfile pid --stats 1 >out 2>err &
pid=$!
check "line" await has '^/dev/ublkb7$' out
check "pidfile" [ "$(cat pid)" = $pid ]
if [ -n "$python" ]; then
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

# --- a kernel that would not survive it is sent nothing
for args in "" "--daemon" "--verbose"; do
	# shellcheck disable=SC2086  # no word or one
	FAKE_RELEASE=6.18.5 "$demo" --pidfile pid --control ctl \
		--memory-file new $args >out 2>err
	check "kernel" [ $? = 3 ]
	check "kernel" has '^ublk-evdemo: Linux 6.18.5: ADD_DEV may crash .*use Linux 6.18.6 or later; --force-kernel' err
	check "one line" [ "$(wc -l <err)" = 1 ]
	check "no device" [ ! -s out ]
	check "nothing made" gone new
done
for args in "--force-kernel" "--recover 7 --backend null"; do
	forget
	# shellcheck disable=SC2086  # words
	FAKE_RELEASE=6.18.5 "$demo" --control none $args >out 2>err &
	pid=$!
	check "line" await has ublkb7 out
	kill $pid
	wait $pid
	check "status" [ $? = 0 ]
done
# suspected is not known
forget
FAKE_RELEASE=6.17.0-24-generic "$demo" --control none >out 2>err &
pid=$!
check "line" await has ublkb7 out
kill $pid
wait $pid

# --- what the options become
forget
FAKE_CONF=1 "$demo" --stop-limit 90 --wait 7 --control none >out 2>err &
pid=$!
check "line" await has ublkb7 out
check "conf" has 'conf: .* wait_us 7 stop_limit_ms 90000' err
kill $pid
wait $pid

# --- a terminal that nobody reads does not hold up the disk
if [ -n "$python" ]; then
	"$python" -IS - "$demo" <<-'END' >out 2>err
	import os, select, signal, socket, subprocess, sys
	terminal, slave = os.openpty()
	p = subprocess.Popen([sys.argv[1], "--control", "ctl"],
			     stdout=subprocess.PIPE, stderr=slave)
	os.close(slave)
	p.stdout.readline()
	def ask(text):
	    s = socket.socket(socket.AF_UNIX)
	    s.settimeout(20)
	    s.connect("ctl")
	    s.sendall(text)
	    return s.recv(65536)
	try:
	    def more():
	        p.send_signal(signal.SIGUSR1)
	        assert b'"LIVE"' in ask(b"stats\n")
	    for _ in range(1000):
	        more()
	    # the reader comes back: what was kept, then what was lost
	    seen = b""
	    while b"lines of log were lost" not in seen:
	        while select.select([terminal], [], [], .01)[0]:
	            seen += os.read(terminal, 65536)
	        more()
	    # so there is room for the last lines
	    p.terminate()
	    while True:
	        try:
	            piece = os.read(terminal, 65536)
	        except OSError: # whoever had it open is gone
	            break
	        seen += piece
	    assert p.wait() == 0
	    assert b"stopping" in seen
	finally:
	    p.kill()
	END
	check "stopped terminal" [ $? = 0 ]
fi

# --- words that take their time
forget
if [ -n "$python" ]; then
	"$demo" --size 1M --control ctl >out 2>err &
	pid=$!
	check "line" await has ublkb7 out
	ask ctl 'resize 2M' 'resize 1M' 'resize 1M shrink' 'resize 5' \
		'resize' 'resize 4M now' 'release' 'done' >answer
	check "answers" [ "$(wc -l <answer)" = 8 ]
	check "grown" has '"resized":true,"dev_bytes":2097152' answer
	check "not shrunk" has '"error":"resize: Invalid arg.*"errno":22' answer
	check "shrunk" has '"resized":true,"dev_bytes":1048576' answer
	check "no size" has 'say: resize SIZE' answer
	check "no recovery" has '"release: Operation not supp' answer
	check "done with nothing" has 'nothing was released' answer
	ask ctl stop stop >answer
	check "stop" has '"stopping":true' answer
	wait $pid
	check "stop's status" [ $? = 0 ]
fi

# --- a stop that hangs is ended by the second signal
forget
FAKE_STUCK=1 "$demo" --control none >out 2>err &
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
FAKE_ERR=17 "$demo" --memory-file new --control ctl --pidfile pid >out 2>err
check "failure" [ $? = 1 ]
check "nothing left" gone new
truncate -s 1M mem
chmod 0600 mem
FAKE_ERR=17 "$demo" --memory-file mem --control ctl --pidfile pid >out 2>err
check "failure" [ $? = 1 ]
check "what was there stays" [ -s mem ]
"$demo" --memory-file new --control none/ctl --pidfile pid >out 2>err
check "no directory" [ $? = 1 ]
check "nothing left" gone new
check "nothing left" gone pid

# --- broken stdout does not end it
forget
"$demo" --control none >&- 2>err &
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

# of a caller who ignores that children end
(trap '' CHLD; FAKE_ERR=17 exec "$demo" --daemon --pidfile pid) >out 2>err
check "daemon fails" [ $? = 1 ]
check "daemon's error" has 'ADD_DEV: File exists' err
check "one line" [ "$(wc -l <err)" = 1 ]

# --- what the caller has open is not held by the disk
forget
exec 9>lock
flock 9
"$demo" --daemon --pidfile pid --control none >out 2>err
exec 9>&-
check "line" has '^/dev/ublkb7$' out
check "the caller's lock is free" flock -n lock true
pid=$(cat pid)
kill "$pid"
check "daemon ends" await dead "$pid"

# --- nohup: what was ignored stays so
forget
# as nohup(1) does, whatever this script's own SIGHUP is
(trap '' HUP; exec "$demo" --control none) >out 2>err &
pid=$!
check "line" await has ublkb7 out
kill -HUP $pid
kill -USR1 $pid
check "dump" await has 'in flight' err
check "not told to end" fails has stopping err
kill $pid
wait $pid
forget
env --default-signal=HUP "$demo" --control none >out 2>err &
pid=$!
check "line" await has ublkb7 out
kill -HUP $pid
wait $pid
check "SIGHUP" [ $? = 0 ]
check "SIGHUP" has stopping err

# --- a limit of the size of files is an error like others
forget
(ulimit -f 4096; exec "$demo" --size 8M --memory-file big --control none) \
	>out 2>err
check "ulimit -f" [ $? = 1 ]
check "ulimit -f" has 'big: File too large: raise ulimit -f' err
check "ulimit -f leaves no file" gone big
if [ -n "$python" ]; then
	(ulimit -f 4096; exec "$demo" --size 2M --memory-file big \
		--control ctl) >out 2>err &
	pid=$!
	check "line" await has ublkb7 out
	ask ctl 'resize 8M' 'stats' >answer
	check "ulimit -f" has 'resize: File too large' answer
	check "ulimit -f" has '"state":"LIVE"' answer
	kill $pid
	wait $pid
	check "status" [ $? = 0 ]
	rm -f big
fi

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

finish
