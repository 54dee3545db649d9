# shellcheck shell=bash
# Online resize under fio with a mounted ext4; shrinking only when it is forced (20 s)
# timeout: 150
demo_start --size 64M
if ! has_feature UPDATE_SIZE; then
	[ "$(demo_json "resize 128M" | jq .errno)" = 95 ] || fail "no EOPNOTSUPP"
	demo_stop
	skip "this kernel has no UPDATE_SIZE"
fi
mkfs.ext4 -q "$DEV" || fail "mkfs"
mkdir mnt
mount "$DEV" mnt || fail "mount"
trap 'mountpoint -q mnt && umount -l mnt' EXIT
random_file mnt/ref $((4 << 20))
device=$DEV
DEV=$PWD/mnt/file
fio_begin verify --rw=randwrite --bs=4k --iodepth=32 --size=16M \
	--verify=crc32c --verify_backlog=256 --verify_fatal=1
fio_busy
for mb in 96 128 256 512; do
	[ "$(demo_json "resize ${mb}M" | jq .dev_bytes)" = $((mb << 20)) ] ||
		fail "resize to $mb MiB"
	[ "$(blockdev --getsize64 "$device")" = $((mb << 20)) ] ||
		fail "the device's size is not $mb MiB"
	resize2fs "$device" >resize.out 2>&1 || fail "$(tail -n1 resize.out)"
	sleep 0.5
done
[ "$(df -BM --output=size mnt | tail -n1 | tr -dc 0-9)" -gt 400 ] ||
	fail "the file system did not grow: $(df mnt)"
fio_end 60
DEV=$device
[ "$(demo_json "resize 64M" | jq .errno)" = 22 ] || fail "shrunk unasked"
[ "$(demo_json "resize 1000" | jq .errno)" = 22 ] || fail "half a block"
[ "$(stat_of .info.dev_bytes)" = $((512 << 20)) ] || fail "another size"
umount mnt || fail "umount"
e2fsck -fn "$DEV" >check.out 2>&1 || fail "e2fsck: $(tail -n3 check.out)"
rss=$(rss_kb "$DEMO_PID")
dd if=/dev/zero of="$DEV" bs=1M oflag=direct status=none seek=32 count=200 ||
	fail "dd"
[ "$(demo_json "resize 32M shrink" | jq .resized)" = true ] || fail "shrink"
[ "$(blockdev --getsize64 "$DEV")" = $((32 << 20)) ] || fail "not smaller"
! dd if=/dev/zero of="$DEV" bs=4k seek=8192 count=1 oflag=direct 2>dd.err ||
	fail "wrote beyond the end"
less "$(rss_kb "$DEMO_PID")" $((rss + 20000)) || fail "memory was kept"
demo_stop
