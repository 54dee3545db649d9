# shellcheck shell=bash
# --disk: ext4, and fio's verification, on a part over a stripe of file and memory (12 s)
truncate -s 64M a
demo_start --disk "stats:base=[part:offset=1M,size=64M,base=[stripe:chunk=64K,base=file:$PWD/a,base=mem:64M]]"
[ "$(blockdev --getsize64 "$DEV")" = $((64 << 20)) ] || fail "its size"

# What was written lies in turns of 64 KiB, from the second MiB on: 8 of each.
random_file ref $((4 << 20))
dd if=ref of="$DEV" bs=448k oflag=direct,sync status=none || fail "write"
for n in 0 31; do
	cmp -n 65536 -i $(((2 * n) << 16)):$(((8 + n) << 16)) ref a ||
		fail "chunk $n of the file"
done
same ref || fail "what was written is not what is read"
blkdiscard --offset 1M --length 2M "$DEV" || fail "discard"
blkdiscard --zeroout --length 1M "$DEV" || fail "zeroes"
cmp -n $((3 << 20)) "$DEV" /dev/zero || fail "holes that are no zeroes"

fio --name=verify --filename="$DEV" --direct=1 --ioengine=io_uring \
	--rw=randwrite --bsrange=4k-300k --blockalign=4k --size=12M \
	--iodepth=16 --fdatasync=32 --verify=crc32c --do_verify=1 --eta=never \
	--output=fio.out >fio.err 2>&1 || {
	tail -n 20 fio.out fio.err
	fail "fio verify"
}

mkfs.ext4 -q "$DEV" || fail "mkfs.ext4"
mkdir mnt
mount "$DEV" mnt || fail "mount"
trap 'mountpoint -q mnt && umount mnt' EXIT
mkdir tree
for i in $(seq 20); do
	random_file "tree/$i" $((i * i * 5000)) "$i"
done
cp tree/* mnt || fail "copy"
umount mnt || fail "umount"
mount "$DEV" mnt || fail "mount again"
diff -r tree mnt -x lost+found || fail "differs after remount"
umount mnt || fail "umount"
e2fsck -fn "$DEV" >check.out 2>&1 || fail "e2fsck: $(tail -n3 check.out)"
# A file on tmpfs knows no ZERO_RANGE, so the kernel writes its zeroes itself.
[ "$(stat_of '[.ops | del(.WRITE_ZEROES)[].errors] | add')" = 0 ] ||
	fail "errors were counted"
[ "$(stat_of .stale_answers)" = 0 ] || fail "stale answers"
demo_stop

# A disk that fails does so for the kernel, too, and only there.
demo_start --disk fault:error=ENOSPC,ops=write,from=1M,to=2M,base=mem:16M
! dd if=ref of="$DEV" bs=64k seek=15 count=2 oflag=direct status=none \
	2>dd.err || fail "a write that was to fail went through"
grep -q "No space left" dd.err || fail "not ENOSPC: $(cat dd.err)"
dd if=ref of="$DEV" bs=64k seek=32 count=2 oflag=direct status=none ||
	fail "another write failed"
dd if="$DEV" of=/dev/null bs=64k skip=15 count=2 iflag=direct status=none ||
	fail "a read failed"
demo_stop
