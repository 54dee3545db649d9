# shellcheck shell=bash
# evctl: resize through the server, or the kernel alone; absent on old kernels (15 s)
# shellcheck source=vm/evctl_lib.sh
. "$1/evctl_lib.sh"
bytes() {
	blockdev --getsize64 "$DEV"
}
demo_start --size 64M
ctl 3 resize "$ID" 128M --socket nothing
ctl 1 resize "$ID" 32M --socket "$DEMO_SOCK"
complains 'shrink'
if ! has_feature UPDATE_SIZE; then
	ctl 5 resize "$ID" 128M --socket "$DEMO_SOCK"
	ctl 5 resize "$ID" 128M --force
	[ "$(bytes)" = $((64 << 20)) ] || fail "it has changed"
	demo_stop
	exit 0
fi
mkfs.ext4 -q "$DEV" || fail "mkfs"
mkdir mnt
mount "$DEV" mnt || fail "mount"
trap 'mountpoint -q mnt && umount -l mnt' EXIT
ctl_json 0 '.old_bytes == 67108864 and .dev_bytes == 134217728' \
	resize "$ID" 128M --socket "$DEMO_SOCK"
[ "$(bytes)" = $((128 << 20)) ] || fail "the device has $(bytes) bytes"
resize2fs "$DEV" >resize2fs.out 2>&1 || fail "$(tail -n1 resize2fs.out)"
random_file mnt/big $((90 << 20))
umount mnt || fail "umount"
fsck.ext4 -nf "$DEV" >fsck.out 2>&1 || fail "$(tail -n3 fsck.out)"
ctl_json 0 '.dev_bytes == 16777216' resize "$ID" 16M --shrink \
	--socket "$DEMO_SOCK"
[ "$(bytes)" = $((16 << 20)) ] || fail "the device has $(bytes) bytes"
# what the kernel alone believes
ctl 0 resize "$ID" 8M --shrink --force
[ "$(bytes)" = $((8 << 20)) ] || fail "the device has $(bytes) bytes"
demo_stop
