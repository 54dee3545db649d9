#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ublk-evdemo as a process: a disk's memory in a file, and what the next server
# knows of one that died.
# shellcheck disable=SC2154  # of evdemo_lib.sh
# shellcheck source=tests/programs/evdemo_lib.sh
. "$(dirname -- "$0")/evdemo_lib.sh"

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
	"$python" -IS - "$demo" <<-'END' >out 2>err
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

finish
