# shellcheck shell=bash
# The last sector, the smallest disk, the largest, and 4096-byte blocks (12 s)
note "the last sector, and not one further"
demo_start --size $(((16 << 20) + 512))
sectors=$(blockdev --getsz "$DEV")
[ "$sectors" = 32769 ] || fail "$sectors sectors"
random_file last 512
dd if=last of="$DEV" bs=512 seek=32768 oflag=direct status=none || fail "write"
dd if="$DEV" bs=512 skip=32768 iflag=direct status=none | cmp - last ||
	fail "last sector"
! dd if=last of="$DEV" bs=512 seek=32769 oflag=direct status=none 2>/dev/null ||
	fail "wrote past the end"
demo_stop

note "one block"
for bs in 512 4096; do
	demo_start --size $bs --block-size $bs
	[ "$(blockdev --getsize64 "$DEV")" = $bs ] || fail "size"
	random_file block $bs
	dd if=block of="$DEV" bs=$bs oflag=direct status=none || fail "write"
	same block || fail "a disk of $bs bytes"
	demo_stop
done

note "4096-byte blocks"
demo_start --size 16M --block-size 4096
[ "$(blockdev --getss "$DEV")" = 4096 ] || fail "logical block"
[ "$(blockdev --getpbsz "$DEV")" -ge 4096 ] || fail "physical block"
! dd if=/dev/zero of="$DEV" bs=512 count=1 oflag=direct status=none \
	2>/dev/null || fail "half a block was written"
fio_run blocks --rw=randwrite --bsrange=4k-64k --iodepth=16 --size=8m \
	--verify=crc32c --verify_fatal=1
demo_stop

note "1 TiB, of which a little is written"
# Few requests, whose buffers do not count for much.
demo_start --size 1T --depth 4
[ "$(blockdev --getsize64 "$DEV")" = $((1 << 40)) ] || fail "size"
empty=$(rss_kb "$DEMO_PID")
random_file ref $((1 << 20))
for gib in 0 1 511 1023; do
	dd if=ref of="$DEV" bs=1M seek=$((gib << 10)) oflag=direct \
		status=none || fail "write at $gib GiB"
done
for gib in 0 1 511 1023; do
	dd if="$DEV" bs=1M count=1 skip=$((gib << 10)) iflag=direct \
		status=none | cmp - ref || fail "read at $gib GiB"
done
used=$(($(rss_kb "$DEMO_PID") - empty))
note "4 MiB written took $used kB"
[ $used -lt $((12 << 10)) ] || fail "4 MiB written took $used kB"
demo_stop
