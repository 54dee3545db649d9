# shellcheck shell=bash
# SIGTERM while mounted: says who holds it, serves on, goes when unmounted (12 s)
demo_start --size 64M --stop-timeout 60
mkfs.ext4 -q "$DEV" || fail "mkfs"
mkdir mnt
mount "$DEV" mnt || fail "mount"
trap 'mountpoint -q mnt && umount -l mnt' EXIT
kill -TERM "$DEMO_PID"
# shellcheck disable=SC2317
told() {
	grep -q "mounted on $PWD/mnt" "$DEMO_LOG"
}
wait_for 10 told || fail "does not say where it is mounted"
grep "mounted on" "$DEMO_LOG"
grep -q "mounted on $PWD/mnt.*pid [0-9]" "$DEMO_LOG" || fail "no pid"
random_file mnt/file $((4 << 20))
sync -f mnt || fail "does not serve any more"
echo 3 >/proc/sys/vm/drop_caches
random_file ref $((4 << 20))
cmp ref mnt/file || fail "the file differs"
! dead "$DEMO_PID" || fail "did not wait"
t=$(seconds)
umount mnt || fail "umount"
demo_ended 10
note "gone $(since "$t") s after umount"
