# shellcheck shell=bash
# what the kernel makes of a disk keeps it: swap, dm, md, bcache, loop; and a server of nbd (15 s)
# timeout: 240
# shellcheck source=vm/evctl_lib.sh
. "$1/evctl_lib.sh"
modprobe -a dm-mod md-mod raid1 bcache loop nbd 2>/dev/null

# held KIND WHAT: the tool refuses to take it away, and names that holder
held() {
	ctl_json 4 ".holders[] | select(.kind == \"$1\" and
		(.what | test(\"$2\")))" stop "$ID"
	note "$(jq -c '.holders[] | {kind, comm, what}' ctl.out)"
}

# let_go: nobody has it any more, says the kernel
# shellcheck disable=SC2317,SC2016
unclaimed() {
	perl -MFcntl -e 'exit !sysopen(my $f, $ARGV[0], O_RDONLY | O_EXCL)' \
		"$DEV"
}
let_go() {
	wait_for 20 unclaimed || fail "the kernel still has it"
}

demo_start --size 64M --stop-timeout 60

note "swap; nor does the daemon itself end"
mkswap "$DEV" >/dev/null || fail "mkswap"
swapon "$DEV" || fail "swapon"
held swap "$DEV"
ctl 4 del "$ID"
kill -TERM "$DEMO_PID"
wait_for 20 grep -q "is in use" "$DEMO_LOG" || fail "the daemon is silent"
! dead "$DEMO_PID" || fail "the daemon does not wait"
swapoff "$DEV" || fail "swapoff"
demo_ended 20

# LVM's and LUKS' disks are the device mapper's as well.
demo_start --size 64M
if dmsetup --noudevsync create held --table "0 65536 linear $DEV 0" \
    2>dm.err; then
	note "the device mapper"
	held stacked dm-
	dmsetup --noudevsync remove held || fail "dmsetup remove"
	let_go
else
	note "no device mapper here: $(head -n1 dm.err)"
fi

# Without mdadm, which not everybody has: an array of one disk, whose other one is
# missing, and that has no superblock.
md=/sys/block/md127/md
if echo md127 2>/dev/null >/sys/module/md_mod/parameters/new_array; then
	note "md"
	{
		echo none >$md/metadata_version
		echo raid1 >$md/level
		echo 2 >$md/raid_disks
		cat "/sys/block/ublkb$ID/dev" >$md/new_dev
		echo 0 >"$md/dev-ublkb$ID/slot"
		echo 32768 >$md/component_size
		echo active >$md/array_state
	} 2>md.err || fail "md: $(cat md.err)"
	held stacked md127
	echo clear >$md/array_state || fail "md stays"
	let_go
else
	note "no md here"
fi

if [ -e /sys/fs/bcache/register ]; then
	note "bcache"
	# the superblock of a backing device, as make-bcache writes it
	python3 - "$DEV" <<-'END'
	import struct, sys, uuid
	def crc64(data):
	    crc = 0xFFFFFFFFFFFFFFFF
	    for byte in data:
	        crc ^= byte << 56
	        for _ in range(8):
	            crc = (crc << 1 ^ (0x42F0E1EBA9EA3693 if crc >> 63 else 0)) \
	                & 0xFFFFFFFFFFFFFFFF
	    return crc ^ 0xFFFFFFFFFFFFFFFF
	magic = bytes.fromhex("c68573f64e1a45ca8265f57f48ba6d81")
	# sector, version of a backing device, magic, uuid, set's uuid, label,
	# flags, seq, 8 spare, data's begin and 40 more bytes, last mount, bucket
	sb = struct.pack("<QQ16s16s16s32sQQ64s", 8, 1, magic, uuid.uuid4().bytes,
	                 uuid.uuid4().bytes, b"", 0, 0, b"")
	sb += struct.pack("<QHHHHIHH", 0, 1, 1, 0, 0, 0, 0, 0)
	with open(sys.argv[1], "r+b") as f:
	    f.seek(4096)
	    f.write(struct.pack("<Q", crc64(sb)) + sb)
	END
	echo "$DEV" >/sys/fs/bcache/register || fail "bcache"
	held stacked bcache
	echo 1 >"/sys/block/ublkb$ID/bcache/stop" || fail "bcache stays"
	let_go
else
	note "no bcache here"
fi

note "loop"
loop=$(losetup -f --show "$DEV") || fail "losetup"
held stacked loop
losetup -d "$loop" || fail "losetup -d"
wait_for 10 test ! -e "/sys/block/${loop#/dev/}/loop" || fail "loop stays"

if [ -e /dev/nbd0 ] && command -v nbdkit nbd-client >/dev/null; then
	note "nbd"
	nbdkit -f -U "$PWD/nbd.sock" file "$DEV" >nbdkit.log 2>&1 &
	server=$!
	wait_for 20 test -S nbd.sock || fail "nbdkit: $(cat nbdkit.log)"
	nbd-client -unix "$PWD/nbd.sock" /dev/nbd0 >nbd.log 2>&1 ||
		fail "nbd-client: $(cat nbd.log)"
	held open "$DEV"
	nbd-client -d /dev/nbd0 >/dev/null || fail "nbd-client -d"
	kill $server
	wait $server
else
	note "no nbd here"
fi

demo_stop
