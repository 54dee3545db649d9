# shellcheck shell=bash
# Appends to zones: btrfs on a zoned disk in memory and in a file, with and without batch commands (20 s)
# timeout: 300
has_feature ZONED || skip "this kernel's ublk has no zones"
no_block "holes of a file tell what was written of a zone"
modprobe btrfs 2>/dev/null || skip "this kernel has no btrfs"
grep -qw btrfs /proc/filesystems || skip "this kernel has no btrfs"

for with in "" --batch "--batch --file $PWD/zimg"; do
	[ -z "$with" ] || has_feature BATCH_IO || continue
	# shellcheck disable=SC2086  # several
	demo_start --size 256M --zone-size 4M --queues 2 $with
	note "mkfs${with:+ with $with}"
	mkfs.btrfs -q -K -O zoned "$DEV" >mkfs.out 2>&1 ||
		fail "mkfs.btrfs: $(tail -n3 mkfs.out)"
	mkdir -p mnt
	mount "$DEV" mnt || fail "mount: $(dmesg | tail -n2)"
	note "write"
	random_file ref $((4 << 20))
	cp ref mnt/file || fail "write"
	umount mnt || fail "umount"
	mount "$DEV" mnt || fail "mount again"
	note "read"
	cmp mnt/file ref || fail "what btrfs reads is not what it wrote"
	umount mnt || fail "umount"
	[ "$(stat_of .ops.ZONE_APPEND.reqs)" -gt 0 ] || fail "no append came"
	demo_stop
done
