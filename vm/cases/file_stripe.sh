# shellcheck shell=bash
# examples/stripe, a disk of three files: its data, ext4 on it (15 s)
# timeout: 240
truncate -s 48M a b c
example_start stripe a b c
[ "$(blockdev --getsize64 "$DEV")" = $((144 << 20)) ] || fail "its size"

# What was written lies in turns of 64 KiB in the files.
random_file ref $((6 << 20))
dd if=ref of="$DEV" bs=448k oflag=direct,sync status=none || fail "write"
for i in 0 1 2; do
	f=$(echo a b c | cut -d' ' -f $((i + 1)))
	for n in 0 31; do
		cmp -n 65536 -i $(((3 * n + i) << 16)):$((n << 16)) ref "$f" ||
			fail "chunk $n of $f"
	done
done
same ref || fail "what was written is not what is read"
# Holes: they read as zeroes, and take no room.
before=$(stat -c %b a)
blkdiscard --zeroout --length 3M "$DEV" || fail "zeroes"
blkdiscard --offset 3M --length 3M "$DEV" || fail "discard"
cmp -n $((6 << 20)) "$DEV" /dev/zero || fail "holes that are no zeroes"
[ "$(stat -c %b a)" -lt "$before" ] || fail "holes that take room"

fio --name=verify --filename="$DEV" --direct=1 --ioengine=io_uring \
	--rw=randwrite --bsrange=4k-448k --blockalign=4k --size=24M \
	--iodepth=16 --fdatasync=16 --verify=crc32c --do_verify=1 --eta=never \
	--output=fio.out >fio.err 2>&1 || {
	tail -n 20 fio.out fio.err
	fail "fio verify"
}
file_system "mkfs.ext4 -q" "e2fsck -fn"

example_stop
