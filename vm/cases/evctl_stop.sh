# shellcheck shell=bash
# evctl: stop and del, refused while used; what hangs is given up in time (40 s)
# timeout: 240
# shellcheck source=vm/evctl_lib.sh
. "$1/evctl_lib.sh"
note "mounted"
demo_start --size 64M
mkfs.ext4 -q "$DEV" || fail "mkfs"
mkdir mnt
mount "$DEV" mnt || fail "mount"
trap 'mountpoint -q mnt && umount -l mnt' EXIT
ctl 4 stop "$ID"
complains "mounted on $PWD/mnt"
ctl_json 4 ".holders[] | select(.kind == \"mount\") | .what == \"$PWD/mnt\"" \
	del "$ID"
touch mnt/file && sync -f mnt || fail "it does not serve any more"
umount mnt || fail "umount"
ctl 0 stop "$ID"
# its server has seen that, says so, and is gone
wait_for 20 dead "$DEMO_PID" || fail "the server does not end"
wait "$DEMO_PID"
wait_for 10 no_device "$ID" || fail "the device stays"
DEMO_PID=

note "open, safely"
demo_start --size 16M
exec 9<"$DEV"
if has_feature SAFE_STOP_DEV; then
	ctl 4 --timeout 10 stop "$ID" --safe
	complains "has $DEV open"
	exec 9<&-
	ctl 0 stop "$ID" --safe
	wait_for 20 dead "$DEMO_PID" || fail "the server does not end"
	wait "$DEMO_PID"
else
	ctl 5 stop "$ID" --safe
	complains "not in this kernel"
	exec 9<&-
	ctl 0 del "$ID"
	wait_for 20 dead "$DEMO_PID" || fail "the server does not end"
	wait "$DEMO_PID"
fi
wait_for 10 no_device "$ID" || fail "the device stays"

note "open, deleted all the same"
demo_start --size 16M
exec 9<"$DEV"
ctl 4 del "$ID" --async
ctl 6 --timeout 8 del "$ID" --force
complains "del $ID --async"
complains "has $DEV open"
exec 9<&-
wait_for 20 dead "$DEMO_PID" || fail "the server does not end"
wait "$DEMO_PID"
wait_for 20 no_device "$ID" || fail "the device stays"
demo_start --size 16M
exec 9<"$DEV"
ctl 0 --timeout 10 del "$ID" --async --force
exec 9<&-
wait_for 20 dead "$DEMO_PID" || fail "the server does not end"
wait "$DEMO_PID"
wait_for 20 no_device "$ID" || fail "the device stays"

note "a server that leaves requests unanswered"
hold_start
hold_live
kill -USR1 "$HOLD_PID"
hold_said 5 '^holding'
dd if="$DEV" of=/dev/null bs=4k count=1 iflag=direct 2>dd.err &
reader=$!
hold_said 5 '^held: READ'
t=$(seconds)
ctl 6 --timeout 2 stop "$ID" --force
note "given up after $(since "$t") s"
# what the driver does not tell while it stops a device is not waited for
ctl_json 0 ".devices[0].state != null and .devices[0].dev_bytes == null" \
	list --timeout 8
hold_kill
wait_for 5 dead $reader || fail "the reader hangs"
! wait $reader || fail "the reader saw no error"
ctl 0 list
[ -z "$OUT" ] || fail "devices? $OUT"
