# shellcheck shell=bash
# Zero copy of file disks on ext4 and a block device: data by checksum, holes, batch, threads, kill -9, refusals (60 s)
# timeout: 600
has_feature AUTO_BUF_REG || skip "this kernel lends no pages"
modprobe -a brd ext4 2>/dev/null
modprobe -r brd
modprobe brd rd_nr=2 rd_size=262144 || skip "no brd"
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

# all_lent: no read or write was copied by anybody
all_lent() {
	local stats reqs lent
	stats=$(demo_json stats)
	reqs=$(jq '.ops.READ.reqs + .ops.WRITE.reqs - .ops.READ.errors -
		.ops.WRITE.errors' <<<"$stats")
	lent=$(jq .lent <<<"$stats")
	note "$lent of $reqs without a copy"
	[ "$lent" = "$reqs" ] || fail "$((reqs - lent)) of $reqs were copied"
	[ "$reqs" -gt 0 ] || fail "nothing was read or written"
}

# disk ARG...: what is written is there, whoever looks
random_file ref $((8 << 20))
disk() {
	local file=$1
	shift
	demo_start --file "$file" --size 64M --copy zero "$@"
	dd if=ref of="$DEV" bs=256k oflag=direct status=none || fail "write"
	cmp -n $((8 << 20)) ref "$file" || fail "not in the file"
	same ref || fail "read back"
	fio_run verify --rw=randwrite --bsrange=512-128k --iodepth=32 \
		--size=16M --verify=crc32c --fsync=64
	fio_run verify2 --rw=randread --bsrange=512-128k --iodepth=32 \
		--size=16M
	all_lent
	grep -q . "$DEMO_LOG" && fail "it complains: $(cat "$DEMO_LOG")"
	demo_stop
}
disk fs/img
disk /dev/ram1
disk fs/img --threads --queues 2
! has_feature BATCH_IO || disk /dev/ram1 --batch

# A hole reads as zeroes, and a file cut short under us is an error, not what
# the client's memory held.
demo_start --file fs/thin --size 16M --thin --copy zero
dd if="$DEV" bs=64k iflag=direct status=none | cmp -n $((16 << 20)) - /dev/zero ||
	fail "holes are no zeroes"
truncate -s 1M fs/thin
dd if="$DEV" of=/dev/null bs=64k skip=32 count=1 iflag=direct status=none \
	2>dd.err && fail "read beyond the file's end"
grep -q 'Input/output error' dd.err || fail "not EIO: $(cat dd.err)"
demo_stop

# A file system on it.
rm fs/img fs/thin
demo_start --file fs/disk --size 192M --copy zero
file_system "mkfs.ext4 -q" "e2fsck -fn"
trap clean EXIT
all_lent
demo_stop
rm fs/disk

# Its server is killed in mid-write and another goes on, in the same way. Blocks
# that are never written are zeroes for the oracle, and not what fio left.
dd if=/dev/zero of=/dev/ram1 bs=1M count=8 oflag=direct status=none ||
	fail "zeroes"
# shellcheck disable=SC2317
recovered_so() {
	all_lent
	demo_json stats | jq -e '.info.features | index("AUTO_BUF_REG")' \
		>/dev/null || fail "it was recovered with copies"
}
for file in fs/crash /dev/ram1; do
	crash_rounds "$file" recovered_so --copy zero
done

# What can't have it is refused, in a line.
demo_refuses 2 --backend mem --copy zero
grep -q 'in a file' <<<"$REFUSAL" || fail "not told why"
demo_refuses 2 --file fs/img --copy zero --unprivileged
grep -q 'unprivileged' <<<"$REFUSAL" || fail "not told why"
