# shellcheck shell=bash
# 20 upgrades under fio verify on a mounted ext4: no error, the gap in ms (60 s)
# timeout: 480
demo_start --size 128M --queues 2 --recovery reissue
mkfs.ext4 -q "$DEV" || fail "mkfs"
mkdir mnt
mount "$DEV" mnt || fail "mount"
trap 'mountpoint -q mnt && umount -l mnt' EXIT
SOCK=$DEMO_SOCK
device=$DEV
DEV=$PWD/mnt/file
fio_begin verify --rw=randwrite --bssplit=4k/60:16k/30:64k/10 --iodepth=16 \
	--size=32M --verify=crc32c --verify_backlog=256 --verify_fatal=1 \
	--thinktime=30000 --thinktime_blocks=128
: >gaps
for _ in $(seq "${ROUNDS:-20}"); do
	fio_busy
	old=$DEMO_PID
	DEMO_PLAIN=1 demo_start --take-over "$SOCK"
	DEMO_SOCK=$SOCK
	wait_for 10 dead "$old" || fail "the old server does not end"
	wait "$old" || fail "the old server ended with $?"
	[ "$DEV" = "$device" ] || fail "it is $DEV now"
	stat_of .gap_ms >>gaps
done
note "${ROUNDS:-20} upgrades, gap in ms: $(percentiles gaps)"
fio_end 90
umount mnt || fail "umount"
e2fsck -fn "$device" >check.out 2>&1 || fail "e2fsck: $(tail -n3 check.out)"
demo_stop
[ ! -e "$SOCK" ] || fail "the socket is left"
