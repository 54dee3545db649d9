# shellcheck shell=bash
# The disk's data in a file: there again after a stop; huge pages of hugetlbfs (10 s)
memory_only "--memory-file"
mem=/dev/shm/$$.mem
demo_start --size 16M --memory-file $mem
random_file ref $((4 << 20))
dd if=ref of="$DEV" bs=64k oflag=direct status=none || fail "write"
demo_refuses 1 --memory-file $mem
demo_stop
[ "$(stat -c %s $mem)" = $((16 << 20)) ] || fail "the file's size"
demo_start --memory-file $mem
[ "$(blockdev --getsize64 "$DEV")" = $((16 << 20)) ] || fail "the size"
same ref || fail "the data"
blkdiscard "$DEV" || fail "blkdiscard"
[ "$(stat -c %b $mem)" = 0 ] || fail "pages were kept"
demo_stop
rm $mem
# /dev/shm has half of the memory; this has 1 MiB.
mkdir small
mount -t tmpfs -o size=1M tmpfs small || fail "mount"
trap 'umount small' EXIT
demo_refuses 1 --memory-file small/mem --size 16M
grep -q 'No space left' refuse.err || fail "no word of the room"
echo 16 >/proc/sys/vm/nr_hugepages
mkdir huge
if mount -t hugetlbfs none huge; then
	"$BUILD/tests/unit/test_mem_shared" >huge.out 2>&1 || {
		cat huge.out
		fail "test_mem_shared"
	}
	! grep 'huge_pages:' huge.out || fail "without huge pages"
	demo_start --size 8M --memory-file huge/mem
	dd if=ref of="$DEV" bs=64k oflag=direct status=none || fail "write"
	same ref || fail "the data on huge pages"
	demo_stop
	rm huge/mem
	umount huge
fi
echo 0 >/proc/sys/vm/nr_hugepages
