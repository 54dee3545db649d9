#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ublk-evdemo as a process: one takes over from another, or does not.
# shellcheck disable=SC2154  # of evdemo_lib.sh
# shellcheck source=tests/programs/evdemo_lib.sh
. "$(dirname -- "$0")/evdemo_lib.sh"

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

	# its working directory is gone: what it was told is not
	mkdir away
	cd away || exit 1
	rm -f ../out ../err
	"$demo" --size 1M --recovery reissue --control "$dir/ctl" \
		--pidfile ../pid --stats 1 >../out 2>../err &
	pid=$!
	cd ..
	check "line" await has ublkb7 out
	rmdir away
	check "its path" has "\"pidfile\":\"$dir/away/../pid\"" <(ask ctl memory)
	mkdir away
	successor
	check "successor's line" await has '^/dev/ublkb7$' out2
	wait $pid
	check "successor's pidfile" [ "$(cat pid)" = $pid2 ]
	kill $pid2
	wait $pid2
	# gone before it began: that is said
	cd away || exit 1
	rmdir ../away
	"$demo" --control "$dir/ctl" --pidfile ../pid >../out 2>../err &
	pid=$!
	cd ..
	check "line" await has ublkb7 out
	check "told" has 'the working directory: No such file.*absolute' err
	kill $pid
	wait $pid

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

finish
