#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ublk-evdemo as a process, linked with tests/lib/fake_ublkev.c: its lines, files,
# signals and exit statuses.
# shellcheck disable=SC2317  # check() calls the functions by name
demo=${1:-tests/programs/fake_evdemo}
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

python=$(command -v python3) ||
	echo "evdemo.sh: no python3: THE CONTROL SOCKET IS NOT TESTED"

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
	python3 - "$demo" <<-'END' >out 2>err
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
if [ -n "$python" ]; then
	first --pidfile pid
	# one that dies: the old one serves on
	FAKE_NEVER=1 "$demo" --take-over ctl >out2 2>err2 &
	pid2=$!
	check "released" await released
	kill -TERM $pid
	check "waits" await has 'waiting for the successor' err
	kill -KILL $pid2
	wait $pid2
	check "taken back" await has 'serving /dev/ublkb7 again' err
	wait $pid
	check "then told to end" [ $? = 0 ]
	check "no line" [ ! -s out2 ]

	first --pidfile pid --stats 1 --verbose
	successor
	check "successor's line" await has '^/dev/ublkb7$' out2
	wait $pid
	check "old one's status" [ $? = 0 ]
	check "old one's word" has 'has another server' err
	check "gap" has 'took over /dev/ublkb7 in [0-9.]* ms' err2
	check "successor's pidfile" [ "$(cat pid)" = $pid2 ]
	check "successor's --stats" await has 'stats: read' err2
	check "successor's --verbose" has 'blocks of 512' err2
	check "successor's socket" has "\"pid\":$pid2," <(ask ctl stats)
	check "gap in stats" has '"gap_ms":[0-9]*\.[0-9],.*"reissue"' <(ask ctl stats)
	# and on, as a daemon, with the options of the one before
	check "options" has '"options":{"verbose":true,"stats":"1","pidfile":"/' \
		<(ask ctl memory)
	"$demo" --take-over ctl --stats 9 --daemon >out 2>err
	check "daemon" [ $? = 0 ]
	check "daemon's line" has '^/dev/ublkb7$' out
	wait $pid2
	check "successor's status" [ $? = 0 ]
	pid=$(cat pid)
	check "third pid" [ "$pid" != "$pid2" ]
	check "options" has '"options":{"verbose":true,"stats":"9","pidfile":"/' \
		<(ask ctl memory)
	kill "$pid"
	check "daemon ends" await dead "$pid"
	check "nothing left" gone ctl
	check "nothing left" gone pid

	# a successor that is told to end before it is live
	first
	FAKE_SLOW=$dir/go early_end
	: >go
	wait $pid
	check "old one's status" [ $? = 0 ]
	check "old one's word" has 'has another server' err
	wait $pid2
	check "successor's status" [ $? = 0 ]
	check "first live" has 'took over /dev/ublkb7 in' err2
	check "then stopped" has 'stopping$' err2
	check "nothing left" gone ctl
	# and told so twice: it does not wait
	first
	FAKE_NEVER=1 early_end
	kill $pid2
	wait $pid2
	check "taken back" await has 'serving /dev/ublkb7 again' err
	kill $pid
	wait $pid
	check "status" [ $? = 0 ]

	# its socket elsewhere, where a file is
	first
	echo mine >file
	successor --control file
	check "successor's line" await has '^/dev/ublkb7$' out2
	wait $pid
	check "old one's status" [ $? = 0 ]
	check "no socket" has 'control socket file: File exists' err2
	check "file stays" has mine file
	check "nothing left" gone ctl
	kill $pid2
	wait $pid2

	# a kernel that wants to see the old one exit
	forget
	rm -f out2 err2
	FAKE_OLD=1 "$demo" --size 1M --recovery reissue --control ctl \
		--pidfile pid >out 2>err &
	pid=$!
	check "line" await has ublkb7 out
	# which it does not for one that could not serve
	FAKE_PROBE=13 "$demo" --take-over ctl >out2 2>err2
	check "unable" [ $? = 1 ]
	check "unable" has 'take over ctl: GET_DEV_INFO: Perm.*serves on' err2
	check "one line" [ "$(wc -l <err2)" = 1 ]
	check "serves on" has '"state":"LIVE"' <(ask ctl stats)
	successor --pidfile pid
	check "successor's line" await has '^/dev/ublkb7$' out2
	wait $pid
	check "old one's status" [ $? = 0 ]
	check "gap" has 'took over /dev/ublkb7 in [0-9.]* ms' err2
	check "successor's pidfile" [ "$(cat pid)" = $pid2 ]
	check "successor's socket" has "\"pid\":$pid2," <(ask ctl stats)
	kill $pid2
	wait $pid2
	check "nothing left" gone ctl

	forget
	rm -f out2 err2
	FAKE_REFUSE=16 "$demo" --size 1M --recovery reissue --control ctl \
		>out 2>err &
	pid=$!
	check "line" await has ublkb7 out
	FAKE_NEVER=1 "$demo" --take-over ctl >out2 2>err2
	check "refused" [ $? = 1 ]
	check "refused" has 'take over ctl: release: Device or res' err2
	check "serves on" has '"state":"LIVE"' <(ask ctl stats)
	kill $pid
	wait $pid

	forget
	"$demo" --size 1M --control ctl >out 2>err &
	pid=$!
	check "line" await has ublkb7 out
	"$demo" --take-over ctl >out2 2>err2
	check "cannot be taken over" [ $? = 1 ]
	check "cannot be taken over" has 'made without --recovery' err2
	kill $pid
	wait $pid
	"$demo" --take-over ctl >out2 2>err2
	check "nobody there" [ $? = 1 ]
	check "nobody there" [ "$(wc -l <err2)" = 1 ]
fi

# --- a file of the disk's data
forget
"$demo" --memory-file mem --size 1M --control none >out 2>err &
pid=$!
check "line" await has ublkb7 out
check "file" [ -e mem ]
"$demo" --memory-file mem --control none >out2 2>err2
check "file in use" [ $? = 1 ]
check "file in use" has 'memory file mem: in use' err2
kill $pid
wait $pid
"$demo" --recover 3 --memory-file none >out2 2>err2
check "no file" [ $? = 1 ]
check "no file" gone none
"$demo" --memory-file / >out2 2>err2
check "a directory" [ $? = 1 ]
for args in "--size 1M" "--recover 3"; do
	for mode in 0666 0620 0602; do
		rm -f theirs
		(umask 0; truncate -s 1M theirs)
		chmod $mode theirs
		# shellcheck disable=SC2086  # two words
		"$demo" $args --memory-file theirs --control none >out2 2>err2
		check "file of $mode" [ $? = 1 ]
		check "file of $mode" has 'theirs: others may write' err2
		check "one line" [ "$(wc -l <err2)" = 1 ]
	done
	chmod 0600 theirs
	chown 1 theirs 2>/dev/null || continue
	# shellcheck disable=SC2086  # two words
	"$demo" $args --memory-file theirs --control none >out2 2>err2
	check "file of another's" [ $? = 1 ]
	check "file of another's" has 'theirs: it belongs to another' err2
done
"$demo" --size 1M --memory-file /dev/null >out2 2>err2
check "a device" [ $? = 1 ]
"$demo" --recover 3 --memory-file mem --control none --daemon --pidfile pid \
	>out 2>err
check "recovers" [ $? = 0 ]
check "recovers" has '^/dev/ublkb3$' out
pid=$(cat pid)
kill "$pid"
check "daemon ends" await dead "$pid"
FAKE_ERR=16 "$demo" --recover 3 --memory-file mem --control none >out 2>err
check "recovery fails" [ $? = 1 ]
check "recovery fails" has 'RECOVER: Device or resource busy' err

# --- what a server was told is known to the one that recovers its device
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
refused() { # cause: of the state file, without which nothing is known
	"$demo" --recover 7 >out2 2>err2
	check "refused: $1" [ $? = 2 ]
	check "refused: $1" has "state file .*/run/ublk-ev/7.json: $1: not used" \
		err2
	check "refused: $1" has 'option --recover: where are the data' err2
	check "two lines" [ "$(wc -l <err2)" = 2 ]
}
killed --size 1M --memory-file mem7 --read-only --stop-limit 9 --stats 3 \
	--pidfile pid --control ctl
check "nobody else's" [ "$(stat -c %a $state)" = 600 ]
check "nothing else" [ "$(ls -A root/run/ublk-ev)" = 7.json ]
FAKE_CONF=1 "$demo" --recover 7 --daemon --stop-limit 4 >out 2>err
check "recovers" [ $? = 0 ]
check "recovers" has '^/dev/ublkb7$' out
check "the command line wins" has 'stop_limit_ms 4000' err
pid=$(cat pid)
if [ -n "$python" ]; then
	check "options" has '"read_only":true,.*"stats":"3","stop-limit":"4",' \
		<(ask ctl memory)
	check "options" has "\"memory-file\":\"$dir/mem7\"" <(ask ctl memory)
fi
# and by the next
kill -KILL "$pid"
check "daemon is dead" await dead "$pid"
FAKE_CONF=1 "$demo" --recover 7 --daemon >out 2>err
check "recovers" [ $? = 0 ]
check "what was said last" has 'stop_limit_ms 4000' err
pid=$(cat pid)
kill "$pid"
check "daemon ends" await dead "$pid"
check "nothing left" gone $state
# without a file
"$demo" --recover 7 >out2 2>err2
check "no state" [ $? = 2 ]
check "no state" [ "$(wc -l <err2)" = 1 ]
# one that cannot be used
killed --memory-file mem7 --control none
cp $state good
echo 6 >root/sys/block/ublkb7/diskseq
refused 'it is about another disk, which had this number before'
echo 5 >root/sys/block/ublkb7/diskseq
for text in '' '[]' '{' '{"schema":1}' '{"schema":2,"options":{},"diskseq":5}' \
	'{"schema":1,"schema":1,"options":{},"diskseq":5}'; do
	echo "$text" >$state
	refused 'it is damaged'
done
head -c 200000 /dev/zero >$state
refused 'it is too large'
cp good $state
chmod 0620 $state
refused 'others may write to it'
chmod 0600 $state
if chown 1 $state 2>/dev/null; then
	refused 'it belongs to another user'
fi
rm $state
ln -s "$dir/good" $state
refused 'it is a symbolic link'
rm $state
mkfifo $state
refused 'it is no regular file'
rm $state
# a link in its place is replaced, and not followed
ln -s "$dir/good" $state
cp good want
killed --backend null --size 3M --control ctl
check "link replaced" [ ! -L $state ]
check "link not followed" cmp -s good want
# what is not known here, or no option, is left out
sed -i 's/"options": {/&"of-the-future": true, "size": 3.5,/; s/"size": "[0-9]*"/"wait": 3/' \
	$state
"$demo" --recover 7 --size 3M >out 2>err &
pid=$!
check "line" await has ublkb7 out
check "unknown" await has 'option --of-the-future of the server that died: not' err
check "bad value" await has 'option --wait of the server that died: not' err
if [ -n "$python" ]; then
	check "its disk" has '"backend":"null","dev_bytes":3145728' \
		<(ask ctl memory)
fi
kill $pid
wait $pid
check "nothing left" gone $state
# whoever says where the data are means it
killed --backend null --size 3M --control none
"$demo" --recover 7 --memory-file mem7 --daemon --pidfile pid >out 2>err
check "another disk" [ $? = 0 ]
kill "$(cat pid)"
check "nothing left" await gone $state
# nowhere to put it: a line, and the disk is served
chmod 0500 root/run/ublk-ev
mv root/run/ublk-ev root/run/away
: >root/run/ublk-ev
forget
"$demo" --recovery reissue --control none >out 2>err &
pid=$!
check "line" await has ublkb7 out
check "no state" await has 'no state file: Not a directory: a recovery' err
kill $pid
wait $pid
check "status" [ $? = 0 ]
rm root/run/ublk-ev
mv root/run/away root/run/ublk-ev
chmod 0700 root/run/ublk-ev
# a successor's device, too
if [ -n "$python" ]; then
	first --memory-file mem8
	successor
	check "successor's line" await has '^/dev/ublkb7$' out2
	wait $pid
	kill -KILL $pid2
	wait $pid2 2>/dev/null
	check "state" has '"memory-file": ".*/mem8"' $state
	"$demo" --recover 7 --daemon --pidfile pid >out 2>err
	check "recovers" [ $? = 0 ]
	kill "$(cat pid)"
	check "nothing left" await gone $state
fi
# what a dying server still has is waited for
killed --backend null --size 1M --control ctl --pidfile pid
exec 8>pid
flock 8
"$demo" --recover 7 >out 2>err &
pid=$!
scribe() { [ -n "$(cat /proc/$pid/task/$pid/children)" ]; }
check "it has begun" await scribe
exec 8>&-
check "line" await has ublkb7 out
kill $pid
wait $pid
check "status" [ $? = 0 ]
if [ -n "$python" ]; then
	killed --backend null --size 1M --control ctl
	rm ctl
	python3 - "$demo" <<-'END' >out 2>err
	import socket, subprocess, sys
	s = socket.socket(socket.AF_UNIX)
	s.settimeout(20)
	s.bind("ctl")
	s.listen()
	p = subprocess.Popen([sys.argv[1], "--recover", "7"],
			     stdout=subprocess.PIPE)
	try:
	    s.accept() # it has looked whether somebody listens
	    s.close()
	    assert p.stdout.readline() == b"/dev/ublkb7\n"
	    p.terminate()
	    assert p.wait() == 0
	finally:
	    p.kill()
	END
	check "a socket of the dead" [ $? = 0 ]
fi
# a device that is deleted needs none
killed --memory-file mem7 --control none
"$demo" --delete 7 >out 2>err
check "delete" [ $? = 0 ]
check "nothing left" gone $state
# --- a disk in a file
forget
"$demo" --file img --size 1M --control none >out 2>err &
pid=$!
check "line" await has ublkb7 out
check "made" [ "$(stat -c %s,%a img)" = 1048576,600 ]
"$demo" --file img --control none >out2 2>err2
check "file in use" [ $? = 1 ]
check "file in use" has 'file img: in use: another server has it' err2
kill $pid
wait $pid
check "a file stays" [ "$(stat -c %s img)" = 1048576 ]
refuses() {
	"$demo" --control none "$@" >out2 2>err2
	check "refused: $*" [ $? = 1 ]
	check "one line: $*" [ "$(wc -l <err2)" = 1 ]
}
refuses --file none
check "no file" has 'file none: No such .*: give --size' err2
check "no file" gone none
refuses --file . --size 1M
check "a directory" has 'file \.: Is a directory: give a regular file' err2
mkfifo pipe
refuses --file pipe
check "a FIFO" has 'file pipe: neither a regular file' err2
refuses --file img --size 2M
check "too short" has 'file img: it is too short: give a smaller' err2
refuses --file img --offset 1M
check "no room" has 'file img: no room in it for one block' err2
refuses --file img --offset 1000
check "odd offset" has 'file img: Invalid argument: its --offset' err2
check "it is as it was" [ "$(stat -c %s img)" = 1048576 ]
# whose disk it would be
for mode in 0666 0620 0602; do
	rm -f theirs
	(umask 0; : >theirs)
	chmod $mode theirs
	refuses --file theirs --size 1M
	check "file of $mode" has 'file theirs: others may write to it.*chmod' err2
	check "it is as it was" [ ! -s theirs ]
done
chmod 0600 theirs
if chown 1 theirs 2>/dev/null; then
	refuses --file theirs --size 1M
	check "file of another's" has 'file theirs: it belongs to another' err2
	check "it is as it was" [ ! -s theirs ]
	truncate -s 1M theirs
	forget
	"$demo" --file theirs --read-only --control none >out 2>err &
	pid=$!
	check "only read" await has ublkb7 out
	kill $pid
	wait $pid
fi
FAKE_ERR=17 refuses --file new --size 1M
check "nothing left" gone new
FAKE_ERR=17 refuses --file img
check "what was there stays" [ -s img ]
for at in file memory-file; do
	: >empty
	chmod 0600 empty
	FAKE_ERR=17 refuses --$at empty --size 1M
	check "--$at: what was empty is" [ -e empty ]
	check "--$at: what was empty is" [ ! -s empty ]
done
"$demo" --recover 3 --file img --control none --daemon --pidfile pid >out 2>err
check "recovers" [ $? = 0 ]
pid=$(cat pid)
kill "$pid"
check "daemon ends" await dead "$pid"

# after a crash the file and its options are known
killed --file img --offset 4K --read-only --control ctl
FAKE_CONF=1 "$demo" --recover 7 --daemon --pidfile pid >out 2>err
check "recovers" [ $? = 0 ]
if [ -n "$python" ]; then
	check "options" has "\"file\":\"$dir/img\"" <(ask ctl memory)
	check "disk" has '"backend":"file","dev_bytes":1044480,.*"offset_bytes":4096' \
		<(ask ctl memory)
fi
pid=$(cat pid)
kill "$pid"
check "daemon ends" await dead "$pid"
# whoever says where the data are means it, here too
killed --memory-file mem7 --size 1M --control none
"$demo" --recover 7 --file img --daemon --pidfile pid >out 2>err
check "a file in place of memory" [ $? = 0 ]
kill -KILL "$(cat pid)"
check "its state" has '"file": ".*/img"' $state
"$demo" --recover 7 --memory-file mem7 --daemon --pidfile pid >out 2>err
check "memory in place of a file" [ $? = 0 ]
kill "$(cat pid)"
check "nothing left" await gone $state
# a file that was moved, with the disk where it was in it
killed --file img --offset 4K --buffered --control ctl
mv img moved
"$demo" --recover 7 --file moved --daemon --pidfile pid >out 2>err
check "moved" [ $? = 0 ]
if [ -n "$python" ]; then
	check "its offset" has '"offset_bytes":4096,"buffered":true' \
		<(ask ctl memory)
	# and after an upgrade and a crash
	"$demo" --take-over ctl --daemon >out2 2>err2
	check "upgraded" [ $? = 0 ]
	kill -KILL "$(cat pid)"
	check "its offset is kept" has '"offset": "4096"' $state
	check "so is --buffered" has '"buffered": true' $state
	check "and its socket" has "\"control\": \"$dir/ctl\"" $state
	"$demo" --recover 7 --daemon >out 2>err
	check "recovers" [ $? = 0 ]
	check "its disk" has '"dev_bytes":1044480,.*"offset_bytes":4096,"buff' \
		<(ask ctl memory)
	check "nothing lost" has '"lost_writes":false' <(ask ctl memory)
	# Writes that were lost are so for whoever takes the descriptor over,
	# and for the next; be they lost when the release is under way, or when
	# the server says that it goes.
	for old in '' 1; do
		kill -KILL "$(cat pid)"
		FAKE_LOST=2 FAKE_OLD=$old "$demo" --recover 7 --daemon >out 2>err
		check "recovers" [ $? = 0 ]
		for _ in 1 2; do
			FAKE_OLD=$old "$demo" --take-over ctl --daemon >out 2>err
			check "upgraded" [ $? = 0 ]
			check "told" has 'the server before has lost writes' err
			check "kept" has '"lost_writes":true' <(ask ctl memory)
		done
	done
fi
pid=$(cat pid)
kill "$pid"
check "daemon ends" await dead "$pid"
mv moved img

# a path is any bytes
killed --memory-file $'m\xff\\ \n' --size 1M --control ctl --pidfile $'p\xe4'
"$demo" --recover 7 --daemon >out 2>err
check "recovers" [ $? = 0 ]
pid=$(cat $'p\xe4')
if [ -n "$python" ]; then
	"$demo" --take-over ctl --daemon >out 2>err
	check "upgraded" [ $? = 0 ]
	check "its pidfile" [ "$(cat $'p\xe4')" != "$pid" ]
	pid=$(cat $'p\xe4')
fi
kill -KILL "$pid"
"$demo" --recover 7 --daemon >out 2>err
check "recovers" [ $? = 0 ]
check "its file" [ "$(stat -c %s $'m\xff\\ \n')" = 1048576 ]
pid=$(cat $'p\xe4')
kill "$pid"
check "daemon ends" await dead "$pid"

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

# --- a disk in a file grows, as far as the file may
forget
if [ -n "$python" ]; then
	(ulimit -f 4096; exec "$demo" --size 1M --offset 1M --file grows \
		--control ctl) >out 2>err &
	pid=$!
	check "line" await has ublkb7 out
	# an odd size makes no file longer, nor does one that is not to be
	ask ctl 'resize 1048577' 'resize 1' 'resize 2M' 'resize 8M' \
		'resize 1M shrink' 'stats' >answer
	check "grown" has '"resized":true,"dev_bytes":2097152' answer
	check "ulimit -f" has 'resize: File too large' answer
	check "shrunk" has '"resized":true,"dev_bytes":1048576' answer
	check "serves on" has '"state":"LIVE"' answer
	check "as long as the largest" [ "$(stat -c %s grows)" = 3145728 ]
	kill $pid
	wait $pid
	check "status" [ $? = 0 ]
	FAKE_OLD=1 "$demo" --file grows --size 1M --offset 1M --control ctl \
		>out 2>err &
	pid=$!
	check "line" await has ublkb7 out
	ask ctl 'resize 4M' >answer
	check "not without UPDATE_SIZE" [ "$(stat -c %s grows)" = 3145728 ]
	kill $pid
	wait $pid
	rm grows
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

[ $failed = 0 ] || exit 1
[ -n "$python" ] || exit 77
echo "evdemo.sh: all passed"
