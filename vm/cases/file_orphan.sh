# shellcheck shell=bash
# kill -9 while what is below the file holds its writes: file and device are free when these have ended (30 s)
# timeout: 300
modprobe -a brd dm-mod ext4 2>/dev/null
slow=/dev/mapper/slow
modprobe -r brd
modprobe brd rd_nr=1 rd_size=65536 || skip "no brd"
mkdir fs
# shellcheck disable=SC2317
clean() {
	dmsetup --noudevsync resume slow 2>/dev/null
	! mountpoint -q fs || umount fs
	dmsetup --noudevsync remove slow 2>/dev/null
	modprobe -r brd
}
trap clean EXIT
dmsetup --noudevsync create slow --table "0 131072 linear /dev/ram0 0" ||
	skip "no device mapper"
# Without udev the node is dmsetup's to make, where it has one of its own.
dmsetup mknodes slow 2>/dev/null
[ -b $slow ] || slow=/dev/$(basename "$(readlink -f /sys/dev/block/"$(dmsetup \
	info -c --noheadings --separator : -o major,minor slow)")")
[ -b $slow ] || fail "no node of the device"
random_file old 4096 1
random_file new 4096 2

# shellcheck disable=SC2317
is_out() {
	[ "$(stat_of .inflight)" -ge 1 ]
}

# orphan FILE
orphan() {
	local file=$1 client t
	demo_start --file "$file" --size 8M --recovery reissue
	# The block is there already, so that the write needs no journal.
	dd if=old of="$DEV" bs=4k oflag=direct status=none || fail "write"
	dmsetup --noudevsync suspend --noflush --nolockfs slow ||
		fail "suspend"
	dd if=old of="$DEV" bs=4k oflag=direct status=none &
	client=$!
	wait_for 10 is_out || fail "the write is not out"
	kill -KILL "$DEMO_PID"
	t=$(seconds)
	wait_for 5 dead "$DEMO_PID" && note "$file: dead after $(since "$t") s"
	# Nobody else has the file, nor the device, as long as it may land.
	demo_refuses 1 --recover "$ID" --file "$file" --size 8M
	grep -q 'in use' <<<"$REFUSAL" || fail "the file is not in use"
	if (: <"/dev/ublkc$ID") 2>open.err; then
		fail "/dev/ublkc$ID can be opened"
	fi
	note "/dev/ublkc$ID: $(cat open.err)"
	! dead $client || fail "who has answered?"
	dmsetup --noudevsync resume slow || fail "resume"
	demo_start --recover "$ID" --file "$file" --size 8M
	wait_for 30 dead $client || fail "the client hangs"
	wait $client || fail "the client saw an error"
	# What the next server writes stays.
	dd if=new of="$DEV" bs=4k oflag=direct status=none || fail "write"
	same new || fail "an old write came later"
	demo_stop
}

mkfs.ext4 -q -F $slow || fail "mkfs.ext4"
mount $slow fs || fail "mount"
orphan fs/img
umount fs || fail "umount"
orphan $slow
