# shellcheck shell=bash
# A disk in a file on ext4 and on a block device: data, a file system, trim, resize, bad files (30 s)
# timeout: 300
modprobe -a brd ext4 2>/dev/null
modprobe -r brd
modprobe brd rd_nr=2 rd_size=131072 || skip "no brd"
mkfs.ext4 -q /dev/ram0 || fail "mkfs.ext4"
mkdir fs
mount /dev/ram0 fs || fail "mount"
# shellcheck disable=SC2317
clean() {
	! mountpoint -q mnt || umount mnt
	umount fs
	modprobe -r brd
}
trap clean EXIT

# Made, its blocks allocated; what is written is in the file at its place.
demo_start --file fs/img --size 64M
[ "$(stat -c %s,%a fs/img)" = $((64 << 20)),600 ] || fail "the file"
[ "$(stat -c %b fs/img)" -ge $((64 << 11)) ] || fail "it has no blocks"
random_file ref $((8 << 20))
dd if=ref of="$DEV" bs=64k seek=16 oflag=direct status=none || fail "write"
cmp -n $((8 << 20)) -i 0:$((1 << 20)) ref fs/img || fail "not in the file"
demo_refuses 1 --file fs/img
grep -q 'in use' <<<"$REFUSAL" || fail "a file in use"
blkdiscard -o 1M -l 4M "$DEV" || fail "blkdiscard"
[ "$(stat -c %b fs/img)" -lt $((64 << 11)) ] || fail "nothing was punched"
cmp -n $((4 << 20)) -i 0:$((1 << 20)) /dev/zero fs/img || fail "no zeroes"
blkdiscard -z -o 5M -l 1M "$DEV" || fail "blkdiscard -z"
cmp -n $((1 << 20)) -i 0:$((5 << 20)) /dev/zero fs/img || fail "zeroes"
cmp -n $((3 << 20)) -i $((5 << 20)):$((6 << 20)) ref fs/img ||
	fail "too much was zeroed"
size=64
if has_feature UPDATE_SIZE; then
	size=96
	demo_json "resize 96M" | grep -q 100663296 || fail "resize"
	[ "$(stat -c %s fs/img)" = $((96 << 20)) ] || fail "it is not longer"
fi
demo_stop

# There again; a file system on it; read-only.
demo_start --file fs/img
[ "$(blockdev --getsize64 "$DEV")" = $((size << 20)) ] || fail "the size"
file_system "mkfs.ext4 -q" "e2fsck -fn"
trap clean EXIT
demo_stop
sync
sum <fs/img >before
demo_start --file fs/img --read-only --threads --queues 2
[ "$(blockdev --getro "$DEV")" = 1 ] || fail "not read-only"
dd if="$DEV" bs=1M iflag=direct status=none | sum >read
cmp before read || fail "another disk is read"
demo_stop

# A part of a block device; no mounted one.
demo_start --file /dev/ram1 --offset 1M --size 32M --queues 2
dd if=ref of="$DEV" bs=4k oflag=direct status=none || fail "write"
cmp -n $((8 << 20)) -i 0:$((1 << 20)) ref /dev/ram1 || fail "not there"
fio_run verify --rw=randwrite --bs=4k --iodepth=16 --size=8M --verify=crc32c \
	--fsync=64
# It discards as that does, and the kernel needs a thread for few of them.
q=/sys/block/ram1/queue own=/sys/block/${DEV#/dev/}/queue
[ "$(cat "$own/discard_granularity")" = "$(cat $q/discard_granularity)" ] ||
	fail "another granularity"
works=/sys/kernel/tracing/events/io_uring/io_uring_queue_async_work
[ -e $works ] || mount -t tracefs tracefs /sys/kernel/tracing
echo 1 >$works/enable
for i in $(seq 8); do
	blkdiscard -o $((i << 20)) -l 512K "$DEV" || fail "blkdiscard"
done
echo 0 >$works/enable
n=$(grep -c io_uring_queue_async_work /sys/kernel/tracing/trace)
note "of 8 discards $n went to a thread"
[ "$n" -lt 8 ] || fail "each discard takes a thread"
cmp -n $((512 << 10)) -i 0:$((3 << 20)) /dev/zero /dev/ram1 ||
	fail "nothing was discarded"
demo_stop
demo_refuses 1 --file /dev/ram0
grep -q 'in use' <<<"$REFUSAL" || fail "a mounted device"

# No room: the client hears of that, and the server serves on.
demo_start --file fs/thin --size 120M --thin
dd if=/dev/zero of="$DEV" bs=1M oflag=direct status=none 2>dd.err &&
	fail "there is room for 120 MiB"
grep -q 'No space left' dd.err || fail "not ENOSPC: $(cat dd.err)"
dd if="$DEV" of=/dev/null bs=64k count=16 iflag=direct status=none ||
	fail "it serves no more"
demo_stop
