# shellcheck shell=bash
# kill -9 of a file disk's server in mid-write, on ext4, xfs and a block device: all that was answered is there (60 s)
# timeout: 600
oracle=$BUILD/tests/e2e/e2e_oracle
[ -x "$oracle" ] || fail "tests/e2e/e2e_oracle was not built"
modprobe -a brd ext4 xfs 2>/dev/null
modprobe -r brd
modprobe brd rd_nr=1 rd_size=409600 || skip "no brd"
mkdir fs
trap 'mountpoint -q fs && umount fs; modprobe -r brd' EXIT
blocks=2048

# crash_rounds FILE: servers are killed while the oracle writes
crash_rounds() {
	local file=$1 witness=/dev/shm/$$.witness writer
	rm -f $witness $witness.stop
	demo_start --file "$file" --size 8M --recovery reissue
	"$oracle" write "$DEV" $blocks $witness >oracle.out 2>&1 &
	writer=$!
	for _ in $(seq "${ROUNDS:-4}"); do
		# shellcheck disable=SC2317
		writes() {
			dead $writer || [ "$(stat_of .ops.WRITE.reqs)" -gt 200 ]
		}
		wait_for 60 writes || fail "nothing is written"
		demo_kill
		demo_start --recover "$ID" --file "$file" --size 8M
	done
	touch $witness.stop
	wait $writer || fail "the writer: $(cat oracle.out)"
	note "$file: $(cat oracle.out)"
	blockdev --flushbufs "$DEV"
	"$oracle" check "$DEV" $blocks $witness >found || fail "$(cat found)"
	demo_stop
	"$oracle" check "$file" $blocks $witness >found ||
		fail "in the file: $(cat found)"
}

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
