#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ublk-evctl as a process, where it asks a server, or starts one.
# shellcheck disable=SC2154  # of evctl_lib.sh
# shellcheck source=tests/programs/evctl_lib.sh
. "$(dirname -- "$0")/evctl_lib.sh"

# --- stats, resize, top: of a server
devs
sed -i 's/^4 /7 /' devs
mv root/sys/class/ublk-char/ublkc4 root/sys/class/ublk-char/ublkc7
sock=$dir/root/run/ublk-ev/ublkb7.sock
if [ "$(id -u)" != 0 ]; then
	export XDG_RUNTIME_DIR=$dir/root/run
fi
run 3 stats 7
check "where" has "$sock" err
"$demo" --control "$sock" --stats 1 >demo.out 2>demo.err &
pid=$!
check "server" await has ublkb7 demo.out
run 0 stats 7
check "stats" has '^READ  *5 ' out
check "server's" has '^read latency, in the server: p50 ' out
check "nobody's" [ "$(grep -c "of the disk's users" out)" = 0 ]
mkdir -p root/sys/block/ublkb7
echo "100 0 80 50 0 0 0 0 0 3 4" >root/sys/block/ublkb7/stat
run 0 stats 7
check "users'" has "^read latency, of the disk's users: 500 us on average$" out
check "no write" [ "$(grep -c "of the disk's users" out)" = 1 ]
json 0 '.disk == {"read_average_us": 500, "write_average_us": null}' stats 7
json 0 '.stats.pid == '$pid' and .stats.ops.READ.reqs == 5' stats 7
json 0 '.stats.schema == 1' stats 7 --socket "$sock"
# its disk has one size; or the kernel that made it has no UPDATE_SIZE
FAKE_REFUSE=95 "$demo" --control "$dir/one.sock" >one.out 2>one.err &
one=$!
check "server" await has ublkb7 one.out
run 5 resize 7 2G --socket "$dir/one.sock"
check "cause" has 'use Linux 6.16' err
sed -i 's/^7 \(.*\) 60 /7 \1 460 /' devs
run 5 resize 7 2G --socket "$dir/one.sock"
check "cause" has 'has one size (such as --backend null)' err
kill $one
wait $one
# another device's server
run 1 stats 0 --socket "$sock"
check "whose" has 'serves /dev/ublkb7, not /dev/ublkb0' err
check "nothing told" [ ! -s out ]
json 1 '.stats == null' stats 0 --socket "$sock"
run 1 resize 0 2G --socket "$sock"
check "whose" has 'serves /dev/ublkb7, not /dev/ublkb0' err
run 1 resize 7 512
check "shrink" has 'give --shrink' err
run 0 resize 7 2M --force
json 0 '.old_bytes == 2097152 and .dev_bytes == 1048576' resize 7 1M --shrink \
	--force
run 1 resize 2 2G
check "not live" has 'not live but DEAD' err
run 3 resize 7 2G --socket nothing
check "remedy" has 'only its server can' err
sed -i 's/^7 .*/& UPDATE_SIZE=95/' devs
run 5 resize 7 2G --force
mkdir -p root/sys/block/ublkb0/mq/{0,1}
echo 64 >root/sys/block/ublkb0/mq/0/nr_tags
echo 64 >root/sys/block/ublkb0/mq/1/nr_tags
echo "   10 0 80 1 20 0 160 2 32 3 4" >root/sys/block/ublkb0/stat
# four at once, each of which takes its seconds
"$ctl" --root root --json top --interval 1 --count 2 >out.json 2>err.json &
json=$!
"$ctl" --root root top --interval 1 >/dev/full 2>err.full &
full=$!
if script -qec true /dev/null >/dev/null 2>&1; then
	script -qec "timeout -s TERM 2 '$ctl' --root root top --interval 1" \
		/dev/null </dev/null >out.tty 2>err.tty &
fi
run 0 top --interval 1 --count 1
check "a block" has '^7 .* 1  *server' out
check "heads" has 'p99us  *diskus  *WRITE' out
check "of the kernel" has '^0 .* 32/128 25%  *kernel' out
check "no escapes" [ "$(grep -c "$(printf '\033')" out)" = 0 ]
wait $json
check "top" [ $? = 0 ]
check "a line each time" [ "$(wc -l <out.json)" = 2 ]
if [ -n "$jq" ]; then
	jq -e '.schema == 1 and .command == "top" and (.devices[] |
		select(.id == 7) | .from == "server" and .read.iops == 0 and
		.read.disk_average_us == null)' out.json \
		>top.out || complain "top's JSON"
	check "top" [ "$(grep -c true top.out)" = 2 ]
fi
wait $full
check "nobody reads" [ $? = 1 ]
# on a terminal: the other screen, and back on SIGTERM
if [ -e out.tty ]; then
	wait $!
	check "screen" has "$(printf '\033\\[?1049h')" out.tty
	check "restored" has "$(printf '\033\\[?1049l')" out.tty
fi

# --- an ordinary user's, whose servers are nowhere to be found
if [ "$(id -u)" = 0 ] && setpriv --reuid=65534 --clear-groups true; then
	chmod 755 . && cp "$ctl" as_user && chmod 755 as_user
	for line in "stats 7" "upgrade 7" "resize 7 2G"; do
		# shellcheck disable=SC2086  # words
		env -u XDG_RUNTIME_DIR setpriv --reuid=65534 --clear-groups \
			./as_user --root root $line >out 2>err
		check "status" [ $? = 2 ]
		check "cause" has "where does the server of device 7 listen? XDG_RUNTIME_DIR is not set: give --socket" err
		check "one line" [ "$(wc -l <err)" = 1 ]
	done
	mkdir -p root/run/udev && : >root/run/udev/control
	cp "$demo" demo_as_user && chmod 755 demo_as_user
	UBLK_EV_ROOT=root setpriv --reuid=65534 --clear-groups \
		./demo_as_user --unprivileged --control none >out 2>err
	check "status" [ $? = 1 ]
	check "cause" has 'option --unprivileged: no rule of udev' err
	check "one line" [ "$(wc -l <err)" = 1 ]
	rm -r root/run/udev
fi

# --- recover, upgrade
cat >fake_server <<-'END'
	#!/bin/sh
	echo "$@" >args
	[ -z "$SLOW" ] || { trap 'exit 1' TERM; sleep 30 & wait; }
	[ -z "$BAD" ] || { echo "ublk-evdemo: $BAD" >&2; exit 1; }
	echo "ublk-evdemo: took over /dev/ublkb1 in 12.5 ms" >&2
	echo /dev/ublkb1
	# what stays does not keep the caller waiting
	sleep 3 >/dev/null 2>&1 &
	END
chmod +x fake_server
devs
run 0 recover 1
check "arguments" has '^--recover 1 --daemon$' args
json 0 '.id == 1' recover 1 -- --size 1G --verbose
check "arguments" has '^--recover 1 --daemon --size 1G --verbose$' args
# a disk that keeps nothing is as large as the device
run 0 recover 1 -- --backend null --verbose
check "arguments" has '^--recover 1 --daemon --size=[0-9]* --block-size=512 --backend null --verbose$' args
BAD="no memory: give more" run 1 recover 1
check "its words" has '^ublk-evctl: device 1: no memory: give more$' err
SLOW=1 run 6 recover 1 --timeout 1
# one that was there in time, while this process was stopped
cat >stopper <<-'END'
	#!/bin/sh
	echo /dev/ublkb1
	kill -STOP $PPID
	END
chmod +x stopper
"$ctl" --root root recover 1 --timeout 1 --program ./stopper >out 2>err &
late=$!
is_stopped() { grep -q '^State:.*T' /proc/$late/status; }
check "stopped" await is_stopped
sleep 1.1
kill -CONT $late
wait $late
check "late ourselves" [ $? = 0 ]
run 3 recover 1 --program ./nothing
run 5 recover 0
sed -i 's/^0 \(.*\) 40 /0 \1 58 /' devs
run 4 recover 0
check "named" has 'pid 100: upgrade 0' err
json 0 '.gap_ms == 12.5' upgrade 0
check "arguments" has '^--take-over .*/ublk-ev/ublkb0.sock --daemon$' args
rm args
run 3 upgrade 77
check "no such" has 'no device 77' err
run 3 upgrade 0 --socket nothing
run 1 upgrade 0 --socket "$sock"
check "whose" has 'serves /dev/ublkb7, not /dev/ublkb0' err
check "not started" [ ! -e args ]
sed -i 's/^4 /7 /' devs
run 0 upgrade 7 --socket "$sock" -- -v
check "arguments" has "^--take-over $sock --daemon -v\$" args
check "for people" has 'waited 12.5 ms' out
kill $pid
wait $pid

finish
