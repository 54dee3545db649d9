# shellcheck shell=bash
# holders that neither mountinfo nor holders/ nor a descriptor names (40 s)
# timeout: 240
# shellcheck source=vm/evctl_lib.sh
. "$1/evctl_lib.sh"

# refused KIND: the tool and the daemon itself refuse, and it is served on
refused() {
	ctl_json 4 ".holders[] | select(.kind == \"$1\")" stop "$ID"
	note "$(jq -c '.holders[] | {kind, pid, comm, what}' ctl.out)"
	ctl 4 del "$ID"
	kill -TERM "$DEMO_PID"
	wait_for 20 grep -q "is in use" "$DEMO_LOG" || fail "the daemon is silent"
	! dead "$DEMO_PID" || fail "the daemon does not wait"
	dd if="$DEV" of=/dev/null bs=4k count=1 iflag=direct status=none ||
		fail "it is served no more"
}

# let_go: what the daemon waits for is over
let_go() {
	demo_ended 20
	wait_for 10 no_device "$ID" || fail "the device stays"
}

if command -v mkfs.btrfs >/dev/null && modprobe btrfs 2>/dev/null; then
	note "the second disk of a btrfs"
	demo_start --size 128M
	first=$DEV first_pid=$DEMO_PID
	demo_start --size 128M --stop-timeout 60
	mkfs.btrfs -q -m raid1 -d raid1 "$first" "$DEV" >/dev/null ||
		fail "mkfs.btrfs"
	mkdir mnt
	mount -o "device=$DEV" "$first" mnt || fail "mount"
	trap 'mountpoint -q mnt && umount -l mnt' EXIT
	! grep -q "$DEV" /proc/self/mountinfo || note "mountinfo names it"
	refused filesystem
	umount mnt || fail "umount"
	let_go
	kill "$first_pid"
	wait_for 20 dead "$first_pid" || fail "the first stays"
	wait "$first_pid"
else
	note "no btrfs here"
fi

note "a process that has only a mapping"
demo_start --size 16M --stop-timeout 60
python3 -c '
import mmap, os, sys, time
fd = os.open(sys.argv[1], os.O_RDWR)
m = mmap.mmap(fd, 4096)
os.close(fd)
os.closerange(3, 64)
open("mapped", "w").close()
time.sleep(200)
' "$DEV" &
mapper=$!
wait_for 20 test -e mapped || fail "no mapping"
! find /proc/$mapper/fd -lname "$DEV" | grep -q . || fail "it is open, too"
# a daemon waits a short time only for what loses nothing
ctl_json 4 ".holders[] | select(.kind == \"mapped\") | .pid == $mapper" \
	stop "$ID"
kill $mapper
wait $mapper
ctl 0 stop "$ID"
wait_for 20 dead "$DEMO_PID" || fail "the server does not end"
wait "$DEMO_PID"
DEMO_PID=

note "zram writes back to it"
if modprobe zram num_devices=1 2>/dev/null &&
    [ -e /sys/block/zram0/backing_dev ]; then
	demo_start --size 64M --stop-timeout 60
	echo "$DEV" >/sys/block/zram0/backing_dev || fail "backing_dev"
	echo 32M >/sys/block/zram0/disksize || fail "disksize"
	refused stacked
	echo 1 >/sys/block/zram0/reset || fail "reset"
	let_go
else
	note "no zram with a backing device here"
fi

note "an exclusive opener without a name"
demo_start --size 16M --stop-timeout 60
python3 -c '
import os, sys, time
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_EXCL)
open("claimed", "w").close()
time.sleep(200)
' "$DEV" &
claimer=$!
wait_for 20 test -e claimed || fail "not claimed"
ctl_json 4 '[.holders[].kind] | index("unnamed") and index("open")' stop "$ID"
kill $claimer
wait $claimer
ctl 0 stop "$ID"
wait_for 20 dead "$DEMO_PID" || fail "the server does not end"
wait "$DEMO_PID"
DEMO_PID=
