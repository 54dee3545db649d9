# shellcheck shell=bash
# A read-only disk refuses writes, discards and zeroes, and reads as zeroes (3 s)
demo_start --size 16M --read-only
[ "$(blockdev --getro "$DEV")" = 1 ] || fail "the kernel takes it for writable"
refused() {
	! "$@" >out 2>&1 || fail "went through: $*"
}
refused dd if=/dev/zero of="$DEV" bs=4k count=1 oflag=direct status=none
refused blkdiscard "$DEV"
refused blkdiscard -z "$DEV"
refused mkfs.ext4 -q -F "$DEV"
# Not even when the block layer is told that it may.
blockdev --setrw "$DEV" 2>/dev/null
refused dd if=/dev/zero of="$DEV" bs=4k count=1 oflag=direct status=none
cmp -n $((16 << 20)) "$DEV" /dev/zero || fail "does not read as zeroes"
[ "$(stat_of '.ops.WRITE.reqs - .ops.WRITE.errors')" = 0 ] ||
	fail "a write got through"
demo_stop
