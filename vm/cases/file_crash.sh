# shellcheck shell=bash
# kill -9 of a file disk's server in mid-write, on ext4, xfs and a block device: all that was answered is there (60 s)
# timeout: 600
modprobe -a brd ext4 xfs 2>/dev/null
modprobe -r brd
modprobe brd rd_nr=1 rd_size=409600 || skip "no brd"
mkdir fs
trap 'mountpoint -q fs && umount fs; modprobe -r brd' EXIT
for fs in ext4 xfs; do
	case $fs in
	ext4) mkfs.ext4 -q -F /dev/ram0 ;;
	xfs) mkfs.xfs -q -f /dev/ram0 ;;
	esac || fail "mkfs.$fs"
	mount -t $fs /dev/ram0 fs || fail "mount"
	crash_rounds fs/img
	umount fs || fail "umount"
done
# What the image had there looks like what the oracle writes.
dd if=/dev/zero of=/dev/ram0 bs=1M count=8 conv=fsync status=none || fail "dd"
crash_rounds /dev/ram0
