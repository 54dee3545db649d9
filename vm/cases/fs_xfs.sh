# shellcheck shell=bash
# xfs on it: a tree unpacked, compared, and again after a remount (20 s)
# timeout: 240
demo_start --size 320M
mkfs.xfs -q "$DEV" || fail "mkfs"
mkdir mnt tree
mount "$DEV" mnt || fail "mount"
trap 'mountpoint -q mnt && umount mnt' EXIT
# Real files, small and large, and links of both sorts.
tar -C "$SRC" -cf - include vm tests | tar -C tree -xf - || fail "no tree"
for i in $(seq 40); do
	random_file "tree/r$i" $((i * i * 300)) "$i"
done
ln -s r1 tree/sym
ln tree/r2 tree/hard
tar -C tree -cf - . | tar -C mnt -xf - || fail "unpack"
diff -r --no-dereference tree mnt/ -x lost+found || fail "differs"
umount mnt || fail "umount"
mount "$DEV" mnt || fail "mount again"
diff -r --no-dereference tree mnt/ -x lost+found || fail "differs after remount"
rm -r mnt/vm mnt/r*
fstrim mnt || fail "fstrim"
umount mnt || fail "umount"
xfs_repair -n "$DEV" >fsck.out 2>&1 || fail "xfs_repair: $(tail -n3 fsck.out)"
demo_stop
