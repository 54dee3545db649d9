# shellcheck shell=bash
# Backends that read and write files on the ring, and that block in threads: data, spoilt blocks, their end under load (15 s)
# timeout: 240
example_start checked img
random_file ref $((4 << 20))
dd if=ref of="$DEV" bs=96k oflag=direct conv=fsync status=none || fail "write"
same ref || fail "what was written is not what is read"
fio_run verify --rw=randwrite --bsrange=4k-128k --blockalign=4k --offset=8M \
	--size=4M --iodepth=16 --fdatasync=16 --verify=crc32c
example_stop
# the file has them as they are; a bit that falls over is an error
cmp -n $((4 << 20)) ref img || fail "not in the file"
printf x | dd of=img bs=1 seek=$((5 * 4096 + 7)) conv=notrunc status=none
example_start checked img
dd if="$DEV" of=/dev/null bs=4k skip=5 count=1 iflag=direct status=none \
	2>/dev/null && fail "a block that is spoilt was read"
dd if="$DEV" of=/dev/null bs=4k skip=6 count=64 iflag=direct status=none ||
	fail "those behind it"
# stopped while there is much to do, of which what was not done fails
fio_begin end --rw=randrw --bs=4k --iodepth=32 --offset=32M --size=16M
# shellcheck disable=SC2317
under_way() {
	[ "$(awk '{ print $5 }' "/sys/block/${DEV#/dev/}/stat")" -gt 100 ]
}
wait_for 30 under_way || fail "fio does not get going"
example_stop
wait_for 20 dead "$FIO_PID" || fail "fio hangs"

mkdir parts
example_start directory parts
dd if=ref of="$DEV" bs=1M seek=100 oflag=direct status=none || fail "write"
[ "$(find parts -type f | wc -l)" = 4 ] || fail "not four files"
cmp -n $((1 << 20)) -i $((2 << 20)):0 ref parts/000102 || fail "not in its file"
cmp -n $((4 << 20)) -i 0:$((100 << 20)) ref "$DEV" || fail "read"
cmp -n $((1 << 20)) -i 0:$((104 << 20)) /dev/zero "$DEV" || fail "zeroes"
fio_run verify --rw=randwrite --bsrange=4k-64k --blockalign=4k --size=2M \
	--iodepth=16 --verify=crc32c
blkdiscard --offset 100M --length 2M "$DEV" || fail "discard"
[ ! -e parts/000100 ] || fail "what was discarded"
[ -e parts/000102 ] || fail "what was not"
example_stop
