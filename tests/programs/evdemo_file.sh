#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# ublk-evdemo as a process: a disk in a file.
# shellcheck disable=SC2154  # of evdemo_lib.sh
# shellcheck source=tests/programs/evdemo_lib.sh
. "$(dirname -- "$0")/evdemo_lib.sh"

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

# one on the disk that is to be recovered waits for itself
numbers=$(stat -c %Hd:%Ld img)
mkdir -p root/sys/dev/block root/sys/devices/dm-0/slaves root/sys/devices/ublkb3
ln -s ../../ublkb3 root/sys/devices/dm-0/slaves/ublkb3
ln -s ../../devices/dm-0 "root/sys/dev/block/$numbers"
"$demo" --recover 3 --file img --control none >out 2>err
check "on itself" [ $? = 1 ]
check "on itself" has 'file img: it is on /dev/ublkb3, which waits for it' err
check "on itself" [ "$(wc -l <err)" = 1 ]
rm -r root/sys/dev root/sys/devices

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

# a part of a file is that after a crash, and after an upgrade
truncate -s 3M img2
chmod 0600 img2
killed --file img2 --offset 1M --sizelimit 1M --control ctl
"$demo" --recover 7 --daemon --pidfile pid >out 2>err
check "recovers a part" [ $? = 0 ]
if [ -n "$python" ]; then
	check "it" has '"dev_bytes":1048576,.*"sizelimit":"1048576"' \
		<(ask ctl memory)
	"$demo" --take-over ctl --daemon >out 2>err
	check "upgraded" [ $? = 0 ]
	check "it" has '"dev_bytes":1048576,.*"sizelimit":"1048576"' \
		<(ask ctl memory)
fi
kill "$(cat pid)"
check "nothing left" await gone $state
rm img2

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

# --- a disk, or a stack of layers, from one line
forget
refuses --disk part:base=nothing
check "where" has "option --disk: 'part:base=nothing', at character 5: there is no such" err2
rm -f theirs
(umask 0; : >theirs)
refuses --disk "file:$PWD/theirs"
check "not others'" has "theirs: others may write to it.*chmod" err2
check "it is as it was" [ ! -s theirs ]
rm theirs
refuses --disk "file:$PWD/none/at/all"
check "no such directory" has 'option --disk: .*none' err2
if [ -n "$python" ]; then
	"$demo" --disk mem --control ctl >out 2>err &
	pid=$!
	check "line" await has ublkb7 out
	# what is in its memory no successor would find
	ask ctl memory release stats >answer
	check "is not handed on" [ \
		"$(grep -c 'a disk of --disk is not handed on: stop' answer)" = 2 ]
	check "serves on" has '"state":"LIVE"' answer
	"$demo" --take-over ctl --daemon >out2 2>err2
	check "refused" [ $? = 1 ]
	check "says why" has 'disk of --disk is not handed on' err2
	kill $pid
	wait $pid
	check "status" [ $? = 0 ]
fi

finish
