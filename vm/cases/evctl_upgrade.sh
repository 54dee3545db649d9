# shellcheck shell=bash
# evctl: three upgrades of a mounted memory disk, and no error (40 s)
# timeout: 240
# shellcheck source=vm/evctl_lib.sh
. "$1/evctl_lib.sh"
demo_start --size 64M --recovery reissue
old=$DEMO_PID
mkfs.ext4 -q "$DEV" || fail "mkfs"
mkdir mnt
mount "$DEV" mnt || fail "mount"
trap 'mountpoint -q mnt && umount -l mnt' EXIT
random_file ref $((8 << 20))
cp ref mnt/ref
for i in 1 2 3; do
	ctl_json 0 '.gap_ms > 0' upgrade "$ID" --socket "$DEMO_SOCK" \
		--program "$UBLK_EVDEMO" -- --control "$PWD/$i.sock"
	note "round $i: $(jq .gap_ms ctl.out) ms"
	wait_for 20 dead "$old" || fail "the old server stays"
	DEMO_SOCK=$PWD/$i.sock
	ctl_json 0 ".stats.pid != $old" stats "$ID" --socket "$DEMO_SOCK"
	old=$(jq .stats.pid ctl.out)
	echo 3 >/proc/sys/vm/drop_caches
	cmp ref mnt/ref || fail "other data"
	echo "$i" >>mnt/log
	sync -f mnt || fail "sync"
done
umount mnt || fail "umount"
fsck.ext4 -nf "$DEV" >fsck.out 2>&1 || fail "$(tail -n3 fsck.out)"
ctl 3 upgrade "$ID" --socket nothing --program "$UBLK_EVDEMO"
complains 'nothing: No such file'
ctl 0 del "$ID"
wait_for 20 dead "$old" || fail "the server stays"
